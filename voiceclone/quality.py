"""Whether recordings of a person are good enough to make their voice of: the enrolment gate.

`measure` listens, `judge` decides by limits, and each finding says what was measured, why it matters and how to mend
it. The limits are those that vendors and engines publish (research: voice 4.3); the one for a second voice was measured
(`benchmarks/voices.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from voiceclone import acoustics, voiceprint, watermark
from voiceclone.speech import joined, speaking
from voiceclone.voiceprint import RATE, Mono

Verdict = Literal["pass", "warn", "reject"]

ONE_VOICE = 0.80
"""Cosine of 3 s of speech and a person's mean from which on it is that person's. Measured on 13 voices: their own
windows 0.82 to 0.97, other people's 0.83 at most, 0.76 in 99 of 100."""

TWO_VOICES = 0.79
"""Cosine below which two groups of windows are two people. Measured: one person's windows, parted as unlike as can be,
0.80 (far-field) to 0.97; two people's below 0.79 in 95 of 100."""

WINDOW_S = 3.0
_WATERMARK_S = 10.0
_REVERBERANT_S = 0.3
_SPLIT_TEXT = ".!?…。！？"


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One recording of a person, decoded."""

    name: str
    """What messages call it: its file's name."""
    samples: Mono
    """Mono, -1 to 1."""
    rate: int
    text: str = ""
    """What is said in it, where that is known."""
    file_sha256: str = ""
    """Of the file that it came from, where it came from one."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the recordings measure together; None where there is too little to tell."""

    speech_s: float
    """Without pauses."""
    rate: int
    """The lowest of them."""
    bandwidth_hz: float
    """The lowest."""
    snr_db: float | None
    """The lowest."""
    clipped: float
    """Share of samples in flat tops; the highest."""
    loudness_lufs: float | None
    true_peak_dbtp: float
    decay_s: float | None
    """A hint at reverberation (`acoustics.decay_s`); the longest."""
    windows: int
    """Stretches of 3 s of speech that were compared."""
    strangers: int
    """How many of them do not sound like the others."""
    pitch_semitones: float | None
    """Standard deviation of the fundamental frequency."""
    sentences: int | None
    """None where the words are not known."""
    loudness_range_lu: float | None
    pace_variation: float | None
    watermark: float
    """Score of the most suspicious ten seconds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check of the gate."""

    check: str
    verdict: Verdict
    measured: str
    reason: str = ""
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All checks, and the worst of their verdicts."""

    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        verdicts = {finding.verdict for finding in self.findings}
        return "reject" if "reject" in verdicts else "warn" if "warn" in verdicts else "pass"


def measure(recordings: Sequence[Recording]) -> Measured:
    """Listen to one person's recordings, of which there is at least one.

    Raises EngineUnavailable where the speech detector, the speaker encoder or the watermark's weights are missing.
    """
    parts: list[Mono] = []
    noise: list[float] = []
    decays: list[float] = []
    bandwidths: list[float] = []
    for each in recordings:
        heard = voiceprint.resampled(each.samples, each.rate)
        found = speaking(heard)
        if not len(found):
            continue
        runs = found / RATE
        parts.append(joined(heard, found))
        bandwidths.append(acoustics.bandwidth_hz(each.samples, each.rate, runs))
        if (ratio := acoustics.signal_to_noise_db(each.samples, each.rate, runs)) is not None:
            noise.append(ratio)
        if (decay := acoustics.decay_s(each.samples, each.rate, runs)) is not None:
            decays.append(decay)
    speech = np.concatenate([np.zeros(0, np.float32), *parts])
    voices = window_prints(speech)
    texts = [each.text for each in recordings if each.text.strip()]
    return Measured(
        speech_s=round(len(speech) / RATE, 2),
        rate=min(each.rate for each in recordings),
        bandwidth_hz=min(bandwidths, default=0.0),
        snr_db=min(noise, default=None),
        clipped=max(acoustics.clipped_share(each.samples) for each in recordings),
        loudness_lufs=acoustics.loudness_lufs(speech, RATE),
        true_peak_dbtp=max(acoustics.true_peak_dbtp(each.samples, each.rate) for each in recordings),
        decay_s=max(decays, default=None),
        windows=len(voices),
        strangers=len(strangers(voices)),
        pitch_semitones=acoustics.pitch_spread_semitones(speech),
        sentences=sum(map(_sentences, texts)) if texts else None,
        loudness_range_lu=acoustics.loudness_range_lu(speech, RATE),
        pace_variation=acoustics.pace_variation(speech),
        watermark=max(_marked(each) for each in recordings),
    )


def judge(measured: Measured) -> Report:
    """Decide, check by check. Pure: the same numbers give the same report."""
    return Report(tuple(check(measured) for check in _CHECKS))


def window_prints(speech: Mono) -> NDArray[np.float32]:
    """Voice prints of each 3 s of 16 kHz speech without pauses, (windows, 256); a rest above 1.5 s counts too."""
    size = round(WINDOW_S * RATE)
    starts = range(0, max(1, len(speech) - size // 2 + 1), size)
    least = voiceprint.SHORTEST_S * RATE
    parts = [part for start in starts if len(part := speech[start : start + size]) >= least and part.any()]
    return voiceprint.prints_of(parts)


def strangers(prints: NDArray[np.float32]) -> NDArray[np.int64]:
    """Which windows (rows of prints) do not sound like the rest.

    A mean of two voices lies between them and resembles both, so windows that fall into groups are parted first; the
    largest group is the voice, and what does not resemble its mean is strange.
    """
    if len(prints) < 2:
        return np.zeros(0, np.int64)
    voice = _largest(prints, np.arange(len(prints)))
    near = voice[prints[voice] @ voiceprint.centroid(prints[voice]) >= ONE_VOICE - 0.1]
    unlike = prints @ voiceprint.centroid(prints[near if len(near) else voice]) < ONE_VOICE
    if len(voice) < len(prints):
        unlike |= ~np.isin(np.arange(len(prints)), voice)
    return np.flatnonzero(unlike)


def _largest(prints: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The largest group of rows that does not fall into two voices; the earliest of equals."""
    if len(rows) < 4:
        return rows
    halves = [rows[half] for half in _halves(prints[rows])]
    if min(map(len, halves)) < 2:
        return rows
    one, other = (voiceprint.centroid(prints[half]) for half in halves)
    if voiceprint.likeness(one, other) >= TWO_VOICES:
        return rows
    return max((_largest(prints, half) for half in halves), key=lambda half: (len(half), -int(half[0])))


def _halves(prints: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows in two groups, around the two that are least alike (k-means on the sphere)."""
    alike = prints @ prints.T
    first, second = (int(index) for index in np.unravel_index(int(alike.argmin()), alike.shape))
    one, other = prints[first], prints[second]
    nearer = np.ones(len(prints), np.bool_)
    for _ in range(10):
        nearer = prints @ one >= prints @ other
        if nearer.all() or not nearer.any():
            break
        one, other = voiceprint.centroid(prints[nearer]), voiceprint.centroid(prints[~nearer])
    return np.flatnonzero(nearer), np.flatnonzero(~nearer)


def _marked(recording: Recording) -> float:
    size = round(_WATERMARK_S * recording.rate)
    pieces = [recording.samples[start : start + size] for start in range(0, len(recording.samples), size)]
    return max((watermark.score(piece, recording.rate) for piece in pieces), default=0.0)


def _sentences(text: str) -> int:
    ends = sum(1 for here, after in zip(text, text[1:] + " ", strict=True) if here in _SPLIT_TEXT and after == " ")
    return max(1, ends)


# Checks, in the order of the report


def _net_speech(m: Measured) -> Finding:
    said = f"{m.speech_s:.1f} s"
    if m.speech_s < 6:
        return Finding(
            "speech", "reject", said, "less than 6 s of speech make no voice", "Record a minute of quiet speech."
        )
    if m.speech_s < 15:
        return Finding(
            "speech", "warn", said, "less than 15 s: the voice will be approximate", "Add more, up to a minute."
        )
    if m.speech_s > 180:
        return Finding(
            "speech", "warn", said, "more than 3 min do not help, and can hurt", "Choose the best minute or two."
        )
    return Finding("speech", "pass", said)


def _sample_rate(m: Measured) -> Finding:
    said = f"{m.rate} Hz"
    if m.rate < 16_000:
        return Finding(
            "sample rate", "reject", said, "a rate below 16 kHz cuts the voice off", "Record at 48 kHz, not by phone."
        )
    if m.rate < 24_000:
        return Finding("sample rate", "warn", said, "below 24 kHz the voice is dull", "Record at 24 kHz or more.")
    return Finding("sample rate", "pass", said)


def _bandwidth(m: Measured) -> Finding:
    said, mend = f"{m.bandwidth_hz / 1000:.1f} kHz", "Use the original, not a call or a low-rate MP3 of it."
    if m.bandwidth_hz < 4000:
        return Finding("bandwidth", "reject", said, "nothing is left above 4 kHz, whatever the sample rate", mend)
    # The last band is rarely full: 16 kHz audio, which may pass, ends a little below 8 kHz.
    if m.bandwidth_hz < 7500:
        return Finding("bandwidth", "warn", said, "the highest sounds of speech are missing", mend)
    return Finding("bandwidth", "pass", said)


def _noise(m: Measured) -> Finding:
    if m.snr_db is None:
        return Finding("noise", "reject", "no speech", "no speech was found", "Record speech.")
    said, mend = f"SNR {m.snr_db:.0f} dB", "Record in a quiet room, near the microphone, without music."
    if m.snr_db < 20:
        return Finding("noise", "reject", said, "the noise would become part of the voice", mend)
    if m.snr_db < 30:
        return Finding("noise", "warn", said, "the noise may be heard in the voice", mend)
    return Finding("noise", "pass", said)


def _clipping(m: Measured) -> Finding:
    said, mend = f"{m.clipped:.3%}", "Record again with the input turned down: what was clipped cannot be mended."
    if m.clipped >= 1e-3:
        return Finding("clipping", "reject", said, "the recording is overdriven", mend)
    if m.clipped >= 1e-4:
        return Finding("clipping", "warn", said, "some peaks are overdriven", mend)
    return Finding("clipping", "pass", said)


def _level(m: Measured) -> Finding:
    loudness = "silent" if m.loudness_lufs is None else f"{m.loudness_lufs:.1f} LUFS"
    said = f"{loudness}, {m.true_peak_dbtp:.1f} dBTP"
    if m.loudness_lufs is None or not -26 <= m.loudness_lufs <= -16:
        return Finding(
            "level",
            "warn",
            said,
            "speech is best between -26 and -16 LUFS",
            "Nothing need be done: the level is set right when the voice is made.",
        )
    if m.true_peak_dbtp > -1:
        return Finding("level", "warn", said, "peaks above -1 dBTP are near clipping", "Turn the input down a little.")
    return Finding("level", "pass", said)


def _reverberation(m: Measured) -> Finding:
    if m.decay_s is None:
        return Finding("reverberation", "pass", "too little to tell")
    said = f"decay {m.decay_s:.2f} s"
    if m.decay_s >= _REVERBERANT_S and (m.snr_db or 0) >= 20:
        return Finding(
            "reverberation", "warn", said, "the room may ring", "Move nearer to the microphone, or into a soft room."
        )
    return Finding("reverberation", "pass", said)


def _one_speaker(m: Measured) -> Finding:
    said = f"{m.strangers} of {m.windows} windows differ"
    mend = "Leave only this person's speech in the recordings."
    if m.windows < 2:
        return Finding("one speaker", "warn", "too little to tell", "two stretches of 3 s are needed", "Add more.")
    share = m.strangers / m.windows
    if (m.strangers > 1 and share > 0.1) or share > 0.34:
        return Finding("one speaker", "reject", said, "more than one person seems to speak", mend)
    if m.strangers:
        return Finding("one speaker", "warn", said, "a stretch sounds like somebody else", mend)
    return Finding("one speaker", "pass", said)


def _variety(m: Measured) -> Finding:
    spread = "pitch unknown" if m.pitch_semitones is None else f"pitch ±{m.pitch_semitones:.1f} semitones"
    said = spread if m.sentences is None else f"{spread}, {m.sentences} sentences"
    if m.pitch_semitones is None or m.pitch_semitones < 1.5:
        return Finding(
            "variety",
            "warn",
            said,
            "the speech is monotonous, and so will the voice be",
            "Speak freely, as to a class.",
        )
    if m.sentences is not None and m.sentences < 6:
        return Finding(
            "variety", "warn", said, "fewer than six sentences may lack sounds of the language", "Say more sentences."
        )
    return Finding("variety", "pass", said)


def _consistency(m: Measured) -> Finding:
    parts = [f"range {m.loudness_range_lu:.1f} LU"] if m.loudness_range_lu is not None else []
    parts += [f"pace ±{m.pace_variation:.0%}"] if m.pace_variation is not None else []
    said = ", ".join(parts) or "too little to tell"
    mend = "Record in one go, at one distance and one pace."
    if (m.loudness_range_lu or 0) > 8:
        return Finding("consistency", "warn", said, "the level changes a lot", mend)
    if (m.pace_variation or 0) > 0.25:
        return Finding("consistency", "warn", said, "the pace changes a lot", mend)
    return Finding("consistency", "pass", said)


def _origin(m: Measured) -> Finding:
    said = f"watermark {m.watermark:.2f}"
    if m.watermark >= watermark.MARKED:
        return Finding(
            "origin",
            "reject",
            said,
            "this is marked as synthetic speech, not a person's",
            "Give recordings of the person.",
        )
    return Finding("origin", "pass", said)


_CHECKS = (
    _net_speech,
    _sample_rate,
    _bandwidth,
    _noise,
    _clipping,
    _level,
    _reverberation,
    _one_speaker,
    _variety,
    _consistency,
    _origin,
)
