"""The times in an S3 server's listings, which are read by the hundred thousand."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from manifests.remote import Remote
from manifests.s3_session import read_time, session


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-11-27T01:02:03.000Z", datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-27T01:02:03Z", datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-27T01:02:03.250+02:00", datetime(2026, 11, 27, 1, 2, 3, 250_000, timezone(timedelta(hours=2)))),
        ("2026-11-27T01:02:03", datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)),
        ("Fri, 27 Nov 2026 01:02:03 GMT", datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)),
        (1_795_741_323, datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_every_form_that_servers_write(written: object, read: datetime) -> None:
    """S3's own at once, the others as botocore does, to which a time without a zone is one of UTC."""
    assert read_time(written).timestamp() == read.timestamp()


def test_what_is_no_time_is_refused() -> None:
    """As botocore refuses it."""
    with pytest.raises(ValueError, match="2026-13-45"):
        read_time("2026-13-45T00:00:00Z")


@pytest.mark.usefixtures("wire")
def test_a_listing_has_the_time_of_change() -> None:
    """As the server has it."""
    remote = Remote("s3://dub/times")
    remote.write("course/lesson.mp4", b"picture and sound")
    (entry,) = remote.tree("course")
    assert abs(entry.since - time.time()) < 600
    assert remote.entry("course/lesson.mp4") == entry


def test_other_keys_are_another_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may be given other keys; the same ones share their connections."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "one")
    first = session()
    assert session() is first
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    assert session() is not first
    assert "AWS_ACCESS_KEY_ID" in os.environ
