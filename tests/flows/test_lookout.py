"""A finished library is not looked through again; whatever changes in it is seen as if it were."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows import looking_back, lookout, pending, planning
from flows.estimates import History
from flows.looking_back import LookingBack
from flows.order import Order
from flows.wanted import Selection, wanted
from manifests import approvals, human_lines
from manifests.approvals import Approval
from manifests.human_lines import HumanLine
from manifests.looking import looking
from manifests.workspace import Workspace
from tasks import place
from tasks.plan import Walk, walk
from voiceclone.application import Application
from voiceclone.registry import Registry

MANIFEST = """course: library
source_language: en
targets: [es, ca]
glossary: terms.csv
people: {amara: {consent: amara-2026}}
lessons:
  - media: media/one.mp4
  - {media: media/two.mp4, captions: media/two.vtt}
  - {media: media/three.mp4, speakers: {single: amara}}
"""

ALL = frozenset({"one:es", "one:ca", "two:es", "two:ca", "three:es", "three:ca"})

Plans = dict[str, tuple[str, dict[str, Any]]]


class Library:
    """A finished library of three lessons in two languages, and who was walked through since one last asked."""

    def __init__(self, folder: Path, manifest: str) -> None:
        self.folder, self.manifest, self.root = folder, folder / "course.yaml", folder / ".dub"
        self.media, self.out = folder / "media", folder / "out/library"
        self.walked: set[str] = set()
        self.media.mkdir(parents=True)
        for name in ("one.mp4", "two.mp4", "three.mp4"):
            (self.media / name).write_text(f"picture and sound of {name}")
        (self.media / "two.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nWater.\n")
        (folder / "terms.csv").write_text("source,target language,term\nwater,ca,aigua\n")
        self.manifest.write_text(manifest)
        self.rest()

    def rest(self) -> None:
        """Let all files be as if they had been written long ago."""
        for path in self.folder.rglob("*"):
            if path.is_file() and ".dub" not in path.parts:
                os.utime(path, (1e9, 1e9))

    @property
    def selection(self) -> Selection:
        wanted.__globals__["_wanted"].cache_clear()
        return wanted(Order(manifest=self.manifest, workspace=self.root))

    def plan(self) -> Plans:
        """State, and all that a plan says, of every target; only in `walked` is who had to be walked through."""
        self.walked.clear()
        plans = planning.plan_course(self.selection, Workspace.open(self.root), History())
        return {plan.job.name: (plan.state, plan.as_dict()) for plan in plans}

    def pending(self) -> set[str]:
        """The lessons that a run finds something to do in."""
        self.walked.clear()
        with_something = pending.pending(self.selection, Workspace.open(self.root))
        return {each.item.job.lesson_id for each in with_something}

    def forget(self) -> None:
        (self.root / "seen.sqlite").unlink()


def leave_results(manifest: Path) -> None:
    """Give the library what runs leave, as the benchmark of plans does."""
    path = Path(__file__).parents[2] / "benchmarks/plan.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_plans", path)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    benchmark.finish(manifest)


def agree(folder: Path) -> None:
    """Amara consents to the use of her voice."""
    document = folder / "agreement.pdf"
    document.write_bytes(b"%PDF-1.4 I agree.")
    Registry.default().add(
        Application(
            id="amara-2026",
            person="amara",
            languages=("es", "ca"),
            purposes=("training_video",),
            courses="any",
            document=document,
        )
    )


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Library]:
    """Makes a finished library of a manifest."""
    monkeypatch.setenv("DUB_CONSENT", str(tmp_path / "consent"))
    monkeypatch.setenv("DUB_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("DUB_WORKSPACE", str(tmp_path / "library/.dub"))
    Registry.default().init()

    def make(manifest: str) -> Library:
        library = Library(tmp_path / "library", manifest)
        leave_results(library.manifest)

        def noted(*args: Any, **more: Any) -> Walk:
            library.walked.add(args[1].name)
            return walk(*args, **more)

        for module in (planning, pending, looking_back):
            monkeypatch.setattr(module, "walk", noted)
        return library

    return make


@pytest.fixture
def library(made: Callable[[str], Library], tmp_path: Path) -> Library:
    """A finished library to which a person consented, and that was looked at once."""
    agree(tmp_path)
    found = made(MANIFEST)
    assert {state for state, _ in found.plan().values()} == {"cached"}
    assert found.walked
    return found


def same_as_a_slow_look(library: Library, plans: Plans) -> None:
    """What a look finds is what one finds who knows of no earlier look."""
    library.forget()
    assert library.plan() == plans


def test_a_finished_library_is_looked_through_once(library: Library) -> None:
    """The next plan and the next run walk through nothing, and say the same."""
    plans = library.plan()
    assert not library.walked
    assert plans.keys() == ALL
    assert library.pending() == set()
    assert not library.walked
    same_as_a_slow_look(library, plans)


def replace_media(library: Library) -> None:
    """By another of the same size, with the same time."""
    path = library.media / "one.mp4"
    path.with_name("new").write_text(path.read_text().replace("sound", "noise"))
    path.with_name("new").replace(path)
    library.rest()


def rewrite_captions(library: Library) -> None:
    (library.media / "two.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\nAir.\n")


def write_lines(library: Library) -> None:
    human_lines.write(human_lines.path(library.manifest, "three", "es"), [HumanLine(1.0, 2.0, "water", "agua")])


def approve(library: Library) -> None:
    approvals.write(library.manifest, Approval("three", "es", "content", ("timing",), "2026-06-01T12:00:00+00:00"))


def add_a_term(library: Library) -> None:
    with (library.folder / "terms.csv").open("a") as file:
        file.write("air,ca,aire\n")


def edit_the_manifest(library: Library) -> None:
    library.manifest.write_text(MANIFEST + "timing: {soft_max: 1.2}\n")


def delete_an_output(library: Library) -> None:
    (library.out / "two.es.mp4").unlink()


def alter_an_output(library: Library) -> None:
    """With another of the same size."""
    path = library.out / "two.es.srt"
    path.write_text(path.read_text()[::-1])


def alter_a_record(library: Library) -> None:
    (library.out / "two.es.dub.json").write_text("{}")


def lose_an_object(library: Library) -> None:
    [path] = [each for each in library.root.glob("store/objects/*/*") if each.read_text() == "mix dub.flac of two.es"]
    path.unlink()


def lose_a_result(library: Library) -> None:
    for path in library.root.glob("store/commits/place/*"):
        notes = json.loads(path.read_bytes())["notes"]
        if (notes["lesson"], notes["language"]) == ("two", "es"):
            path.unlink()


def revoke(library: Library) -> None:
    Registry.default().revoke("amara-2026", reason="she asked")


CHANGES: dict[Callable[[Library], None], tuple[set[str], set[str]]] = {
    # What is to be done then, and which lessons and targets were walked through to find that.
    replace_media: ({"one:es", "one:ca"}, {"one", "one:es", "one:ca"}),
    rewrite_captions: ({"two:es", "two:ca"}, {"two", "two:es", "two:ca"}),
    write_lines: ({"three:es"}, {"one", "two", "three", "one:es", "two:es", "three:es"}),
    approve: ({"three:es"}, {"three", "three:es"}),
    add_a_term: ({"one:ca", "two:ca", "three:ca"}, {"one", "two", "three", "one:ca", "two:ca", "three:ca"}),
    edit_the_manifest: (set(ALL), {"one", "two", "three", *ALL}),
    delete_an_output: ({"two:es"}, {"two", "two:es"}),
    alter_an_output: ({"two:es"}, {"two", "two:es"}),
    alter_a_record: ({"two:es"}, {"two", "two:es"}),
    lose_an_object: ({"two:es"}, {"two", "two:es"}),
    lose_a_result: ({"two:es"}, {"two", "two:es"}),
    revoke: ({"three:es", "three:ca"}, {"one", "two", "three", *ALL}),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_is_seen_where_it_is_and_nothing_else_is_looked_at(
    library: Library, change: Callable[[Library], None]
) -> None:
    """By a plan and by a run, as by those who know of no earlier look; later looks look at what is to be done alone."""
    change(library)
    to_do, looked_at = CHANGES[change]
    plans = library.plan()
    assert {name for name, (state, _) in plans.items() if state != "cached"} == to_do
    assert library.walked == looked_at
    assert library.pending() == {name.partition(":")[0] for name in to_do}
    assert {each for each in library.walked if ":" in each} <= to_do | looked_at
    again = library.plan()
    assert again == plans
    same_as_a_slow_look(library, plans)


def test_consent_that_is_granted_is_seen(made: Callable[[str], Library], tmp_path: Path) -> None:
    """Whose voice a stock voice stood in for speaks again."""
    library = made(MANIFEST)
    assert {state for state, _ in library.plan().values()} == {"cached"}
    agree(tmp_path)
    plans = library.plan()
    assert {name for name, (state, _) in plans.items() if state != "cached"} == {"three:es", "three:ca"}
    same_as_a_slow_look(library, plans)


def test_a_newer_stage_and_other_weights_are_seen(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """All targets are to be done again, from that stage on."""
    object.__setattr__(place.STAGE, "version", place.STAGE.version + 1)
    try:
        plans = library.plan()
        assert {each["stages"]["place"]["state"] for _, each in plans.values()} == {"run"}
        assert {each["stages"]["synthesize"]["state"] for _, each in plans.values()} == {"cached"}
        same_as_a_slow_look(library, plans)
    finally:
        object.__setattr__(place.STAGE, "version", place.STAGE.version - 1)
    assert {state for state, _ in library.plan().values()} == {"cached"}
    monkeypatch.setattr("tasks.engines.pocketsphinx._weights_sha256", lambda: "f" * 64)
    plans = library.plan()
    assert {each["stages"]["transcribe"]["state"] for _, each in plans.values()} == {"run"}
    same_as_a_slow_look(library, plans)


def test_another_version_of_an_engine_is_seen_as_stale(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it made is cached and stale, from the second look on without walking through it."""
    monkeypatch.setattr("tasks.engines.espeak.version", lambda: "99.9")
    plans = library.plan()
    assert {state for state, _ in plans.values()} == {"cached"}
    assert {tuple(each["stale"]) for _, each in plans.values()} == {("clone", "synthesize")}
    assert library.plan() == plans
    assert not library.walked
    same_as_a_slow_look(library, plans)


@pytest.mark.parametrize("without", ["nothing more", "an object", "a finished file"])
def test_a_look_at_the_whole_says_what_looks_at_single_targets_say(library: Library, without: str) -> None:
    """What lessons have in common is asked once for all, and objects are looked up in a listing: to no other answer."""
    (library.folder / "terms.csv").write_text("source,target language,term\nwater,es,agua\n")
    if without == "an object":
        next((library.root / "store/objects").glob("*/*.flac")).unlink()
    if without == "a finished file":
        (library.out / "two.es.srt").unlink()
    library.rest()
    library.forget()
    one_by_one = library.plan()
    library.forget()
    space = Workspace.open(library.root)
    with space.surveyed(), looking():
        plans = planning.plan_course(library.selection, space, History())
        assert {plan.job.name: (plan.state, plan.as_dict()) for plan in plans} == one_by_one
    assert "run" in {state for state, _ in one_by_one.values()}


def test_a_language_that_is_blocked_does_not_make_the_others_be_looked_at(library: Library) -> None:
    """Nobody translates to Japanese here: what is done in Spanish and Catalan is known all the same."""
    library.manifest.write_text(MANIFEST.replace("[es, ca]", "[es, ca, ja]"))
    plans = library.plan()
    assert {name for name, (state, _) in plans.items() if state == "blocked"} == {"one:ja", "two:ja", "three:ja"}
    assert library.plan() == plans
    assert not {each for each in library.walked if each.endswith((":es", ":ca"))}
    same_as_a_slow_look(library, plans)


def test_a_lesson_that_cannot_be_read_does_not_make_the_others_be_looked_at(library: Library) -> None:
    """It has failed, whatever the others are."""
    (library.media / "one.mp4").unlink()
    plans = library.plan()
    assert {name for name, (state, _) in plans.items() if state == "failed"} == {"one:es", "one:ca"}
    assert library.walked == {"one", "one:es", "one:ca"}
    same_as_a_slow_look(library, plans)


def test_what_changed_a_moment_ago_is_looked_at_again(library: Library) -> None:
    """Its next change could have the same time: nothing is built on it until it has lain for a second."""
    os.utime(library.out / "two.es.srt")
    assert {state for state, _ in library.plan().values()} == {"cached"}
    assert library.walked == {"two", "two:es"}
    library.plan()
    assert library.walked == {"two", "two:es"}
    library.rest()
    library.plan()
    library.plan()
    assert not library.walked


def test_a_plan_builds_on_nothing_that_the_ledger_does_not_know(library: Library) -> None:
    """`gc` keeps what the ledger has as the latest; a run tells it, and then a plan may."""
    library.forget()
    (library.root / "ledger.sqlite").unlink()
    library.plan()
    assert "one:es" in library.walked
    library.plan()
    assert "one:es" in library.walked
    assert library.pending() == set()
    library.plan()
    assert not library.walked


def test_one_target_is_looked_up_among_all(library: Library) -> None:
    """Whatever selection it was seen in."""
    order = Order(manifest=library.manifest, workspace=library.root, only=("two:ca",))
    library.walked.clear()
    [plan] = planning.plan_course(wanted(order), Workspace.open(library.root), History())
    assert (plan.job.name, plan.state) == ("two:ca", "cached")
    assert not library.walked


def test_a_run_looks_back_at_what_it_did(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the first plan after it walks through nothing; of what was written just now nothing is known yet."""
    library.forget()
    library.walked.clear()
    os.utime(library.out / "two.es.srt")
    selection = library.selection
    back = LookingBack(selection, Workspace.open(library.root))
    for item in selection.lessons:
        back.done(item)
    assert not library.walked
    monkeypatch.setattr(looking_back, "AT_REST_NS", 0)
    back.look()
    assert library.walked == {"one", "two", "three", *ALL}
    library.plan()
    assert library.walked == {"two", "two:es"}


def test_what_was_seen_of_one_language_holds_without_the_other(library: Library) -> None:
    """Also where they are looked at by different selections; what carries both is looked at once both are there."""
    selection = library.selection
    one = replace(selection.lessons[0], languages=("es",))
    space = Workspace.open(library.root)
    seen = lookout.Lookout(replace(selection, lessons=(one,)), space).known(one)
    assert seen.whole
    assert set(seen.targets) == {"es"}
    (library.out / "one.multi.mp4").unlink()
    seen = lookout.Lookout(selection, space).known(selection.lessons[0])
    assert set(seen.targets) == {"es", "ca"}
    assert not seen.whole
    assert library.pending() == {"one"}


@pytest.fixture(autouse=True)
def _fresh_answers() -> Iterator[None]:
    yield
    wanted.__globals__["_wanted"].cache_clear()
