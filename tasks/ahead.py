"""An iterator that works ahead, in a thread of its own, of whoever takes from it.

numpy, scipy and libsndfile let go of the interpreter while they work, so two threads of sound use two cores. How far
ahead it may run is bounded: nothing piles up.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar, cast

T = TypeVar("T")

_END = object()


@contextmanager
def ahead(items: Iterable[T], depth: int = 2) -> Generator[Iterator[T]]:
    """The same items, made by a thread from now on, up to `depth` of them before they are wanted.

    What goes wrong in the thread is raised where the items are taken.
    """
    ready: queue.Queue[object] = queue.Queue(depth)
    stop = threading.Event()
    broken: list[BaseException] = []

    def put(item: object) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return

    def make() -> None:
        try:
            for item in items:
                put(item)
                if stop.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            broken.append(error)
        finally:
            if isinstance(items, Generator):
                items.close()
        put(_END)

    def taken() -> Iterator[T]:
        while (item := ready.get()) is not _END:
            yield cast("T", item)
        if broken:
            raise broken[0]

    worker = threading.Thread(target=make, daemon=True)
    worker.start()
    try:
        yield taken()
    finally:
        stop.set()
        worker.join()
