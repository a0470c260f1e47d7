"""Digests of big files: right always, read again only when something changed."""

import hashlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from manifests import digests
from manifests.digests import Digests
from manifests.errors import InputError, StoreError

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def at_rest(path: Path, data: bytes, mtime_s: int = 1_700_000_000) -> Path:
    """A file last written long ago."""
    path.write_bytes(data)
    os.utime(path, (mtime_s, mtime_s))
    return path


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are really read from now on, in order."""
    read: list[Path] = []
    real = digests.file_sha256

    def counted(path: Path) -> str:
        read.append(path)
        return real(path)

    monkeypatch.setattr(digests, "file_sha256", counted)
    return read


def test_the_digest_is_sha256_of_the_bytes(tmp_path: Path) -> None:
    """`abc` has the digest that FIPS 180-4 prints for it."""
    assert Digests(tmp_path / "d.sqlite").of(at_rest(tmp_path / "a", b"abc")) == ABC


def test_a_file_at_rest_is_read_once_for_all_processes_to_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the same cache nor a new one on the same file reads it a second time, whatever the file is called."""
    read = count_reads(monkeypatch)
    lesson = at_rest(tmp_path / "lesson.mp4", b"abc")
    cache = Digests(tmp_path / "d.sqlite")
    assert [cache.of(lesson), cache.of(lesson)] == [ABC, ABC]
    renamed = lesson.rename(tmp_path / "renamed.mp4")
    assert Digests(tmp_path / "d.sqlite").of(renamed) == ABC
    assert read == [lesson]


@pytest.mark.parametrize(("data", "mtime_s"), [(b"abd", 1_700_000_001), (b"abcd", 1_700_000_000)])
def test_another_time_or_size_is_another_file(tmp_path: Path, data: bytes, mtime_s: int) -> None:
    """A file rewritten in place gets its new digest."""
    cache = Digests(tmp_path / "d.sqlite")
    lesson = at_rest(tmp_path / "lesson.mp4", b"abc")
    cache.of(lesson)
    at_rest(lesson, data, mtime_s)
    assert cache.of(lesson) == hashlib.sha256(data).hexdigest()


def test_a_file_written_within_the_last_second_is_not_remembered(tmp_path: Path) -> None:
    """Two writes within one tick of the file system's clock leave size and time alike; the digest still is right."""
    cache = Digests(tmp_path / "d.sqlite")
    lesson = tmp_path / "lesson.mp4"
    lesson.write_bytes(b"abc")
    tick = lesson.stat().st_mtime_ns
    cache.of(lesson)
    lesson.write_bytes(b"xyz")
    os.utime(lesson, ns=(tick, tick))
    assert cache.of(lesson) == hashlib.sha256(b"xyz").hexdigest()


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lesson that is still being copied gives no digest at all, but a sentence that says so."""
    lesson = at_rest(tmp_path / "lesson.mp4", b"abc")
    real = digests.file_sha256

    def read_while_it_grows(path: Path) -> str:
        found = real(path)
        with path.open("ab") as stream:
            stream.write(b"more")
        return found

    monkeypatch.setattr(digests, "file_sha256", read_while_it_grows)
    with pytest.raises(InputError, match=r"changes while it is read.*Wait until it is copied"):
        Digests(tmp_path / "d.sqlite").of(lesson)


def test_threads_share_one_cache(tmp_path: Path) -> None:
    """Sixteen threads at once on a cache that does not exist yet all get the right digests."""
    files = [at_rest(tmp_path / f"{n}.mp4", str(n).encode()) for n in range(8)]
    cache = Digests(tmp_path / "d.sqlite")
    gate = threading.Barrier(16)

    def digest(path: Path) -> str:
        gate.wait(10)
        return cache.of(path)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(digest, files * 2))
    assert found == [hashlib.sha256(str(n).encode()).hexdigest() for n in range(8)] * 2


def test_two_processes_share_one_cache(tmp_path: Path) -> None:
    """Two processes that start at once, with no cache there, neither fail nor disagree."""
    lesson = at_rest(tmp_path / "lesson.mp4", b"abc")
    program = (
        "import sys; from pathlib import Path; from manifests.digests import Digests\n"
        "for _ in range(30): found = Digests(Path(sys.argv[1])).of(Path(sys.argv[2]))\n"
        "sys.stdout.write(found)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "d.sqlite"), str(lesson)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in both] == [ABC, ABC]


def test_a_broken_cache_says_what_to_delete(tmp_path: Path) -> None:
    """A cache file that is no database is named, with the mend."""
    (tmp_path / "d.sqlite").write_bytes(b"this is no database, and long enough to be looked at" * 20)
    with pytest.raises(StoreError, match=r"d\.sqlite.*Delete that file"):
        Digests(tmp_path / "d.sqlite").of(at_rest(tmp_path / "a", b"abc"))


def test_a_missing_file_is_the_callers_to_explain(tmp_path: Path) -> None:
    """OSError passes through: whoever asked knows what the file was for."""
    with pytest.raises(FileNotFoundError):
        Digests(tmp_path / "d.sqlite").of(tmp_path / "none.mp4")
