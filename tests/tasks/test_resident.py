"""Models in memory: loaded once, used by one at a time, given back when another is wanted."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.engines.resident import release, resident


class Net:
    """Stands for weights: counted as they come and go."""


def test_a_model_is_loaded_once_and_used_by_one_thread_at_a_time() -> None:
    """Eight threads that want it at once get the same one, one after the other."""
    loads: list[Net] = []
    inside = threading.Semaphore(1)

    def load() -> Net:
        loads.append(Net())
        return loads[-1]

    def use(_: int) -> Net:
        with resident("shared", load) as net:
            assert inside.acquire(blocking=False)
            inside.release()
            return net

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(50))) == set(loads)
    assert len(loads) == 1


def test_what_nobody_uses_goes_when_another_model_is_wanted() -> None:
    """The first one's memory is free before the second one's is needed."""
    with resident("first", Net) as net:
        gone = weakref.ref(net)
    del net

    def load() -> Net:
        assert gone() is None
        return Net()

    with resident("second", load):
        pass


def test_a_model_in_use_stays_when_another_is_wanted() -> None:
    """Two lessons in different stages keep theirs."""
    with resident("diarizer", Net) as one:
        with resident("recognizer", Net):
            pass
        with resident("translator", Net):
            pass
    with resident("diarizer", Net) as again:
        assert again is one


def test_what_cannot_be_loaded_is_not_kept() -> None:
    """The next one tries again."""

    def broken() -> Net:
        raise OSError("truncated")

    with pytest.raises(OSError, match="truncated"), resident("broken", broken):
        pass
    with resident("broken", Net) as net:
        assert isinstance(net, Net)


def test_release_gives_everything_back() -> None:
    """After a run nothing stays in memory."""
    with resident("last", Net) as net:
        gone = weakref.ref(net)
    del net
    release()
    assert gone() is None
