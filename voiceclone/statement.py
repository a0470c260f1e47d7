"""Whether a spoken statement says what it should, in the voice that is to be cloned.

Words and voice each have three answers: matched, review (a named human decides), refused. A recording that is part of
the enrolment itself, or that carries a watermark, proves nothing and is an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from manifests import settings
from manifests.errors import InputError
from manifests.quiet import settle
from manifests.settings import EncoderLimits, StatementLimits
from voiceclone import cohort as cohorts
from voiceclone import encoders, watermark
from voiceclone.challenge import Challenge
from voiceclone.consent import Statement, Verdict, VoiceMatch
from voiceclone.encoders import SpeakerEncoder
from voiceclone.quality import Recording
from voiceclone.recognizers import recognizer_for
from voiceclone.speech import joined, speaking
from voiceclone.spoken import Said
from voiceclone.voiceprint import RATE, Mono, Print, centroid, prints_of, resampled

WINDOW_S = 4.0
"""Speech that is compared at once; the median over all pairs of windows is the score."""
SHORTEST_S = 3.0
DUPLICATE = 0.9
"""Normalized correlation of waveforms from which one recording is part of the other."""

_NEGATIONS = frozenset({"not", "no", "never", "don't", "cannot", "can't", "won't", "refuse", "disagree"})


def check_origin(statement: Recording, enrolment: Sequence[Recording]) -> float:
    """The statement's watermark score. Raises InputError where it is synthetic, or a part of the enrolment."""
    mark = watermark.score(statement.samples, statement.rate)
    if mark >= watermark.MARKED:
        raise InputError("the statement carries a watermark: it is synthetic.", remedy="Record the person speaking.")
    sound = heard(statement)
    for each in enrolment:
        same = bool(each.file_sha256) and each.file_sha256 == statement.file_sha256
        if same or _shared(sound, heard(each)) >= DUPLICATE:
            raise InputError("the statement is part of the enrolment itself.", remedy="Record the sentence by itself.")
    return round(mark, 4)


def words_verdict(said: Said, limits: StatementLimits | None = None) -> Verdict:
    """Every drawn word and nearly the whole sentence: matched. A word that turns its meaning is for a human."""
    limits = limits or settings.personal().statement
    wrong = said.nonce_words.count(False)
    if wrong > 1 or not said.nonce_words or said.word_error_rate > limits.words_review:
        return "refused"
    sure = not wrong and said.word_error_rate <= limits.words_match and not _NEGATIONS & set(said.words)
    return "matched" if sure else "review"


def hear(
    statement: Recording, suffix: str, challenge: Challenge, *, mark: float, now: datetime, reviewed_by: str | None
) -> Statement:
    """Recognize the statement against its sentence; `suffix` is its file's, as the registry will keep it.

    Raises InputError where it says something else, EngineUnavailable where nobody here understands its language.
    """
    recognizer, sentence = recognizer_for(challenge.language), challenge.sentence
    sound = heard(statement)
    said = recognizer.listen(sound, sentence.body, challenge.nonce_words, sentence.drawn_from)
    verdict = words_verdict(said)
    if verdict == "refused":
        right = said.nonce_words.count(True)
        raise InputError(
            f"the statement does not say its sentence: {right} of {len(said.nonce_words)} drawn words, "
            f"{said.word_error_rate:.0%} of the others wrong.",
            remedy="Have the printed sentence read again, close to the microphone.",
        )
    return Statement(
        template=sentence.template,
        locale=challenge.language,
        text_sha256=challenge.text_sha256,
        nonce_words=challenge.nonce_words,
        audio_sha256=statement.file_sha256,
        suffix=suffix,
        duration_s=round(len(sound) / RATE, 2),
        recognizer=recognizer.name,
        word_error_rate=said.word_error_rate,
        watermark_score=mark,
        verdict=verdict,
        reviewed_by=reviewed_by,
        at=now,
    )


def compare(
    statement: Mono,
    enrolment: Sequence[Mono],
    cohort: Sequence[Mono],
    *,
    by: Sequence[SpeakerEncoder] | None = None,
    limits: StatementLimits | None = None,
) -> tuple[VoiceMatch, ...]:
    """Compare voices with every encoder that is installed, against a cohort of others where there is one.

    Sounds are mono at 16 kHz. All encoders must agree for the voice to count as matched, and one refusal refuses.
    Raises InputError for too little speech, EngineUnavailable where an encoder cannot be used.
    """
    settle()
    own, others = _windows(statement), [_windows(sound) for sound in cohort]
    theirs = [window for sound in enrolment for window in _windows(sound)]
    used = encoders.installed() if by is None else by
    return tuple(_compared(encoder, own, theirs, others, limits or settings.personal().statement) for encoder in used)


def voice_verdict(
    score: float, normalized: float | None, voices: int, raw: EncoderLimits, limits: StatementLimits
) -> tuple[Verdict, float]:
    """What a raw score says, and a normalized one where there is a cohort; and the threshold of a match.

    Where a cohort would ask a human, a raw score that is a match by itself decides: each is unlikely for two people,
    and what makes one high by chance (few alike voices, one channel) does not make the other so.
    """
    if normalized is None:
        return ("matched" if score >= raw.match else "review" if score >= raw.review else "refused"), raw.match
    match, review = cohorts.bound(voices, limits.false_accept), cohorts.bound(voices, limits.false_review)
    if score < raw.review or normalized < review:
        return "refused", match
    return ("matched" if normalized >= match or score >= raw.match else "review"), match


def voice_of(sounds: Sequence[Mono]) -> Print:
    """How the voice in some recordings sounds to the encoder that is always there. Raises InputError as `compare`."""
    return centroid(prints_of([window for sound in sounds for window in _windows(sound)]))


def heard(recording: Recording) -> Mono:
    """A recording as everything here listens to it."""
    return resampled(recording.samples, recording.rate)


def _compared(
    encoder: SpeakerEncoder,
    own: Sequence[Mono],
    theirs: Sequence[Mono],
    others: Sequence[Sequence[Mono]],
    limits: StatementLimits,
) -> VoiceMatch:
    mine, enrolled = encoder.prints(own), encoder.prints(theirs)
    score = float(np.median(mine @ enrolled.T))
    normalized: float | None = None
    if len(others) >= limits.cohort_least:
        middles = np.stack([centroid(encoder.prints(windows)) for windows in others])
        sides = [np.median(prints @ middles.T, axis=0).astype(np.float64) for prints in (mine, enrolled)]
        normalized = round(cohorts.normalized(score, sides), 3)
    raw = limits.encoders.get(encoder.name, encoder.limits)
    verdict, threshold = voice_verdict(score, normalized, len(others), raw, limits)
    return VoiceMatch(
        encoder=encoder.name,
        weights_sha256=encoder.weights_sha256,
        score=round(score, 4),
        normalized=normalized,
        threshold=round(threshold, 4),
        cohort=f"{len(others)} voices" if normalized is not None else None,
        verdict=verdict,
    )


def _windows(sound: Mono) -> list[Mono]:
    """The speech of a sound in even parts of about WINDOW_S."""
    speech = joined(sound, speaking(sound))
    if len(speech) < SHORTEST_S * RATE:
        raise InputError(f"a recording holds only {len(speech) / RATE:.1f} s of speech.", remedy="Three are needed.")
    edges = np.linspace(0, len(speech), max(1, int(len(speech) / (WINDOW_S * RATE))) + 1).astype(int)
    return [speech[first:last] for first, last in itertools.pairwise(edges.tolist())]


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
