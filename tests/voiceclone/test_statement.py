"""A spoken statement: its own words, drawn for it, in the voice that is to be cloned; anything else is no statement."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from manifests.errors import InputError
from voiceclone.challenge import BODY, DRAWN_FROM
from voiceclone.spoken import compared, listen, words_of
from voiceclone.statement import Limits, check_origin, compare, read_speech, voice_verdict, words_verdict

DRAWN = ("harbor", "violin", "planet", "zebra")
OTHER = "Plants turn the light of the sun into energy. It happens in the green leaves, on every day of the year."


def said(folder: Path, voice: str, text: str) -> Path:
    path = folder / f"{voice}-{abs(hash(text))}.wav"
    if not path.exists():
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(path)], check=True, timeout=60)
    return path


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"{BODY} harbor, violin, planet, zebra.", "matched"),
        (f"{BODY.replace('I agree', 'I do not agree')} harbor, violin, planet, zebra.", "review"),
        (f"{BODY} harbor, guitar, planet, hotel.", "refused"),
        (OTHER, "refused"),
    ],
)
def test_what_is_said_decides(tmp_path: Path, text: str, verdict: str) -> None:
    """The sentence with its drawn words matches; a `not` is for a human; other words are refused."""
    heard = listen(read_speech(said(tmp_path, "slt", text)), BODY, DRAWN, DRAWN_FROM)
    assert words_verdict(heard) == verdict


def test_missing_exchanged_and_added_words_count() -> None:
    """Against the sentence's own words; each drawn word is looked at in its place."""
    found = compared(words_of("I really agree harbor guitar"), words_of("I agree now"), ("harbor", "violin"))
    assert (found.word_error_rate, found.nonce_words) == (0.6667, (True, False))


def test_one_voice_matches_and_two_do_not(tmp_path: Path) -> None:
    """Whatever is said, and however loud."""
    statement = read_speech(said(tmp_path, "slt", f"{BODY} harbor."))
    same, other = (read_speech(said(tmp_path, voice, OTHER)) for voice in ("slt", "rms"))
    assert compare(statement, [same * np.float32(0.1)], []).verdict == "matched"
    assert compare(statement, [other], []).verdict == "refused"


def test_without_a_cohort_the_grey_zone_is_wider() -> None:
    """0.80 alone is for a human; far above other people it is a match, near them it is none."""
    assert [voice_verdict(0.8, normalized) for normalized in (None, 5.0, 3.0, 1.0)] == [
        "review", "matched", "review", "refused",
    ]  # fmt: skip
    assert voice_verdict(0.69, 9.0) == "refused"


def test_a_part_of_the_enrolment_is_no_statement(tmp_path: Path) -> None:
    """Neither the same file nor an excerpt of it at another level; another recording of the voice is one."""
    import soundfile

    statement, other = said(tmp_path, "slt", f"{BODY} harbor."), said(tmp_path, "slt", OTHER)
    longer = tmp_path / "longer.wav"
    sound, rate = soundfile.read(str(statement), dtype="float32")
    soundfile.write(str(longer), np.concatenate([np.zeros(rate, np.float32), sound * np.float32(0.5)]), rate)
    for enrolment in (statement, longer):
        with pytest.raises(InputError, match="part of the enrolment"):
            check_origin(statement, [enrolment])
    assert check_origin(statement, [other]) < Limits().marked


def test_a_watermarked_statement_is_refused(tmp_path: Path) -> None:
    """Synthetic speech says nothing about what a person wants."""
    import soundfile

    from voiceclone.watermark import mark

    statement = said(tmp_path, "slt", OTHER)
    sound, rate = soundfile.read(str(statement), dtype="float32")
    marked = tmp_path / "marked.wav"
    soundfile.write(str(marked), mark(sound, rate), rate)
    with pytest.raises(InputError, match="watermark"):
        check_origin(marked, [])
