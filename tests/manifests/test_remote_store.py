"""A store that workers share at an address: the same as one in a folder, through a network that fails."""

import errno
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from manifests.claims import Claims
from manifests.commits import Commit
from manifests.errors import StoreError
from manifests.remote import Remote, without_secrets
from manifests.remote_store import RemoteStore
from manifests.store_folder import explained
from manifests.workspace import Workspace

Worker = Callable[[str], RemoteStore]


@pytest.fixture(params=["s3", "memory"])
def address(request: pytest.FixtureRequest, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A place of the test's own, on moto's server and in fsspec's memory."""
    if request.param == "memory":
        yield f"memory://{uuid4().hex}"
        return
    import fsspec

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    yield f"s3://dub/{uuid4().hex}"


@pytest.fixture
def worker(tmp_path: Path, address: str) -> Worker:
    """A worker's view of the shared store, by the worker's name."""
    return lambda name: RemoteStore(tmp_path / name, Remote(address))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def everything(remote: Remote, folder: str) -> list[str]:
    return sorted(name for each in remote.folders(folder) for name in remote.names(f"{folder}/{each}"))


def test_what_one_worker_commits_another_has(worker: Worker) -> None:
    """Names and layout are those of a store in a folder; the object is fetched when it is asked for, and kept."""
    one, other = worker("one"), worker("other")
    ref = one.put_bytes(b"hello", ".txt")
    assert one.commit(Commit("mix", "ab12", {"out.txt": ref.name})).key == "ab12"
    assert everything(one.remote, "objects") == [f"objects/{sha256(b'hello')[:2]}/{sha256(b'hello')}.txt"]
    assert everything(one.remote, "commits") == ["commits/mix/ab12.json"]
    found = other.committed("mix", "ab12")
    assert found is not None
    assert not other.path(ref).exists()
    assert other.get(found.outputs["out.txt"]).read_bytes() == b"hello"
    assert other.path(ref).exists()


def test_the_first_commit_wins(worker: Worker) -> None:
    """Of two workers that made the same, both get what the first one made."""
    one, other = worker("one"), worker("other")
    first = one.commit(Commit("mix", "ab12", {"out": one.put_bytes(b"first", ".txt").name}))
    assert other.commit(Commit("mix", "ab12", {"out": other.put_bytes(b"second", ".txt").name})) == first
    assert other.made("take", "cd34", lambda folder: written(folder, b"third")).read_bytes() == b"third"
    assert one.made("take", "cd34", lambda folder: written(folder, b"fourth")).read_bytes() == b"third"


def written(folder: Path, data: bytes) -> Path:
    path = folder / "made.txt"
    path.write_bytes(data)
    return path


def test_a_commit_whose_object_is_gone_does_not_count(worker: Worker) -> None:
    """It is replaced by whoever makes it again, as in a folder."""
    one, other = worker("one"), worker("other")
    ref = one.put_bytes(b"lost", ".txt")
    one.commit(Commit("mix", "ab12", {"out": ref.name}))
    one.discard(ref.name)
    assert one.committed("mix", "ab12") is None
    assert other.committed("mix", "ab12") is None
    again = other.commit(Commit("mix", "ab12", {"out": other.put_bytes(b"lost", ".txt").name}))
    assert one.committed("mix", "ab12") == again


def test_a_forgotten_commit_is_gone_for_all(worker: Worker) -> None:
    """A forced stage is forced wherever the lesson runs next."""
    one, other = worker("one"), worker("other")
    one.commit(Commit("mix", "ab12", {"out": one.put_bytes(b"x", ".txt").name}))
    other.forget("mix", "ab12")
    assert one.committed("mix", "ab12") is None


def test_commits_and_objects_are_listed(worker: Worker) -> None:
    """All of them, by whoever asks."""
    one, other = worker("one"), worker("other")
    for number in range(40):
        ref = one.put_bytes(f"object {number}".encode(), ".txt")
        one.commit(Commit("take" if number % 2 else "mix", sha256(ref.name.encode()), {"it": ref.name}))
    assert len({commit.key for commit in other.commits()}) == 40
    assert {each.name for each in other.objects()} == {
        name for commit in one.commits() for name in commit.objects_named
    }
    assert {each.size for each in other.objects()} == {8, 9}
    assert all(abs(time.time() - each.since) < 600 for each in other.objects())


def test_what_was_erased_leaves_every_cache(worker: Worker) -> None:
    """The worker that has a copy of the voice loses it when it next opens the store."""
    one, other = worker("one"), worker("other")
    ref = one.put_bytes(b"a voice", ".flac")
    one.commit(Commit("synthesize", "ab12", {"take": ref.name}, people=("amara",)))
    copy = other.get(ref.name)
    one.erase([ref.name])
    assert one.remote.entry(f"objects/{ref.digest[:2]}/{ref.name}") is None
    assert not one.path(ref).exists()
    assert copy.exists()
    assert not worker("other").path(ref).exists()
    again = worker("other").put_bytes(b"a voice", ".flac")  # somebody else's, byte for byte, later
    assert worker("other").path(again).exists()


def test_a_damaged_object_is_quarantined(worker: Worker) -> None:
    """Whoever fetches it is told, nobody works with it, and the commit does not count any more."""
    one, other = worker("one"), worker("other")
    ref = one.put_bytes(b"sound", ".flac")
    one.commit(Commit("mix", "ab12", {"out": ref.name}))
    one.remote.write(f"objects/{ref.digest[:2]}/{ref.name}", b"s0und")
    with pytest.raises(StoreError, match=r"is damaged, and was put into quarantine/.*Run again: it will be made anew"):
        other.get(ref.name)
    assert not other.path(ref).exists()
    assert one.remote.read(f"quarantine/{ref.name}") == b"s0und"
    assert other.committed("mix", "ab12") is None


def test_a_damaged_copy_is_fetched_again(worker: Worker) -> None:
    """The cache is no truth: what is shared is as it was, and nothing is made again."""
    one, other = worker("one"), worker("other")
    made = one.commit(Commit("mix", "ab12", {"out": one.put_bytes(b"sound", ".flac").name}))
    copy = other.get(made.outputs["out"])
    copy.write_bytes(b"s0und")
    assert worker("other").sound("mix", "ab12") == made
    assert worker("other").get(made.outputs["out"]).read_bytes() == b"sound"


def test_a_survey_finds_what_is_there_and_what_changed(worker: Worker) -> None:
    """Looked up in a listing: commits that came, changed or went since the last survey are as they are now."""
    one, other = worker("one"), worker("other")
    for key in ("aa", "bb", "cc"):
        one.commit(Commit("mix", key, {"out": one.put_bytes(key.encode(), ".txt").name}))
    with other.surveyed():
        assert [found.key for key in ("aa", "bb", "dd") if (found := other.committed("mix", key))] == ["aa", "bb"]
    one.forget("mix", "aa")
    one.forget("mix", "bb")
    changed = one.commit(Commit("mix", "bb", {"out": one.put_bytes(b"other", ".txt").name}, seconds=12.5))
    with other.surveyed():
        assert (other.committed("mix", "aa"), other.committed("mix", "bb")) == (None, changed)


def test_claims_are_held_at_an_address(address: str) -> None:
    """One after the other, and a released one at once."""
    claims = Claims(Remote(address))
    for _ in range(2):
        with claims.held("biology/lesson-01", lease_s=600):
            claims.check("biology/lesson-01")
    taken = threading.Event()

    def take() -> None:
        with Claims(Remote(address)).held("biology/lesson-01"):
            taken.set()

    with claims.held("biology/lesson-01", lease_s=600):
        waiter = threading.Thread(target=take)
        waiter.start()
        assert not taken.wait(1)
    assert taken.wait(60)
    waiter.join()


RACE = """
import sys, hashlib
from pathlib import Path
from manifests.remote import Remote
from manifests.remote_store import RemoteStore
from manifests.commits import Commit
from manifests.store_folder import explained
store = RemoteStore(Path(sys.argv[1]), Remote(sys.argv[2]))
for number in range(12):
    ref = store.put_bytes(f"{sys.argv[1]} {number}".encode(), ".txt")
    print(store.commit(Commit("take", f"{number:02}", {"it": ref.name})).outputs["it"])
"""


def test_two_processes_agree_on_every_commit(s3: Any, tmp_path: Path) -> None:
    """Whichever was first: both go on with the same result."""
    command = [sys.executable, "-c", RACE]
    place = f"s3://dub/{uuid4().hex}"
    both = [
        subprocess.Popen(
            [*command, str(tmp_path / name), place],
            stdout=subprocess.PIPE,
            text=True,
            env=s3.environment,
            cwd=Path(__file__).parents[2],
        )
        for name in ("one", "other")
    ]
    said = [process.communicate(timeout=240)[0].splitlines() for process in both]
    assert said[0] == said[1]
    assert len(said[0]) == 12


@pytest.mark.slow
def test_a_network_that_fails_for_ten_seconds_costs_ten_seconds(wire: Any, tmp_path: Path) -> None:
    """Every connection is dropped and none is let through: what was under way goes on as if nothing had been."""
    import fsspec

    fsspec.filesystem("s3").clear_instance_cache()
    place = f"s3://dub/{uuid4().hex}"
    store, other = RemoteStore(tmp_path / "one", Remote(place)), RemoteStore(tmp_path / "other", Remote(place))
    kept = store.put_bytes(b"before", ".txt")
    store.commit(Commit("mix", "00", {"out": kept.name}))
    wire.cut()
    mended = threading.Timer(10, wire.mend)
    mended.start()
    started = time.monotonic()
    large = tmp_path / "large.bin"
    large.write_bytes(b"a large object" * 1_000_000)
    ref = store.put(large)
    made = store.commit(Commit("mix", "01", {"out": ref.name}))
    assert time.monotonic() - started > 9
    assert wire.dropped > 1
    assert other.committed("mix", "01") == made
    wire.cut()
    threading.Timer(3, wire.mend).start()
    assert other.get(ref.name).stat().st_size == 14_000_000
    assert other.get(kept.name).read_bytes() == b"before"


def test_a_network_that_stays_away_is_an_error_that_says_so(wire: Any, tmp_path: Path) -> None:
    """After so long as was asked, with the place and what to do."""
    import fsspec

    fsspec.filesystem("s3").clear_instance_cache()
    remote = Remote(f"s3://dub/{uuid4().hex}", patience_s=0.5)
    assert remote.read("nothing") is None
    wire.cut()
    with pytest.raises(StoreError, match=r"cannot write a at s3://dub/.*See that the network and the server work"):
        remote.write("a", b"x")


def test_a_lost_answer_is_no_lost_race(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A creation that arrived although its answer did not is found, by what it wrote, to be one's own."""
    remote = Remote(address)
    real = remote._fs.pipe_file  # pyright: ignore[reportPrivateUsage]
    calls: list[str] = []

    def lossy(path: str, data: bytes, **options: Any) -> None:
        real(path, data, **options)
        calls.append(path)
        if len(calls) == 1:
            raise ConnectionResetError("reset")

    monkeypatch.setattr(remote._fs, "pipe_file", lossy)  # pyright: ignore[reportPrivateUsage]
    assert remote.create("claims/a/1.json", b"mine")
    assert not remote.create("claims/a/1.json", b"another's")
    assert remote.read("claims/a/1.json") == b"mine"


def test_a_missing_bucket_is_named(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do; at once, because waiting makes no bucket."""
    import fsspec

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    with pytest.raises(StoreError, match=r"cannot write a at s3://nowhere-at-all/x.*Make the bucket"):
        Remote("s3://nowhere-at-all/x").write("a", b"x")


def test_an_address_that_nothing_understands_is_named() -> None:
    """And its password is in no message."""
    with pytest.raises(StoreError, match=r"the place gopher://host/x cannot be understood") as caught:
        Remote("gopher://user:secret@host/x")
    assert "secret" not in str(caught.value)
    assert without_secrets("sftp://me:secret@host/x?key=secret") == "sftp://host/x"


def test_the_workspace_opens_the_store_of_the_settings(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workspaces, one store; the folder of either may be deleted."""
    monkeypatch.setenv("DUB_STORE", address)
    one, other = Workspace.open(tmp_path / "one"), Workspace.open(tmp_path / "other")
    ref = one.store.put_bytes(b"shared", ".txt")
    assert other.store.get(ref.name).read_bytes() == b"shared"
    assert other.store.place == address


def test_the_cache_stays_under_its_limit_and_loses_nothing(worker: Worker, address: str, tmp_path: Path) -> None:
    """What was asked for longest ago makes room for what comes; asked for again, it is fetched again."""
    refs = [worker("one").put_bytes(bytes([each]) * 1000, ".wav") for each in range(4)]
    small = RemoteStore(tmp_path / "small", Remote(address), cache_bytes=3000)
    for ago, ref in enumerate(refs[:3]):
        path = small.get(ref.name)
        os.utime(path, (time.time() - 86_400 * (3 - ago),) * 2)
    small.get(refs[0].name)  # asked for now
    small.get(refs[3].name)
    assert [small.path(ref).exists() for ref in refs] == [True, False, False, True]
    assert small.get(refs[1].name).read_bytes() == bytes([1]) * 1000


@pytest.mark.parametrize(("store", "flag"), [("shared", "DUB_STORE"), (None, "--workspace")])
def test_a_full_store_names_the_setting_that_moves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str | None, flag: str
) -> None:
    """Another workspace would not help where the store is shared."""
    if store:
        monkeypatch.setenv("DUB_STORE", str(tmp_path / store))
    with pytest.raises(StoreError) as caught, explained("write to", tmp_path / (store or ".dub/store")):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.remedy == f"Free some space, or choose another folder with {flag}."
