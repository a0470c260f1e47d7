"""Looking back at the lessons that a run has done, so that the first look at them afterwards is a short one.

Each is looked at as a plan looks at it, once its files are old enough that any later change shows in their times: when
another lesson is done, or at the end of the run. The last few are left to whoever looks next.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import suppress
from functools import partial
from threading import Lock

from flows.lookout import Lookout
from flows.wanted import Selection, Wanted
from manifests.digests import AT_REST_NS
from manifests.errors import DubError
from manifests.looking import looking
from manifests.workspace import Workspace
from tasks.pipeline import LESSON_STAGES, TARGET_STAGES, joint_stages
from tasks.plan import Walk, walk
from tasks.staleness import Versions


class LookingBack:
    """For one run; its lessons may be done by several threads."""

    def __init__(self, selection: Selection, space: Workspace) -> None:
        self._selection, self._space = selection, space
        self._done: deque[tuple[int, Wanted]] = deque()
        self._lock = Lock()

    def done(self, item: Wanted) -> None:
        """A lesson has ended, well or not."""
        with self._lock:
            self._done.append((time.monotonic_ns(), item))
        self.look()

    def look(self) -> None:
        """Look at what was done a while ago. Errors are left for the next look to find: raises nothing."""
        while (item := self._due()) is not None:
            with suppress(DubError, OSError):
                look_over(item, self._selection, self._space)

    def _due(self) -> Wanted | None:
        with self._lock:
            lately = time.monotonic_ns() - AT_REST_NS
            return self._done.popleft()[1] if self._done and self._done[0][0] < lately else None


def look_over(item: Wanted, selection: Selection, space: Workspace) -> None:
    """Follow a lesson through the store, and remember what of it is up to date. Raises DubError or OSError."""
    with looking():
        lookout = Lookout(selection, space)
        follow = partial(walk, workspace=space, versions=Versions())
        lesson = follow(LESSON_STAGES, item.job)
        made = {target.language or "": follow(TARGET_STAGES, target, before=lesson) for target in item.targets}
        joint = None
        if all(each.complete for each in made.values()):
            joined = joint_stages(item.job, lesson, space, made)
            joint = [follow((stage,), item.job, before=Walk((), products)) for stage, products in joined]
        lookout.note(item, lesson, made, joint)
        lookout.save()
