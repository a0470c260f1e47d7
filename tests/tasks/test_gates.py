"""Each quality gate at its limit: what passes, what is held, and the number that is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from manifests.record import Disclosure, LineVoice, Loudness, Placed, RecordLine, Said, Text, Timing
from tasks.gates import Gates, Measured, failed
from tasks.mix_measures import Mix
from tasks.read_back import Line as Read
from tasks.read_back import ReadBack

OPEN = Gates()
USUAL = Gates(timing=0.0, loudness=1.0, disclosure=0.5)


def measured(**changes: Any) -> Measured:
    """A target in which nothing is wrong, but for the changes (by the names of the record's values)."""

    def of(kind: type[Any], **usual: Any) -> Any:
        return kind(**usual | {name: value for name, value in changes.items() if name in kind.model_fields})

    times = dict.fromkeys(Timing.model_fields, None) | {"overlap_s": 0.0, "cut_s": 0.0, "max_rate": 1.3, "anchored": 0}
    return Measured(
        of(Timing, **times | {"rate_compliance": 0.95}),
        of(Loudness, integrated_lufs=-16.2, true_peak_dbtp=-1.1),
        of(
            Disclosure,
            watermark_score=0.98,
            content_credentials="untrusted",
            container_tag=True,
            spoken=False,
            shown=True,
        ),
        Mix("web", -30.0, -30.0, -16.0, -16.0, -2.0, "room tone", 0.0, 0.0, 0.0),
        hard_max=1.4,
        titled=changes.get("titled", True),
    )


def held_by(gates: Gates, **changes: Any) -> list[str]:
    return [str(problem.gate) for problem in failed(gates, measured(**changes), speaks=True)]


def test_a_good_target_passes_every_gate() -> None:
    """An untrusted signature is a signature: whose it is, is not the dub's matter."""
    assert held_by(replace(USUAL, timing=0.95)) == []


@pytest.mark.parametrize(
    ("gate", "changes", "said"),
    [
        ("timing", {"overlap_s": 0.02}, "0.020 s"),
        ("timing", {"cut_s": 0.5}, "0.500 s"),
        ("timing", {"max_rate": 1.41}, "1.41x"),
        ("loudness", {"integrated_lufs": -17.3}, "-17.3 LUFS, 1.3 LU from the -16.0"),
        ("loudness", {"integrated_lufs": None}, "silent"),
        ("loudness", {"true_peak_dbtp": -0.6}, "-0.6 dBTP"),
        ("disclosure", {"watermark_score": 0.31}, "0.31"),
        ("disclosure", {"watermark_score": None}, "0.00"),
        ("disclosure", {"content_credentials": "none"}, "none"),
        ("disclosure", {"content_credentials": "altered"}, "altered"),
        ("disclosure", {"container_tag": False}, "no tag"),
        ("disclosure", {"shown": False}, "subtitles"),
    ],
)
def test_what_is_below_a_gate_is_held_with_its_number(gate: str, changes: dict[str, Any], said: str) -> None:
    """One problem, of that gate, that tells what was measured; nothing where the gates stand open or nobody speaks."""
    found = measured(**changes)
    (problem,) = failed(USUAL, found, speaks=True)
    assert (problem.gate, problem.stage) == (gate, "verify")
    assert said in problem.message
    assert failed(OPEN, found, speaks=True) == ()
    assert failed(USUAL, found, speaks=False) == ()


def test_a_source_too_loud_for_its_peaks_is_no_norm() -> None:
    """As loud as the limiter lets it is as loud as the source; a norm that is asked for by name holds all the same."""
    quiet = measured(integrated_lufs=-18.0)
    squeezed = replace(quiet.mix, profile="source", limited_db=10.3, integrated_lufs=-18.1)
    assert failed(USUAL, replace(quiet, mix=squeezed), speaks=True) == ()
    assert failed(USUAL, replace(quiet, mix=replace(squeezed, limited_db=3.0)), speaks=True) != ()
    assert failed(USUAL, replace(quiet, mix=replace(squeezed, profile="web")), speaks=True) != ()


def test_a_stricter_limit_holds_what_the_usual_one_lets_pass() -> None:
    """A course may ask for more."""
    assert held_by(replace(USUAL, timing=0.96)) == ["timing"]
    assert held_by(replace(USUAL, loudness=0.1)) == ["loudness"]
    assert held_by(replace(USUAL, disclosure=0.99)) == ["disclosure"]


@pytest.mark.parametrize(
    ("off", "changes"),
    [
        ("watermark", {"watermark_score": None}),
        ("credentials", {"content_credentials": "none"}),
        ("tags", {"container_tag": False}),
        ("subtitle", {"shown": False}),
    ],
)
def test_what_the_manifest_switches_off_is_not_asked_for(off: str, changes: dict[str, Any]) -> None:
    """With its reason it is in the record; the gate asks for the others all the same."""
    assert held_by(USUAL, switched_off=(off,), **changes) == []
    others = {name for name in ("watermark", "credentials", "tags", "subtitle") if name != off}
    assert held_by(USUAL, switched_off=tuple(others), **changes) == ["disclosure"]


def test_no_subtitle_file_can_be_asked_to_say_anything() -> None:
    """Where the manifest wants subtitles inside the video only, nothing beside it could show the sentence."""
    assert held_by(USUAL, shown=False, titled=False) == []


def line(name: str, said: str, dub: str, similarity: float | None = None, placed: bool = True) -> RecordLine:
    """A line of the record that is spoken, in a clone's voice where it has a similarity."""
    kind = "stock" if similarity is None else "clone"
    return RecordLine(
        id=name,
        speaker="SPEAKER_00",
        source=Said(start=0, end=1, text=said, confidence=1),
        text=Text(value=dub, origin="machine"),
        voice=LineVoice(kind=kind, engine="e", name="v", similarity=similarity),
        placed=Placed(start=0, end=1, rate=1) if placed else None,
    )


def test_a_clone_unlike_its_person_is_held() -> None:
    """Each such line is named with its number; stock voices are like nobody, and a line at the limit passes."""
    lines = (line("1", "", "", 0.7), line("2", "", "", 0.52), line("3", "", "", None), line("4", "", "", 0.1, False))
    found = replace(measured(), lines=lines)
    (problem,) = failed(replace(OPEN, similarity=0.7), found, speaks=True)
    assert (problem.gate, problem.message) == (
        "similarity",
        "1 cloned line sounds less like the person than 0.7: 2 (0.52).",
    )
    assert failed(replace(OPEN, similarity=0.5), found, speaks=True) == ()


def test_numbers_that_are_lost_are_counted_and_named() -> None:
    """Of four numbers one is said wrong; words or digits, and what divides the thousands, are all the same."""
    lines = (
        line("1", "In 1,542 there were fifty men.", "En mil quinientos cuarenta y dos había 50 hombres."),
        line("2", "Seven of 15.", "Siete de 50."),
        line("3", "Ninety.", "", placed=False),
    )
    found = replace(measured(), lines=lines, source_language="en", language="es")
    (problem,) = failed(replace(OPEN, numbers=1.0), found, speaks=True)
    assert problem.gate == "numbers"
    assert problem.message == "0.75 of the source's numbers are said; the gate asks for 1. Lacking in line 2 (15)."
    assert failed(replace(OPEN, numbers=0.75), found, speaks=True) == ()


def test_the_originals_voice_under_the_dub_is_held() -> None:
    """-20 dB is a tenth of its level; where too little was heard to tell, nothing is held."""
    found = measured()
    left = replace(found, mix=replace(found.mix, leakage_db=-20.0))
    (problem,) = failed(replace(OPEN, leakage=0.05), left, speaks=True)
    assert problem.message == "0.100 of the original's voice is left under the dub (-20 dB); the gate allows 0.05."
    assert failed(replace(OPEN, leakage=0.11), left, speaks=True) == ()
    assert (
        failed(replace(OPEN, leakage=0.0), replace(found, mix=replace(found.mix, leakage_db=None)), speaks=True) == ()
    )


@pytest.mark.parametrize(
    ("limit", "lines", "message"),
    [
        (0.7, {"1": (10, 2), "2": (10, 5)}, "0.65 of the dub's words are understood when it is read back;"),
        (0.6, {"1": (10, 2), "2": (10, 5)}, None),
        (0.6, {"1": (30, 2), "2": (6, 5)}, "1 line is not understood when read back, less than 0.3 of the words: 2"),
        (0.6, {"1": (30, 2), "2": (5, 5)}, None),
        (0.6, {}, None),
    ],
)
def test_the_gate_asks_for_a_share_of_all_and_half_of_it_of_a_line(
    limit: float, lines: dict[str, tuple[int, int]], message: str | None
) -> None:
    """A short line is not judged by itself, and nothing where nothing was to be read."""
    read = ReadBack("somebody 1", {name: Read("", words, errors) for name, (words, errors) in lines.items()})
    found = failed(Gates(read_back=limit), replace(measured(), read_back=read), speaks=True)
    assert [problem.gate for problem in found] == ["read_back"] * (message is not None)
    assert message is None or found[0].message.startswith(message)


def test_what_nobody_can_read_is_held() -> None:
    """With the reason; the gate is never passed unread."""
    found = replace(measured(), unread="pocketsphinx understands English only.", language="es")
    (problem,) = failed(Gates(read_back=0.1), found, speaks=True)
    assert problem.message == (
        "nobody here can read the dub back: pocketsphinx understands English only. Let somebody listen who knows es."
    )
