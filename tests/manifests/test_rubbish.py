"""What the store lets go: nothing that anybody needs, and everything else."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.commits import Commit
from manifests.model import Course, Job, Lesson
from manifests.rubbish import TAKEN_UP_S, remove, rubbish
from manifests.store import Store
from manifests.workspace import Workspace
from tasks.perform import Products, perform
from tasks.plan import walk
from tasks.stage import Made, Stage, Workbench, digest


@dataclass(frozen=True)
class Hearing:
    setting: int


@dataclass(frozen=True)
class Saying:
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Delivering:
    file: str


def hear(setting: int) -> Stage:
    """A lesson's stage, with a result for each setting."""

    def run(params: Hearing, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        out = bench.scratch / "script.txt"
        out.write_text(f"{params.setting} {inputs['source'].read_text()}")
        return Made({"script.txt": out})

    return Stage("hear", 1, "lesson", ("source",), ("script.txt",), lambda job: Hearing(setting), run)


def say(lines: tuple[str, ...], failing: bool = False) -> Stage:
    """A target's stage: each line is a small work of its own, of which the result is a list."""

    def run(params: Saying, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        takes: list[str] = []
        for line in params.lines:

            def speak(folder: Path, line: str = line) -> Path:
                (folder / "take.txt").write_text(f"said: {line}")
                return folder / "take.txt"

            takes.append(bench.store.made("take", digest(line), speak).name)
        if failing:
            raise RuntimeError("the engine died")
        out = bench.scratch / "takes.txt"
        out.write_text("\n".join(takes))
        return Made({"takes.txt": out}, objects=tuple(takes))

    return Stage("say", 1, "target", ("hear/script.txt",), ("takes.txt",), lambda job: Saying(lines), run)


def deliver(job: Job) -> Stage:
    """A target's stage that writes a finished file."""

    def run(params: Delivering, inputs: Mapping[str, Path], bench: Workbench) -> Made:
        file = Path(params.file)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(inputs["say/takes.txt"].read_text())
        return Made({}, delivered={file: hashlib.sha256(file.read_bytes()).hexdigest()})

    file = job.out / f"{job.lesson_id}.{job.language}.txt"
    return Stage("deliver", 1, "target", ("say/takes.txt",), (), lambda job: Delivering(str(file)), run)


@dataclass(frozen=True)
class Run:
    """One run of one target, with the settings of that day."""

    lesson: str
    language: str
    setting: int
    lines: tuple[str, ...]
    out: str

    def job(self, folder: Path) -> Job:
        media = folder / f"{self.lesson}.txt"
        media.write_text(f"the sound of {self.lesson}")
        lesson = Lesson(media=media.name)
        return Job(
            manifest=folder / "course.yaml",
            course=Course(course="c", targets=("es", "ca"), lessons=(lesson,)),
            lesson=lesson,
            lesson_id=self.lesson,
            media=media,
            out=folder / self.out,
            language=self.language,
        )

    def stages(self, folder: Path) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
        """Those of the lesson, and those of the target."""
        return (hear(self.setting),), (say(self.lines), deliver(self.job(folder)))


def carried_out(run: Run, folder: Path, space: Workspace) -> dict[tuple[str, str, str], Commit]:
    """Bring one target up to date; the results by lesson, language and stage."""
    products, results = Products(), dict[tuple[str, str, str], Commit]()
    lesson, target = run.stages(folder)
    for stage in (*lesson, *target):
        job = run.job(folder)
        outcome = perform(stage, job if stage in target else job.model_copy(update={"language": None}), products, space)
        products = products.plus(outcome)
        results[run.lesson, run.language if stage in target else "", stage.name] = outcome.commit
    return results


def names(store: Store) -> tuple[set[str], set[str]]:
    """The commits and the objects that are there."""
    return {f"{each.stage}/{each.key}" for each in store.commits()}, {each.name for each in store.objects()}


RUNS = st.builds(
    Run,
    lesson=st.sampled_from(["one", "two"]),
    language=st.sampled_from(["es", "ca"]),
    setting=st.integers(1, 2),
    lines=st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2).map(tuple),
    out=st.sampled_from(["out", "elsewhere"]),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(RUNS, min_size=1, max_size=6))
def test_what_is_needed_stays_and_everything_else_goes(history: list[Run]) -> None:
    """The last results of every target, finished files that are there, their takes: these and nothing else are left,
    and what was up to date is up to date."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        space = Workspace.open(folder / "workspace")
        last: dict[tuple[str, str, str], Commit] = {}
        finished: dict[str, Commit] = {}
        for run in history:
            results = carried_out(run, folder, space)
            last |= results
            finished |= {file: commit for commit in results.values() for file in commit.delivered}
        space.store.put_bytes(b"nobody asked for this", ".txt")

        remove(rubbish(space, None), space.store)

        needed = [*last.values(), *finished.values()]
        commits = {f"{each.stage}/{each.key}" for each in needed} | {work for each in needed for work in each.works}
        there = {f"{each.stage}/{each.key}": each for each in space.store.commits()}
        assert there.keys() == commits
        assert names(space.store)[1] == {object_ for each in there.values() for object_ in each.objects_named}
        latest = {(run.lesson, run.language): run for run in history}
        settings = {run.lesson: run.setting for run in history}
        for run in latest.values():
            if run.setting == settings[run.lesson]:  # else its lesson was heard anew since, for another language
                lesson, target = run.stages(folder)
                heard = walk(lesson, run.job(folder).model_copy(update={"language": None}), space)
                assert walk(target, run.job(folder), space, heard).complete
        assert rubbish(space, None).size == 0


RUN = Run("one", "es", 1, ("a", "b"), "out")


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


def test_settings_that_come_back_are_the_latest_again(tmp_path: Path, space: Workspace) -> None:
    """The ledger notes what was found as well as what was made."""
    for setting in (1, 2, 1):
        carried_out(replace(RUN, setting=setting), tmp_path, space)
    remove(rubbish(space, None), space.store)
    assert carried_out(RUN, tmp_path, space).keys() == {
        ("one", "", "hear"),
        ("one", "es", "say"),
        ("one", "es", "deliver"),
    }
    assert walk((hear(1),), RUN.job(tmp_path), space).complete
    assert not walk((hear(2),), RUN.job(tmp_path), space).complete


def test_results_that_the_ledger_does_not_know_stay(tmp_path: Path, space: Workspace) -> None:
    """A ledger that was lost, or another machine's, makes nothing rubbish."""
    carried_out(RUN, tmp_path, space)
    space.ledger.close()
    for file in space.root.glob("ledger.sqlite*"):
        file.unlink()
    before = names(space.store)
    fresh = Workspace.open(space.root)
    remove(rubbish(fresh, None), fresh.store)
    assert names(fresh.store) == before


def test_takes_of_a_stage_that_failed_wait_for_it(tmp_path: Path, space: Workspace) -> None:
    """What it had made is taken up by the next run; after a week nobody is expected any more."""
    job = RUN.job(tmp_path)
    products = Products().plus(perform(hear(1), job.model_copy(update={"language": None}), Products(), space))
    with pytest.raises(Exception, match="the engine died"):
        perform(say(("a", "b"), failing=True), job, products, space)
    assert rubbish(space, None).commits == ()
    long_ago = time.time() - TAKEN_UP_S - 60
    for each in space.store.objects():
        os.utime(space.store.get(each.name), (long_ago, long_ago))
    assert rubbish(space, None).stages == {"take": 2}


def test_beside_a_run_only_what_no_result_names_goes(tmp_path: Path, space: Workspace) -> None:
    """Whatever has a commit the run may find and use; what is newer than the run may be the run's own."""
    for setting in (1, 2):
        carried_out(replace(RUN, setting=setting), tmp_path, space)
    old, new = (space.store.put_bytes(text, ".txt") for text in (b"old", b"new"))
    began = time.time() - 100
    for each in space.store.objects():
        os.utime(space.store.get(each.name), (began - 1, began - 1))
    os.utime(space.store.get(new.name), (began + 1, began + 1))
    found = rubbish(space, began)
    assert ([each.name for each in found.objects], found.commits) == ([old.name], ())


def test_what_is_put_again_is_new(space: Workspace) -> None:
    """Whoever puts bytes that are there counts on them, so they are no longer older than the run."""
    ref = space.store.put_bytes(b"some", ".txt")
    os.utime(space.store.get(ref.name), (1, 1))
    space.store.put_bytes(b"some", ".txt")
    assert rubbish(space, time.time() - 100).objects == ()


def test_who_spoke_in_a_finished_file_is_not_forgotten(tmp_path: Path, space: Workspace) -> None:
    """The file may have left its folder, and a revocation must name it: its commit stays, its stems go."""
    stem = space.store.put_bytes(b"a voice", ".wav")
    notes = {"course": "c", "lesson": "one", "language": "es"}
    spoken = Commit(
        "remux",
        "old",
        {"it": stem.name},
        delivered={str(tmp_path / "gone.mp4"): "0" * 64},
        people=("amara",),
        notes=notes,
    )
    space.store.commit(spoken)
    with space.ledger.running("c", "one", "es", "remux", "new") as row:
        row.state = "done"
    remove(rubbish(space, None), space.store)
    assert names(space.store) == ({"remux/old"}, set())


def test_finished_files_that_never_left_for_their_address_go(space: Workspace) -> None:
    """They are made again where they are wanted; beside a run they may be what it makes."""
    video = space.root / "outputs/0f/water/lesson.es.mp4"
    video.parent.mkdir(parents=True)
    video.write_bytes(b"picture and sound")
    assert rubbish(space, time.time()).mirrored == ()
    found = rubbish(space, None)
    assert (found.mirrored, found.size) == (((video, 17),), 17)
    remove(found, space.store)
    assert not video.exists()


def test_workers_of_a_shared_store_are_known_by_the_ledger(space: Workspace) -> None:
    """By a stage that is under way, however long, or by one that began lately."""
    assert space.ledger.at_work_since(time.time() - 3600) is None
    with space.ledger.running("c", "one", "es", "say", "1") as row:
        since = space.ledger.at_work_since(time.time() + 3600)
        assert since is not None
        assert abs(since - time.time()) < 60
        row.state = "done"
    assert space.ledger.at_work_since(time.time() - 3600) == since
    assert space.ledger.at_work_since(time.time() + 3600) is None


def test_a_run_that_is_at_work_is_noticed(space: Workspace) -> None:
    """By the lock that a run holds, and only as long as it holds it."""
    before = time.time()
    with space.locked(lambda text: None), Workspace.open(space.root).idle() as since:
        assert since is not None
        assert before - 1 <= since <= time.time()
    with space.idle() as since:
        assert since is None
