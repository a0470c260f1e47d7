"""espeak-ng's stock voices: that they exist, how high they speak, and that every text is text to them."""

from __future__ import annotations

import re
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from manifests.errors import EngineUnavailable, InputError
from tasks.engines import espeak
from tasks.engines.espeak import BETWEEN_HZ, STOCK, Silent, marked_up, pitch_setting, raised, speak, spoken, voice_of

SENTENCE = "Las plantas convierten la luz del sol en energía."


def median_hz(path: Path) -> float:
    """Median fundamental frequency of the voiced speech in a file, by WORLD's dio."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyworld imports pkg_resources, which warns that it will go
        import pyworld
    sound, rate = soundfile.read(path)
    contour, _ = pyworld.dio(soxr.resample(sound, rate, 8000), 8000, 60.0, 400.0)
    return float(np.median(contour[contour > 0]))


def sound_of(folder: Path, text: str, voice: str = "es+m3", pitch: int = 50) -> bytes:
    """What the engine hears in a text: the take's bytes."""
    return speak(text, voice, pitch, folder / "take.flac").read_bytes()


def length(folder: Path, text: str, voice: str = "es+m3") -> float:
    """Seconds that a text lasts."""
    return soundfile.info(speak(text, voice, 50, folder / "take.flac")).duration


def measured(sound: np.ndarray, rate: int) -> tuple[float, float]:
    """Median fundamental frequency in Hz, and level in dB."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pyworld imports pkg_resources, which warns that it will go
        import pyworld
    contour, _ = pyworld.dio(soxr.resample(sound, rate, 8000), 8000, 60.0, 400.0)
    return float(np.median(contour[contour > 0])), 10 * float(np.log10(np.mean(sound**2)))


@pytest.mark.parametrize("voice", ["es+m3", "en-us+f2"])
def test_an_emphasized_word_is_higher_louder_and_longer_than_its_neighbours(voice: str, tmp_path: Path) -> None:
    """Against the same sentence without it; the words after it stay as they were, so they tell where it ends."""
    pair: list[tuple[np.ndarray, int]] = []
    for number, text in enumerate(("Banana, banana, banana.", "<em>Banana</em>, banana, banana.")):
        pair.append(soundfile.read(speak(text, voice, 50, tmp_path / f"{number}.flac")))
    (usual, rate), (stressed, _) = pair
    longer = len(stressed) - len(usual)
    assert 0.02 * rate < longer < 0.25 * rate
    third = len(usual) // 4
    usual_hz, usual_db = measured(usual[:third], rate)
    hz, level = measured(stressed[: third + longer], rate)
    assert 1 < 12 * np.log2(hz / usual_hz) < 4
    after = measured(usual[-third:], rate)[1] - measured(stressed[-third:], rate)[1]
    assert 1 < level - usual_db + after < 6


def test_a_text_with_emphasis_is_still_nothing_but_text(tmp_path: Path) -> None:
    """Signs that mean something in markup are spoken, or not, as without it; half a tag is a user's mistake."""
    assert marked_up("R&D is <em>a<b</em>") == (
        '<speak>R&amp;D is <prosody pitch="+25%" rate="85%" volume="+40%">a&lt;b</prosody></speak>'
    )
    assert marked_up("1 < 2 & 3") is None
    assert length(tmp_path, "<em>Uno</em> <break time='9s'/> dos") < 5
    with pytest.raises(InputError, match="is not closed"):
        sound_of(tmp_path, "<em>uno")


def test_semitones_move_a_stock_voice_as_far_as_it_goes() -> None:
    """Two semitones are a factor of 1.122, twelve settings; beyond its range it stays whole."""
    assert raised(50, 2) == 62
    assert raised(50, -2) == 38
    assert (raised(50, 12), raised(50, -12)) == (80, 25)


def test_every_stock_variant_exists() -> None:
    """espeak-ng speaks an unknown variant in its plain voice without a word: two speakers would sound alike."""
    said = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, text=True, check=True, timeout=20)
    there = {row.split("!v/")[1].split()[0] for row in said.stdout.splitlines() if "!v/" in row}
    assert set(STOCK) <= there


def test_every_stock_variant_sounds_different_and_as_low_or_high_as_its_table_says(tmp_path: Path) -> None:
    """Low variants lie below the border, high ones above, each within 8 % of its number."""
    sounds: set[bytes] = set()
    for variant, hz in STOCK.items():
        take = speak(SENTENCE, f"es+{variant}", 50, tmp_path / f"{variant}.flac")
        sounds.add(take.read_bytes())
        assert median_hz(take) == pytest.approx(hz, rel=0.08)
        assert (hz < BETWEEN_HZ) == variant.startswith("m")
    assert len(sounds) == len(STOCK)


@pytest.mark.parametrize(("variant", "hz"), [("m3", 88.0), ("m7", 130.0), ("f2", 165.0), ("f3", 245.0)])
def test_a_pitch_setting_brings_a_voice_near_a_speaker(variant: str, hz: float, tmp_path: Path) -> None:
    """What is heard lies within a tenth of what the speaker measures."""
    take = speak(SENTENCE, f"es+{variant}", pitch_setting(variant, hz), tmp_path / "take.flac")
    assert median_hz(take) == pytest.approx(hz, rel=0.10)


@given(st.sampled_from(sorted(STOCK)), st.floats(30, 900))
def test_a_pitch_setting_never_leaves_what_sounds_whole(variant: str, hz: float) -> None:
    """Children and growlers are met as far as the voice goes."""
    assert 25 <= pitch_setting(variant, hz) <= 80


def test_a_speaker_without_a_measured_pitch_hears_the_voice_as_it_is() -> None:
    """50 is the voice's own."""
    assert pitch_setting("m3", None) == 50


@pytest.mark.parametrize(
    ("language", "voice"),
    [("es", "es"), ("es-MX", "es-419"), ("pt", "pt"), ("pt-BR", "pt-br"), ("fr", "fr-fr"), ("gl", "an"), ("tlh", None)],
)
def test_a_language_finds_its_voice(language: str, voice: str | None) -> None:
    """The very variety, else the language, else a neighbour, else nothing: Klingon has none."""
    assert voice_of(language) == voice


@pytest.mark.parametrize("text", ["-v fr hola", "--help", "- hola", "—hola"])
def test_a_text_that_begins_with_a_dash_is_spoken(text: str, tmp_path: Path) -> None:
    """It is no option: the words are heard as they are without the dash, or with its name before them."""
    bare = text.lstrip("-— ")
    assert length(tmp_path, text) >= length(tmp_path, bare) - 0.02


@pytest.mark.parametrize(
    "text", ["[[hola]] mundo", "[hola] mundo", "\x01hola\x1b mundo", "hola\nmundo", " hola\u2028mundo"]
)
def test_phonemes_and_control_codes_are_read_as_the_words_they_hold(text: str, tmp_path: Path) -> None:
    """Exactly the sound of the two words."""
    assert sound_of(tmp_path, text) == sound_of(tmp_path, "hola mundo")


def test_a_tag_does_not_swallow_what_follows(tmp_path: Path) -> None:
    """Markup is off: `<speak>` and an entity lose no word."""
    whole = length(tmp_path, "las hojas son verdes")
    assert length(tmp_path, "<speak>las hojas son verdes") >= whole
    assert length(tmp_path, "las <b>hojas</b> son verdes") >= whole
    assert length(tmp_path, '<voice name="en">las hojas son verdes</voice>') >= whole


def test_digits_are_spoken_in_the_target_language(tmp_path: Path) -> None:
    """The sound of a number is the sound of its words, in each language its own."""
    assert length(tmp_path, "42") == pytest.approx(length(tmp_path, "cuarenta y dos"), rel=0.1)
    assert length(tmp_path, "42", "en-us+m3") == pytest.approx(length(tmp_path, "forty two", "en-us+m3"), rel=0.1)
    assert sound_of(tmp_path, "42") != sound_of(tmp_path, "42", "ca+m3")


@pytest.mark.parametrize("voice", ["es+m3", "es+f3"])
@pytest.mark.parametrize("text", ["Sí.", "¡Atención! ¿Por qué hay pausas... entre las frases?", "ssss", "pat"])
def test_a_take_has_no_silence_at_its_ends_and_is_not_clipped(text: str, voice: str, tmp_path: Path) -> None:
    """Less than 30 ms below a hundredth of the peak, before and after; mono 48 kHz; no sample at full scale."""
    path = speak(text, voice, 50, tmp_path / "take.flac")
    sound, rate = soundfile.read(path)
    loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    assert (rate, sound.ndim, soundfile.info(path).format) == (48_000, 1, "FLAC")
    assert loud[0] < 0.03 * rate
    assert len(sound) - 1 - loud[-1] < 0.03 * rate
    assert np.abs(sound).max() < 0.99


def test_every_voice_speaks_at_one_level(tmp_path: Path) -> None:
    """Nobody turns the volume up or down between two speakers: -26 dBFS, within half a decibel."""
    for variant in STOCK:
        sound, _ = soundfile.read(speak("Las hojas son verdes.", f"es+{variant}", 50, tmp_path / "take.flac"))
        power = (sound[: len(sound) // 960 * 960].reshape(-1, 960) ** 2).mean(axis=1)
        assert 10 * np.log10(power[power > power.max() / 1000].mean()) == pytest.approx(-26, abs=0.5)


def test_the_normal_rate_is_a_narrators(tmp_path: Path) -> None:
    """Between 4.5 and 7.8 syllables a second: 7.8 is native reading without a breath (Pellegrino and others 2011)."""
    text = "La casa de mi amiga tiene una ventana verde y una puerta roja, y en la mesa hay una botella de agua."
    syllables = 40  # ca-sa, de, mi, a-mi-ga, tie-ne, ... with vowels that meet between words counted apart
    assert 4.5 < syllables / length(tmp_path, text) < 7.8


def test_the_same_text_gives_the_same_bytes(tmp_path: Path) -> None:
    """What is stored under its digest must not depend on when it was made."""
    assert sound_of(tmp_path, SENTENCE) == sound_of(tmp_path, SENTENCE)


def test_an_emoji_is_not_read_out(tmp_path: Path) -> None:
    """Nobody says `grinning face` in a lecture; what has a place in one, like °, is read."""
    assert sound_of(tmp_path, "hola 😀 ♪") == sound_of(tmp_path, "hola")
    assert length(tmp_path, "20 °C") > length(tmp_path, "20 C")


@pytest.mark.parametrize("text", ["", "¿?", "…", "\x01\x02", "[[ ]]"])
def test_a_text_without_a_sound_says_so(text: str, tmp_path: Path) -> None:
    """An error of its own kind, so that one such line is missing and the others are spoken."""
    with pytest.raises(Silent):
        speak(text, "es+m3", 50, tmp_path / "take.flac")


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@example(text="a\x85b\ud7ff\U0010ffff")
@example(text="\u200b\ufeffʼ")
@example(text="][[[a]]")
@given(text=st.text(max_size=25))
def test_any_text_is_a_take_or_silence(text: str, tmp_path: Path) -> None:
    """Nothing that a transcript or a linguist can write breaks the engine."""
    try:
        take = speak(text, "es+m3", 50, tmp_path / "take.flac")
    except Silent:
        return
    assert soundfile.info(take).frames > 0


@given(st.text(st.sampled_from([*"[]\x00\x01\x1f\x7f\x85\n ab"]), max_size=30))
def test_what_espeak_is_given_holds_no_command(text: str) -> None:
    """However brackets and control codes are nested; and every letter is there."""
    given_text = spoken(text)
    assert set(given_text) <= set("ab ")
    assert given_text.replace(" ", "") == "".join(sign for sign in text if sign in "ab")


def test_a_voice_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    """It is not read by another voice in secret."""
    for voice in ("no-such-voice", "es+no-such-variant"):
        with pytest.raises(EngineUnavailable, match=f"espeak-ng has no voice {re.escape(voice)}"):
            speak("hola", voice, 50, tmp_path / "take.flac")


def test_without_espeak_every_question_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its version, its languages and its voice are asked of a program that is not there."""
    speak("hola", "es", 50, tmp_path / "take.flac")  # pydub looks for ffmpeg when it is imported, and warns
    monkeypatch.setenv("PATH", str(tmp_path))
    espeak.version.cache_clear()
    espeak.languages.cache_clear()
    for ask in (
        espeak.version,
        espeak.languages,
        lambda: voice_of("es"),
        lambda: speak("hola", "es", 50, tmp_path / "take.flac"),
    ):
        with pytest.raises(EngineUnavailable, match="espeak-ng is not installed") as missing:
            ask()
        assert missing.value.remedy == "Run: sudo apt-get install espeak-ng"
