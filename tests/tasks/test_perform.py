"""One mechanism for reruns, crashes and changes: keys, commits, and whose voice an object carries."""

import errno
import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from manifests.commits import Ref
from manifests.errors import ClaimLost, ConsentRefused, EngineUnavailable, StageFailed, StoreError
from manifests.model import Course, Job, Lesson, Person
from manifests.store import Store
from manifests.workspace import Workspace
from tasks.perform import Products, perform, written_bytes
from tasks.plan import walk
from tasks.stage import Made, Stage, Workbench
from voiceclone.application import Application
from voiceclone.registry import Registry


@dataclass(frozen=True)
class Params:
    word: str = "one"


def writer(
    name: str, needs: tuple[str, ...] = ("source",), *, word: str = "one", people: tuple[str, ...] = ()
) -> Stage:
    """A stage that writes its word and what it was given."""

    def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        out = bench.scratch / "out.txt"
        out.write_text(params.word + "".join(path.read_text() for path in inputs.values()))
        return Made({"out.txt": out}, people=frozenset(people))

    return Stage(name, 1, "lesson", needs, ("out.txt",), lambda job: Params(word), run)


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    media = tmp_path / "lesson.txt"
    media.write_text("source")
    lesson = Lesson(media="lesson.txt")
    return Job(
        manifest=tmp_path / "course.yaml",
        course=Course(course="c", targets=("es",), lessons=(lesson,)),
        lesson=lesson,
        lesson_id="lesson",
        media=media,
        out=tmp_path / "out",
    )


def test_a_stage_runs_once_for_the_same_inputs_and_parameters(space: Workspace, job: Job) -> None:
    """The second time its result comes from the store."""
    assert [perform(writer("a"), job, Products(), space).cached for _ in range(2)] == [False, True]


def test_a_changed_parameter_is_another_result(space: Workspace, job: Job) -> None:
    """Both results are kept, and going back is free."""
    words = ("one", "two", "one")
    assert [perform(writer("a", word=word), job, Products(), space).cached for word in words] == [False, False, True]


def test_new_bytes_under_the_same_name_are_noticed(space: Workspace, job: Job) -> None:
    """A path is not its content."""
    perform(writer("a"), job, Products(), space)
    job.media.write_text("other")
    assert not perform(writer("a"), job, Products(), space).cached


def test_a_forced_stage_runs_again(space: Workspace, job: Job) -> None:
    """Whatever is in the store."""
    perform(writer("a"), job, Products(), space)
    assert not perform(writer("a"), job, Products(), space, force=True).cached


def test_a_lost_object_is_made_again(space: Workspace, job: Job) -> None:
    """A commit whose object is gone does not count."""
    made = perform(writer("a"), job, Products(), space)
    space.store.get(made.commit.outputs["out.txt"]).unlink()
    assert not perform(writer("a"), job, Products(), space).cached


def test_whoever_lost_the_lesson_commits_nothing(space: Workspace, job: Job) -> None:
    """What another worker that took the lesson over makes is what counts; and a commit made meanwhile stays."""
    first = writer("a")

    def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        [claim] = (space.store.folder / "claims/c/lesson").iterdir()
        claim.with_name("000009.json").write_text("{}")
        return first.run(params, inputs, bench)

    with space.claims.held("c/lesson"), pytest.raises(ClaimLost, match="took c/lesson over"):
        perform(replace(first, run=run), job, Products(), space)
    assert not list(space.store.commits())


def test_a_commit_made_meanwhile_stays(space: Workspace, job: Job) -> None:
    """Of two workers that make the same, the first one's counts."""
    stage, clock = writer("a"), iter(("first", "second"))

    def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        word = next(clock)
        if word == "first":
            perform(replace(stage, run=run), job, Products(), space)  # another worker, in the middle of this one's work
        out = bench.scratch / "out.txt"
        out.write_text(word)
        return Made({"out.txt": out})

    made = perform(replace(stage, run=run), job, Products(), space)
    assert space.store.get(made.commit.outputs["out.txt"]).read_text() == "second"


def test_a_store_in_a_shared_folder_serves_two_workspaces(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one made, the other finds; scratch stays in each one's own folder."""
    monkeypatch.setenv("DUB_STORE", str(tmp_path / "shared"))
    one, other = Workspace.open(tmp_path / "one"), Workspace.open(tmp_path / "other")
    assert not perform(writer("a"), job, Products(), one).cached
    found = perform(writer("a"), job, Products(), other)
    assert found.cached
    assert other.store.get(found.commit.outputs["out.txt"]).is_relative_to(tmp_path / "shared" / "objects")
    with other.store.scratch() as folder:
        assert folder.is_relative_to(tmp_path / "other")


def test_a_damaged_object_is_quarantined_and_made_again(space: Workspace, job: Job) -> None:
    """Its bytes are not those of its name: the stage runs again, and what was damaged can be looked at."""
    first = perform(writer("a"), job, Products(), space)
    lies = space.store.get(first.commit.outputs["out.txt"])
    lies.write_text("0neSource")
    again = Workspace.open(space.root)  # each process reads an object once, and this is the next one
    found = perform(writer("a"), job, Products(), again)
    assert not found.cached
    assert again.store.get(found.commit.outputs["out.txt"]).read_text() == "onesource"
    assert (space.store.folder / "quarantine" / lies.name).read_text() == "0neSource"
    assert perform(writer("a"), job, Products(), again).cached


def test_a_damaged_object_never_stands_for_one_that_is_made_now(space: Workspace, job: Job) -> None:
    """The stage is forced, so nobody looks at what is there, and makes the very same again."""
    first = perform(writer("a"), job, Products(), space)
    lies = space.store.get(first.commit.outputs["out.txt"])
    lies.write_text("0neSource")
    made = perform(writer("a"), job, Products(), Workspace.open(space.root), force=True)
    assert space.store.get(made.commit.outputs["out.txt"]).read_text() == "onesource"
    assert (space.store.folder / "quarantine" / lies.name).read_text() == "0neSource"


def test_an_object_that_two_lessons_share_is_made_again_once_however_many_find_it_damaged(
    space: Workspace, job: Job
) -> None:
    """Nobody sets aside what another has made again meanwhile, and nobody fails over it."""
    first = perform(writer("a"), job, Products(), space)
    lies = space.store.get(first.commit.outputs["out.txt"])
    for _ in range(20):
        lies.write_text("0neSource")
        again = Workspace.open(space.root)
        gate = threading.Barrier(4)

        def look(_: int, again: Workspace = again, gate: threading.Barrier = gate) -> None:
            gate.wait(30)
            perform(writer("a"), job, Products(), again)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(look, range(4)))
        assert lies.read_text() == "onesource"


@pytest.mark.parametrize(
    ("fault", "mend"),
    [(errno.ENOSPC, "Free some space"), (errno.EROFS, "Make it writable"), (errno.EDQUOT, "Free some space")],
)
def test_a_store_that_takes_nothing_is_the_operators_to_mend(
    space: Workspace, job: Job, monkeypatch: pytest.MonkeyPatch, fault: int, mend: str
) -> None:
    """A full and a read-only disk are named with what to do; what was finished is kept, and nothing half is left."""
    kept = perform(writer("a"), job, Products(), space)

    def refused(_: int) -> None:
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as patch, pytest.raises(StoreError, match=mend) as caught:
        patch.setattr(os, "fsync", refused)
        perform(writer("b"), job, Products(), space)
    assert str(space.store.folder) in str(caught.value)
    assert [commit.stage for commit in space.store.commits()] == ["a"]
    assert not list((space.store.root / "tmp").iterdir())
    assert perform(writer("a"), job, Products(), space).commit == kept.commit
    assert not perform(writer("b"), job, Products(), space).cached


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """This machine's registry, in a folder of the test: Amara agreed."""
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "consent"))
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "keys"))
    made = Registry.default()
    made.init()
    agreement = tmp_path / "agreement.pdf"
    agreement.write_bytes(b"%PDF-1.4 I agree.")
    asked = {"id": "amara-2026", "person": "amara", "languages": ("es",), "purposes": ("training_video",)}
    made.add(Application.model_validate(asked | {"courses": "any", "document": agreement}))
    return made


@pytest.fixture
def spoken(job: Job, registry: Registry) -> Job:
    """The job, of a course in which Amara may speak."""
    people = {"amara": Person(consent="amara-2026")}
    return job.model_copy(update={"course": job.course.model_copy(update={"people": people})})


@pytest.mark.parametrize("when", ["the stage runs", "its result is put away"])
def test_a_result_whose_person_withdrew_meanwhile_is_not_kept(
    when: str, space: Workspace, spoken: Job, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The erasure of the revocation is over by then: nothing would find it afterwards, be it stem, mix or video."""
    products = Products().plus(perform(writer("voice", people=("amara",)), spoken, Products(), space))
    mix, keep = writer("mix", ("voice/out.txt",)), Store.put

    def run(params: Params, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        if when == "the stage runs":
            registry.revoke("amara-2026", "asked")
        return mix.run(params, inputs, bench)

    def put(store: Store, path: Path) -> Ref:
        registry.revoke("amara-2026", "asked")
        return keep(store, path)

    monkeypatch.setattr(Store, "put", put)
    before = {path for path in space.store.root.rglob("*") if path.is_file()}
    with pytest.raises(ConsentRefused, match="was revoked"):
        perform(replace(mix, run=run), spoken, products, space)
    assert {path for path in space.store.root.rglob("*") if path.is_file()} == before


def test_what_is_made_from_a_voice_carries_it(space: Workspace, spoken: Job) -> None:
    """A revocation finds every object that came of a person's voice, however many stages later."""
    products = Products().plus(perform(writer("voice", people=("amara",)), spoken, Products(), space))
    products = products.plus(perform(writer("mix", ("voice/out.txt",)), spoken, products, space))
    other = perform(writer("other"), spoken, products, space)
    video = perform(writer("video", ("mix/out.txt", "source")), spoken, products, space)
    assert (video.commit.people, other.commit.people) == (("amara",), ())


def test_a_plan_follows_the_store_without_running_anything(space: Workspace, job: Job) -> None:
    """What is there is cached; the first that is not is to run, and the rest follows."""
    stages = (writer("a"), writer("b", ("a/out.txt",)), writer("c", ("b/out.txt",)))
    perform(stages[0], job, Products(), space)
    steps = walk(stages, job, space).steps
    assert [(step.stage, step.state, step.why) for step in steps] == [
        ("a", "cached", ""),
        ("b", "run", "not made yet"),
        ("c", "run", "follows"),
    ]


def test_a_plan_says_which_input_changed(space: Workspace, job: Job) -> None:
    """By the name of the input."""
    perform(writer("a"), job, Products(), space)
    job.media.write_text("other")
    steps = walk((writer("a"),), job, space, last_keys=space.ledger.keys("c")).steps
    assert steps[0].why == "source changed"


def test_a_blocked_stage_says_so_before_anything_runs(space: Workspace, job: Job) -> None:
    """What a stage lacks is known to the plan."""

    def lacking(_: Job) -> None:
        raise EngineUnavailable("no engine.", remedy="Install it.")

    stage = Stage("a", 1, "lesson", ("source",), ("out.txt",), lambda job: Params(), writer("a").run, check=lacking)
    assert [(step.state, step.why) for step in walk((stage,), job, space).steps] == [
        ("blocked", "no engine. Install it.")
    ]


def test_whatever_breaks_in_a_stage_names_lesson_and_stage(space: Workspace, job: Job) -> None:
    """A defect is told as one, and the ledger remembers the attempt."""

    def broken(*_: object) -> Made:
        raise KeyError("gone")

    stage = Stage("a", 1, "lesson", ("source",), ("out.txt",), lambda job: Params(), broken)
    with pytest.raises(StageFailed, match="KeyError: 'gone'") as told:
        perform(stage, job, Products(), space)
    assert (told.value.lesson, told.value.stage) == ("lesson", "a")
    assert space.ledger.attempts("c", "lesson", "", "a") == 1


def test_what_a_stage_wrote_is_noted(space: Workspace, job: Job) -> None:
    """Once a result, and nothing where it was there already."""
    made = perform(writer("a"), job, Products(), space)
    perform(writer("a"), job, Products(), space)
    [name] = made.commit.outputs.values()
    assert written_bytes(made.commit, space) == space.store.get(name).stat().st_size > 0
