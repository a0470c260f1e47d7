"""A spoken statement: its own words, drawn for it, in the voice that is to be cloned; anything else is no statement."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from manifests.errors import EngineUnavailable, InputError
from manifests.settings import EncoderLimits, StatementLimits
from voiceclone.challenge import BODY, DRAWN_FROM, issue
from voiceclone.cohort import bound
from voiceclone.encoders import Ge2e
from voiceclone.quality import Recording
from voiceclone.recognizers import recognizer_for
from voiceclone.recordings import read
from voiceclone.spoken import compared, words_of
from voiceclone.statement import check_origin, compare, heard, voice_verdict, words_verdict
from voiceclone.voiceprint import Mono
from voiceclone.watermark import MARKED, mark

DRAWN = ("harbor", "violin", "planet", "zebra")
OTHER = "Plants turn the light of the sun into energy. It happens in the green leaves, on every day of the year."


def said(folder: Path, voice: str, text: str) -> Recording:
    path = folder / f"{voice}-{abs(hash(text))}.wav"
    if not path.exists():
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
    return read(path)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"{BODY} harbor, violin, planet, zebra.", "matched"),
        (f"{BODY.replace('I agree', 'I do not agree')} harbor, violin, planet, zebra.", "review"),
        (f"{BODY} harbor, guitar, planet, zebra.", "review"),
        (f"{BODY} harbor, guitar, planet, hotel.", "refused"),
        (f"{BODY}", "refused"),
        (OTHER, "refused"),
    ],
)
def test_what_is_said_decides(tmp_path: Path, text: str, verdict: str) -> None:
    """The sentence with its drawn words matches; a `not`, or one word not drawn, is for a human; others are refused."""
    found = recognizer_for("en-GB").listen(heard(said(tmp_path, "slt", text)), BODY, DRAWN, DRAWN_FROM)
    assert words_verdict(found) == verdict


def test_missing_exchanged_and_added_words_count() -> None:
    """Against the sentence's own words; each drawn word is looked at in its place."""
    found = compared(words_of("I really agree harbor guitar"), words_of("I agree now"), ("harbor", "violin"))
    assert (found.word_error_rate, found.nonce_words) == (0.6667, (True, False))


def test_a_language_that_nobody_here_understands_is_refused_by_name(tmp_path: Path) -> None:
    """Nobody is given a sentence to read that could then not be checked; what is missing is said."""
    with pytest.raises(EngineUnavailable, match=r"statement in es cannot be checked yet.*English alone.*whisperx"):
        issue(tmp_path, "amara-2026", "amara", now=datetime.now(UTC), valid=timedelta(minutes=1), language="es")
    assert list(tmp_path.iterdir()) == []


def test_one_voice_matches_and_two_do_not(tmp_path: Path) -> None:
    """Whatever is said, and however loud; the encoder that judged is named, with its weights."""
    statement = heard(said(tmp_path, "slt", f"{BODY} harbor."))
    same, other = (heard(said(tmp_path, voice, OTHER)) for voice in ("slt", "rms"))
    [match] = compare(statement, [same * np.float32(0.1)], [])
    assert (match.verdict, match.encoder, len(match.weights_sha256)) == ("matched", "ge2e-resemblyzer", 64)
    [match] = compare(statement, [other], [])
    assert (match.verdict, match.cohort) == ("refused", None)


class Deaf:
    """An encoder to which everybody sounds alike, or nobody."""

    weights_sha256 = "0" * 64
    limits = EncoderLimits(match=0.6, review=0.4)

    def __init__(self, name: str, angle: float) -> None:
        self.name, self.angle, self.calls = name, angle, 0

    def prints(self, stretches: Sequence[Mono]) -> NDArray[np.float32]:
        """All of a call in one direction, each call at an angle to the one before."""
        turn, self.calls = self.angle * self.calls, self.calls + 1
        return np.repeat(np.array([[np.cos(turn), np.sin(turn)]], np.float32), len(stretches), axis=0)


@pytest.mark.parametrize(("angle", "verdict"), [(0.0, "matched"), (1.1, "review"), (1.5, "refused")])
def test_every_encoder_has_its_say(tmp_path: Path, angle: float, verdict: str) -> None:
    """One that is sure does not outvote another; each verdict stands in the record under its name."""
    sounds = [heard(said(tmp_path, "slt", text)) for text in (f"{BODY} harbor.", OTHER)]
    matches = compare(sounds[0], sounds[1:], [], by=[Ge2e(), Deaf("other", angle)])
    assert [(match.encoder, match.verdict) for match in matches] == [
        ("ge2e-resemblyzer", "matched"),
        ("other", verdict),
    ]


def test_without_a_cohort_the_grey_zone_is_wider() -> None:
    """0.80 alone is for a human; far above other people it is a match, near them it is for a human or none."""
    raw, limits = Ge2e().limits, StatementLimits()
    found = [voice_verdict(0.8, normalized, 20, raw, limits)[0] for normalized in (None, 5.0, 3.0, 1.0)]
    assert found == ["review", "matched", "review", "refused"]
    assert voice_verdict(0.69, 9.0, 20, raw, limits)[0] == "refused"
    assert [voice_verdict(score, None, 0, raw, limits)[0] for score in (0.86, 0.85, 0.70, 0.69)] == [
        "matched", "review", "review", "refused",
    ]  # fmt: skip


def test_two_measures_that_agree_ask_nobody() -> None:
    """Where few voices leave a cohort unsure, a score that is a match alone decides; never against the cohort's no."""
    raw, limits = Ge2e().limits, StatementLimits()
    found = [
        voice_verdict(score, normalized, 20, raw, limits)[0] for score in (0.86, 0.85) for normalized in (3.0, 2.0)
    ]
    assert found == ["matched", "refused", "review", "refused"]


def test_few_other_voices_ask_for_a_clearer_score() -> None:
    """Student's prediction bound, one in a thousand: 4.79 · √(1 + 1/8) for eight voices, 3.58 · √(1.05) from 20 on."""
    assert bound(8, 0.001) == pytest.approx(5.076, abs=0.001)
    assert bound(20, 0.001) == bound(60, 0.001) == pytest.approx(3.668, abs=0.001)
    assert bound(20, 0.01) == pytest.approx(2.602, abs=0.001)


def test_other_people_say_how_alike_people_are(tmp_path: Path) -> None:
    """Eight voices of espeak-ng: the person is far above them; somebody else, and one of the cohort, are not."""
    others: list[Mono] = []
    for variant in ("m1", "m2", "m3", "m4", "f1", "f2", "f3", "f4"):
        path = tmp_path / f"{variant}.wav"
        subprocess.run(["espeak-ng", "-v", f"en-us+{variant}", "-w", str(path), OTHER], check=True, timeout=60)
        others.append(heard(read(path)))
    statement, enrolment, stranger = (
        heard(said(tmp_path, voice, text)) for voice, text in (("slt", BODY), ("slt", OTHER), ("rms", OTHER))
    )
    [match] = compare(statement, [enrolment], others)
    assert (match.verdict, match.cohort, match.threshold) == ("matched", "8 voices", 5.0756)
    assert match.normalized is not None
    assert match.normalized > match.threshold
    assert [compare(statement, [sound], others)[0].verdict for sound in (stranger, others[0])] == ["refused"] * 2


def test_limits_of_an_encoder_come_from_the_settings(tmp_path: Path) -> None:
    """By the encoder's name."""
    sounds = [heard(said(tmp_path, "slt", text)) for text in (f"{BODY} harbor.", OTHER)]
    strict = StatementLimits(encoders={"ge2e-resemblyzer": EncoderLimits(match=1.0, review=0.9999)})
    assert compare(sounds[0], sounds[1:], [], limits=strict)[0].verdict == "refused"


def test_a_part_of_the_enrolment_is_no_statement(tmp_path: Path) -> None:
    """Neither the same file nor an excerpt of it at another level; another recording of the voice is one."""
    statement, other = said(tmp_path, "slt", f"{BODY} harbor."), said(tmp_path, "slt", OTHER)
    quiet = np.concatenate([np.zeros(statement.rate, np.float32), statement.samples * np.float32(0.5)])
    for enrolment in (statement, replace(statement, samples=quiet, file_sha256="0" * 64)):
        with pytest.raises(InputError, match="part of the enrolment"):
            check_origin(statement, [other, enrolment])
    assert check_origin(statement, [other]) < MARKED


def test_a_watermarked_statement_is_refused(tmp_path: Path) -> None:
    """Synthetic speech says nothing about what a person wants."""
    statement = said(tmp_path, "slt", OTHER)
    with pytest.raises(InputError, match="watermark"):
        check_origin(replace(statement, samples=mark(statement.samples, statement.rate)), [])
