"""What people wrote once is used wherever the same is said, and offered where something like it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rapidfuzz import process

from manifests import human_lines
from manifests.human_lines import HumanLine
from manifests.memory import recall
from manifests.model import Course, Job
from manifests.script import Line, Lines, Script, Utterance, dump, load
from manifests.spans import Span
from manifests.store import Store
from tasks import remembered
from tasks.stage import Workbench
from tasks.translate import STAGE

GREETING = HumanLine(1, 3, "Welcome to the course.", "Os damos la bienvenida.")


def job(folder: Path, lesson: str = "b", language: str = "es") -> Job:
    course = Course.model_validate({"course": "c", "targets": ["es", "ca"], "lessons": [{"media": "b.mp4"}]})
    return Job(
        manifest=folder / "course.yaml", course=course, lesson=course.lessons[0], lesson_id=lesson, media=folder,
        out=folder, language=language, workspace=folder / ".dub",
    )  # fmt: skip


def script(folder: Path, *texts: str) -> Path:
    utterances = tuple(
        Utterance(str(at), "A", Span.of_seconds(at * 5, at * 5 + 3), text, (), 0.9) for at, text in enumerate(texts, 1)
    )
    return dump(Script("en", utterances), folder / "script.json")


def write(folder: Path, *lines: HumanLine, lesson: str = "a", language: str = "es") -> None:
    human_lines.write(human_lines.path(folder / "course.yaml", lesson, language), lines)


def translated(folder: Path, path: Path) -> tuple[Line, ...]:
    inputs = {"transcribe/script.json": path, **STAGE.given(job(folder))}
    inputs |= STAGE.found(job(folder), inputs)
    made = STAGE.run(STAGE.params(job(folder)), inputs, Workbench(Store(folder / "store"), folder))
    return load(Lines, made.outputs["lines.json"]).lines


def test_the_same_words_have_the_same_line(tmp_path: Path) -> None:
    """Without regard to case and signs; the line says that it comes from memory, and is never shortened."""
    write(tmp_path, GREETING)
    first, second = translated(tmp_path, script(tmp_path, "welcome to the course", "The house is big."))
    assert (first.text, first.origin, first.renderings) == ("Os damos la bienvenida.", "memory", ())
    assert (second.text, second.origin) == ("La casa es grande.", "machine")


def test_a_lesson_own_line_goes_before_the_memory(tmp_path: Path) -> None:
    """Somebody had a reason."""
    write(tmp_path, GREETING)
    write(tmp_path, HumanLine(5, 8, GREETING.source, "Hola de nuevo."), lesson="b")
    (line,) = translated(tmp_path, script(tmp_path, GREETING.source))
    assert (line.text, line.origin) == ("Hola de nuevo.", "human")


def test_like_words_have_an_offer(tmp_path: Path) -> None:
    """As a remark for the linguist; the engine translates."""
    write(tmp_path, GREETING)
    (line,) = translated(tmp_path, script(tmp_path, "Welcome to this course."))
    assert line.origin == "machine"
    assert line.checks == ('memory, 93 % alike: "Welcome to the course.": "Os damos la bienvenida."',)


def test_of_several_texts_the_most_frequent_is_used_then_the_latest(tmp_path: Path) -> None:
    """Lessons in order of their names, lines in order of time."""
    texts = ["Uno.", "Dos.", "Dos.", "Uno."]
    write(tmp_path, *(HumanLine(at, at + 1, "Good.", text) for at, text in enumerate(texts)))
    assert [line.text for line in translated(tmp_path, script(tmp_path, "Good."))] == ["Uno."]
    write(tmp_path, HumanLine(9, 10, "Good.", "Dos."), lesson="c")
    assert [line.text for line in translated(tmp_path, script(tmp_path, "Good."))] == ["Dos."]


def test_only_lessons_that_say_the_same_have_another_input(tmp_path: Path) -> None:
    """A corrected line elsewhere that is said nowhere here changes no key; nor is another language's memory ours."""
    path = script(tmp_path, "The house is big.")
    assert STAGE.found(job(tmp_path), {"transcribe/script.json": path}) == {}
    write(tmp_path, GREETING)
    assert STAGE.found(job(tmp_path), {"transcribe/script.json": path}) == {}
    write(tmp_path, HumanLine(1, 2, "The house is big.", "La casa és gran."), language="ca")
    assert STAGE.found(job(tmp_path), {"transcribe/script.json": path}) == {}
    assert set(STAGE.found(job(tmp_path, language="ca"), {"transcribe/script.json": path})) == {"memory"}


def test_the_index_follows_the_files_and_may_be_deleted(tmp_path: Path) -> None:
    """A changed line, a file that is gone, an index that is gone."""
    manifest, workspace = tmp_path / "course.yaml", tmp_path / ".dub"
    assert recall(manifest, "es", workspace) is None
    write(tmp_path, GREETING)
    first = recall(manifest, "es", workspace)
    write(tmp_path, HumanLine(1, 3, GREETING.source, "Bienvenidos al curso."))
    second = recall(manifest, "es", workspace)
    assert first is not None
    assert second is not None
    assert (first.lines[0].text, second.lines[0].text) == ("Os damos la bienvenida.", "Bienvenidos al curso.")
    assert first.state != second.state
    (workspace / "memory.sqlite").unlink()
    assert recall(manifest, "es", workspace) == second
    human_lines.path(manifest, "a", "es").unlink()
    assert recall(manifest, "es", workspace) is None


@pytest.mark.parametrize("text", ["Welcome to the course.", "Something else."])
def test_a_script_is_searched_for_once(tmp_path: Path, text: str) -> None:
    """The same script and memory have the same answer, without being compared again."""
    write(tmp_path, GREETING)
    path = script(tmp_path, text)
    first = remembered.file_of(job(tmp_path), {"transcribe/script.json": path})
    (search,) = (tmp_path / ".dub/memory/searches").iterdir()
    before = search.stat().st_mtime_ns
    assert remembered.file_of(job(tmp_path), {"transcribe/script.json": path}) == first
    assert search.stat().st_mtime_ns == before


WORDS = [
    "the water of the lake is cold",
    "the water of the lake was cold",
    "a plant has green leaves",
    "plants have leaves",
]
EDITS = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from([*WORDS, *(f"{each} now" for each in WORDS)])))
)


@given(EDITS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_new_in_a_memory_is_all_that_need_be_compared(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, list[str]]]
) -> None:
    """Whatever was written, changed and taken away since a script was last looked for, the answer is that of a search
    through everything."""
    folder = tmp_path_factory.mktemp("course")
    path = script(folder, *(f"{each} too" for each in WORDS), WORDS[0])
    for number, (lesson, said) in enumerate(edits):
        write(folder, *(HumanLine(at, at + 1, each, f"{each} {number}") for at, each in enumerate(said)), lesson=lesson)
        kept = remembered.file_of(job(folder), {"transcribe/script.json": path})
        memory = recall(folder / "course.yaml", "es", folder / ".dub")
        whole, _ = remembered.offers(load(Script, path), memory) if memory else (remembered.Offers(), {})
        assert (remembered.read(kept["memory"]) if kept else remembered.Offers()) == whole


def test_a_change_of_a_great_memory_compares_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script's words are compared with the lines of the file that somebody edited, and with no other line."""
    for number in range(50):
        said = (HumanLine(at, at + 1, f"sentence {at} of lecture {number}", "…") for at in range(20))
        write(tmp_path, *said, lesson=f"lecture-{number}")
    path = script(tmp_path, "Something that nobody has said in any lecture.", "A sentence of lecture 7, and more.")
    compared: list[int] = []
    extract = process.extractOne

    def counted(key: str, among: Sequence[str], **more: Any) -> Any:
        compared.append(len(among))
        return extract(key, among, **more)

    monkeypatch.setattr(process, "extractOne", counted)
    first = remembered.file_of(job(tmp_path), {"transcribe/script.json": path})
    assert compared == [1000, 1000]
    write(tmp_path, *(HumanLine(at, at + 1, f"another {at} of them", "…") for at in range(20)), lesson="lecture-3")
    assert remembered.file_of(job(tmp_path), {"transcribe/script.json": path}) == first
    assert compared[2:] in ([20, 20], [20, 21])


def test_a_file_that_cannot_be_understood_is_its_own_lessons_trouble(tmp_path: Path) -> None:
    """Other lessons go on with what the other files remember."""
    write(tmp_path, GREETING)
    human_lines.path(tmp_path / "course.yaml", "z", "es").write_text("<<<<<<< ours\n", encoding="utf-8")
    (line,) = translated(tmp_path, script(tmp_path, "Welcome to the course."))
    assert (line.text, line.origin) == ("Os damos la bienvenida.", "memory")
