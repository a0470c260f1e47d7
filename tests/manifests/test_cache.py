"""The cache of a shared store stays under its limit."""

import os
import time
from pathlib import Path

import pytest

from manifests.cache import IN_USE_S, trim


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """Four copies of 100 bytes, asked for one day after the other; the last one just now."""
    for days, name in enumerate(("now", "one", "two", "three")):
        path = tmp_path / name[:2] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (time.time() - days * 86_400,) * 2)
    return tmp_path


def there(objects: Path) -> set[str]:
    return {path.name for path in objects.glob("*/*")}


def test_what_was_asked_for_longest_ago_goes_first(objects: Path) -> None:
    """Until there is some room below the limit; nothing where there is."""
    assert trim(objects, 400) == 0
    assert trim(objects, 399) == 100
    assert there(objects) == {"now", "one", "two"}
    assert trim(objects, 250) == 100
    assert there(objects) == {"now", "one"}


def test_what_may_be_in_use_stays_whatever_the_limit(objects: Path) -> None:
    """A stage that asked for it may be reading it still."""
    trim(objects, 1)
    assert there(objects) == {"now"}
    os.utime(objects / "no/now", (time.time() - IN_USE_S - 60,) * 2)
    trim(objects, 1)
    assert there(objects) == set()
