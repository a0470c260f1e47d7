"""Speaking: lines in their voices, at the engines' normal rate or faster; every sound is kept in the store by what it
was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manifests.errors import DubError
from manifests.script import Line, Voice
from tasks import clone, own_voice, pauses, take_sound
from tasks.engines import espeak
from tasks.stage import Workbench, digest
from voiceclone.registry import Registry

TAKE_VERSION = 2
"""Changes when the same text, voice and rate would sound different."""

PAUSES_VERSION = 1
"""Changes when the same take's pauses would be edited differently."""


@dataclass(frozen=True, slots=True)
class How:
    """What the manifest says of the voices."""

    language: str
    wpm: int = espeak.NORMAL_WPM
    """Words a minute that count as the stock voices' normal rate."""
    terms: clone.Params | None = None
    """What a grant is asked for; None where the manifest names nobody."""
    refinements: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Person to how their voice is refined."""
    lines: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    """Line id to how it is refined, in place of what its person's refinement says of the same."""

    def refinement(self, line: Line, voice: Voice) -> dict[str, Any]:
        """Everything that is asked of the way in which a line is spoken."""
        return self.refinements.get(voice.person or "", {}) | self.lines.get(line.id, {})


@dataclass(frozen=True, slots=True)
class Order:
    """A line to be said, in a voice, so many times as fast as that voice normally is."""

    line: Line
    voice: Voice
    rate: float = 1.0


def speak(orders: Iterable[Order], how: How, bench: Workbench) -> Iterator[tuple[Order, Path | None]]:
    """A sound for each order, voice by voice, as they are made or found; None for a text that its voice cannot say.

    Raises InputError where an `<em>` does not pair up, EngineUnavailable or StageFailed, naming the line, and
    ConsentRefused as soon as a person's voice may no longer be used.
    """
    by_voice: dict[Voice, list[Order]] = {}
    for order in orders:
        by_voice.setdefault(order.voice, []).append(order)
    for voice, theirs in by_voice.items():
        speaking = _in_own_voice if voice.kind == "clone" else _in_stock_voice
        yield from zip(theirs, speaking(theirs, voice, how, bench), strict=True)


def likeness(voice: Voice, sound: Path, bench: Workbench) -> float | None:
    """How alike a take in a person's voice and their own speech are; None for another voice, or a very short take."""
    return own_voice.similarity(sound, voice.name, bench) if voice.kind == "clone" else None


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


def _in_own_voice(orders: Sequence[Order], voice: Voice, how: How, bench: Workbench) -> Iterator[Path | None]:
    """In a consented person's voice, batch by batch, each granted."""
    registry = Registry.default()
    terms = how.terms or clone.Params(how.language, "", "", commercial=False)
    grant = terms.grant(voice.person or "", registry)
    texts = [order.line.text for order in orders]
    refinements = [_paced(how.refinement(order.line, voice), order.rate) | {"energy": 0.0} for order in orders]
    for order, text, refined in zip(orders, texts, refinements, strict=True):
        if order.line.id in bench.redo:
            bench.store.forget("take", own_voice.take_key(text, voice.name, refined))
    yield from own_voice.spoken(texts, voice.name, grant, registry, refinements, bench)  # the mix obeys the energy


def _paced(refinement: Mapping[str, Any], rate: float) -> dict[str, Any]:
    if rate == 1:
        return dict(refinement)
    return {**refinement, "pace": min(2.0, round(refinement.get("pace", 1.0) * rate, 3))}


def _in_stock_voice(orders: Sequence[Order], voice: Voice, how: How, bench: Workbench) -> Iterator[Path | None]:
    """By espeak-ng, as many at once as there are cores."""
    with ThreadPoolExecutor(max_workers=max(1, bench.cores)) as pool:
        futures = [pool.submit(_stock_take, order, how, bench) for order in orders]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _stock_take(order: Order, how: How, bench: Workbench) -> Path | None:
    line, voice = order.line, order.voice
    refined = how.refinement(line, voice)
    pitch = espeak.raised(voice.pitch, refined["pitch"]) if "pitch" in refined else voice.pitch
    wpm = round(how.wpm * refined.get("pace", 1.0) * order.rate)
    key = digest(
        {
            "version": TAKE_VERSION,
            "text": line.text,
            "engine": voice.engine,
            "voice": voice.name,
            "pitch": pitch,
            "wpm": wpm,
        }
    )
    if line.id in bench.redo:
        bench.store.forget("take", key)
    make: Callable[[Path], Path] = lambda folder: espeak.speak(  # noqa: E731
        line.text, voice.name, pitch, folder / "take.flac", wpm=wpm
    )
    try:
        return bench.store.made("take", key, make)
    except espeak.Silent:
        return None
    except DubError as error:
        raise error.about(line=line.id) from error.__cause__
