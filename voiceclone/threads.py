"""How many threads torch's networks use: one setting of the whole process, lent for the length of a block."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def torch_threads(cores: int) -> Generator[None]:
    """Let networks use so many threads, here and in the whole process, and afterwards as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(cores)
    try:
        yield
    finally:
        torch.set_num_threads(before)
