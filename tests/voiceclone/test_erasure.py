"""Erasing a voice: all of it goes, nothing else does, and what was delivered is known."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manifests.commits import Commit, Ref
from manifests.depot import Depots
from manifests.errors import InputError, StoreError
from manifests.store import Store, file_sha256
from voiceclone.consent import Record
from voiceclone.erasure import Delivered, erase, outputs_of
from voiceclone.registry import Registry


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def put(store: Store, stage: str, key: str, *contents: bytes, people: tuple[str, ...] = (), **more: object) -> Commit:
    names = [store.put_bytes(content, ".wav").name for content in contents]
    commit = Commit(stage, key, {"it": names[0]}, objects=tuple(names[1:]), people=people, **more)  # pyright: ignore[reportArgumentType]  passed through
    return store.commit(commit)


def objects(store: Store) -> set[bytes]:
    return {path.read_bytes() for path in (store.root / "objects").rglob("*") if path.is_file()}


def test_everything_that_carries_the_voice_goes_and_nothing_else(
    store: Store, registry: Registry, amara: Record
) -> None:
    """Takes, stems and mixes of the person go, a mix with somebody else in it too; others' and shared ones stay."""
    put(store, "synthesize", "k1", b"amara take 1", b"amara take 2", people=("amara",))
    put(store, "mix", "k2", b"amara and bruno", b"silence", people=("amara", "bruno"))
    put(store, "synthesize", "k3", b"bruno take", people=("bruno",))
    put(store, "split", "k4", b"silence", b"speech")
    erased = erase("amara", store=store, registry=registry, consents=["amara-2026"])
    assert objects(store) == {b"bruno take", b"silence", b"speech"}
    assert erased.commits == ("mix/k2", "synthesize/k1")
    assert len(erased.objects) == 3
    assert erased.kept == (Ref(hashlib.sha256(b"silence").hexdigest(), ".wav").name,)
    assert [commit.key for commit in store.commits()] == ["k4", "k3"]
    assert store.committed("mix", "k2") is None


def test_finished_files_are_listed_and_not_touched(
    store: Store, registry: Registry, amara: Record, tmp_path: Path
) -> None:
    """Each with its hash and whether it is still there, before the erasure and from it."""
    here, gone = tmp_path / "here.es.mp4", tmp_path / "gone.es.mp4"
    here.write_bytes(b"video")
    put(store, "remux", "k1", b"delivery", people=("amara",), delivered={str(here): "1" * 64, str(gone): "2" * 64})
    put(store, "remux", "k2", b"other", people=("bruno",), delivered={str(tmp_path / "bruno.mp4"): "3" * 64})
    expected = (Delivered(gone, "2" * 64, there=False), Delivered(here, "1" * 64, there=True))
    assert outputs_of(store, "amara") == expected
    assert erase("amara", store=store, registry=registry, consents=["amara-2026"]).delivered == expected
    assert here.read_bytes() == b"video"
    assert outputs_of(store, "amara") == ()


def test_finished_files_at_an_address_are_listed_where_they_lie(
    store: Store, registry: Registry, amara: Record
) -> None:
    """Held ones on the review shelf; of one that is gone its place; where nobody answers that is said, and all else is
    erased as ever."""
    address = f"memory://{uuid4().hex}/water"
    depot = Depots(store.root.parent, store.bucket).at(address)
    (depot.mirror.parent / "review/water").mkdir(parents=True)
    video = depot.mirror.parent / "review/water/lesson.es.mp4"
    video.write_text("her voice")
    sha256 = file_sha256(video)
    depot.deliver("lesson.es", [video])
    silent = "sftp://127.0.0.1:9/water"
    for key, place, files in (
        ("ab12", address, {f"{address}/lesson.es.mp4": sha256, f"{address}/lesson.es.srt": "1" * 64}),
        ("cd34", silent, {f"{silent}/lesson.es.mp4": "2" * 64}),
    ):
        notes = {"lesson": "lesson", "language": "es"}
        store.commit(Commit("remux", key, {}, delivered=files, people=("amara",), notes=notes, address=place))
    listed = [
        Delivered(f"{address}/lesson.es.srt", "1" * 64, there=False),
        Delivered(f"{address.removesuffix('water')}review/water/lesson.es.mp4", sha256, there=True),
        Delivered(f"{silent}/lesson.es.mp4", "2" * 64, there=None),
    ]
    assert list(outputs_of(store, "amara")) == sorted(listed, key=lambda each: str(each.path))
    erased = erase("amara", store=store, registry=registry, consents=["amara-2026"])
    assert erased.commits == ("remux/ab12", "remux/cd34")


def test_a_tombstone_of_hashes_stays(store: Store, registry: Registry, amara: Record, tmp_path: Path) -> None:
    """The log says what was erased, and no file name, which may name somebody."""
    put(store, "remux", "k1", b"mix", people=("amara",), delivered={str(tmp_path / "Amara Example.mp4"): "1" * 64})
    registry.revoke("amara-2026", "asked")
    erase("amara", store=store, registry=registry, consents=["amara-2026"])
    summary, *lists = [entry for entry in registry.entries() if entry.action == "erase"]
    assert summary.details == {"commits": 1, "objects": 1, "delivered": 1}
    assert [entry.details for entry in lists] == [
        {"kind": "commit", "ids": ["remux/k1"]},
        {"kind": "object", "ids": [hashlib.sha256(b"mix").hexdigest()]},
        {"kind": "delivered", "ids": ["1" * 64]},
    ]
    assert registry.audit().sound
    assert b"Example" not in (registry.root / "audit.jsonl").read_bytes()


def test_an_erasure_that_was_interrupted_goes_on_where_it_stopped(
    store: Store, registry: Registry, amara: Record
) -> None:
    """An object that is gone already is no reason to leave the rest."""
    commit = put(store, "synthesize", "k1", b"one", b"two", people=("amara",))
    store.get(commit.outputs["it"]).unlink()
    erased = erase("amara", store=store, registry=registry, consents=["amara-2026"])
    assert objects(store) == set()
    assert (erased.commits, len(erased.objects)) == (("synthesize/k1",), 2)
    assert erase("amara", store=store, registry=registry, consents=[]).commits == ()


def test_enrolments_go_and_a_link_there_leads_nowhere(
    store: Store, registry: Registry, amara: Record, tmp_path: Path
) -> None:
    """The person's folder is deleted; behind a link nothing is."""
    voices, linked, outside = tmp_path / "voices", tmp_path / "linked", tmp_path / "outside"
    for folder in (voices / "amara" / "audio", voices / "bruno", linked, outside):
        folder.mkdir(parents=True)
    (voices / "amara" / "audio" / "one.flac").write_bytes(b"voice")
    (outside / "mine.txt").write_bytes(b"mine")
    (linked / "amara").symlink_to(outside)
    erased = erase("amara", store=store, registry=registry, consents=[], enrolments=[voices, linked])
    assert erased.folders == (voices / "amara", linked / "amara")
    assert [path.name for path in voices.iterdir()] == ["bruno"]
    assert (outside / "mine.txt").read_bytes() == b"mine"


@pytest.mark.parametrize("person", ["..", ".", "", "a/b", "/etc"])
def test_no_person_leads_out_of_the_folder(store: Store, registry: Registry, tmp_path: Path, person: str) -> None:
    """An id is checked before anything is deleted."""
    with pytest.raises(InputError):
        erase(person, store=store, registry=registry, consents=[], enrolments=[tmp_path])
    assert tmp_path.exists()


def test_a_store_that_cannot_be_read_is_an_error_before_anything_is_deleted(
    store: Store, registry: Registry, amara: Record
) -> None:
    """Whose voice a damaged commit made nobody can say: the operator must."""
    put(store, "synthesize", "k1", b"one", people=("amara",))
    (store.root / "commits" / "synthesize" / "k2.json").write_bytes(b"{")
    with pytest.raises(StoreError, match="nobody can say whose voice"):
        erase("amara", store=store, registry=registry, consents=[])
    assert objects(store) == {b"one"}


PEOPLE = st.sets(st.sampled_from(["amara", "bruno", "carla"])).map(lambda names: tuple(sorted(names)))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(st.tuples(PEOPLE, st.lists(st.integers(0, 6), min_size=1, max_size=3)), min_size=1, max_size=6))
def test_whatever_was_shared_exactly_the_voice_goes(
    tmp_path_factory: pytest.TempPathFactory,
    registry: Registry,
    made: list[tuple[tuple[str, ...], list[int]]],
) -> None:
    """For any sharing of objects: what stays is what commits without the voice name, and nothing more."""
    store = Store(tmp_path_factory.mktemp("store"))
    for key, (people, contents) in enumerate(made):
        put(store, "mix", str(key), *(bytes([each]) for each in contents), people=people)
    erase("amara", store=store, registry=registry, consents=[])
    assert objects(store) == {bytes([each]) for people, contents in made if "amara" not in people for each in contents}
    assert all("amara" not in commit.people for commit in store.commits())
