"""Kinds of subtitles: those that the dub makes necessary, those for the deaf; and which a player shows unasked."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from manifests.script import Line, Lines, Script, Utterance
from manifests.spans import Span, samples
from manifests.timeline import Placement, Timeline, Unplaced
from tasks.media import MediaStream, probe
from tasks.remux import remux
from tasks.split import split
from tasks.subtitle_kinds import forced, sdh
from tasks.subtitles import Cue, cues, too_fast
from tasks.tracks import Dub

SAID = (("1", "A", "Buenos días."), ("2", "B", "¿Qué tal?"), ("3", "B", "Muy bien."), ("4", "A", "Adiós."))
SCRIPT = Script(
    "en",
    tuple(Utterance(name, who, Span.of_seconds(at, at + 1), "", (), 1.0) for at, (name, who, _) in enumerate(SAID, 3)),
)
LINES = Lines("es", tuple(Line(name, text) for name, _, text in SAID))
TIMELINE = Timeline(
    "es",
    samples(20),
    tuple(Placement(name, Span.of_seconds(at, at + 1), 1.0) for at, (name, *_) in enumerate(SAID, 3) if name != "3"),
    (Unplaced("3", 0.5),),
)


def rows(shown: tuple[Cue, ...]) -> list[str]:
    return [" ".join(cue.rows) for cue in shown]


def test_forced_subtitles_are_the_disclosure_and_what_is_not_spoken() -> None:
    """Whoever hears the dub needs nothing else; the unspoken line stands where its speaker says it."""
    shown = cues(SCRIPT, forced(LINES, TIMELINE), TIMELINE, disclosure="Voces sintéticas.")
    assert rows(shown) == ["Voces sintéticas.", "Muy bien."]
    assert shown[1].span.start == samples(5)


def test_sdh_names_the_speaker_where_that_changes() -> None:
    """By name where one is known, else by number in order of first speech."""
    assert rows(cues(SCRIPT, sdh(SCRIPT, LINES, {"A": "Amara", "B": ""}), TIMELINE)) == [
        "AMARA: Buenos días.",
        "2: ¿Qué tal?",
        "Muy bien.",
        "AMARA: Adiós.",
    ]


def test_sdh_names_nobody_where_one_speaks_throughout() -> None:
    """There is nobody to tell apart."""
    alone = Script("en", SCRIPT.utterances[1:3])
    lines = Lines("es", LINES.lines[1:3])
    assert sdh(alone, lines, {"B": "Ben"}) == lines


@pytest.mark.parametrize(("language", "seconds"), [("es", 12 / 17), ("ko", 12 / 12), ("zh", 12 / 9), ("ja", 12 / 4)])
def test_each_language_has_its_reading_speed(language: str, seconds: float) -> None:
    """A cue of twelve characters stands until it is read, twelve frames longer than the voice at most."""
    text = "字" * 12 if language != "es" else "doce letras."
    script = Script("en", (Utterance("1", "A", Span.of_seconds(1, 1.9), "", (), 1.0),))
    timeline = Timeline(language, samples(20), (Placement("1", Span.of_seconds(1, 1.9), 1.0),))
    (cue,) = cues(script, Lines(language, (Line("1", text),)), timeline)
    assert cue.span.length == samples(max(0.9, min(seconds, 1.38)))
    assert too_fast((cue,), language) == (seconds > 1.5)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("مرحبا بكم.", "مرحبا بكم."),
        ("DNA هو جزيء", "\u200fDNA هو جزيء"),
        ("هذا هو DNA.", "هذا هو DNA.\u200f"),
        ("نسخة 12.", "نسخة 12.\u200f"),
    ],
)
def test_rows_from_right_to_left_keep_their_direction(text: str, row: str) -> None:
    """A mark stands where Latin letters or digits at an edge would turn the row or move its full stop."""
    (cue, *_) = cues(Script("en", SCRIPT.utterances[:1]), Lines("ar", (Line("1", text),)), TIMELINE)
    assert cue.rows == (row,)


@pytest.fixture
def delivered(click_video: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A finished file with three kinds of subtitles in every way, of a source with these further streams."""

    def deliver(name: str, *arguments: str) -> Path:
        source = click_video(name, *arguments)
        parts = split(source, tmp_path, source_language="en")
        said = (Cue(Span.of_seconds(0.5, 2.0), ("Hola.",)),)
        dub = Dub("es", parts.programme, said, True, {"forced": said, "sdh": said})
        ways = ("srt", "vtt", "embedded", "forced", "sdh")
        made = remux(source, parts.media, [dub], tmp_path / "out" / "l.es", tmp_path, subtitles=ways)
        texts = {str(path) for path in (tmp_path / "out").iterdir() if path.suffix != source.suffix}
        assert set(made.subtitles) == texts
        return Path(made.path)

    return deliver


def shown_unasked(streams: tuple[MediaStream, ...]) -> list[bool]:
    return ["default" in stream.dispositions for stream in streams]


@pytest.mark.parametrize("name", ["l.mp4", "l.mov", "l.mkv"])
def test_every_kind_is_delivered_and_none_is_shown_unasked(delivered: Callable[..., Path], name: str) -> None:
    """Beside the file as SRT and WebVTT, and in it, titled, with the dispositions that players read."""
    out = delivered(name)
    beside = sorted(path.name for path in out.parent.iterdir())
    kinds = [f"l.es.{kind}{ending}" for kind in ("forced.", "sdh.", "") for ending in ("srt", "vtt")]
    assert beside == sorted([out.name, *kinds])
    assert (out.parent / "l.es.vtt").read_text("utf-8").startswith("WEBVTT\n\n00:00:00.500 --> ")
    tracks = probe(out).of_kind("subtitle")
    assert [track.title for track in tracks] == ["Español", "Español (forced)", "Español (SDH)"]
    assert [track.language for track in tracks] == ["spa"] * 3
    assert shown_unasked(tracks) == [False] * 3
    if name == "l.mkv":
        assert ["forced" in track.dispositions for track in tracks] == [False, True, False]
        assert ["hearing_impaired" in track.dispositions for track in tracks] == [False, False, True]


def test_the_sources_own_subtitles_stay_as_they_were(tmp_path: Path, click_video: Callable[..., Path]) -> None:
    """What the source shows unasked is still shown, and the file plays as before: no byte but the flags has changed."""
    text = tmp_path / "own.srt"
    text.write_text("1\n00:00:00,500 --> 00:00:02,000\nHello.\n\n", encoding="utf-8")
    plain, source = click_video("plain.mp4"), tmp_path / "l.mp4"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-i",
        plain,
        "-i",
        text,
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-c:s",
        "mov_text",
    ]
    subprocess.run([*command, source], check=True, timeout=60)
    assert shown_unasked(probe(source).of_kind("subtitle")) == [True]
    parts = split(source, tmp_path, source_language="en")
    dub = Dub("es", parts.programme, (Cue(Span.of_seconds(0.5, 2.0), ("Hola.",)),))
    out = Path(remux(source, parts.media, [dub], tmp_path / "out" / "l.es", tmp_path).path)
    assert shown_unasked(probe(out).of_kind("subtitle")) == [True, False]
    subprocess.run(["ffmpeg", "-v", "error", "-xerror", "-i", out, "-f", "null", "-"], check=True, timeout=60)
