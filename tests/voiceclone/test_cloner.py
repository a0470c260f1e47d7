"""The cloner as a whole: two voices that belong to nobody (flite's), learnt quickly, and what they then say."""

from __future__ import annotations

import importlib
import pickle
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray
from safetensors.numpy import save

from manifests.errors import ConsentRefused, InputError, StoreError
from voiceclone.cloner.analysis import RATE, active, person_frames, prepared
from voiceclone.cloner.clips import Clip
from voiceclone.cloner.engine import AdaptiveCloner, Saying
from voiceclone.cloner.refinement import Refinement, Tone
from voiceclone.cloner.speaking import speak
from voiceclone.cloner.speech_source import SpeechSource
from voiceclone.cloner.training import train
from voiceclone.cloner.voice import TrainedVoice
from voiceclone.registry import Registry

Mono = NDArray[np.float32]

LEARNT = (
    "The cell is the smallest unit of every living thing on earth.",
    "Green plants turn the light of the sun into sugar and oxygen.",
    "A judge should know how to read a very thick book of laws.",
)
NEW = "Water boils faster on a high mountain."
STEPS = 28
"""Of training, where a real voice takes hundreds."""


@lru_cache
def flite(voice: str, text: str) -> tuple[Mono, int]:
    """Something said by one of flite's voices."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", file.name], check=True, timeout=60)
        sound, rate = soundfile.read(file.name, dtype="float32")
    return np.asarray(sound, np.float32), rate


def clips(voice: str) -> list[Clip]:
    return [Clip(*flite(voice, text), text) for text in LEARNT]


@pytest.fixture(scope="module")
def amara() -> TrainedVoice:
    """flite's woman slt, in English: about 10 s."""
    return train(clips("slt"), "en", "en", seed=0, threads=1, steps=STEPS)


@pytest.fixture(scope="module")
def ben() -> TrainedVoice:
    """flite's man rms, taught to speak Spanish."""
    spanish = ("Hoy hace mucho frío en la montaña.", "El perro corre por el jardín verde.", "Llueve cada jueves.")
    return train(clips("rms"), "en", "es", seed=0, threads=1, steps=STEPS, sentences=spanish)


@pytest.fixture(scope="module")
def ear() -> Callable[[Mono, int], NDArray[np.float32]]:
    """Who speaks, as a unit vector, by Resemblyzer."""
    with warnings.catch_warnings():
        # webrtcvad 2.0.10, its last release, asks pkg_resources for its own version.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
        # resemblyzer 0.1.4, its last release, imports a name from where scipy used to keep it.
        warnings.filterwarnings("ignore", message="Please import `binary_dilation`", category=DeprecationWarning)
        resemblyzer: Any = importlib.import_module("resemblyzer")
    encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)

    def hear(sound: Mono, rate: int) -> NDArray[np.float32]:
        return encoder.embed_utterance(resemblyzer.preprocess_wav(sound, source_sr=rate))

    return hear


def pitch_hz(sound: Mono, rate: int = RATE) -> float:
    f0 = person_frames(prepared(sound, rate)).f0
    return float(np.median(f0[f0 > 0]))


def test_a_cloned_voice_is_nearer_to_its_person_than_the_voice_it_is_made_from(
    amara: TrainedVoice, ear: Callable[..., NDArray[np.float32]]
) -> None:
    """In a sentence that the person never said, by a wide margin."""
    with SpeechSource() as source:
        stock = source.say(NEW, "en-us", amara.wpm)
    person = ear(*flite("slt", NEW))
    cloned = ear(*speak(amara, NEW, "en"))
    assert person @ cloned > person @ ear(stock.audio.astype(np.float32), stock.rate) + 0.1
    assert pitch_hz(speak(amara, NEW, "en")[0]) == pytest.approx(pitch_hz(*flite("slt", NEW)), rel=0.1)


def test_each_voice_is_its_own_persons(
    amara: TrainedVoice, ben: TrainedVoice, ear: Callable[..., NDArray[np.float32]]
) -> None:
    """Two people make two voices, and each sounds more like its own, across languages too."""
    woman, man = ear(*flite("slt", NEW)), ear(*flite("rms", NEW))
    her = ear(*speak(amara, NEW, "en"))
    his = ear(*speak(ben, "El agua hierve antes en una montaña muy alta.", "es"))
    assert her @ woman > her @ man + 0.1
    assert his @ man > his @ woman + 0.1
    assert amara.digest != ben.digest


def test_the_same_clips_and_seed_make_the_same_voice_and_sound() -> None:
    """To the bit."""
    made = [train(clips("slt")[:2], "en", "en", seed=1, threads=1, steps=3) for _ in range(2)]
    assert made[0].digest == made[1].digest
    sounds = [speak(voice, "Good morning.", "en")[0] for voice in made]
    assert np.array_equal(sounds[0], sounds[1])


MORE = (
    "Every cell in the human body needs oxygen to stay alive.",
    "The river runs down from the hills and into a wide blue lake.",
    "Please open your books at page nine and read the first question.",
    "A strong magnet can pull a nail through a thin sheet of glass.",
)
HEARD = (
    "The boy was there when the sun rose.",
    "Rice is often served in round bowls.",
    "The box was thrown beside the parked truck.",
    "Four hours of steady work faced us.",
)


@pytest.mark.slow
def test_a_fuller_enrolment_is_similar_and_understood_at_once(
    ear: Callable[..., NDArray[np.float32]], tmp_path: Path
) -> None:
    """Similarity alone can be had by babbling: pocketsphinx must hear the words as well as in the voice it came from.

    It knows no words but those of the test, in any order, so that no grammar helps.
    """
    learnt = [Clip(*flite("slt", text), text) for text in LEARNT + MORE]
    voice = train(learnt, "en", "en", steps=200)
    words = sorted({word for text in HEARD for word in text.lower().strip(".").split()})
    share = -np.log10(len(words) + 1)
    rows = [f"{share:.4f} {word}" for word in [*words, "</s>"]] + ["-99 <s>"]
    grammar = tmp_path / "words.lm"
    grammar.write_text("\\data\\\n" + f"ngram 1={len(rows)}\n\n" + "\\1-grams:\n" + "\n".join(rows) + "\n\n\\end\\\n")
    decoder: Any = importlib.import_module("pocketsphinx").Decoder(loglevel="FATAL", lm=str(grammar))

    def understood(sound: NDArray[Any], rate: int) -> list[str]:
        quiet = np.zeros(3200)
        heard = np.concatenate([quiet, soxr.resample(sound.astype(np.float64), rate, 16_000), quiet])
        decoder.start_utt()
        decoder.process_raw((np.clip(heard, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr.split() if decoder.hyp() else []

    right = {"cloned": 0, "stock": 0}
    near = {"cloned": 0.0, "stock": 0.0}
    with SpeechSource() as source:
        for text in HEARD:
            stock = source.say(text, "en-us", voice.wpm)
            person = ear(*flite("slt", text))
            said = {"cloned": speak(voice, text, "en", source=source), "stock": (stock.audio, stock.rate)}
            for kind, (sound, rate) in said.items():
                near[kind] += float(person @ ear(np.asarray(sound, np.float32), rate)) / len(HEARD)
                heard = understood(sound, rate)
                right[kind] += sum(word in heard for word in text.lower().strip(".").split())
    total = sum(len(text.split()) for text in HEARD)
    assert near["cloned"] > 0.75
    assert near["cloned"] > near["stock"] + 0.2
    assert right["cloned"] / total > 0.5
    assert right["cloned"] >= right["stock"] - 2


def test_pitch_moves_the_fundamental_by_the_semitones_that_were_asked_for(amara: TrainedVoice) -> None:
    """Four up is a factor of 1.26, three down 0.84."""
    usual = pitch_hz(speak(amara, NEW, "en")[0])
    for semitones, factor in ((4, 1.26), (-3, 0.841)):
        moved = pitch_hz(speak(amara, NEW, "en", refinement=Refinement(pitch=semitones))[0])
        assert moved / usual == pytest.approx(factor, rel=0.03)


def test_pace_and_rate_change_how_long_a_text_takes(amara: TrainedVoice) -> None:
    """Exactly so, and both together multiply."""
    usual = len(speak(amara, NEW, "en")[0])
    assert len(speak(amara, NEW, "en", refinement=Refinement(pace=0.8))[0]) == pytest.approx(usual / 0.8, rel=0.005)
    faster = speak(amara, NEW, "en", refinement=Refinement(pace=1.25), rate=1.2)[0]
    assert len(faster) == pytest.approx(usual / 1.5, rel=0.005)


def test_pauses_change_the_quiet_between_words_only(amara: TrainedVoice) -> None:
    """A text with a comma takes longer with longer pauses, one without does not."""
    longer = Refinement(pauses=2.5)
    with_pause, without = "First boil it, then wait.", "Boil it."
    assert len(speak(amara, with_pause, "en", refinement=longer)[0]) > len(speak(amara, with_pause, "en")[0]) + 2000
    assert len(speak(amara, without, "en", refinement=longer)[0]) == len(speak(amara, without, "en")[0])


def test_energy_changes_the_level(amara: TrainedVoice) -> None:
    """By the decibels that were asked for."""
    usual, softer = (speak(amara, NEW, "en", refinement=Refinement(energy=db))[0] for db in (0, -6))
    assert 20 * np.log10(np.linalg.norm(softer) / np.linalg.norm(usual)) == pytest.approx(-6, abs=0.1)


def test_tone_tilts_the_spectrum_and_changes_the_range_of_pitch(amara: TrainedVoice) -> None:
    """Warm is darker than usual and sharp brighter; subdued hardly moves its pitch."""
    tilt: dict[str | None, float] = {}
    spread: dict[str | None, float] = {}
    tones: tuple[Tone | None, ...] = (None, "warm", "sharp", "subdued")
    for tone in tones:
        sound = speak(amara, NEW, "en", refinement=Refinement(tone=tone))[0]
        power = np.abs(np.fft.rfft(sound)) ** 2
        hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
        low, high = power[(hertz > 150) & (hertz < 900)].sum(), power[(hertz > 2500) & (hertz < 7000)].sum()
        tilt[tone] = 10 * np.log10(high / low)
        frames = person_frames(prepared(sound, RATE))
        spread[tone] = float(np.std(np.log2(frames.f0[(frames.f0 > 0) & active(frames.cepstrum)])) * 12)
    assert tilt["warm"] < tilt[None] - 2
    assert tilt["sharp"] > tilt[None] + 2
    assert tilt["subdued"] < tilt[None] - 1
    assert spread["subdued"] < 0.75 * spread[None] < 0.75 * spread["sharp"]


def test_a_stressed_word_is_higher_longer_and_louder(amara: TrainedVoice) -> None:
    """And the tags are not read out."""
    plain = speak(amara, "We need copper here.", "en")[0]
    stressed = speak(amara, "We need <em>copper</em> here.", "en")[0]
    assert 1.02 < len(stressed) / len(plain) < 1.2
    highest = [
        np.percentile(frames.f0[frames.f0 > 0], 90)
        for frames in (person_frames(prepared(sound, RATE)) for sound in (plain, stressed))
    ]
    assert highest[1] > 1.03 * highest[0]


def test_too_little_speech_is_refused() -> None:
    """Three seconds make no voice, with the reason; nor does silence, or sound without words."""
    sound, rate = flite("slt", LEARNT[0])
    with pytest.raises(InputError, match=r"[0-3]\.\d s of clean speech, and a voice needs 5 s"):
        train([Clip(sound[: 3 * rate], rate, LEARNT[0])], "en", "es")
    with pytest.raises(InputError, match="clip 1 is silent"):
        train([Clip(np.zeros(8 * rate, np.float32), rate, "Hello.")], "en", "es")
    with pytest.raises(InputError, match="clip 2 has no text"):
        train([Clip(sound, rate, LEARNT[0]), Clip(sound, rate, "…")], "en", "es")


def test_words_that_were_not_said_make_no_voice() -> None:
    """A voice learnt from them would be similar and babble: each clip here has the next one's words."""
    said = [*LEARNT, MORE[0]]
    wrong = [Clip(*flite("slt", text), other) for text, other in zip(said, [*said[1:], said[0]], strict=True)]
    with pytest.raises(InputError, match="the words of the clips are not what is said in them"):
        train(wrong, "en", "en", steps=1)


def test_words_of_which_some_were_misheard_are_not_left_to_teach_the_sounds(amara: TrainedVoice) -> None:
    """One word in four is another: the voice is held near the source's sounds, as in a language that was not heard."""
    other = ["purple", "monkeys", "seldom", "dance", "with", "thunder", "while", "seven", "kettles", "whistle"]
    said = [*LEARNT, MORE[0]]
    texts = [" ".join(other[at % 10] if at % 4 == 3 else word for at, word in enumerate(text.split())) for text in said]
    heard = [Clip(*flite("slt", text), wrong) for text, wrong in zip(said, texts, strict=True)]
    assert (amara.own_frames, train(heard, "en", "en", steps=1).own_frames) == (0.7, 0.4)


def test_a_clip_with_other_words_is_left_out() -> None:
    """The others make the voice, and a short answer, which tells nothing by the order of its words, stays."""
    said = [*LEARNT, MORE[0], "Yes, exactly."]
    texts = [*said[:2], "Nobody ever mentioned any of these seven things before lunch.", *said[3:]]
    heard = [Clip(*flite("rms", text), other) for text, other in zip(said, texts, strict=True)]
    voice = train(heard, "en", "en", steps=1)
    length = sum(len(clip.audio) / clip.rate for number, clip in enumerate(heard) if number != 2)
    assert voice.seconds == pytest.approx(length, abs=0.1)


def test_a_voice_speaks_no_other_language_than_the_one_it_was_trained_for(
    amara: TrainedVoice, ben: TrainedVoice
) -> None:
    """It would sound like the person and not be understood."""
    with pytest.raises(InputError, match="trained to speak es, not en"):
        speak(ben, NEW, "en")
    with pytest.raises(InputError, match="nothing to say"):
        speak(amara, "…", "en")


def test_a_voice_comes_back_from_its_file_as_it_was(amara: TrainedVoice, tmp_path: Path) -> None:
    """Same digest, same sound, the same bytes each time, for its owner's eyes only."""
    path = tmp_path / "amara voice.safetensors"
    amara.save(path)
    first = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = TrainedVoice.load(path)
    assert again.digest == amara.digest
    assert np.array_equal(speak(again, "Good morning.", "en")[0], speak(amara, "Good morning.", "en")[0])
    again.save(path)
    assert path.read_bytes() == first


def test_a_file_that_is_no_voice_is_refused(amara: TrainedVoice, tmp_path: Path) -> None:
    """Changed, cut, empty, a pickle, somebody else's arrays: never half a voice, and nothing in it runs."""
    path = tmp_path / "voice"
    amara.save(path)
    good = path.read_bytes()
    middle = bytearray(good)
    middle[len(good) // 2] ^= 1

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    for bad in (
        bytes(middle),
        good[:-1],
        good + b"\0",
        b"",
        pickle.dumps(Evil()),
        save({"a": np.zeros(3)}),
        save({"a": np.zeros(3)}, metadata={"voice": '{"facts": {}, "digest": ""}'}),
        save({"a": np.zeros(3)}, metadata={"voice": "[" * 100_000}),
        good.replace(b"float32", b"float64").replace(b"F32", b"F64"),
    ):
        path.write_bytes(bad)
        with pytest.raises(InputError, match="this is no voice"):
            TrainedVoice.load(path)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(StoreError, match="cannot read the voice"):
        TrainedVoice.load(tmp_path / "none")


def test_a_voice_whose_parts_do_not_fit_is_refused(amara: TrainedVoice, tmp_path: Path) -> None:
    """A file with the right digest can still be wrong."""
    for wrong in (
        replace(amara, networks=amara.networks[:1] * 9),
        replace(amara, own_frames=7.0),
        replace(amara, inventory=replace(amara.inventory, last=amara.inventory.last[:-1])),
        replace(amara, inventory=replace(amara.inventory, contour=amara.inventory.contour * np.float32("nan"))),
    ):
        wrong.save(tmp_path / "voice")
        with pytest.raises(InputError, match="its parts do not fit together"):
            TrainedVoice.load(tmp_path / "voice")


def test_the_engine_speaks_for_a_grant_and_not_without(
    ben: TrainedVoice, registry: Registry, application: Callable[..., Any], use: dict[str, Any]
) -> None:
    """In the voice of the person whom the grant is for; nobody reaches it around the grant."""
    registry.add(application())
    asked: list[tuple[str, str]] = []

    def voices(person: str, language: str) -> TrainedVoice:
        asked.append((person, language))
        return ben

    with AdaptiveCloner(registry, voices) as engine:
        lines = [Saying("Buenos días."), Saying("Hasta luego.", Refinement(pace=1.1), 1.1)]
        said = list(engine.synthesize(registry.grant(**use), lines, person="amara", language="es"))
        assert [take.rate for take in said] == [RATE, RATE]
        assert all(0.3 * RATE < len(take.audio) < 3 * RATE for take in said)
        assert {take.digest for take in said} == {ben.digest}
        assert asked == [("amara", "es")]
        assert "es" in engine.languages()
        with pytest.raises(ConsentRefused):
            engine._synthesize("amara", "es", lines)  # pyright: ignore[reportPrivateUsage]  on purpose
        assert len(asked) == 1


def test_a_voice_holds_every_frame_that_was_heard_once(amara: TrainedVoice) -> None:
    """What is kept of a second of speech is 200 frames of the person, no more."""
    length = sum(len(clip.audio) / clip.rate for clip in clips("slt"))
    assert len(amara.inventory) == pytest.approx(200 * length, rel=0.01)
    assert amara.seconds == pytest.approx(length, abs=0.05)
