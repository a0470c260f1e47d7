"""The mix as a listener hears it: lines on time, the original's voice gone, its room still there, loudness right."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile
from numpy.typing import NDArray

from manifests.errors import StageFailed
from manifests.script import Diarization, Script, Utterance, Voice
from manifests.spans import RATE, Span
from manifests.timeline import Placement, Take, Takes, Timeline
from tasks.ducking import Ducking
from tasks.mix import mix
from tasks.mix_measures import Mix
from tasks.mixing_desk import Options, Parts

Sound = NDArray[np.float32]
VOICE = Voice("stock", "espeak-ng", "es")


def db(sound: Sound) -> float:
    """Level in dBFS."""
    return 10 * float(np.log10(np.mean(np.square(sound, dtype=np.float64)) + 1e-15))


def voice(seconds: float, seed: int) -> Sound:
    """Something like speech: syllables of a gliding buzz, peaks near 0.5."""
    random = np.random.default_rng(seed)
    at = np.arange(round(seconds * RATE)) / RATE
    pitch = 120 + 30 * np.sin(2 * np.pi * (0.7 + 0.1 * seed) * at)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tone = sum(np.cos(k * phase + random.uniform(0, 6)) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 2.2 * at) * 2 + 1.2, 0, 1)
    sound = tone * syllables
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def noise(seconds: float, channels: int, level_db: float, seed: int = 0) -> Sound:
    """A room: noise with more bass than treble, independent in each channel."""
    white = np.random.default_rng(seed).standard_normal((round(seconds * RATE) + 8, channels))
    room = sum(white[8 - k : len(white) - k] for k in range(8))
    return (room / np.sqrt(np.mean(room**2)) * 10 ** (level_db / 20)).astype(np.float32)


@dataclass(frozen=True)
class Lesson:
    """A lesson made for a test, and what its earlier stages would have said of it."""

    folder: Path
    source: Sound
    speech: Sound
    """Mono, as long as the source."""
    diarization: Diarization
    script: Script
    takes: Takes
    timeline: Timeline
    dub: Sound
    """The take that speaks every line."""

    @property
    def parts(self) -> Parts:
        programme = self.folder / "programme.flac"
        return Parts(
            programme, self.diarization, self.script, self.takes, self.timeline, lambda take: self.folder / take.audio
        )

    def mixed(self, name: str = "dub.flac", *, cores: int = 1, **more: object) -> tuple[Mix, Sound]:
        out = self.folder / name
        made = mix(
            self.parts,
            Options(**more),  # type: ignore[arg-type]  # whatever a test asks for
            out,
            self.folder,
            cores=cores,
        )
        sound, rate = soundfile.read(out, dtype="float32", always_2d=True)
        assert rate == RATE
        return made, np.asarray(sound, np.float32)


def lesson(
    folder: Path,
    background: Sound,
    *,
    spoken: Sequence[tuple[float, float]] = ((1.0, 4.0), (5.5, 8.5)),
    rate: float = 1.0,
    late: float = 0.0,
    gain: float = 1.0,
    channels: Sequence[int] | None = None,
) -> Lesson:
    """Speech over a background in `channels` (all), dubbed by lines of 2.4 s that start `late` seconds later."""
    length, count = background.shape
    speech = np.zeros(length, np.float32)
    spans = [Span.of_seconds(start, end) for start, end in spoken]
    for number, span in enumerate(spans):
        speech[span.start : span.end] = gain * voice(span.length / RATE, number)
    source = background.copy()
    source[:, list(channels or range(count))] += speech[:, np.newaxis]
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / "programme.flac", source, RATE, subtype="PCM_24")
    dub = voice(2.4, 7)
    soundfile.write(folder / "take.wav", dub, RATE, subtype="PCM_24")
    ids = [str(number + 1) for number in range(len(spans))]
    lasts = round(len(dub) / rate)
    starts = [span.start + round(late * RATE) for span in spans]
    return Lesson(
        folder,
        source,
        speech,
        Diarization((), (), tuple(spans)),
        Script("en", tuple(Utterance(i, "SPEAKER_00", s, "words", (), 1.0) for i, s in zip(ids, spans, strict=True))),
        Takes("es", tuple(Take(i, "take.wav", len(dub), len(dub), 1.0, VOICE) for i in ids)),
        Timeline(
            "es",
            length,
            tuple(
                Placement(i, Span(start, start + lasts), len(dub) / lasts) for i, start in zip(ids, starts, strict=True)
            ),
        ),
        dub,
    )


def delay_of(sound: Sound, pattern: Sound) -> int:
    """Where in `sound` a pattern lies, in samples."""
    size = 1 << (len(sound) + len(pattern)).bit_length()
    product = np.fft.rfft(sound, size) * np.conj(np.fft.rfft(pattern, size))
    return int(np.argmax(np.fft.irfft(product, size)[: len(sound)]))


def likeness(x: Sound, y: Sound) -> float:
    """The highest normalized correlation at any lag of up to 100 ms."""
    size = 1 << (2 * len(x)).bit_length()
    products = np.fft.irfft(np.fft.rfft(x, size) * np.conj(np.fft.rfft(y, size)), size)
    near = np.concatenate([products[:4800], products[-4800:]])
    return float(np.abs(near).max() / np.sqrt((x @ x) * (y @ y)))


@pytest.mark.parametrize("rate", [1.0, 1.2])
def test_a_line_is_heard_where_the_timeline_says(tmp_path: Path, rate: float) -> None:
    """The take's sound lies within 10 ms of its placement, stretched or not."""
    made = lesson(tmp_path, noise(10, 1, -60), rate=rate, late=0.3)
    _, out = made.mixed()
    assert len(out) == made.timeline.length
    for placement in made.timeline.placements:
        around = out[placement.span.start - 9_600 : placement.span.end + 9_600, 0]
        envelope = np.abs(around).reshape(-1, 48).max(axis=1)
        onset = int(np.argmax(envelope > 0.1 * envelope.max())) * 48 - 9_600
        take = np.abs(made.dub[: len(made.dub) // 48 * 48]).reshape(-1, 48).max(axis=1)
        own = int(np.argmax(take > 0.1 * take.max())) * 48 / rate
        assert abs(onset - own) <= 480
        if rate == 1.0:
            assert abs(delay_of(around, made.dub) - 9_600) <= 48


def test_the_originals_voice_is_gone_and_its_room_stays(tmp_path: Path) -> None:
    """Where the dub pauses over what was speech there is only room: as loud as before, and unlike the speech."""
    made = lesson(tmp_path, noise(12, 2, -50), spoken=((1.0, 6.0), (7.5, 11.0)))
    result, out = made.mixed()
    rest = slice(round(3.6 * RATE), round(5.9 * RATE))
    assert db(made.source[rest]) > -25
    assert db(out[rest]) == pytest.approx(-50, abs=1.0)
    assert likeness(out[rest, 0], made.speech[rest]) < 0.1
    during = slice(round(1.1 * RATE), round(3.2 * RATE))
    assert likeness(out[during, 0], made.speech[during]) < 0.3
    assert result.leakage_db is not None
    assert result.leakage_db < -45
    assert result.background == "room tone"
    assert not result.notes


def test_the_background_is_continuous(tmp_path: Path) -> None:
    """In steady noise no 150 ms without voice is more than 1.5 dB from the room's level, edges included."""
    made = lesson(tmp_path, noise(12, 2, -45), spoken=((1.0, 6.0), (7.5, 11.0)), late=0.8)
    _, out = made.mixed()
    frame = RATE * 3 // 20
    quiet = [
        start
        for start in range(0, len(out) - frame, frame // 3)
        if not any(p.span.overlap(Span(start, start + frame)) for p in made.timeline.placements)
    ]
    assert len(quiet) > 40
    levels = [db(out[start : start + frame]) for start in quiet]
    assert max(abs(level + 45) for level in levels) < 1.5
    for join in (0.8, 6.2, 7.3, 11.2):
        before, after = round((join - 0.4) * RATE), round((join + 0.4) * RATE)
        assert abs(db(out[before : before + frame * 2]) - db(out[after - frame * 2 : after])) < 1.0


def test_room_tone_has_the_rooms_spectrum_and_no_period(tmp_path: Path) -> None:
    """Ten seconds rebuilt from less than a second sound like the room in every octave and never repeat."""
    made = lesson(tmp_path, noise(14, 2, -45), spoken=((1.0, 13.0),))
    _, out = made.mixed()
    tone, room = out[4 * RATE : 12 * RATE], noise(8, 2, -45, seed=9)

    def octaves(sound: Sound) -> NDArray[np.float64]:
        power = np.mean(np.abs(np.fft.rfft(sound[:, 0].reshape(-1, 8_000) * np.hanning(8_000))) ** 2, axis=0)
        return 10 * np.log10([power[16 * 2**k : 32 * 2**k].mean() for k in range(7)])

    assert np.abs(octaves(tone) - octaves(room)).max() < 2.0
    spectrum = np.abs(np.fft.rfft(tone[:, 0], 2 * len(tone))) ** 2
    repeats = np.fft.irfft(spectrum)[RATE // 20 : len(tone) // 2]
    assert np.abs(repeats).max() / float(tone[:, 0] @ tone[:, 0]) < 0.1
    assert abs(np.corrcoef(tone[:, 0], tone[:, 1])[0, 1]) < 0.1


def pad(seconds: float, level_db: float = -32.2) -> Sound:
    """A pad of music in stereo: three notes, swelling a little."""
    at = np.arange(round(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * hertz * at) for hertz in (220, 277.2, 329.6)) * (0.8 + 0.2 * np.sin(1.9 * at))
    sound *= 10 ** (level_db / 20) / np.sqrt(np.mean(sound**2))
    return np.stack([sound, sound], axis=1).astype(np.float32)


def test_a_tonal_background_is_continued(tmp_path: Path) -> None:
    """A pad of music goes on under the dub: same notes, no hole, and the mix says so."""
    background = pad(10)
    made = lesson(tmp_path, background, spoken=((1.0, 5.5), (6.5, 9.0)))
    result, out = made.mixed(method="room_tone")
    rest = out[round(3.6 * RATE) : round(5.5 * RATE)]
    assert result.background == "continued"
    assert db(rest) == pytest.approx(db(background), abs=1.5)
    levels = [db(rest[start : start + 4_800]) for start in range(0, len(rest) - 4_800, 2_400)]
    assert max(levels) - min(levels) < 6
    spectrum = np.abs(np.fft.rfft(rest[:RATE, 0] * np.hanning(RATE)))
    assert {int(peak) for peak in np.argsort(spectrum)[-3:]} <= set(range(218, 223)) | {276, 277, 278, 329, 330, 331}


def test_loud_music_gives_way_to_the_dub_and_comes_back(tmp_path: Path) -> None:
    """A pad 8 dB under a quiet talk lies 20 LU under the dub and through its short pauses, is the source's own again
    within half a second where nobody speaks for long, and never jumps."""
    made = lesson(tmp_path, pad(16, -38), spoken=((1.0, 4.0), (5.0, 8.0)), gain=0.2)
    result, out = made.mixed()
    lines = [db(out[p.span.start : p.span.end]) for p in made.timeline.placements]
    assert db(made.source[RATE : 4 * RATE]) < -26
    for pause in ((3.6, 4.9), (7.6, 8.1)):
        assert db(out[round(pause[0] * RATE) : round(pause[1] * RATE)]) < min(lines) - 12
    far = slice(round(8.9 * RATE), None)
    np.testing.assert_allclose(out[far], made.source[far], atol=2e-6)
    np.testing.assert_allclose(out[: RATE // 2], made.source[: RATE // 2], atol=2e-6)
    assert 8 < result.lowered_db < 15
    assert result.leakage_db is not None
    assert result.leakage_db < -40
    levels = np.array([db(out[start : start + 2_400]) for start in range(round(7.6 * RATE), round(9.5 * RATE), 2_400)])
    assert np.abs(np.diff(levels)).max() < 4


def test_a_noisy_room_is_never_lowered(tmp_path: Path) -> None:
    """It would be heard to breathe with every line."""
    made = lesson(tmp_path, noise(10, 1, -32), spoken=((1.0, 4.0), (6.0, 9.0)), gain=0.5)
    result, out = made.mixed()
    assert result.lowered_db == 0
    assert db(out[round(3.6 * RATE) : round(5.4 * RATE)]) == pytest.approx(-32, abs=1)


def test_duck_keeps_the_original_under_the_dub_and_nowhere_else(tmp_path: Path) -> None:
    """Fifteen decibels down while the dub speaks over it; where the original would speak alone there is its room. The
    mix measures the voice that is left, and says so."""
    made = lesson(tmp_path, noise(12, 1, -60), spoken=((1.0, 6.0), (7.5, 11.0)))
    result, out = made.mixed(method="duck")
    during = slice(round(1.3 * RATE), round(3.2 * RATE))
    take = made.dub[during.start - RATE : during.stop - RATE]
    without_dub = out[during, 0] - take * float(take @ out[during, 0] / (take @ take))
    original = made.speech[during]
    gain = float(original @ without_dub / (original @ original))
    assert 20 * np.log10(abs(gain)) == pytest.approx(-15, abs=1.5)
    rest = slice(round(3.5 * RATE), round(5.9 * RATE))
    assert likeness(out[rest, 0], made.speech[rest]) < 0.1
    assert result.background == "ducked"
    assert result.leakage_db is not None
    assert -24 < result.leakage_db < -15
    assert any("the original's voice is left" in note for note in result.notes)
    assert made.mixed(method="duck", ducking=Ducking(depth_db=24))[0].lowered_db == 24


def test_digital_silence_stays_digital_silence(tmp_path: Path) -> None:
    """Around the speech of a programme without background the dub has none either."""
    made = lesson(tmp_path, np.zeros((10 * RATE, 2), np.float32))
    result, out = made.mixed()
    assert result.background == "silence"
    assert not out[: RATE // 2].any()
    assert not out[round(3.6 * RATE) : round(5.4 * RATE)].any()


def test_other_sounds_live_on(tmp_path: Path) -> None:
    """What happens while nobody speaks stays as it was, to the sample."""
    background = noise(12, 2, -50)
    background[5 * RATE : round(5.3 * RATE)] += noise(0.3, 2, -20, seed=3)
    made = lesson(tmp_path, background, spoken=((1.0, 4.0), (7.0, 10.0)))
    _, out = made.mixed()
    kept = slice(round(4.9 * RATE), round(5.5 * RATE))
    np.testing.assert_allclose(out[kept], made.source[kept], atol=2e-6)


def test_speech_that_was_not_recognized_stays(tmp_path: Path) -> None:
    """No word was recognized in it, so no line replaces it: it is heard as it was."""
    made = lesson(tmp_path, noise(12, 1, -50), spoken=((1.0, 4.0), (7.0, 10.0)))
    unheard = made.script.utterances[1].span
    made = replace(
        made,
        script=replace(made.script, utterances=made.script.utterances[:1], unrecognized=(unheard,)),
        timeline=replace(made.timeline, placements=made.timeline.placements[:1]),
    )
    _, out = made.mixed()
    kept = slice(unheard.start, unheard.end)
    np.testing.assert_allclose(out[kept], made.source[kept], atol=2e-6)


@pytest.mark.parametrize("gain", [0.1, 0.25, 0.6])
def test_the_dub_is_as_loud_as_the_source(tmp_path: Path, gain: float) -> None:
    """Integrated loudness is the source's own within half a unit."""
    result, _ = lesson(tmp_path, noise(10, 2, -60), gain=gain).mixed()
    assert result.source_lufs is not None
    assert result.integrated_lufs == pytest.approx(result.source_lufs, abs=0.5)
    assert result.target_lufs == result.source_lufs


def test_a_line_with_more_energy_is_louder_by_that_much(tmp_path: Path) -> None:
    """6 dB between two lines whose source is equally loud, at the same loudness of the whole."""
    made = lesson(tmp_path, noise(10, 1, -60))
    takes = tuple(replace(take, energy=6.0 * (take.line == "2")) for take in made.takes.takes)
    _, sound = replace(made, takes=Takes("es", takes)).mixed()
    first, second = (db(sound[placement.span.start : placement.span.end]) for placement in made.timeline.placements)
    _, usual = made.mixed("usual.flac")
    before, after = (db(usual[placement.span.start : placement.span.end]) for placement in made.timeline.placements)
    assert (second - first) - (after - before) == pytest.approx(6, abs=0.3)


@pytest.mark.parametrize(("name", "lufs"), [("web", -16.0), ("ebu", -23.0), ("atsc", -24.0)])
def test_a_profile_sets_the_loudness(tmp_path: Path, name: str, lufs: float) -> None:
    """Delivery profiles are met within half a unit and under their true peak."""
    result, _ = lesson(tmp_path, noise(10, 2, -60)).mixed(loudness=name)
    assert result.integrated_lufs == pytest.approx(lufs, abs=0.5)
    assert result.true_peak_dbtp is not None
    assert result.true_peak_dbtp <= -1.5


def test_netflix_measures_what_sounds_while_the_dub_speaks(tmp_path: Path) -> None:
    """-27 LKFS of dialogue, ungated, however loud the music between the lines is, and no peak above -2 dBTP."""
    background = noise(12, 2, -60)
    background[round(4.5 * RATE) : 7 * RATE] += noise(2.5, 2, -12, seed=4)
    made = lesson(tmp_path, background, spoken=((1.0, 4.0), (7.5, 10.5)))
    result, out = made.mixed(loudness="netflix")
    spoken = np.concatenate([out[p.span.start : p.span.end] for p in made.timeline.placements])
    assert result.dialogue_lufs == pytest.approx(-27, abs=0.5)
    assert pyloudnorm.Meter(RATE).integrated_loudness(spoken) == pytest.approx(-27, abs=1.0)
    assert result.integrated_lufs is not None
    assert result.integrated_lufs > -27
    assert result.true_peak_dbtp is not None
    assert result.true_peak_dbtp <= -2.5


def test_netflix_measures_the_programme_where_speech_is_seldom(tmp_path: Path) -> None:
    """Under 15 % of dialogue the whole programme is at -24 LKFS."""
    background = noise(20, 1, -30)
    result, _ = lesson(tmp_path, background, spoken=((1.0, 4.0),)).mixed(loudness="netflix")
    assert result.target_lufs == -24
    assert result.integrated_lufs == pytest.approx(-24, abs=0.5)


def test_neighbouring_lines_are_at_most_three_units_apart(tmp_path: Path) -> None:
    """However the source's speakers differ; the mix says how much is left."""
    made = lesson(tmp_path, noise(12, 1, -70), spoken=((1.0, 4.0), (7.0, 10.0)))
    quiet = made.source.copy()
    quiet[6 * RATE :] *= 0.1
    soundfile.write(tmp_path / "programme.flac", quiet, RATE, subtype="PCM_24")
    result, out = made.mixed()
    assert result.largest_step_lu == pytest.approx(3.0, abs=0.05)
    first, second = (db(out[p.span.start : p.span.end]) for p in made.timeline.placements)
    assert first - second == pytest.approx(3.0, abs=0.2)


def test_an_inaudible_source_is_no_example(tmp_path: Path) -> None:
    """Below -35 LUFS the dub is delivered for the web instead, and the mix says why."""
    result, _ = lesson(tmp_path, noise(10, 2, -80), gain=0.01).mixed()
    assert result.profile == "web"
    assert result.integrated_lufs == pytest.approx(-16.0, abs=0.5)
    assert "-16 LUFS are delivered" in result.notes[0]


def test_true_peak_wins_over_loudness(tmp_path: Path) -> None:
    """A source as loud as a square wave cannot be matched by a voice: peaks hold, and a note says what is lacking."""
    made = lesson(tmp_path, noise(10, 2, -60))
    loud = np.sign(made.source) * np.where(made.speech[:, np.newaxis] != 0, 0.9, 0.001)
    soundfile.write(tmp_path / "programme.flac", loud.astype(np.float32), RATE, subtype="PCM_24")
    result, out = made.mixed()
    assert result.true_peak_dbtp is not None
    assert result.true_peak_dbtp <= -1.7
    assert np.abs(out).max() < 10 ** (-1.7 / 20)
    assert any("the true peak allows no more" in note for note in result.notes)


def test_a_constant_offset_is_taken_out(tmp_path: Path) -> None:
    """It is no background: the room is rebuilt as quiet as it is, nothing thumps, and the mix says so."""
    made = lesson(tmp_path, noise(10, 1, -55))
    soundfile.write(tmp_path / "programme.flac", made.source + 0.1, RATE, subtype="PCM_24")
    result, out = made.mixed()
    rest = out[round(3.6 * RATE) : round(5.4 * RATE)]
    assert db(rest) == pytest.approx(-55, abs=1)
    assert abs(float(out.mean())) < 1e-3
    assert result.background == "room tone"
    assert any("constant offset of 0.1" in note for note in result.notes)


def test_a_silent_source_is_dubbed_all_the_same(tmp_path: Path) -> None:
    """Nothing can be heard where somebody should speak: the lines are as loud as on the web, over silence."""
    made = lesson(tmp_path, np.zeros((8 * RATE, 2), np.float32), spoken=((1.0, 4.0), (4.6, 7.6)), gain=0.0)
    result, out = made.mixed()
    assert result.profile == "web"
    assert result.integrated_lufs == pytest.approx(-16, abs=0.5)
    assert not out[: RATE // 2].any()


def test_lines_go_on_where_the_sound_ends_before_the_picture(tmp_path: Path) -> None:
    """The source's sound stops in the middle of the second line; the dub does not."""
    made = lesson(tmp_path, noise(10, 2, -50))
    soundfile.write(tmp_path / "programme.flac", made.source[: 6 * RATE], RATE, subtype="PCM_24")
    _, out = made.mixed()
    assert len(out) == 10 * RATE
    first, second = (db(out[p.span.start + RATE : p.span.end]) for p in made.timeline.placements)
    assert abs(first - second) < 3.5
    assert not out[9 * RATE :].any()


def test_a_clipped_source_is_not_clipped_again(tmp_path: Path) -> None:
    """Its speech hits full scale; the dub's true peak stays under the limit."""
    made = lesson(tmp_path, noise(8, 1, -50), spoken=((1.0, 4.0), (4.6, 7.6)))
    soundfile.write(tmp_path / "programme.flac", np.clip(4 * made.source, -1, 1), RATE, subtype="PCM_24")
    result, out = made.mixed()
    assert np.abs(out).max() < 10 ** (-1.7 / 20)
    assert result.true_peak_dbtp is not None
    assert result.true_peak_dbtp <= -1.7


def test_in_surround_the_dub_speaks_from_the_centre(tmp_path: Path) -> None:
    """In 5.1 the lines are in the third channel alone; the others, in which nobody spoke, are the source's own."""
    made = lesson(tmp_path, noise(10, 6, -55), channels=[2])
    result, out = made.mixed()
    during = slice(round(1.1 * RATE), round(3.3 * RATE))
    assert db(out[during, 2]) > -30
    others = [0, 1, 3, 4, 5]
    np.testing.assert_allclose(out[:, others], made.source[:, others], atol=2e-6)
    assert result.source_lufs is not None
    assert result.integrated_lufs == pytest.approx(result.source_lufs, abs=0.5)


@pytest.mark.parametrize(
    ("channels", "centre", "spoken", "dubbed"),
    [
        (1, False, [0], [0]),
        (2, False, [0, 1], [0, 1]),
        (2, False, [0], [0]),
        (2, False, [1], [1]),
        (4, False, [0, 1], [0, 1]),
        (4, True, [2], [2]),
        (6, True, [2], [2]),
        (6, True, [0, 1, 2], [2]),
        (8, True, [2], [2]),
    ],
    ids=["mono", "stereo", "left", "right", "quad", "4.0", "5.1", "5.1, everywhere in front", "7.1"],
)
def test_the_dub_speaks_where_the_original_did(
    tmp_path: Path, channels: int, centre: bool, spoken: list[int], dubbed: list[int]
) -> None:
    """As many channels as the source has; the lines from the same side, or from the centre where there is one; no trace
    of the original's voice in any; as loud as the source."""
    made = lesson(tmp_path, noise(8, channels, -60), spoken=((1.0, 4.0), (4.6, 7.6)), channels=spoken)
    result, out = made.mixed(centre=centre)
    assert out.shape == made.source.shape
    line, rest = slice(round(1.2 * RATE), 3 * RATE), slice(round(3.5 * RATE), 4 * RATE)
    heard = [channel for channel in range(channels) if db(out[line, channel]) > -40]
    assert heard == dubbed
    assert max(likeness(out[rest, channel], made.speech[rest]) for channel in range(channels)) < 0.15
    assert result.source_lufs is not None
    assert result.integrated_lufs == pytest.approx(result.source_lufs, abs=0.5)


def test_each_line_speaks_from_its_own_side(tmp_path: Path) -> None:
    """Of two people, one left and one right, each is replaced there."""
    made = lesson(tmp_path, noise(10, 2, -60), channels=[0])
    source = made.source.copy()
    source[5 * RATE :] = source[5 * RATE :, ::-1]
    soundfile.write(tmp_path / "programme.flac", source, RATE, subtype="PCM_24")
    _, out = made.mixed()
    first, second = (out[p.span.start : p.span.end] for p in made.timeline.placements)
    assert db(first[:, 0]) > -30 > -50 > db(first[:, 1])
    assert db(second[:, 1]) > -30 > -50 > db(second[:, 0])


def test_a_demonstration_on_the_other_channel_is_left_alone(tmp_path: Path) -> None:
    """The lecturer's microphone is on the left, what the machine sounds like on the right."""
    background = noise(10, 2, -60)
    background[:, 1] += noise(10, 1, -38, seed=5)[:, 0]
    made = lesson(tmp_path, background, channels=[0])
    _, out = made.mixed()
    np.testing.assert_allclose(out[:, 1], made.source[:, 1], atol=2e-6)


def test_a_lesson_without_lines_keeps_its_own_sound(tmp_path: Path) -> None:
    """Nothing is said, so nothing changes."""
    made = lesson(tmp_path, noise(3, 2, -30), spoken=())
    result, out = made.mixed()
    np.testing.assert_array_equal(out, soundfile.read(tmp_path / "programme.flac", dtype="float32")[0])
    assert result.background == "original"
    assert result.integrated_lufs == result.source_lufs


def test_the_mix_is_as_long_as_the_timeline(tmp_path: Path) -> None:
    """A programme that decodes a little short or long is filled with silence, or cut."""
    made = lesson(tmp_path, noise(10, 1, -60))
    for length in (10 * RATE + 777, 10 * RATE - 777):
        _, out = replace(made, timeline=replace(made.timeline, length=length)).mixed()
        assert len(out) == length


def test_nothing_clicks(tmp_path: Path) -> None:
    """No step between two samples is larger than the voices' own."""
    made = lesson(tmp_path, noise(10, 1, -60), rate=1.15)
    result, out = made.mixed()
    loudest = max(line.gain_db for line in result.lines)
    own = np.abs(np.diff(made.dub)).max() * 10 ** (loudest / 20)
    assert np.abs(np.diff(out[:, 0])).max() < 1.3 * own + 0.01


def test_the_same_inputs_give_the_same_file(tmp_path: Path) -> None:
    """Two mixes are equal byte for byte."""
    made = lesson(tmp_path, noise(6, 2, -50), spoken=((1.0, 4.0),), rate=1.1)
    made.mixed("first.flac")
    made.mixed("second.flac")
    assert (tmp_path / "first.flac").read_bytes() == (tmp_path / "second.flac").read_bytes()


def test_a_placement_without_a_take_is_a_failure(tmp_path: Path) -> None:
    """It names the line."""
    made = lesson(tmp_path, noise(5, 1, -50), spoken=((1.0, 4.0),))
    with pytest.raises(StageFailed) as failure:
        replace(made, takes=Takes("es", ())).mixed()
    assert failure.value.line == "1"


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """Three minutes of mono take at most 10 MB more than one minute does, though they are 23 MB more of floats."""
    script = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_mix import lesson, noise
import numpy as np, soundfile
from dataclasses import replace
folder, minutes = Path(sys.argv[1]), int(sys.argv[3])
made = lesson(folder, noise(10, 1, -60), rate=1.0)
from manifests.spans import RATE, Span
length = minutes * 60 * RATE
with soundfile.SoundFile(folder / "programme.flac", "w", RATE, 1, "PCM_24") as sink:
    for _ in range(minutes * 6):
        sink.write(made.source)
def repeated(one, field):
    shifts = range(0, length, 10 * RATE)
    return tuple(replace(one, span=one.span.shifted(by), **{field: str(by)}) for by in shifts)
utterances = repeated(made.script.utterances[0], "id")
placements = repeated(made.timeline.placements[0], "line")
made = replace(made,
    diarization=replace(made.diarization, speech=tuple(u.span for u in utterances)),
    script=replace(made.script, utterances=utterances),
    takes=replace(made.takes, takes=tuple(replace(made.takes.takes[0], line=p.line) for p in placements)),
    timeline=replace(made.timeline, length=length, placements=placements))
from tasks.mix import mix
from tasks.mixing_desk import Options
mix(made.parts, Options(), folder / "dub.flac", folder)
assert soundfile.info(folder / "dub.flac").frames == length
sys.stdout.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
"""
    peaks = [
        int(
            subprocess.run(
                [sys.executable, "-c", script, str(tmp_path / str(minutes)), str(Path(__file__).parent), str(minutes)],
                capture_output=True,
                text=True,
                check=True,
                timeout=900,  # the watermark takes its time where others work
            ).stdout
        )
        for minutes in (1, 3)
    ]
    assert peaks[1] - peaks[0] < 10_000
