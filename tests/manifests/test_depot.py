"""A course's finished files at an address: there whole or not at all, found again when they were touched."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from manifests.bucket import FolderBucket
from manifests.depot import Depot, Depots, fetched, mirror
from manifests.errors import ClaimLost, StoreError
from manifests.remote import Remote
from manifests.store import file_sha256

GROUP = "lesson.es"


@pytest.fixture(params=["s3", "memory", "file"])
def address(request: pytest.FixtureRequest, tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A course's folder of the test's own: on moto's server, in fsspec's memory, and where files have to be renamed."""
    import fsspec

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    places = {"s3": f"s3://dub/{uuid4().hex}", "memory": f"memory://{uuid4().hex}", "file": f"file://{tmp_path}/out"}
    yield f"{places[request.param]}/water"


@pytest.fixture
def worker(tmp_path: Path, address: str) -> Callable[[str], Depot]:
    """A worker's view of the address, by the worker's name; all share the store's notes."""
    return lambda name: Depots(tmp_path / name, FolderBucket(tmp_path / "store")).at(address)


def made(depot: Depot, *names: str, said: str = "", held: bool = False) -> list[Path]:
    """Finished files in a worker's mirror."""
    folder = depot.mirror.parent / "review/water" if held else depot.mirror
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{path.name} {said}")
    return paths


def digests(paths: list[Path], depot: Depot) -> dict[str, str]:
    """Addresses of their places to their content."""
    return {depot.place(depot.mirror / path.name): file_sha256(path) for path in paths}


def there(address: str) -> dict[str, bytes]:
    """Everything below the folder of all courses."""
    remote = Remote(address.rpartition("/")[0])
    return {
        entry.name: remote.read(entry.name) or b""
        for folder in ("water", "review", "withdrawn")
        for entry in remote.tree(folder)
    }


FILES = ("lesson.es.srt", "lesson.es.mp4", "lesson.es.dub.json")


def test_what_one_worker_delivered_every_worker_finds(worker: Callable[[str], Depot], address: str) -> None:
    """Under its names, whole; nothing of it stays in the workspace, and nothing is sent a second time."""
    one, other = worker("one"), worker("other")
    paths = made(one, *FILES)
    known = digests(paths, one)
    one.deliver(GROUP, paths)
    assert there(address) == {f"water/{name}": f"{name} ".encode() for name in FILES}
    assert not list(one.mirror.rglob("*.*"))
    assert not other.missing(GROUP, known)
    video = other.place(other.mirror / "lesson.es.mp4")
    assert other.missing(GROUP, known | {video: "0" * 64}) == {video}
    other.fetch(GROUP, {other.here(place): sha256 for place, sha256 in known.items()})
    assert (other.mirror / "lesson.es.mp4").read_text() == "lesson.es.mp4 "
    sent: list[str] = []
    other.deliver(GROUP, [other.here(place) for place in known], lambda: sent.append("asked"))
    assert sent == ["asked"]  # before anything is taken out of the way, and of no file


def test_what_was_deleted_or_replaced_is_missed_and_delivered_again(
    worker: Callable[[str], Depot], address: str
) -> None:
    """One listing tells, whatever the size; the rest is not sent again."""
    one, remote = worker("one"), Remote(address.rpartition("/")[0])
    known = digests(made(one, *FILES), one)
    one.deliver(GROUP, [one.here(place) for place in known])
    remote.delete("water/lesson.es.srt")
    remote.write("water/lesson.es.mp4", b"LESSON.ES.MP4 ")
    with_listing = worker("other")
    for depot in (one, with_listing):
        for surveying in (False, True):
            depot.survey(surveying)
            assert depot.missing(GROUP, known) == set(known) - {depot.place(depot.mirror / "lesson.es.dub.json")}
        depot.survey(False)
    with_listing.fetch(GROUP, {with_listing.here(place): sha256 for place, sha256 in known.items()})
    assert [path.name for path in with_listing.mirror.iterdir()] == ["lesson.es.dub.json"]
    made(one, *FILES)
    asked: list[str] = []
    one.deliver(GROUP, [one.here(place) for place in known], lambda: asked.append("file"))
    assert len(asked) == 3  # two files, and once before the others are taken out of the way
    assert there(address) == {f"water/{name}": f"{name} ".encode() for name in FILES}


def test_a_survey_lists_an_address_once(
    worker: Callable[[str], Depot], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many targets are asked about: the course's folder and its review shelf."""
    one = worker("one")
    places: dict[str, dict[str, str]] = {}
    for number in range(5):
        paths = made(one, f"l{number}.es.srt", f"l{number}.es.dub.json")
        places[f"l{number}.es"] = digests(paths, one)
        one.deliver(f"l{number}.es", paths)
    listed: list[str] = []
    tree = Remote.tree

    def listing(self: Remote, folder: str, prefix: str = "") -> Any:
        listed.append(folder)
        return tree(self, folder, prefix)

    monkeypatch.setattr(Remote, "tree", listing)
    one.survey(True)
    marks = [one.marks_of(group, files) or frozenset() for group, files in places.items()]
    assert frozenset().union(*marks) == set(one.marks())
    assert [len(each) for each in marks] == [2, 2, 2, 2, 2]
    assert listed == ["water", "review/water"]


def test_held_files_are_released_and_taken_back(worker: Callable[[str], Depot], address: str) -> None:
    """As in a folder: what waits leaves nothing in its place, and an earlier version is put away."""
    depot = worker("one")
    depot.deliver(GROUP, made(depot, *FILES, said="first"))
    depot.deliver(GROUP, made(depot, *FILES, said="second", held=True))
    second = {f"review/water/{name}": f"{name} second".encode() for name in FILES}
    assert there(address) == second | {f"withdrawn/water/{name}": f"{name} first".encode() for name in FILES}
    place = depot.place(depot.mirror / "lesson.es.mp4")
    (video,) = made(depot, "lesson.es.mp4", said="second")
    assert depot.where(GROUP, place, file_sha256(video)) == f"{address.removesuffix('water')}review/water/lesson.es.mp4"
    depot.deliver(GROUP, made(depot, *FILES, said="second"))
    assert {name: data for name, data in there(address).items() if not name.startswith("withdrawn")} == {
        f"water/{name}": f"{name} second".encode() for name in FILES
    }
    depot.deliver(GROUP, [*made(depot, *FILES[:2], said="second", held=True), *made(depot, FILES[2], held=True)])
    now = there(address)
    assert {name for name in now if not name.startswith("withdrawn")} == set(second)
    assert now["withdrawn/water/lesson.es.mp4"] == b"lesson.es.mp4 first"


def test_a_groups_files_are_put_away_and_no_others(worker: Callable[[str], Depot], address: str) -> None:
    """Those of a withdrawn voice, held ones too; a lesson whose name begins like that keeps its own."""
    depot = worker("one")
    depot.deliver(GROUP, made(depot, *FILES, "lesson.es.forced.srt"))
    depot.deliver("lesson.es.2.es", made(depot, "lesson.es.2.es.mp4"))
    depot.deliver("lesson.ca", made(depot, "lesson.ca.mp4", held=True))
    assert depot.put_away("lesson.ca") == ()
    assert depot.put_away("lesson.ca", from_review=True) == (
        f"{address.removesuffix('water')}withdrawn/water/lesson.ca.mp4",
    )
    assert len(depot.put_away(GROUP)) == 4
    assert set(there(address)) == {
        "water/lesson.es.2.es.mp4",
        *(f"withdrawn/water/{name}" for name in (*FILES, "lesson.es.forced.srt", "lesson.ca.mp4")),
    }


def test_streams_take_the_place_of_earlier_ones(worker: Callable[[str], Depot], address: str) -> None:
    """What the master does not name any more goes, after the new master came."""
    depot = worker("one")
    for name in ("aa", "bb"):
        depot.deliver("lesson.hls", made(depot, f"lesson.hls/{name}/video.mp4", "lesson.hls/master.m3u8", said=name))
    assert there(address) == {
        "water/lesson.hls/bb/video.mp4": b"video.mp4 bb",
        "water/lesson.hls/master.m3u8": b"master.m3u8 bb",
    }
    assert len(depot.put_away("lesson.hls")) == 2
    assert set(there(address)) == {
        "withdrawn/water/lesson.hls/bb/video.mp4",
        "withdrawn/water/lesson.hls/master.m3u8",
    }


def test_who_lost_the_lesson_delivers_nothing_more(worker: Callable[[str], Depot], address: str) -> None:
    """Somebody else has it by now, and says what lies there."""
    one, other = worker("one"), worker("other")
    paths = made(one, *FILES, said="late")

    def taken_over() -> None:
        other.deliver(GROUP, made(other, *FILES, said="new"))
        raise ClaimLost("another worker took it over.")

    with pytest.raises(ClaimLost):
        one.deliver(GROUP, paths, taken_over)
    assert set(there(address).values()) == {f"{name} new".encode() for name in FILES}
    places = digests(made(worker("third"), *FILES, said="new"), other)
    assert all(other.where(GROUP, place, sha256) for place, sha256 in places.items())


def test_a_network_that_goes_in_the_middle_leaves_whole_files_and_no_record(wire: Any, tmp_path: Path) -> None:
    """The error says where; the next call sends the rest, and only that."""
    import fsspec

    fsspec.filesystem("s3").clear_instance_cache()
    address = f"s3://dub/{uuid4().hex}/water"
    bucket, here = FolderBucket(tmp_path / "store"), mirror(tmp_path, address)
    depot = Depot(address, Remote(address.removesuffix("/water"), patience_s=0.5), bucket, here)
    paths = made(depot, *FILES)
    asked: list[int] = []

    def cut_before_the_second() -> None:
        asked.append(1)
        if len(asked) == 2:
            wire.cut()

    with pytest.raises(StoreError, match=r"cannot write water/lesson\.es\.mp4 at s3://dub/.*what is finished is kept"):
        depot.deliver(GROUP, paths, cut_before_the_second)
    wire.mend()
    assert there(address) == {"water/lesson.es.srt": b"lesson.es.srt "}
    assert all(path.exists() for path in paths)
    asked.clear()
    depot.deliver(GROUP, paths, lambda: asked.append(1))
    assert len(asked) == 3
    assert set(there(address)) == {f"water/{name}" for name in FILES}


def test_an_address_that_takes_nothing_says_so_at_once(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket that is not there is no network that fails for a while; one that takes files keeps none of the trial."""
    import fsspec

    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3").clear_instance_cache()
    depots = Depots(tmp_path, FolderBucket(tmp_path / "store"))
    with pytest.raises(StoreError, match=r"at s3://no-such-bucket: .*Make the bucket, or correct the address"):
        depots.at("s3://no-such-bucket/water").try_out()
    address = f"s3://dub/{uuid4().hex}/water"
    depots.at(address).try_out()
    assert there(address) == {}
    assert fetched(f"{address}/none.mp4", tmp_path) is None
