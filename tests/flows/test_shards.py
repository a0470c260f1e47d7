"""Shards: what goes to which workers, and what a worker refuses to touch."""

import json
from pathlib import Path

import pytest

from flows import shards
from flows.pending import Pending, pending
from flows.shards import Errand, Shard, sharded
from flows.version import code_version
from flows.wanted import wanted
from manifests.errors import EngineUnavailable, InputError
from manifests.workspace import Workspace

MANIFEST = """
course: leaves
targets: [es, ca]
{more}
lessons: [{{media: a.mp4}}, {{media: b.mp4}}, {{media: c.mp4}}]
"""


@pytest.fixture
def errand(tmp_path: Path) -> Errand:
    return Errand(manifest=course(tmp_path), workspace=tmp_path / ".dub")


def course(folder: Path, more: str = "") -> Path:
    """A manifest of three lessons that nobody has opened."""
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (folder / name).write_bytes(b"never opened")
    manifest = folder / "course.yaml"
    manifest.write_text(MANIFEST.format(more=more), encoding="utf-8")
    return manifest


def work_of(errand: Errand) -> tuple[list[Pending], list[tuple[bool, Shard]]]:
    order = errand.order()
    selection = wanted(order)
    work = list(pending(selection, Workspace.open(order.workspace), unopened=True))
    return work, list(sharded(selection.course, work, errand, 2))


def test_lessons_with_something_to_do_are_dealt_out_in_order(errand: Errand) -> None:
    """Two lessons a shard; none of the embedded engines wants a GPU."""
    work, dealt = work_of(errand)
    assert [each.item.job.lesson_id for each in work] == ["a", "b", "c"]
    assert [(fast, shard.errand.only) for fast, shard in dealt] == [(False, ("a", "b")), (False, ("c",))]


def test_single_languages_are_named_where_not_all_are_wanted(errand: Errand) -> None:
    """A worker does no more than was asked for."""
    _, dealt = work_of(errand.model_copy(update={"only": ("a:ca", "b")}))
    assert [shard.errand.only for _, shard in dealt] == [("a:ca", "b")]


def test_lessons_whose_engines_want_a_gpu_go_where_there_is_one(tmp_path: Path) -> None:
    """Whisper does; a lesson that it has to hear is for an accelerator."""
    manifest = course(tmp_path, "engines: {transcribe: whisperx}")
    _, dealt = work_of(Errand(manifest=manifest, workspace=tmp_path / ".dub"))
    assert [fast for fast, _ in dealt] == [True, True]


def test_a_shard_travels_as_json(errand: Errand) -> None:
    """What arrives is what was sent, and names the same."""
    _, dealt = work_of(errand)
    shard = dealt[0][1]
    arrived = Shard.model_validate(json.loads(json.dumps(shard.model_dump(mode="json"))))
    assert arrived == shard
    assert arrived.digest == shard.digest
    assert shard.name == "leaves a and 1 more"


def test_a_worker_does_what_was_planned(errand: Errand) -> None:
    """The same lessons and languages."""
    _, dealt = work_of(errand)
    assert [target.name for target in dealt[1][1].selection().targets] == ["c:es", "c:ca"]


def test_workers_make_what_goes_to_an_address_each_in_a_workspace_of_its_own(tmp_path: Path) -> None:
    """Where that is is no difference of what was planned."""
    manifest = course(tmp_path, "out: memory://bucket/dubs")
    _, ((_, shard), *_) = work_of(Errand(manifest=manifest, workspace=tmp_path / "one"))
    elsewhere = shard.model_copy(update={"errand": shard.errand.model_copy(update={"workspace": tmp_path / "other"})})
    here, there = shard.selection().lessons[0].job, elsewhere.selection().lessons[0].job
    assert here.out != there.out
    assert here.delivers_to == there.delivers_to == "memory://bucket/dubs/leaves"


def test_a_worker_with_other_code_is_refused(errand: Errand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both versions are named, and what to do."""
    _, dealt = work_of(errand)
    monkeypatch.setattr(shards, "code_version", lambda: "0.0.9+abc")
    with pytest.raises(EngineUnavailable) as refused:
        dealt[0][1].selection()
    assert refused.value.message == (
        f"this worker runs dubflow 0.0.9+abc, and the course was planned with {code_version()}."
    )
    assert refused.value.remedy.startswith("Install one version on all machines")


def test_a_worker_that_signs_as_somebody_else_is_refused(errand: Errand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files would be told from the others', and be made anew every night."""
    _, dealt = work_of(errand)
    monkeypatch.setattr(shards, "fingerprint", lambda: "somebody else")
    with pytest.raises(EngineUnavailable, match="would sign finished files by another certificate"):
        dealt[0][1].selection()


@pytest.mark.parametrize(
    "text",
    [
        MANIFEST.format(more="").replace("[es, ca]", "[es, it]"),
        MANIFEST.format(more="").replace("{media: a.mp4}, ", ""),
        "course: [broken\n",
    ],
)
def test_a_manifest_that_is_edited_meanwhile_is_the_next_runs(errand: Errand, text: str) -> None:
    """However it is edited: the worker does what was planned."""
    _, dealt = work_of(errand)
    shard = dealt[0][1]
    before = shard.selection()
    errand.manifest.write_text(text, encoding="utf-8")
    assert shard.selection() == before
    assert [target.name for target in before.targets] == ["a:es", "a:ca", "b:es", "b:ca"]


def test_what_a_manifest_says_arrives_with_a_shard_and_no_other_lesson(tmp_path: Path) -> None:
    """People, engines, gates, a glob that stands for two of three lessons: the jobs are those that were planned."""
    more = """
profile: embedded
people: {amara: {consent: amara-2026, pace: 0.95, tone: warm}}
engines: {synthesize: {name: espeak-ng, options: {takes: 2}}}
quality: {timing: true, read_back: 0.4}
speakers: {max_speakers: 2}
"""
    manifest = course(tmp_path, more)
    (tmp_path / "week").mkdir()
    for name in ("d.mp4", "e.mp4"):
        (tmp_path / "week" / name).write_bytes(b"never opened")
    text = manifest.read_text(encoding="utf-8")
    lessons = "{media: 'week/*.mp4'}, {media: a.mp4, speakers: {SPEAKER_00: amara}, refine: {'1': {pace: 1.1}}}"
    manifest.write_text(text.replace("{media: a.mp4}", lessons), encoding="utf-8")
    _, dealt = work_of(Errand(manifest=manifest, workspace=tmp_path / ".dub"))
    planned = {item.job.lesson_id: item for item in wanted(dealt[0][1].errand.order()).lessons}
    assert [shard.errand.only for _, shard in dealt] == [("d", "e"), ("a", "b"), ("c",)]
    assert [each["media"] for each in json.loads(dealt[0][1].read)["lessons"]] == ["week/*.mp4"]
    for _, shard in dealt:
        for item in shard.selection().lessons:
            assert item.job == wanted(shard.errand.order()).lessons[shard.errand.only.index(item.job.lesson_id)].job
    assert set(planned) == {"d", "e"}


def test_a_worker_without_the_folder_or_with_other_settings_is_refused(
    errand: Errand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would fail the lessons, or make other files of them; it says what to do."""
    _, dealt = work_of(errand)
    with monkeypatch.context() as other:
        other.setenv("DUB_PROFILE", "studio")
        with pytest.raises(InputError, match="would do something else with these lessons"):
            dealt[0][1].selection()
    errand.manifest.rename(errand.manifest.with_name("elsewhere.yaml"))
    with pytest.raises(InputError, match=r"there is no .*course\.yaml on this machine"):
        dealt[0][1].selection()
