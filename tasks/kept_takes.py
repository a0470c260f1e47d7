"""Kept takes: each lies in the store under everything that it was made from, so that no sound is made twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from manifests.commits import Commit
from tasks import take_sound
from tasks.stage import Engine, Workbench

if TYPE_CHECKING:
    from voiceclone.saying import Said, Saying


@dataclass(frozen=True, slots=True)
class Wish:
    """One take that is wanted."""

    saying: Saying
    key: str
    kept: Commit | None
    """The take as it was made before, where it was."""
    engine: Engine
    """The engine that makes it now."""


def kept(
    wishes: Sequence[Wish],
    make: Callable[[Sequence[Saying]], Iterator[Said | None]],
    bench: Workbench,
    people: tuple[str, ...] = (),
    while_kept: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Iterator[Path | None]:
    """A sound for each wish, in order, as they are made or found; None for a text that has no sound in its voice.

    `make` says those that are missing, in order. `people` are whose voice it is: a revocation finds the takes by them.
    `while_kept` holds while a take is put into the store.
    """
    missing = [wish.saying for wish in wishes if wish.kept is None]
    said = make(missing) if missing else iter(())
    for wish in wishes:
        if wish.kept is not None:
            yield bench.store.get(wish.kept.outputs["it"])
            continue
        take = next(said)
        if take is None or take.silent:
            yield None
            continue
        with while_kept():
            made = bench.store.made(
                "take",
                wish.key,
                lambda folder, take=take: take_sound.write(take.audio, take.rate, folder / "take.flac"),
                people=people,
                engine=wish.engine.as_dict(),
                notes={"seed": wish.saying.seed},
            )
        yield made
