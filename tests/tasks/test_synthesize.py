"""Takes by the espeak-ng that is installed: which lines get one, which are made again, and what is said of the rest."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from manifests.errors import EngineUnavailable, InputError
from manifests.record import Record
from manifests.script import Casting, Line, Lines, Script, Speaker, Utterance, Voice, dump, load
from manifests.spans import RATE, Span, samples
from manifests.store import Store, file_sha256
from manifests.timeline import Take, Takes
from tasks import verify
from tasks.clone import stock_voices
from tasks.engines import espeak
from tasks.media import probe
from tasks.mix_measures import Mix
from tasks.place import Limits, place
from tasks.remux import Dub, remux
from tasks.scenes import Scenes
from tasks.speaking import How
from tasks.stage import Workbench
from tasks.subtitles import cues
from tasks.synthesize import STAGE, Params, synthesize

SENTENCE = "Las plantas necesitan agua y luz para crecer bien."
VOICE = Voice("stock", "espeak-ng", "es+m3", reason="no person is named for SPEAKER_00")
CASTING = Casting("es", {"SPEAKER_00": VOICE, "SPEAKER_01": Voice("stock", "espeak-ng", "es+f2")})


def scripted(*texts: str, every: float = 3.0) -> tuple[Script, Lines]:
    """Utterances of 2.5 s, or more, every 3 s, or more, by one speaker, and their lines."""
    names = [str(number) for number in range(1, len(texts) + 1)]
    utterances = tuple(
        Utterance(name, "SPEAKER_00", Span.of_seconds(every * at + 0.5, every * at + every), "words", (), 0.9)
        for at, name in enumerate(names)
    )
    return Script("en", utterances), Lines("es", tuple(map(Line, names, texts)))


def spoken(bench: Workbench, *texts: str) -> Takes:
    """One take a text, all by one voice."""
    script, lines = scripted(*texts)
    return said(lines, script, CASTING, How("es"), bench)


def said(lines: Lines, script: Script, casting: Casting, how: How, bench: Workbench) -> Takes:
    """The takes of a script, in a programme that has room for them."""
    return synthesize(lines, script, casting, samples(60), Params(how), bench)[1]


def takes_in(store: Store) -> dict[str, int]:
    """The store's sounds, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in store.root.glob("objects/*/*.flac")}


def heard(bench: Workbench, take: Take) -> np.ndarray:
    sound, rate = soundfile.read(bench.store.get(take.audio))
    assert (rate, sound.ndim) == (RATE, 1)
    return sound


def median_hz(sound: np.ndarray) -> float:
    """Median fundamental frequency of voiced speech, by WORLD's dio."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyworld imports pkg_resources, which warns that it will go
        import pyworld
    contour, _ = pyworld.dio(soxr.resample(sound, RATE, 8000), 8000, 60.0, 400.0)
    return float(np.median(contour[contour > 0]))


def test_a_take_names_its_sound_and_how_long_that_is(bench: Workbench) -> None:
    """To the sample, at the engine's normal rate, by the voice that was cast."""
    (take,) = spoken(bench, SENTENCE).takes
    assert take.length == take.default_length == len(heard(bench, take))
    assert (take.line, take.engine_rate, take.voice) == ("1", 1.0, VOICE)
    assert 2.0 < take.length / RATE < 4.5


def test_one_changed_line_is_one_new_take(bench: Workbench) -> None:
    """The others are taken from the store, untouched; nothing changed makes nothing new."""
    before = spoken(bench, "Uno.", "Dos.", "Tres.")
    first = takes_in(bench.store)
    assert spoken(bench, "Uno.", "Dos.", "Tres.") == before
    assert takes_in(bench.store) == first
    after = spoken(bench, "Uno.", "Cuatro.", "Tres.")
    then = takes_in(bench.store)
    assert set(then) - set(first) == {after.takes[1].audio}
    assert {name: then[name] for name in first} == first
    assert [after.takes[at].audio == before.takes[at].audio for at in range(3)] == [True, False, True]


def test_a_refined_line_is_spoken_otherwise_and_no_other_line_is(bench: Workbench) -> None:
    """Slower and higher by what was asked; energy is the mix's, and makes no new take."""
    script, lines = scripted(SENTENCE, SENTENCE, SENTENCE, every=9.0)
    how = {"1": {"pace": 0.8}, "2": {"pitch": 3.0}, "3": {"energy": 4.0, "tone": "warm", "pauses": 2.0}}
    (usual,) = spoken(bench, SENTENCE).takes
    slow, high, strong = said(lines, script, CASTING, How("es", lines=how), bench).takes
    assert slow.length / usual.length == pytest.approx(1 / 0.8, abs=0.08)
    raised = median_hz(heard(bench, high)) / median_hz(heard(bench, usual))
    assert raised == pytest.approx(2 ** (3 / 12), rel=0.04)
    assert (strong.audio, strong.energy, strong.beyond) == (usual.audio, 4.0, ("pauses", "tone"))
    assert (usual.energy, usual.beyond, slow.beyond) == (0.0, (), ())


def test_a_line_is_refined_over_its_persons_refinement() -> None:
    """What the line says stands, what it leaves out is the person's; a stock voice is nobody's."""
    line = Line("7", "Uno.")
    params = How("es", refinements={"amara": {"pace": 1.1, "pitch": 1.0}}, lines={"7": {"pace": 0.9}})
    clone = Voice("clone", "adaptive", "voice", person="amara")
    assert params.refinement(line, clone) == {"pace": 0.9, "pitch": 1.0}
    assert params.refinement(Line("8", "Dos."), clone) == {"pace": 1.1, "pitch": 1.0}
    assert params.refinement(line, VOICE) == {"pace": 0.9}


def test_a_line_that_the_lesson_does_not_have_cannot_be_refined(bench: Workbench) -> None:
    """A slip of the pen is told, not passed over."""
    script, lines = scripted("Uno.", "Dos.")
    with pytest.raises(InputError, match="refines line 12, and this lesson has 2 lines"):
        said(lines, script, CASTING, How("es", lines={"12": {"pace": 0.9}}), bench)


def test_the_order_of_the_lines_changes_no_take(bench: Workbench) -> None:
    """A line's take depends on its text and voice, not on its number or its neighbours."""
    forth, back = spoken(bench, "Uno.", "Dos."), spoken(bench, "Dos.", "Uno.")
    assert [take.audio for take in forth.takes] == [take.audio for take in reversed(back.takes)]


@pytest.mark.parametrize("cores", [1, 4])
def test_the_same_text_gives_the_same_sound_in_another_store(bench: Workbench, tmp_path: Path, cores: int) -> None:
    """espeak-ng and everything after it are deterministic, so the object's name, a digest, is the same."""
    other = Workbench(Store(tmp_path / "other"), bench.scratch, cores=cores)
    assert spoken(bench, SENTENCE, "Uno.", "Dos.") == spoken(other, SENTENCE, "Uno.", "Dos.")


def test_a_line_without_a_word_or_a_sound_has_no_take(bench: Workbench) -> None:
    """It is not made a silence that nobody hears of. A circled digit is a digit that the voice cannot read."""
    assert [take.line for take in spoken(bench, "Uno.", "…", "♪", "", "5", "①", "—!").takes] == ["1", "5"]


def test_a_line_that_was_not_spoken_is_named_in_the_record_of_a_partial_target(
    bench: Workbench, tmp_path: Path
) -> None:
    """Through placement, the finished file and its record: the line of signs is missing, and only that one."""
    script, lines = scripted("Las hojas son verdes.", "…!", "Es así.")
    takes = said(lines, script, CASTING, How("es"), bench)
    timeline = place(script, takes, samples(9.5), Limits(1.25, 1.4))
    assert [placement.line for placement in timeline.placements] == ["1", "3"]
    assert timeline.unplaced == ()

    source = tmp_path / "talk.wav"
    soundfile.write(source, np.full((samples(9.5), 1), 0.001), RATE)
    dub = np.zeros((samples(9.5), 1))
    for take, placement in zip(takes.takes, timeline.placements, strict=True):
        sound = heard(bench, take)[: placement.span.length]
        dub[placement.span.start : placement.span.start + len(sound), 0] += sound
    soundfile.write(tmp_path / "dub.flac", dub, RATE, subtype="PCM_24")
    media, finished = replace(probe(source), sound=0), tmp_path / "out" / "talk.es"
    made = remux(
        source, media, [Dub("es", tmp_path / "dub.flac", cues(script, lines, timeline))], finished, bench.scratch
    )
    parts: dict[str, object] = {
        "split/media.json": media,
        "transcribe/script.json": script,
        "synthesize/lines.json": lines,
        "clone/casting.json": CASTING,
        "synthesize/takes.json": takes,
        "place/timeline.json": timeline,
        "mix/mix.json": Mix("web", -30.0, -30.0, -16.0, -16.0, -2.0, "room tone", 0.0, 0.0, 0.0),
        "remux/delivery.json": made,
    }
    inputs = {name: dump(part, tmp_path / name.replace("/", "-")) for name, part in parts.items()} | {"source": source}
    params = verify.Params("course", "talk", "es", "talk.wav", hard_max=1.4, out=str(tmp_path / "out"))
    verify.run(params, inputs, Workbench(bench.store, bench.scratch, digests={"source": file_sha256(source)}))
    record = Record.read(tmp_path / "out" / "talk.es.dub.json")
    assert record.state == "partial"
    assert [(problem.line, problem.stage) for problem in record.problems] == [("2", "synthesize")]
    assert [line.take is None for line in record.lines] == [False, True, False]


def test_voices_come_near_their_speakers_and_differ(bench: Workbench) -> None:
    """Measured with WORLD: within 12 % of each speaker's own fundamental."""
    wanted = {"SPEAKER_00": 95.0, "SPEAKER_01": 125.0, "SPEAKER_02": 180.0, "SPEAKER_03": 230.0}
    speakers = [Speaker(label, hz, 10.0) for label, hz in wanted.items()]
    voices = stock_voices("es", speakers, dict.fromkeys(wanted, "why"))
    assert len({voice.name for voice in voices.values()}) == 4
    for label, voice in voices.items():
        take = espeak.speak(SENTENCE, voice.name, voice.pitch, bench.scratch / "take.flac")
        assert median_hz(soundfile.read(take)[0]) == pytest.approx(wanted[label], rel=0.12)


@pytest.mark.parametrize("hz", [112.0, 215.0])
def test_two_speakers_of_one_pitch_are_told_apart_by_ear(hz: float, bench: Workbench) -> None:
    """Their voices differ in pitch by more than a semitone, and each is within a fifth of the speaker's."""
    speakers = [Speaker("SPEAKER_00", hz, 10.0), Speaker("SPEAKER_01", hz, 10.0)]
    voices = stock_voices("es", speakers, dict.fromkeys(("SPEAKER_00", "SPEAKER_01"), "why"))
    heard_hz = [
        median_hz(soundfile.read(espeak.speak(SENTENCE, voice.name, voice.pitch, bench.scratch / "take.flac"))[0])
        for voice in voices.values()
    ]
    assert max(heard_hz) / min(heard_hz) > 2 ** (1 / 12)
    assert heard_hz == pytest.approx([hz, hz], rel=0.2)


def test_the_stage_keeps_every_take_in_the_store_and_lists_it(bench: Workbench, tmp_path: Path) -> None:
    """Two lines with one text share their sound; the list is what a garbage collector goes by."""
    script, lines = scripted("Uno.", "Dos.", "Uno.")
    soundfile.write(tmp_path / "talk.wav", np.zeros((samples(12), 1)), RATE)
    inputs = {
        "transcribe/script.json": dump(script, bench.scratch / "script.json"),
        "translate/lines.json": dump(lines, bench.scratch / "lines.json"),
        "clone/casting.json": dump(CASTING, bench.scratch / "casting.json"),
        "split/media.json": dump(probe(tmp_path / "talk.wav"), bench.scratch / "media.json"),
        "split/scenes.json": dump(Scenes(), bench.scratch / "scenes.json"),
    }
    made = STAGE.run(Params(How("es")), inputs, bench)
    takes = load(Takes, made.outputs["takes.json"])
    assert [take.line for take in takes.takes] == ["1", "2", "3"]
    assert takes.takes[0].audio == takes.takes[2].audio
    assert set(made.objects) == set(takes_in(bench.store))
    assert len(made.objects) == 2
    assert made.notes == {"takes": 3, "shortened": 0}
    assert load(Lines, made.outputs["lines.json"]) == lines


def test_each_speaker_is_heard_in_their_own_voice(bench: Workbench) -> None:
    """One text, two speakers, two sounds."""
    script = Script(
        "en", tuple(Utterance(name, f"SPEAKER_0{at}", Span(0, 1), "x", (), 1.0) for at, name in enumerate("ab"))
    )
    lines = Lines("es", (Line("a", SENTENCE), Line("b", SENTENCE)))
    low, high = said(lines, script, CASTING, How("es"), bench).takes
    assert (low.voice.name, high.voice.name) == ("es+m3", "es+f2")
    assert median_hz(heard(bench, low)) * 1.5 < median_hz(heard(bench, high))


def test_progress_reaches_one_also_where_lines_are_silent(tmp_path: Path) -> None:
    """A bar that stops short looks like a hang."""
    told: list[float] = []
    spoken(Workbench(Store(tmp_path / "store"), tmp_path, cores=1, tell=told.append), "Uno.", "①", "Dos.")
    assert told[-1] == 1.0
    assert told == sorted(told)


def test_a_line_that_cannot_be_spoken_for_lack_of_a_voice_is_named(bench: Workbench) -> None:
    """Also among others: the error carries the line's id."""
    script, lines = scripted("Uno.", "Dos.")
    with pytest.raises(EngineUnavailable, match="espeak-ng has no voice xx") as failed:
        said(lines, script, Casting("es", {"SPEAKER_00": Voice("stock", "espeak-ng", "xx")}), How("es"), bench)
    assert failed.value.line == "1"


def test_a_missing_espeak_is_named_with_its_package(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An operator reads what to install; what is in the store needs no program."""
    before = spoken(bench, "Uno.")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert spoken(bench, "Uno.") == before
    with pytest.raises(EngineUnavailable, match="espeak-ng is not installed") as missing:
        spoken(bench, "hola")
    assert "apt-get install espeak-ng" in missing.value.remedy
