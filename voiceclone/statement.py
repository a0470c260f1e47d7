"""Whether a spoken statement says what it should, in the voice that is to be cloned.

Words and voice each have three answers: matched, review (a named human decides), refused. A recording that is part of
the enrolment itself, or that carries a watermark, proves nothing and is an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manifests.errors import InputError
from manifests.quiet import settle
from manifests.store import file_sha256
from voiceclone import spoken, watermark
from voiceclone.challenge import BODY, DRAWN_FROM, LOCALE, TEMPLATE, Challenge
from voiceclone.consent import Statement, Verdict, VoiceMatch
from voiceclone.recordings import read
from voiceclone.speech import joined, speaking
from voiceclone.spoken import Said
from voiceclone.voiceprint import RATE, Mono, centroid, prints_of, resampled, weights_sha256

ENCODER = "ge2e-resemblyzer"
_NEGATIONS = frozenset({"not", "no", "never", "don't", "cannot", "can't", "won't", "refuse", "disagree"})
_SHORTEST_S = 3.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the answers part. Measured on 15 voices, 4 s windows: halves of one person's recording 0.853 to 0.976 raw
    and 3.5 to 7.2 normalized, two people at most 0.765 and 3.9."""

    words_match: float = 0.15
    """Word error rate of the sentence up to which it was said."""
    words_review: float = 0.40
    alone_match: float = 0.88
    """Raw score from which voices match where there is no cohort: the channel weighs on it, so the room is wide."""
    raw_review: float = 0.70
    cohort_match: float = 4.0
    """Normalized score, in standard deviations above other people."""
    cohort_review: float = 2.5
    cohort_least: int = 5
    """Voices that a cohort needs; fewer say nothing."""
    window_s: float = 4.0
    marked: float = watermark.MARKED
    duplicate: float = 0.9
    """Normalized correlation of waveforms from which one recording is part of the other."""


def read_speech(path: Path) -> Mono:
    """A recording at 16 kHz, mono. Raises MediaError as `recordings.read` does."""
    recording = read(path)
    return resampled(recording.samples, recording.rate)


def check_origin(statement: Path, enrolment: Sequence[Path], limits: Limits = Limits()) -> float:
    """The statement's watermark score. Raises InputError where it is synthetic, or a part of the enrolment."""
    recording = read(statement)
    mark = watermark.score(recording.samples, recording.rate)
    if mark >= limits.marked:
        raise InputError("the statement carries a watermark: it is synthetic.", remedy="Record the person speaking.")
    sound = read_speech(statement)
    for path in enrolment:
        if file_sha256(path) == file_sha256(statement) or _shared(sound, read_speech(path)) >= limits.duplicate:
            raise InputError("the statement is part of the enrolment itself.", remedy="Record the sentence by itself.")
    return round(mark, 4)


def words_verdict(said: Said, limits: Limits = Limits()) -> Verdict:
    """Every drawn word and nearly the whole sentence: matched. A word that turns its meaning is for a human."""
    wrong = said.nonce_words.count(False)
    if wrong > 1 or not said.nonce_words or said.word_error_rate > limits.words_review:
        return "refused"
    sure = not wrong and said.word_error_rate <= limits.words_match and not _NEGATIONS & set(said.words)
    return "matched" if sure else "review"


def hear(
    path: Path, challenge: Challenge, *, mark: float, now: datetime, reviewed_by: str | None, limits: Limits = Limits()
) -> Statement:
    """Recognize the statement against its sentence. Raises InputError where it says something else."""
    recording = read(path)
    sound = resampled(recording.samples, recording.rate)
    said = spoken.listen(sound, BODY, challenge.nonce_words, DRAWN_FROM)
    verdict = words_verdict(said, limits)
    if verdict == "refused":
        right = said.nonce_words.count(True)
        raise InputError(
            f"the statement does not say its sentence: {right} of {len(said.nonce_words)} drawn words, "
            f"{said.word_error_rate:.0%} of the others wrong.",
            remedy="Have the printed sentence read again, close to the microphone.",
        )
    suffix = path.suffix.lower()
    plain = suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) <= 9
    return Statement(
        template=TEMPLATE,
        locale=LOCALE,
        text_sha256=challenge.text_sha256,
        nonce_words=challenge.nonce_words,
        audio_sha256=file_sha256(path),
        suffix=suffix if plain else "",
        duration_s=round(len(sound) / RATE, 2),
        recognizer=spoken.recognizer(),
        word_error_rate=said.word_error_rate,
        watermark_score=mark,
        verdict=verdict,
        reviewed_by=reviewed_by,
        at=now,
    )


def compare(
    statement: Mono, enrolment: Sequence[Mono], cohort: Sequence[Mono], limits: Limits = Limits()
) -> VoiceMatch:
    """Compare voices by the median over all pairs of windows, normalized by a cohort of others where there is one.

    Sounds are mono at 16 kHz. Raises InputError for too little speech.
    """
    settle()
    own = _prints(statement, limits)
    theirs = np.concatenate([_prints(sound, limits) for sound in enrolment])
    score = float(np.median(own @ theirs.T))
    others = [centroid(_prints(sound, limits)) for sound in cohort]
    normalized = None
    threshold = limits.alone_match
    if len(others) >= limits.cohort_least:
        sides = [np.array([np.median(prints @ other) for other in others]) for prints in (own, theirs)]
        normalized = round(float(np.mean([(score - side.mean()) / max(side.std(), 1e-3) for side in sides])), 3)
        threshold = limits.cohort_match
    return VoiceMatch(
        encoder=ENCODER,
        weights_sha256=weights_sha256(),
        score=round(score, 4),
        normalized=normalized,
        threshold=threshold,
        cohort=f"{len(others)} voices" if normalized is not None else None,
        verdict=voice_verdict(score, normalized, limits),
    )


def voice_verdict(score: float, normalized: float | None, limits: Limits = Limits()) -> Verdict:
    """What a raw score, and a normalized one where there is a cohort, say."""
    if score < limits.raw_review or (normalized is not None and normalized < limits.cohort_review):
        return "refused"
    sure = score >= limits.alone_match if normalized is None else normalized >= limits.cohort_match
    return "matched" if sure else "review"


def _prints(sound: Mono, limits: Limits) -> NDArray[np.float32]:
    speech = joined(sound, speaking(sound))
    if len(speech) < _SHORTEST_S * RATE:
        raise InputError(f"a recording holds only {len(speech) / RATE:.1f} s of speech.", remedy="Three are needed.")
    edges = np.linspace(0, len(speech), max(1, int(len(speech) / (limits.window_s * RATE))) + 1).astype(int)
    return prints_of([speech[first:last] for first, last in itertools.pairwise(edges.tolist())])


def _shared(one: Mono, other: Mono) -> float:
    """The highest normalized correlation of the middle of the shorter sound with any place of the longer."""
    from scipy.signal import correlate

    short, long = sorted((one, other), key=len)
    middle = len(short) // 2
    part = short[max(0, middle - RATE) : middle + RATE].astype(np.float64)
    size, whole = float(np.linalg.norm(part)), long.astype(np.float64)
    if not len(part) or size == 0.0:
        return 0.0
    sums = np.concatenate([[0.0], np.cumsum(whole**2)])
    power = np.sqrt(np.maximum(sums[len(part) :] - sums[: -len(part)], 1e-9))
    return float(np.max(np.abs(correlate(whole, part, mode="valid", method="fft")) / (size * power)))
