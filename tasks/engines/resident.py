"""Models in memory: loaded once in a process, used by one thread at a time, given back when another is wanted.

A stage works through many lessons with one model; when the next stage asks for its own, whatever nobody uses goes.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Generator, Hashable
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition
from typing import Any, TypeVar, cast

T = TypeVar("T")


@dataclass(slots=True)
class _Slot:
    model: Any = None
    loaded: bool = False
    busy: bool = True
    waiting: int = field(default=0)


_slots: dict[Hashable, _Slot] = {}
_changed = Condition()


@contextmanager
def resident(key: Hashable, load: Callable[[], T]) -> Generator[T]:
    """The model under a key, loaded by `load` where it is not in memory, for as long as the block lasts.

    `key` names everything that the loaded model depends on. Whoever asks for one that is in use waits. What `load`
    raises is raised here, and nothing is kept.
    """
    slot = _taken(key)
    try:
        if not slot.loaded:
            slot.model, slot.loaded = load(), True
        yield cast("T", slot.model)
    finally:
        with _changed:
            slot.busy = False
            if not slot.loaded and not slot.waiting:
                _slots.pop(key, None)
            _changed.notify_all()


def release() -> None:
    """Give the memory of all models back that nobody uses or waits for."""
    with _changed:
        idle = [key for key, slot in _slots.items() if not slot.busy and not slot.waiting]
        for key in idle:
            del _slots[key]
    if idle:
        _give_back()


def _taken(key: Hashable) -> _Slot:
    with _changed:
        slot = _slots.get(key)
        if slot is not None:
            slot.waiting += 1
            _changed.wait_for(lambda: not slot.busy)
            slot.waiting -= 1
            slot.busy = True
            return slot
        slot = _slots[key] = _Slot()
        idle = [other for other, each in _slots.items() if not each.busy and not each.waiting]
        for other in idle:
            del _slots[other]
    if idle:
        _give_back()
    return slot


def _give_back() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
