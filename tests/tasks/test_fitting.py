"""Fitting, with the espeak-ng that is installed: which text is said in the end, how fast, and by what means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from manifests.script import Line, Rendering, Script, Utterance, Voice
from manifests.spans import RATE, Span, samples
from manifests.store import Store
from manifests.timeline import Take, Takes
from tasks.engines import espeak
from tasks.fitting import Talk, fitted
from tasks.place import Limits, place
from tasks.speaking import How
from tasks.speech_length import Pace, estimated
from tasks.stage import Workbench

VOICE = Voice("stock", "espeak-ng", "es+m3")
FULL = "Bueno, las plantas del jardín realmente necesitan mucha agua y mucha luz cada día para poder crecer."
SHORT = "Las plantas del jardín necesitan mucha agua y mucha luz cada día para crecer."
SHORTEST = "Las plantas necesitan agua y luz."


def line(name: str, text: str = FULL, *shorter: str) -> Line:
    renderings = tuple(Rendering(each, ("something",), 0.2 * (at + 1)) for at, each in enumerate(shorter))
    return Line(name, text, checks=("unknown word: x",), renderings=renderings)


def talk(slots: Sequence[tuple[float, float]], length: float = 60) -> Talk:
    utterances = tuple(
        Utterance(str(at), "A", Span.of_seconds(start, end), "words", (), 1.0)
        for at, (start, end) in enumerate(slots, 1)
    )
    voices = {utterance.id: VOICE for utterance in utterances}
    return Talk(Script("en", utterances), voices, samples(length), (), Limits())


def placed(of: Talk, takes: Sequence[Take]):
    return place(of.script, Takes("es", tuple(takes)), of.length, of.limits)


def test_with_time_enough_the_full_text_is_said_as_the_voice_says_it(bench: Workbench) -> None:
    """No rendering, no rate, no edit: and only the text that is said is spoken at all."""
    said, (take,) = fitted([line("1", FULL, SHORT, SHORTEST)], talk([(0.5, 6.4)]), How("es"), bench)
    assert said == [Line("1", FULL, checks=("unknown word: x",))]
    assert (take.engine_rate, take.length) == (1.0, take.default_length)
    assert len(list(bench.store.root.glob("objects/*/*.flac"))) == 1


def test_without_time_the_shorter_text_is_said_and_says_so(bench: Workbench) -> None:
    """The line keeps its id and origin; the milder rendering is taken where it is enough."""
    of = talk([(0.0, 3.9), (4.0, 8.0), (8.1, 12)], length=12.5)
    said, takes = fitted([line("1", SHORT), line("2", FULL, SHORT, SHORTEST), line("3", SHORT)], of, How("es"), bench)
    assert [each.text for each in said] == [SHORT, SHORT, SHORT]
    assert (said[1].id, said[1].origin, said[1].trimmed, said[1].renderings) == ("2", "machine", ("something",), ())
    assert not any("fast" in flag for placement in placed(of, takes).placements for flag in placement.flags)


def test_where_a_dub_is_short_its_pauses_grow_and_its_words_do_not(bench: Workbench) -> None:
    """By half at most: no word is dragged, and no silence is filled that is not a pause of the line."""
    text = "Las plantas necesitan agua. También luz."
    (take,) = fitted([line("1", text)], talk([(0.5, 9)]), How("es"), bench)[1]
    assert 0.02 < take.length / take.default_length - 1 < 0.1
    assert take.engine_rate == 1.0


def test_what_a_person_wrote_is_never_shortened_but_flagged(bench: Workbench) -> None:
    """Whatever renderings it carries."""
    of = talk([(0.5, 3), (3.1, 7)], length=7.2)
    human = replace(line("1", FULL, SHORTEST), origin="human")
    said, takes = fitted([human, line("2", SHORT)], of, How("es"), bench)
    assert said[0].text == FULL
    timeline = placed(of, takes)
    flags = [flag for placement in timeline.placements for flag in placement.flags]
    assert flags or timeline.unplaced


def test_a_hurried_line_is_said_faster_by_the_engine_and_hardly_stretched(bench: Workbench) -> None:
    """What a listener hears stays what the timeline says; the stretch does a few percent of it."""
    of = talk([(0.0, 4.4), (4.5, 8.9), (9.0, 13.4)], length=13.6)
    _, takes = fitted([line("1"), line("2"), line("3")], of, How("es"), bench)
    timeline = placed(of, takes)
    assert not timeline.unplaced
    for take, placement in zip(takes, timeline.placements, strict=True):
        heard = take.default_length / placement.span.length
        assert heard > 1.1
        assert abs(placement.rate - 1) < 0.06
        assert take.engine_rate * placement.rate == pytest.approx(heard, rel=0.001)
        assert take.spoken_length == pytest.approx(take.default_length, abs=2)


def test_a_long_pause_is_trimmed_before_anything_is_hurried(bench: Workbench) -> None:
    """Two sentences with espeak-ng's long pause between them: it goes first, and does not count as speed."""
    text = "Las plantas necesitan agua. También luz. Y mucho aire. Nada más. Es fácil."
    free = fitted([line("1", text)], talk([(0.0, 20)]), How("es"), bench)[1][0]
    need = free.default_length / RATE - 0.3
    of = talk([(0.0, need)], length=need + 0.01)
    (take,) = fitted([line("1", text)], of, How("es"), bench)[1]
    assert take.engine_rate == 1.0
    assert take.length < take.default_length - samples(0.2)
    assert placed(of, [take]).placements[0].rate == pytest.approx(1.0, abs=0.03)


def test_a_line_that_fits_in_no_text_is_spoken_in_its_shortest_and_left_to_placement(bench: Workbench) -> None:
    """The record then says how many seconds it lacks."""
    of = talk([(0.5, 1.5)], length=1.6)
    said, takes = fitted([line("1", FULL, SHORT)], of, How("es"), bench)
    assert said[0].text == SHORT
    (lost,) = placed(of, takes).unplaced
    assert lost.lacks_s > 1


def test_a_line_without_a_sound_has_no_take(bench: Workbench) -> None:
    """Nor does it keep the others from being fitted."""
    said, takes = fitted([line("1", "①"), line("2", FULL, SHORT)], talk([(0, 2), (2, 9)]), How("es"), bench)
    assert [take.line for take in takes] == ["2"]
    assert [each.id for each in said] == ["1", "2"]


def test_the_same_talk_is_fitted_alike_in_another_store(bench: Workbench, tmp_path: Path) -> None:
    """What was said before by chance changes nothing."""
    of = talk([(0.0, 3.9), (4.0, 7.5)], length=8)
    lines = [line("1", FULL, SHORT), line("2", FULL, SHORT, SHORTEST)]
    first = fitted(lines, of, How("es"), bench)
    assert fitted(lines, of, How("es"), bench) == first
    (tmp_path / "other").mkdir()
    assert fitted(lines, of, How("es"), Workbench(Store(tmp_path / "two"), tmp_path / "other", cores=1)) == first


def test_lengths_are_predicted_within_a_tenth_and_closer_once_a_voice_has_spoken(tmp_path: Path) -> None:
    """Mean error over eight sentences of a voice at its normal rate, then at another after six of its takes."""
    import soundfile

    texts = [
        "Las hojas son verdes.",
        "La luz del sol llega a la tierra en ocho minutos.",
        "Sin agua no hay vida.",
        "Primero, abrimos el libro; después, leemos la página veinte.",
        "¿Por qué el cielo es azul?",
        "En invierno los días son más cortos que en verano.",
        "El aire caliente sube y el aire frío baja.",
        "Cada célula tiene un núcleo, y en él está la información.",
        "Los peces respiran bajo el agua.",
        "Mañana veremos cómo se forman las montañas y los valles.",
    ]
    readings = espeak.read(texts, "es")

    def spoken(wpm: int) -> list[float]:
        out: list[float] = []
        for text in texts:
            out.append(soundfile.info(espeak.speak(text, "es+m3", 50, tmp_path / "take.flac", wpm=wpm)).duration)
        return out

    def error(pace: Pace, lengths: list[float]) -> float:
        return sum(abs(pace.of(r) - s) / s for r, s in zip(readings[6:], lengths[6:], strict=True)) / len(lengths[6:])

    assert error(Pace(), spoken(165)) < 0.1
    slow = spoken(130)
    assert error(Pace().refitted(readings[:6], slow[:6]), slow) < 0.05
    assert estimated("Hola, mundo.").phones == 9
