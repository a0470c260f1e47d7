"""Speaking: lines in their voices, at the engines' normal rate or faster; every sound is kept in the store by what it
was made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from manifests import emphasis
from manifests.script import Line, Voice
from tasks import best_take, own_voice, pauses, speech_text, take_sound
from tasks.best_take import Heard
from tasks.engines import catalogue
from tasks.engines.protocols import Control, Synthesizer, Voicing
from tasks.kept_takes import Wish, kept
from tasks.pronouncing import respelled
from tasks.stage import Workbench, digest
from tasks.voice_terms import VoiceTerms
from voiceclone.registry import Registry

TAKE_VERSION = 4
"""Changes when the same text, voice and rate would sound different."""

PAUSES_VERSION = 1
"""Changes when the same take's pauses would be edited differently."""

_SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class How:
    """What the manifest says of the voices."""

    language: str
    voicing: Voicing | None = None
    """The engine that was chosen; None for espeak-ng."""
    terms: VoiceTerms | None = None
    """What a grant is asked for; None where the manifest names nobody."""
    refinements: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Person to how their voice is refined."""
    lines: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Line id to how it is refined, in place of what its person's refinement says of the same."""
    pronunciations: tuple[tuple[str, str], ...] = ()
    """Terms and how they are said, in place of how they are written."""

    def refinement(self, line: Line, voice: Voice) -> dict[str, Any]:
        """Everything that is asked of the way in which a line is spoken."""
        return self.refinements.get(voice.person or "", {}) | self.lines.get(line.id, {})

    def words(self, line: Line) -> str:
        """What is said of a line: numbers, dates, units and signs in words, which its subtitle has in figures."""
        return speech_text.said(line.text, self.language)

    def wanted(self, voice: Voice) -> Voicing:
        """What the engine of a voice is asked for."""
        chosen = self.voicing
        return chosen if chosen and chosen.engine == voice.engine else Voicing(self.language, voice.engine)


@dataclass(frozen=True, slots=True)
class Order:
    """A line to be said, in a voice, so many times as fast as that voice normally is."""

    line: Line
    voice: Voice
    rate: float = 1.0
    room_s: float | None = None
    """Seconds that its source takes, by which one take of several is better than another."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A line, said."""

    path: Path
    seed: int | None = None
    """By which the engine drew it, where it draws."""
    why: str | None = None
    """Why this take, where there were several."""


def speak(orders: Iterable[Order], how: How, bench: Workbench) -> Iterator[tuple[Order, Sound | None]]:
    """A sound for each order, voice by voice, as they are made or found; None for a text that its voice cannot say.

    Raises InputError where an `<em>` does not pair up, EngineUnavailable or StageFailed, naming the line, and
    ConsentRefused as soon as a person's voice may no longer be used.
    """
    by_voice: dict[Voice, list[Order]] = {}
    for order in orders:
        by_voice.setdefault(order.voice, []).append(order)
    for voice, theirs in by_voice.items():
        engine, wanted = catalogue.synthesizer(voice.engine), how.wanted(voice)
        number = best_take.number(wanted) if engine.seeded else 1
        wishes = [_wish(order, take, engine, wanted, how, bench) for order in theirs for take in range(number)]
        speaking = _in_own_voice if voice.kind == "clone" else _in_stock_voice
        made = zip(wishes, speaking(wishes, voice, how, bench), strict=True)
        for order in theirs:
            takes = [Heard(path, wish.saying.seed) for wish, path in islice(made, number) if path is not None]
            yield order, _best(order, takes, number, how, bench) if takes else None


def likeness(voice: Voice, sound: Path, bench: Workbench) -> float | None:
    """How alike a take in a person's voice and their own speech are; None for another voice, or a very short take."""
    return own_voice.similarity(sound, voice.name, bench) if voice.kind == "clone" else None


def obeys(voice: Voice, control: Control) -> bool:
    """Whether a voice's engine does what is asked of it."""
    return control in catalogue.synthesizer(voice.engine).obeys


def beyond(refinement: Mapping[str, Any], voice: Voice) -> tuple[str, ...]:
    """What is asked of a voice, and it cannot do."""
    asked: dict[str, Control] = {"pace": "rate", "pitch": "pitch", "pauses": "pauses", "tone": "tone"}
    usual = {"pace": 1.0, "pitch": 0.0, "pauses": 1.0}
    return tuple(
        name
        for name, control in asked.items()
        if name in refinement and refinement[name] != usual.get(name) and not obeys(voice, control)
    )


def with_pauses(sound: Path, by: int, voice: Voice, bench: Workbench) -> Path:
    """A take whose pauses together are `by` samples longer, or shorter where that is negative (`pauses.edited`)."""
    import soundfile

    from manifests.spans import RATE

    def make(folder: Path) -> Path:
        path = folder / "take.flac"
        soundfile.write(path, pauses.edited(take_sound.read(sound), by), RATE, "PCM_16", format="FLAC")
        return path

    key = digest({"version": PAUSES_VERSION, "take": sound.name, "by": by})
    return bench.store.made("take", key, make, people=(voice.person,) if voice.kind == "clone" else ())


def _wish(order: Order, take: int, engine: Synthesizer, wanted: Voicing, how: How, bench: Workbench) -> Wish:
    """One take of an order, with what its engine obeys of what is asked of it."""
    from voiceclone.cloner.refinement import Refinement
    from voiceclone.saying import Saying

    voice, asked = order.voice, how.refinement(order.line, order.voice)
    known: dict[str, Control] = {"pace": "rate", "pitch": "pitch", "pauses": "pauses", "tone": "tone"}
    obeyed = {name: asked[name] for name, control in known.items() if name in asked and control in engine.obeys}
    rate = order.rate if "rate" in engine.obeys else 1.0
    if voice.kind == "clone" and rate != 1:
        obeyed["pace"], rate = min(2.0, round(obeyed.get("pace", 1.0) * rate, 3)), 1.0
    phonemes = voice.kind == "stock" and voice.engine == "espeak-ng"
    respelt = respelled(order.line.text, how.pronunciations, how.language, phonemes=phonemes)
    said = speech_text.said(respelt, how.language)
    text = said if "emphasis" in engine.obeys else emphasis.plain(said)
    identity = engine.identity(wanted)
    facts: dict[str, Any] = {
        "version": TAKE_VERSION,
        "text": text,
        "language": wanted.language,
        "engine": [voice.engine, identity.weights_sha256, wanted.model],
        "options": {name: value for name, value in wanted.options.items() if name != best_take.OPTION},
        "voice": [voice.kind, voice.name, voice.pitch],
        "refinement": obeyed,
        "rate": rate,
    }
    key = digest(facts | {"take": take})
    before = bench.store.sound("take", key)
    seed = int(key[:8], 16) % _SEEDS if engine.seeded else 0
    if before is not None:
        seed = int(before.notes.get("seed", seed))
    standing = bench.kept("take", key, identity)
    if standing is not None and order.line.id in bench.redo:
        bench.store.forget("take", key)
        standing, seed = None, (seed + 1) % _SEEDS if engine.seeded else 0  # the same seed would be the same take
    return Wish(Saying(text, Refinement(**obeyed), rate, seed, order.line.id), key, standing, identity)


def _best(order: Order, takes: Sequence[Heard], number: int, how: How, bench: Workbench) -> Sound:
    """The take that says its text, in the person's voice, in the time there is."""
    seeded = catalogue.synthesizer(order.voice.engine).seeded
    if number == 1:
        return Sound(takes[0].path, takes[0].seed if seeded else None)
    like = [likeness(order.voice, take.path, bench) for take in takes]
    text, hearing = emphasis.plain(how.words(order.line)), how.wanted(order.voice).hearing
    best, why = best_take.chosen(takes, text, like, order.room_s, hearing, bench)
    return Sound(best.path, best.seed, why)


def _in_own_voice(wishes: Sequence[Wish], voice: Voice, how: How, bench: Workbench) -> Iterator[Path | None]:
    """In a consented person's voice, batch by batch, each granted."""
    registry = Registry.default()
    terms = how.terms or VoiceTerms(how.language, "", "", commercial=False)
    grant = terms.grant(voice.person or "", registry)
    engine = catalogue.synthesizer(voice.engine)
    with engine.speaker(voice, how.wanted(voice), registry, bench) as cloner:
        yield from own_voice.spoken(wishes, cloner, grant, registry, bench)


def _in_stock_voice(wishes: Sequence[Wish], voice: Voice, how: How, bench: Workbench) -> Iterator[Path | None]:
    """In a voice that belongs to nobody."""
    engine, wanted = catalogue.synthesizer(voice.engine), how.wanted(voice)
    yield from kept(wishes, lambda sayings: engine.speak(sayings, voice, wanted, cores=bench.cores), bench)
