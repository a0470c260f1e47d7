"""Which device a model runs on and in which precision, and what happens when its memory runs out.

A GPU is taken where torch sees one; `CUDA_VISIBLE_DEVICES=` keeps it from that.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from manifests.errors import EngineUnavailable

T = TypeVar("T")
R = TypeVar("R")

MORE_ROOM: Final = "Free some of it, choose a smaller model, or set CUDA_VISIBLE_DEVICES= to use the processor."

_log = logging.getLogger(__name__)


def device() -> str:
    """`cuda` or `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def precision(device: str) -> str:
    """The type that CTranslate2 computes in: 16 bits on a GPU that has them, 8 on a processor that has them."""
    import ctranslate2

    can: set[str] = ctranslate2.get_supported_compute_types(device)
    wanted = ("float16", "int8_float32", "float32") if device == "cuda" else ("int8", "float32")
    return next(kind for kind in wanted if kind in can)


def out_of_memory(error: BaseException) -> bool:
    """Whether it says that the GPU's memory is full, as torch or CTranslate2 say it."""
    torch: Any = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "out of memory" in str(error).lower()


def in_batches(
    items: Sequence[T],
    size: int,
    work: Callable[[Sequence[T]], Sequence[R]],
    *,
    what: str,
    tell: Callable[[float], None] = lambda share: None,
) -> list[R]:
    """What `work` makes of all items, one result each, in order; at most `size` at a time.

    Where the GPU's memory runs out, the batch is halved, a warning says so, and the rest goes on with that. `what`
    names the work, such as `transcribe`. Raises EngineUnavailable where not even one item fits.
    """
    out: list[R] = []
    while len(out) < len(items):
        part = items[len(out) : len(out) + size]
        made = halving(lambda part=part: work(part), len(part), what=what)
        if isinstance(made, int):
            size = made
            continue
        out.extend(made)
        tell(len(out) / len(items))
    return out


def halving(work: Callable[[], R], size: int, *, what: str) -> R | int:
    """What `work` returns, or half of `size` where the GPU's memory ran out at that. Raises as `in_batches` does."""
    try:
        return work()
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
    _give_back()
    if size <= 1:
        raise EngineUnavailable(
            f"the GPU has too little memory to {what}, even one part at a time: {said}.",
            remedy=MORE_ROOM,
        )
    _log.warning("%s: the GPU's memory is full at %d parts at a time; going on with %d", what, size, size // 2)
    return size // 2


def _give_back() -> None:
    import gc

    torch: Any = sys.modules.get("torch")
    gc.collect()
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
