"""A manifest is understood, or every fault in it is named by file and line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from manifests.errors import ManifestError
from manifests.lessons import jobs
from manifests.load import load
from manifests.model import Course, Lesson, Person, Refinement, Speakers
from manifests.names import name_fault, same_name
from manifests.rules import lesson_id

HEAD = "course: biology\ntargets: [es]\n"
LESSONS = "lessons:\n  - media: one.mp4\n"


@pytest.fixture
def faults(tmp_path: Path) -> Callable[[str], list[str]]:
    """Findings of a manifest's text as `line: message`."""

    def of(text: str) -> list[str]:
        path = tmp_path / "course.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ManifestError) as caught:
            load(path)
        assert {finding.file for finding in caught.value.findings} == {str(path)}
        return [f"{finding.line}: {finding.message}" for finding in caught.value.findings]

    return of


def test_a_small_manifest_has_the_documented_defaults(tmp_path: Path) -> None:
    """Course, targets and lessons are all that must be given."""
    path = tmp_path / "course.yml"
    path.write_text(HEAD + LESSONS)
    course = load(path)
    assert course == Course(course="biology", targets=("es",), lessons=(Lesson(media="one.mp4"),))
    assert (course.source_language, course.profile, course.out, course.purpose) == (
        "en",
        "embedded",
        "out/",
        "training_video",
    )
    assert (course.timing.soft_max, course.timing.hard_max, course.delivery.loudness) == (1.25, 1.4, "source")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "glosary: x\n" + LESSONS, ["3: unknown key `glosary`; did you mean `glossary`?"]),
        (HEAD + "source: en\n" + LESSONS, ["3: unknown key `source`; did you mean `source_language`?"]),
        (HEAD + "delivery: {subtitles: [srt, srt]}\n" + LESSONS, ["3: `srt` is there twice."]),
        (
            HEAD + "delivery: {subtitles: [srt, ttml]}\n" + LESSONS,
            ["3: `subtitles` is `ttml`; known: `srt`, `vtt`, `embedded`, `forced`, `sdh`."],
        ),
        (
            HEAD + "delivery: {subtitles: [sdh]}\n" + LESSONS,
            ["3: `sdh` says which subtitles, not where they go; add `srt`, `vtt` or `embedded`."],
        ),
        (HEAD + "captions: x\n" + LESSONS, ["3: `captions` does not belong here; it stands in a lesson."]),
        (
            HEAD + LESSONS + "    Audio-Language: en\n",
            ["5: unknown key `Audio-Language`; did you mean `audio_language`?"],
        ),
        (HEAD + "timing: {hard_mx: 1.3}\n" + LESSONS, ["3: unknown key `hard_mx`; did you mean `hard_max`?"]),
        (
            HEAD + "engines: {synthesize: {name: http, options: {address: here, voice: [alloy]}}}\n" + LESSONS,
            ["3: `voice` is a list; an engine's option is text, a number, or true or false."],
        ),
        (HEAD + 'timing: {hard_max: "1.3"}\n' + LESSONS, ["3: `hard_max` is a number, not `1.3`."]),
        (HEAD + "timing:\n  hard_max: 9\n" + LESSONS, ["4: `hard_max` is 9; it is at most 2."]),
        (HEAD + "timing:\n  hard_max: .nan\n" + LESSONS, ["4: `hard_max` is nan; it is at most 2."]),
        (HEAD + "commercial: yes\n" + LESSONS, ["3: `commercial` is true or false, not `yes`."]),
        (HEAD + "speakers: {num_speakers: 2.5}\n" + LESSONS, ["3: `num_speakers` is a whole number, not 2.5."]),
        (HEAD + "profile: studo\n" + LESSONS, ["3: `profile` is `studo`; did you mean `studio`?"]),
        (
            HEAD + "people:\n" + LESSONS,
            ["3: `people` is without a value; write `people: {amara: {consent: amara-2026}}`."],
        ),
        (
            HEAD + "speakers: amara\n" + LESSONS,
            ["3: `speakers` is `amara`; write `speakers: auto, or {single: amara}`."],
        ),
        (HEAD + "out: ''\n" + LESSONS, ["3: `out` is empty; give it a value or leave the key out."]),
        (HEAD + "lessons: []\n", ["3: `lessons` is empty; write `lessons: [{media: media/lesson-01.mp4}]`."]),
        (HEAD + "lessons:\n  - one.mp4\n", ["4: `lessons` is `one.mp4`; write `- media: media/lesson-01.mp4`."]),
        (HEAD + "lessons:\n  - id: one\n", ["4: `media` is missing; write `media: media/lesson-01.mp4`."]),
        (
            "course: 101\ntargets: [es]\n" + LESSONS,
            ['1: `course` is text, and 101 without quotes is a number; write "101".'],
        ),
        ("course: x\ntargets: [true]\n" + LESSONS, ["2: `targets` is text, and true without quotes is true or false"]),
        ("course: x\ntargets: es\n" + LESSONS, ["2: `targets` is `es`; write `targets: [es, pt-BR]`."]),
        ("course: ..\ntargets: [es]\n" + LESSONS, ["1: `..` is no name for a file; use letters or digits."]),
        ("course: a/b\ntargets: [es]\n" + LESSONS, ["1: `a/b` holds a slash; it is one name, not a path."]),
        ("targets: [es]\n" + LESSONS, ["1: `course` is missing; write `course: intro-biology`."]),
        (
            "course: x\ntargets: [es, spanish, xx]\n" + LESSONS,
            [
                "2: `spanish` is not a language tag; did you mean `es`?",
                "2: `xx` is not a language tag; write a BCP-47 tag such as `es` or `pt-BR`.",
            ],
        ),
        (
            "course: x\ntargets: [pt-br, en, pt_BR]\n" + LESSONS,
            [
                "2: `en` is the source language; leave it out of the targets.",
                "2: `pt-BR` is there twice.",
            ],
        ),
        (HEAD + "timing: {soft_max: 1.5}\n" + LESSONS, ["3: `soft_max` (1.5) is above `hard_max` (1.4)"]),
        (
            HEAD + "speakers:\n  min_speakers: 3\n  max_speakers: 2\n" + LESSONS,
            ["4: `min_speakers` (3) is above `max_speakers` (2)."],
        ),
        (
            HEAD + "speakers: {num_speakers: 4, max_speakers: 2}\n" + LESSONS,
            ["3: `num_speakers` (4) is above `max_speakers` (2)."],
        ),
        (
            HEAD + "people: {amara: {}}\nspeakers: {single: amra}\n" + LESSONS,
            ["4: `amra` is not among the people; did you mean `amara`?"],
        ),
        (HEAD + "people: {stock: {}}\n" + LESSONS, ["3: `stock` means a voice that belongs to nobody"]),
        (
            HEAD + LESSONS + "    speakers: {SPEAKER_00: tom}\n",
            ["5: `tom` is not among the people; known: `stock`."],
        ),
        (
            HEAD + LESSONS + "    speakers: {teacher: stock}\n",
            ["5: `teacher` is no label; they are SPEAKER_00, SPEAKER_01"],
        ),
        (
            HEAD + LESSONS + "  - media: sub/ONE.mkv\n",
            ["5: the lesson `ONE` is there twice, first in line 4 (`one`, which"],
        ),
        (
            HEAD + LESSONS + "  - media: b.mkv\n    id: one\n",
            ["6: the lesson `one` is there twice, first in line 4; give one"],
        ),
        (
            HEAD + LESSONS + "    refine: {'12': {pace: 3, tone: angry}, x1: {pace: 0.9}}\n",
            ["5: `pace` is 3", "5: `tone` is `angry`; known", "5: `x1` is no line id"],
        ),
        (
            HEAD + LESSONS + "    refine:\n      '12': {pace: 0.9}\n      '13':\n        tone: warm\n",
            ["8: `tone` needs a cloned voice, and nobody here has a consent; stock voices"],
        ),
        (HEAD + LESSONS + "    id: 'one:es'\n", ["5: `one:es` holds a colon"]),
        (HEAD + "lessons:\n  - media: https://example.org/a.mp4\n", ["4: `https://example.org/a.mp4` is an address"]),
        (HEAD + "schedule: 0 2 * *\n" + LESSONS, ["3: `0 2 * *` is no schedule: cron has five fields"]),
        (HEAD + "schedule: '61 2 * * *'\n" + LESSONS, ["3: `61 2 * * *` is no schedule: bad minute"]),
        (HEAD + "timezone: madrid\n" + LESSONS, ["3: there is no time zone `madrid`; did you mean `Europe/Madrid`?"]),
        (HEAD + "timezone: ../../etc/passwd\n" + LESSONS, ["3: there is no time zone `../../etc/passwd`"]),
        (
            HEAD + "engines: {translat: apertium}\n" + LESSONS,
            ["3: unknown stage `translat` in `engines`; did you mean `translate`?"],
        ),
    ],
)
def test_a_fault_is_named_with_its_line_and_what_would_be_right(
    faults: Callable[[str], list[str]], text: str, expected: list[str]
) -> None:
    """Exactly the findings that are expected, in order."""
    found = faults(text)
    assert len(found) == len(expected), found
    for line, beginning in zip(found, expected, strict=True):
        assert line.startswith(beginning)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1: the file is empty"),
        ("# nothing\n", "1: the file is empty"),
        ("course: x\n\ttargets: [es]\n", "2: a tab; YAML is indented with spaces."),
        ("lessons:\n\t- media: x\n", "2: a tab; YAML is indented with spaces."),
        ("course: 'x\ntargets: [es]\n", "1: this quote is never closed"),
        ("course: x\ntargets: [es\nlessons: []\n", "3: a `,` or the closing `]` of a list is missing"),
        ("course: a: b\n", "1: a colon where none can be"),
        ("course: x\n targets: [es]\n", "2: a colon where none can be"),
        ("course: @x\n", "1: a value cannot begin with this character"),
        ("course: *x\n", "1: `*` names an anchor that is not defined"),
        ("course: x\n---\ncourse: y\n", "2: `---` begins a second document"),
        ("- course\n", "1: a manifest is keys and values"),
        ("course: \x01\n", "1: a character here is not allowed in YAML"),
        ("x: &a [*a]\n", "1: this contains itself"),
        ("x: " + "[" * 100_000, "1: lists and mappings nest too deep"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{y}: &{y} [{','.join([f'*{x}'] * 10)}]\n" for x, y in zip("abcdefg", "bcdefgh", strict=True)),
            "7: aliases",
        ),
    ],
)
def test_text_that_is_no_manifest_is_one_finding(faults: Callable[[str], list[str]], text: str, expected: str) -> None:
    """Syntax errors, tabs, empty files and traps for the parser."""
    found = faults(text)
    assert len(found) == 1
    assert found[0].startswith(expected)


def test_all_faults_are_told_at_once(faults: Callable[[str], list[str]]) -> None:
    """Wrong keys, types, languages and relationships of one manifest come together, in order of line."""
    text = (
        "course: 7\ntargets: [es, spanish]\nprofil: x\ncourse: again\n"
        "timing: {soft_max: 2.0, hard_max: 1.0}\nlessons:\n"
        "  - media: a.mp4\n    speakers: {single: nobody}\n  - media: [x]\n  - media: a.mkv\n"
    )
    assert [line.split(":")[0] for line in faults(text)] == ["1", "2", "3", "4", "5", "8", "9", "10"]


def test_tags_keys_that_are_no_text_and_doubled_keys_are_faults(faults: Callable[[str], list[str]]) -> None:
    """Nothing in a manifest makes objects, and no key silently wins over another."""
    text = (
        "course: !!python/object/apply:os.system [x]\ntargets: [es]\npeople: {1: {}}\n" + LESSONS + "    media: b.mp4\n"
    )
    found = faults(text)
    assert "1: `tag:yaml.org,2002:python/object/apply:os.system` is not known here; leave the tag out." in found
    assert "3: a key is text; write `1` in quotes." in found
    assert "6: `media` is given twice; it stands in line 5 already." in found


KEYS = st.sampled_from([*Course.model_fields, *Lesson.model_fields, *Speakers.model_fields, "pace", "x", "ñ", "~"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.sampled_from(["es", "auto", "a.mp4", ""]),
    lambda more: st.lists(more, max_size=3) | st.dictionaries(KEYS, more, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(KEYS, ANYTHING, max_size=6), st.booleans())
def test_whatever_the_yaml_says_it_is_a_course_or_findings(tmp_path: Path, data: dict[str, Any], whole: bool) -> None:
    """Any values in any places end in a course or in findings at lines of the file, never in another error."""
    if whole:
        data = {"course": "x", "targets": ["es"], "lessons": [{"media": "a.mp4"}]} | data
    path = tmp_path / "course.yaml"
    with path.open("w", encoding="utf-8") as stream:
        YAML(typ="safe").dump(data, stream)
    length = path.read_text(encoding="utf-8").count("\n") + 1
    try:
        course = load(path)
    except ManifestError as error:
        lines = {finding.line for finding in error.findings if finding.message}
    else:
        lines = {1} if course.lessons else set[int]()
    assert lines
    assert all(1 <= line <= length for line in lines)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([*"abn:-[]{}&*!|>'\"%@`#,?\t\n \0~<", "<<: ", "lessons", "course: x", "\n  ", "- "])))
def test_whatever_the_text_is_it_ends_in_findings(tmp_path: Path, parts: list[str]) -> None:
    """Scraps of YAML make no course, and end in findings, never in the parser's own error."""
    path = tmp_path / "course.yaml"
    path.write_text("".join(parts), encoding="utf-8")
    with pytest.raises(ManifestError):
        load(path)


def test_ten_thousand_lessons_are_ready_within_four_seconds(tmp_path: Path) -> None:
    """A big library is loaded and resolved in seconds of one core, and a fault in each lesson takes no longer."""
    path = tmp_path / "course.yaml"
    rows = "".join(f"  - media: week/{n}.mp4\n    speakers: {{SPEAKER_00: amara}}\n" for n in range(10_000))
    path.write_text(f"{HEAD}people: {{amara: {{}}}}\nlessons:\n{rows}")
    started = process_time()
    assert len(jobs(path, load(path))) == 10_000
    assert process_time() - started < 4
    path.write_text(path.read_text().replace("speakers", "speeker").replace("week/", "../"))
    started = process_time()
    with pytest.raises(ManifestError) as caught:
        load(path)
    assert len(caught.value.findings) == 10_000
    assert process_time() - started < 8


def test_norwegian_dates_and_anchors_are_what_they_look_like(tmp_path: Path) -> None:
    """`no` is a language and a date is text (YAML 1.2); anchors and merges save typing."""
    path = tmp_path / "course.yaml"
    path.write_text(
        "course: 2026-01-01\ntargets: [no]\npeople: {amara: {}, tom: {}}\nlessons:\n"
        "  - &first {media: a.mp4, speakers: {single: amara}}\n  - {<<: *first, media: b.mp4}\n"
    )
    course = load(path)
    assert (course.course, course.targets) == ("2026-01-01", ("no",))
    assert course.lessons[1] == Lesson(media="b.mp4", speakers=Speakers(single="amara"))


@pytest.mark.parametrize(
    ("engines", "expected"),
    [
        ("{transcribe: parakeet}", "3: there is no engine `parakeet` for transcribe; known: `pocketsphinx`"),
        ("{mix: sox}", "3: `mix` has no choice of engines; these have: diarize, transcribe"),
        ("{translate: {name: apertium, modle: x}}", "3: unknown key `modle`; did you mean `model`?"),
        ("{translate: {model: x}}", "3: `name` is missing"),
        ("{translate: 7}", "3: `translate` is 7; write `translate: apertium"),
    ],
)
def test_an_engine_that_nobody_has_is_named(faults: Callable[[str], list[str]], engines: str, expected: str) -> None:
    """Engines are looked up among the installed ones, and what they are told has names."""
    (found,) = faults(HEAD + f"engines: {engines}\n" + LESSONS)
    assert found.startswith(expected)


@pytest.mark.parametrize("path", ["../a.vtt", "/etc/passwd", "C:\\a.vtt", "x/../../a.vtt", "link/a.vtt"])
@pytest.mark.parametrize("key", ["glossary", "captions", "translations"])
def test_captions_translations_and_glossary_stay_below_the_manifest(
    tmp_path: Path, faults: Callable[[str], list[str]], path: str, key: str
) -> None:
    """Neither `..`, nor an absolute path, nor a link leads out of the folder."""
    (tmp_path / "link").symlink_to("/")
    top = f"glossary: '{path}'\n" if key == "glossary" else ""
    below = {"captions": f"    captions: '{path}'\n", "translations": f"    translations: {{es: '{path}'}}\n"}
    found = faults(HEAD + top + LESSONS + below.get(key, ""))
    assert any(re.search(r"leaves the manifest's folder|is a Windows path", line) for line in found)


def test_media_and_outputs_may_lie_anywhere(tmp_path: Path) -> None:
    """Operators keep media on other disks."""
    path = tmp_path / "course.yaml"
    path.write_text(HEAD + "out: /srv/dubs\nlessons:\n  - media: ../films/a.mp4\n  - media: /mnt/b.mp4\n")
    assert load(path).out == "/srv/dubs"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("course.yaml", b"course: x\ntitle: \xe9t\xe9\n", "2: this is not text in UTF-8"),
        ("course.yaml", "course: x\n".encode("utf-16"), "1: this is not text in UTF-8"),
        ("lesson.mp4", b"\0\0\0\x18ftyp", "1: a manifest is a .yaml, .yml or .csv file."),
        ("lessons.csv", b"media\na.mp4\n", "1: lessons.yaml is missing beside it"),
    ],
)
def test_a_file_that_is_no_manifest_is_a_finding(tmp_path: Path, name: str, content: bytes, expected: str) -> None:
    """Encodings, media files and halves of manifests."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ManifestError) as caught:
        load(path)
    (finding,) = caught.value.findings
    assert f"{finding.line}: {finding.message}".startswith(expected)


def test_a_missing_manifest_names_the_nearest(tmp_path: Path) -> None:
    """A typing error in the path is answered with the file that is there; a folder is no manifest."""
    (tmp_path / "course.yaml").write_text(HEAD + LESSONS)
    with pytest.raises(ManifestError, match=r"there is no such file \(did you mean .*/course\.yaml\?\)\."):
        load(tmp_path / "corse.yaml")
    with pytest.raises(ManifestError, match="this is a folder"):
        load(tmp_path)


def _not_empty(text: str) -> bool:
    return not name_fault(text, colons=False)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=20).filter(_not_empty)
TAGS = st.sampled_from(["es", "ca", "pt-BR", "no", "zh-Hans", "ka"])


@st.composite
def courses(draw: st.DrawFn) -> Course:
    """Any course that this version can do."""
    people = draw(st.lists(NAMES.filter(lambda name: name != "stock"), max_size=3, unique=True))
    who = st.sampled_from([*people, "stock"])
    speakers = st.one_of(
        st.builds(Speakers, single=who),
        st.builds(Speakers, min_speakers=st.integers(1, 3), max_speakers=st.integers(3, 20)),
    )
    labels = st.dictionaries(st.sampled_from(["SPEAKER_00", "SPEAKER_01", "SPEAKER_10"]), who, min_size=1)
    lesson = st.builds(
        Lesson,
        media=NAMES.map(lambda name: f"{name}.mp4").filter(lambda name: "://" not in name),
        id=st.none() | NAMES,
        speakers=st.none() | speakers | labels,
        audio_language=st.none() | TAGS,
        refine=st.dictionaries(
            st.integers(1, 400).map(str),
            st.builds(Refinement, pace=st.none() | st.floats(0.5, 2), energy=st.none() | st.floats(-12, 12)),
            max_size=2,
        ),
    )
    lessons = st.lists(lesson, min_size=1, max_size=4, unique_by=lambda found: same_name(lesson_id(found)))
    soft, hard = sorted(draw(st.tuples(st.floats(1, 2), st.floats(1, 2))))
    values: dict[str, Any] = {
        "course": draw(NAMES),
        "targets": tuple(draw(st.lists(TAGS, min_size=1, unique=True))),
        "people": {name: Person(consent=draw(st.none() | NAMES)) for name in people},
        "speakers": draw(st.just("auto") | speakers),
        "out": draw(NAMES),
        "commercial": draw(st.booleans()),
        "schedule": draw(st.none() | st.just("*/5 2 * * 1-5")),
        "timezone": draw(st.none() | st.just("America/Argentina/Buenos_Aires")),
        "timing": {"soft_max": soft, "hard_max": hard},
        "delivery": {"subtitles": draw(st.sampled_from([(), ("srt",), ("embedded", "srt")]))},
        "lessons": tuple(draw(lessons)),
    }
    return Course(**values)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(courses())
def test_any_course_written_as_yaml_loads_as_itself(tmp_path: Path, course: Course) -> None:
    """Nothing of a manifest is lost or changed on the way in."""
    path = tmp_path / "course.yaml"
    yaml = YAML(typ="safe")
    yaml.allow_unicode = True
    with path.open("w", encoding="utf-8") as stream:
        yaml.dump(course.model_dump(mode="json", exclude_unset=True), stream)
    assert load(path) == course
