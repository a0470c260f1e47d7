"""Several subflows at once inside a flow.

Threads with a copy of the flow's context keep the parent link in the UI and the resume by key. Wrapping subflows in
tasks would not: a failing task rolls back what its children finished (measured on Prefect 3.9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Item], Result], items: Iterable[Item], at_once: int) -> list[Result | Exception]:
    """Results in the order of the items; an exception stands where it broke one. Never raises for an item.

    Interrupted, it begins no further item and does not wait for those at work.
    """

    def guarded(item: Item) -> Result | Exception:
        try:
            return work(item)
        except Exception as error:  # noqa: BLE001  (one lesson's failure never stops another)
            return error

    pool = ThreadPoolExecutor(max_workers=max(1, at_once))
    try:
        futures = [pool.submit(copy_context().run, guarded, item) for item in items]
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
