"""The store on the S3 server of compose.yaml, for real: what is created once stays, whatever else is asked of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from s3fs import S3FileSystem

from manifests.bucket import FolderBucket
from manifests.depot import Depots, fetched
from manifests.remote import Remote
from manifests.store import file_sha256
from tests.infra.conftest import BIN, INFRA
from tests.services import free_port


@pytest.fixture(scope="module")
def remote(composed: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A place in a server that runs with compose.yaml's own flags and the keys of make-secrets.sh."""
    tmp_path = tmp_path_factory.mktemp("objects")
    subprocess.run([INFRA / "make-secrets.sh", tmp_path / "secrets"], check=True, timeout=60)
    data = tmp_path / "data"
    data.mkdir()
    ports = {part: free_port(10_000) for part in ("s3", "master", "volume", "filer")}
    flags = [
        word.replace("/run/secrets", str(tmp_path / "secrets"))
        for word in composed["services"]["objects"]["command"]
        if not word.startswith(("-dir", "-s3.port=", "-s3.ip.bind"))
    ]
    flags += [f"-dir={data}", "-s3.ip.bind=127.0.0.1", *(f"-{part}.port={port}" for part, port in ports.items())]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([BIN / "weed", *flags], stdout=log, stderr=log)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{ports['s3']}")
            patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
            patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "secrets" / "aws_credentials"))
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
                patch.delenv(name, raising=False)
            S3FileSystem.clear_instance_cache()
            yield Remote("s3://dubflow/store")  # it waits by itself until the server answers
    finally:
        S3FileSystem.clear_instance_cache()
        server.kill()
        server.wait()
        shutil.rmtree(data)


def test_of_many_that_create_one_name_one_wins_and_is_told_so(remote: Remote) -> None:
    """And the others at once: refused, not waited for. Nobody made the bucket before."""
    assert remote.create("claims/first", b"0")
    begun = time.monotonic()
    assert not remote.create("claims/first", b"1")
    assert time.monotonic() - begun < 30
    for name in ("a", "b", "c"):
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda by, name=name: remote.create(f"claims/{name}", b"%d" % by), range(8)))
        assert made.count(True) == 1
        assert remote.read(f"claims/{name}") == b"%d" % made.index(True)


def test_files_go_there_and_come_back_whole(remote: Remote, tmp_path: Path) -> None:
    """In several parts where they are large; listed, renamed, deleted, and missed where they are not."""
    sent, back = tmp_path / "sent", tmp_path / "back"
    sent.write_bytes(bytes(range(256)) * (40 << 12))  # 40 MB
    remote.upload(sent, "objects/large")
    assert remote.download("objects/large", back)
    assert back.read_bytes() == sent.read_bytes()
    remote.move("objects/large", "objects/moved")
    assert [entry.name for entry in remote.entries("objects")] == ["objects/moved"]
    remote.delete("objects/moved")
    assert list(remote.entries("objects")) == []
    assert not remote.download("objects/moved", back)
    assert remote.read("objects/moved") is None


def test_finished_files_are_found_by_their_tags_large_ones_too(remote: Remote, tmp_path: Path) -> None:
    """A video that goes up in parts has the same tag in a listing as when it was put, and is moved whole."""
    del remote  # the server runs
    depot = Depots(tmp_path, FolderBucket(tmp_path / "store")).at("s3://dubflow/out/water")
    depot.try_out()
    depot.mirror.mkdir(parents=True)
    video, record = depot.mirror / "lesson.es.mp4", depot.mirror / "lesson.es.dub.json"
    video.write_bytes(os.urandom(40_000_000))
    record.write_text("{}", encoding="utf-8")
    files = {depot.place(path): file_sha256(path) for path in (video, record)}
    depot.deliver("lesson.es", [video, record])
    depot.survey(True)
    assert not depot.missing("lesson.es", files)
    depot.survey(False)
    (away, _) = depot.put_away("lesson.es")
    assert depot.missing("lesson.es", files) == set(files)
    copy = fetched(away, tmp_path / "copy")
    assert copy is not None
    assert file_sha256(copy) == files[depot.place(video)]
