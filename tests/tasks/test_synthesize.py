"""Takes by the espeak-ng that is installed: what is heard, how long, and which are made again."""

import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import EngineUnavailable
from manifests.script import Casting, Line, Lines, Script, Speaker, Utterance, Voice
from manifests.spans import Span
from manifests.store import Store
from manifests.timeline import Takes
from tasks.clone import stock_voices
from tasks.engines import espeak
from tasks.stage import Workbench
from tasks.synthesize import Params, synthesize

SENTENCE = "Las plantas necesitan agua y luz para crecer bien."


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Workbench(Store(tmp_path / "store"), scratch, cores=2)


def spoken(bench: Workbench, *texts: str) -> Takes:
    """One take a text, all by one voice."""
    names = [str(number) for number in range(1, len(texts) + 1)]
    script = Script("en", tuple(Utterance(name, "SPEAKER_00", Span(0, 1), "x", (), 1.0) for name in names))
    lines = Lines("es", tuple(Line(name, text) for name, text in zip(names, texts, strict=True)))
    casting = Casting("es", {"SPEAKER_00": Voice("stock", "espeak-ng", "es+m3")})
    return synthesize(lines, script, casting, Params("es"), bench)


def pitch_hz(path: Path) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyworld imports pkg_resources, which warns that it will go
        import pyworld
    samples, rate = soundfile.read(path)
    contour, _ = pyworld.harvest(samples[::3].copy(), rate // 3, 50.0, 400.0)
    return float(np.median(contour[contour > 0]))


def test_a_take_is_mono_48k_trimmed_and_its_length_is_the_files(bench: Workbench) -> None:
    """Speech begins within 30 ms and ends within 30 ms of the end; nothing is clipped."""
    take = spoken(bench, SENTENCE).takes[0]
    path = bench.store.get(take.audio)
    samples, rate = soundfile.read(path)
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    assert (rate, samples.ndim, path.suffix) == (48_000, 1, ".flac")
    assert take.length == take.default_length == len(samples)
    assert take.engine_rate == 1.0
    assert loud[0] < 0.03 * rate
    assert len(samples) - loud[-1] < 0.03 * rate
    assert np.abs(samples).max() <= 0.9


def test_one_changed_line_is_one_new_take(bench: Workbench) -> None:
    """The others are taken from the store, untouched."""
    before = spoken(bench, "Uno.", "Dos.", "Tres.")
    there = {path: path.stat().st_mtime_ns for path in bench.store.root.glob("objects/*/*")}
    after = spoken(bench, "Uno.", "Cuatro.", "Tres.")
    new = [path for path in bench.store.root.glob("objects/*/*") if path not in there]
    assert [path.name for path in new] == [after.takes[1].audio]
    assert [after.takes[at].audio == before.takes[at].audio for at in range(3)] == [True, False, True]
    assert all(path.stat().st_mtime_ns == then for path, then in there.items())


def test_the_same_text_gives_the_same_sound_in_another_store(bench: Workbench, tmp_path: Path) -> None:
    """espeak-ng and everything after it are deterministic, so the object's name, a digest, is the same."""
    other = Workbench(Store(tmp_path / "other"), bench.scratch)
    assert spoken(bench, SENTENCE).takes == spoken(other, SENTENCE).takes


def test_a_line_without_a_word_has_no_take(bench: Workbench) -> None:
    """It is not made a silence that nobody hears of: the line is missing, and the record names it."""
    assert [take.line for take in spoken(bench, "Uno.", "…", "♪", "", "5").takes] == ["1", "5"]


def test_no_text_is_taken_for_an_option_a_command_or_phonemes(bench: Workbench) -> None:
    """Dashes, quotes, tags, `[[` and control codes are text, not orders to espeak-ng."""
    takes = spoken(bench, "hola", "-v fr hola", "[[[hola]]]", "\x01hola\x00\n", '"hola"', "<hola").takes
    sounds = [take.audio for take in takes]
    assert sounds[1] != sounds[0]
    assert takes[1].length > takes[0].length
    assert sounds[2] == sounds[3] == sounds[0]
    assert all(0.8 < take.length / takes[0].length < 1.25 for take in takes[2:])


@given(st.text(st.sampled_from([*"[]\x00\x01\n ab"]), max_size=30))
def test_what_espeak_is_given_holds_no_command(text: str) -> None:
    """However brackets and control codes are nested."""
    given_text = espeak.spoken(text)
    assert "[[" not in given_text
    assert given_text.replace(" ", "").isalpha() or not given_text.strip()
    assert [sign for sign in given_text if sign in "ab"] == [sign for sign in text if sign in "ab"]


def test_numbers_are_read_in_the_language(bench: Workbench) -> None:
    """Digits last about as long as the words do."""
    digits, words = spoken(bench, "Son 125 plantas.", "Son ciento veinticinco plantas.").takes
    assert digits.length == pytest.approx(words.length, rel=0.05)


def test_voices_come_near_their_speakers_and_differ(bench: Workbench) -> None:
    """Measured with WORLD: within 12 % of each speaker's own fundamental."""
    wanted = {"SPEAKER_00": 95.0, "SPEAKER_01": 125.0, "SPEAKER_02": 190.0, "SPEAKER_03": 230.0}
    speakers = [Speaker(label, hz, 10.0) for label, hz in wanted.items()]
    voices = stock_voices("es", speakers, dict.fromkeys(wanted, "why"))
    assert len({voice.name for voice in voices.values()}) == 4
    for label, voice in voices.items():
        heard = pitch_hz(espeak.speak(SENTENCE, voice.name, voice.pitch, bench.scratch / f"{label}.flac"))
        assert heard == pytest.approx(wanted[label], rel=0.12)


def test_every_voice_speaks_at_one_level(bench: Workbench) -> None:
    """Nobody turns the volume up or down between two speakers."""
    levels: list[float] = []
    for variant in espeak.STOCK:
        samples, _ = soundfile.read(espeak.speak(SENTENCE, f"es+{variant}", 50, bench.scratch / f"{variant}.flac"))
        frames = samples[: len(samples) // 960 * 960].reshape(-1, 960)
        power = (frames**2).mean(axis=1)
        levels.append(10 * float(np.log10(power[power > power.max() / 1000].mean())))
    assert max(levels) - min(levels) < 1.0


def test_the_normal_rate_is_a_narrators(bench: Workbench) -> None:
    """Between 4.5 and 7.8 syllables a second: 7.8 is native reading without a breath (Pellegrino and others 2011)."""
    text = "La casa de mi amiga tiene una ventana verde y una puerta roja, y en la mesa hay una botella de agua."
    syllables = 40  # ca-sa, de, mi, a-mi-ga, tie-ne, ... with vowels that meet between words counted apart
    take = spoken(bench, text).takes[0]
    assert 4.5 < syllables / (take.length / 48_000) < 7.8


def test_a_missing_espeak_is_named_with_its_package(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An operator reads what to install."""
    spoken(bench, "Uno.")  # pydub looks for ffmpeg when it is imported, and warns
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineUnavailable, match="espeak-ng is not installed") as missing:
        spoken(bench, "hola")
    assert "apt-get install espeak-ng" in missing.value.remedy


def test_a_voice_that_is_not_there_is_an_error_of_its_line(bench: Workbench) -> None:
    """espeak-ng by itself would read the text in English and not say so."""
    script = Script("en", (Utterance("7", "SPEAKER_00", Span(0, 1), "x", (), 1.0),))
    casting = Casting("es", {"SPEAKER_00": Voice("stock", "espeak-ng", "no-such-voice")})
    with pytest.raises(EngineUnavailable, match="no voice no-such-voice") as failed:
        synthesize(Lines("es", (Line("7", "hola"),)), script, casting, Params("es"), bench)
    assert failed.value.line == "7"


def test_espeak_is_never_linked() -> None:
    """It is GPL: a process of its own, as this version line shows, and no library of ours."""
    said = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True, timeout=20).stdout
    assert espeak.version() in said
