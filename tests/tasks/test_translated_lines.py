"""A human translation, lined up with what is said: whatever its cues and times are, no word of it is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.cues import Cue
from manifests.script import Script, Utterance, Word
from manifests.spans import Span
from tasks.engines import apertium
from tasks.translated_lines import translated

SAID = (
    (1.0, 6.0, "Every day the sun heats the water of the seas, the rivers and the lakes."),
    (6.8, 8.6, "Very small drops rise into the air."),
    (9.5, 15.0, "High above the mountains the air is cold, and the drops gather around grains of dust."),
    (15.6, 18.0, "Together they make a white cloud,"),
    (18.4, 22.5, "which the wind carries across the continent for many days."),
    (23.5, 25.0, "Then it rains."),
    (26.0, 31.5, "In 1998 a storm in the north of Argentina lasted for eleven days and eleven nights."),
    (32.5, 34.0, "Nobody had expected that."),
)
WROTE = (
    "Cada día el sol calienta el agua de los mares, los ríos y los lagos.",
    "Unas gotas muy pequeñas suben por el aire.",
    "Por encima de las montañas hace frío, y las gotas se juntan en torno a granos de polvo.",
    "Entre todas forman una nube blanca,",
    "que el viento lleva a través del continente durante muchos días.",
    "Y entonces llueve.",
    "En 1998, una tormenta del norte de Argentina duró once días y once noches.",
    "Nadie lo había esperado.",
)
TIMES = [(start, end) for start, end, _ in SAID]
OTHER = (
    "Hoy hablaremos de cómo se calcula el interés compuesto de una hipoteca.",
    "El banco aplica un porcentaje anual sobre el capital pendiente.",
    "Conviene comparar varias ofertas antes de firmar cualquier contrato.",
    "Los gastos de notaría suelen pagarse aparte.",
)


def script() -> Script:
    out: list[Utterance] = []
    for number, (start, end, text) in enumerate(SAID, 1):
        words = text.split()
        step = (end - start) / len(words)
        timed = tuple(
            Word(word, Span.of_seconds(start + at * step, start + (at + 1) * step), 0.9)
            for at, word in enumerate(words)
        )
        out.append(Utterance(str(number), "SPEAKER_00", Span.of_seconds(start, end), text, timed, 0.9))
    return Script("en", tuple(out))


def engine(texts: Sequence[str]) -> list[str]:
    return [answer.text for answer in apertium.translate(texts, apertium.route("en", "es"))]


Rough = Callable[[Sequence[str]], Sequence[str]] | None


def cues(texts: Sequence[str], times: Sequence[tuple[float | None, float | None]]) -> list[Cue]:
    return [
        Cue(start, end, tuple(text.split("\n")), None, at)
        for at, (text, (start, end)) in enumerate(zip(texts, times, strict=True), 1)
    ]


def lines(of: Sequence[Cue], captions: Sequence[Cue] = (), rough: Rough = engine) -> list[str]:
    found = translated(of, script(), captions, rough)
    assert not found.left
    return [found.texts.get(utterance.id, "") for utterance in script().utterances]


@pytest.mark.parametrize("rough", [engine, None])
def test_cues_that_are_cut_as_the_utterances_are_theirs(rough: Rough) -> None:
    """Word for word."""
    assert lines(cues(WROTE, TIMES), rough=rough) == list(WROTE)


@pytest.mark.parametrize("rough", [engine, None])
def test_fewer_cues_are_divided_where_sentences_end(rough: Rough) -> None:
    """Two utterances a cue."""
    texts = [f"{one} {other}" for one, other in zip(WROTE[::2], WROTE[1::2], strict=True)]
    times = [(one[0], other[1]) for one, other in zip(TIMES[::2], TIMES[1::2], strict=True)]
    assert lines(cues(texts, times), rough=rough) == list(WROTE)


@pytest.mark.parametrize("rough", [engine, None])
def test_more_cues_are_joined(rough: Rough) -> None:
    """Three words a cue."""
    texts: list[str] = []
    times: list[tuple[float, float]] = []
    for text, (start, end) in zip(WROTE, TIMES, strict=True):
        words = text.split()
        step = (end - start) / len(words)
        for at in range(0, len(words), 3):
            texts.append(" ".join(words[at : at + 3]))
            times.append((start + at * step, start + min(len(words), at + 3) * step))
    assert lines(cues(texts, times), rough=rough) == list(WROTE)


@pytest.mark.parametrize("shift", [-0.9, 0.9, 12.5])
def test_shifted_times_are_set_right(shift: float) -> None:
    """And told by how much."""
    found = translated(cues(WROTE, [(start + shift, end + shift) for start, end in TIMES]), script(), (), engine)
    assert list(found.texts.values()) == list(WROTE)
    assert found.moved_s == pytest.approx(-shift, abs=1.2)


def test_times_at_another_frame_rate_do_no_harm() -> None:
    """As of a film that was sped up for television."""
    assert lines(cues(WROTE, [(start * 25 / 24, end * 25 / 24) for start, end in TIMES])) == list(WROTE)


def test_without_times_the_words_tell() -> None:
    """A file whose times cannot be read."""
    assert lines(cues(WROTE, [(None, None)] * len(WROTE))) == list(WROTE)


def test_cues_at_the_captions_times_go_where_those_were_heard() -> None:
    """Captions and translation are both a minute late, and no engine is there."""
    late = [(start + 60, end + 60) for start, end in TIMES]
    captions = cues([text for _, _, text in SAID], late)
    assert lines(cues(WROTE, late), captions, rough=None) == list(WROTE)


def test_captions_cut_much_finer_than_the_translation_tell_where_whole_cues_belong() -> None:
    """As those that roll: three words each. A cue lasts as long as all the captions that it is beside."""
    fine: list[tuple[str, float, float]] = []
    for start, end, text in SAID:
        words = text.split()
        for at in range(0, len(words), 3):
            step = (end - start) / len(words)
            fine.append((" ".join(words[at : at + 3]), start + at * step, start + min(at + 3, len(words)) * step))
    late = [(start + 60, end + 60) for _, start, end in fine]
    captions = cues([text for text, _, _ in fine], late)
    texts = [f"{one} {other}" for one, other in zip(WROTE[::2], WROTE[1::2], strict=True)]
    times = [(one[0] + 60, other[1] + 60) for one, other in zip(TIMES[::2], TIMES[1::2], strict=True)]
    assert lines(cues(texts, times), captions, rough=None) == list(WROTE)


def test_utterances_without_a_translation_have_none() -> None:
    """No neighbour gives them its words."""
    kept = [at for at in range(len(WROTE)) if at not in (2, 5)]
    found = lines(cues([WROTE[at] for at in kept], [TIMES[at] for at in kept]))
    assert found == [text if at in kept else "" for at, text in enumerate(WROTE)]


def test_what_nobody_says_is_told() -> None:
    """A cue of the end credits is for no utterance."""
    found = translated(cues([*WROTE, "Subtítulos: Mireia Puig"], [*TIMES, (90, 93)]), script(), (), engine)
    assert list(found.texts.values()) == list(WROTE)
    assert found.left == {"8": ("Subtítulos: Mireia Puig",)}


@pytest.mark.parametrize("rough", [engine, None])
def test_one_cue_for_much_speech_stays_whole(rough: Rough) -> None:
    """A summary is not torn, so that the words of it that fit go to another line and the rest to none."""
    for text in ("Las montañas, las nubes y la lluvia.", "El agua sube y entonces llueve.", "El ciclo del agua."):
        found = translated(cues([text], [(0.5, 5.0)]), script(), (), rough)
        assert list(found.texts.values()) == [text] or found.left == {"1": (text,)}, found


def test_a_translation_of_something_else_is_not_used() -> None:
    """An engine has none of its words."""
    found = translated(cues(OTHER, TIMES[::2]), script(), (), engine)
    assert found.foreign
    assert found.texts == {}
    assert not translated(cues(WROTE, TIMES), script(), (), engine).foreign


def test_sounds_dashes_and_the_names_of_speakers_are_not_said() -> None:
    """A name is one where it begins more than one cue; two speakers in a cue are told by their dashes."""
    texts = [
        f"AMARA: {WROTE[0]}", f"[viento]\n- {WROTE[1]}", f"Ben: {WROTE[2]}", f"- {WROTE[3]}\n- {WROTE[4]}",
        f"Ben: {WROTE[5]}", WROTE[6], f"♪ {WROTE[7]}".replace("♪ ", ""),
    ]  # fmt: skip
    times = [*TIMES[:3], (TIMES[3][0], TIMES[4][1]), *TIMES[5:]]
    assert lines(cues(texts, times)) == list(WROTE)


@settings(max_examples=60, deadline=None)
@given(
    cut=st.lists(st.text(st.sampled_from("ab .,?ñ\n"), max_size=30), max_size=12),
    start=st.floats(0, 40),
    length=st.floats(0.1, 9),
)
def test_no_word_is_lost_and_none_is_said_twice(cut: list[str], start: float, length: float) -> None:
    """Every word is in one line or told as left, in order, whatever the cues are."""
    texts = [f"{text.replace(chr(10), ' ')} x{at}" for at, text in enumerate(cut)]
    made = cues(texts, [(start + at * length, start + (at + 1) * length) for at in range(len(cut))])
    found = translated(made, script())
    left = [text for texts in found.left.values() for text in texts]
    there = " ".join([*found.texts.values(), *left]).split()
    wanted = [word for cue in made if any(sign.isalnum() for sign in cue.lines[0]) for word in cue.lines[0].split()]
    assert sorted(there) == sorted(wanted)
