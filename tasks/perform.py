"""Bring one stage of one job up to date: look its key up in the store, run it where it is not there, commit, record."""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from manifests.commits import Commit, Ref
from manifests.depot import Depot
from manifests.errors import (
    ConsentRefused,
    DubError,
    EngineUnavailable,
    InputError,
    MediaError,
    StageFailed,
    StoreError,
)
from manifests.model import Job
from manifests.store import Store
from manifests.workspace import Workspace
from tasks.media import check_file
from tasks.stage import Made, Stage, Workbench
from tasks.staleness import why_stale
from voiceclone.registry import Registry


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage did for a job."""

    stage: str
    commit: Commit
    cached: bool
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {"state": "done", "seconds": round(self.seconds, 3), "cached": self.cached}


@dataclass(frozen=True, slots=True)
class Products:
    """What a job has so far: the object name of every output, and what each stage did."""

    objects: Mapping[str, str] = field(default_factory=dict[str, str])
    """`split/speech.wav` to the store's object name."""
    outcomes: Mapping[str, Outcome] = field(default_factory=dict[str, Outcome])
    people: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Output to the people whose cloned voices it carries, where there are any."""

    def plus(self, outcome: Outcome) -> Products:
        made = {f"{outcome.stage}/{name}": ref for name, ref in outcome.commit.outputs.items()}
        carried = dict.fromkeys(made, outcome.commit.people) if outcome.commit.people else {}
        return Products({**self.objects, **made}, {**self.outcomes, outcome.stage: outcome}, {**self.people, **carried})


def media_seconds(products: Products) -> float | None:
    """How long the lesson plays, where it has been split."""
    split = products.outcomes.get("split")
    return split.commit.notes.get("duration_s") if split else None


def written_bytes(commit: Commit, workspace: Workspace) -> int:
    """Size of what a result is: its objects, as far as they lie here, and its finished files."""
    store = workspace.store
    paths = [*(store.path(Ref.named(name)) for name in commit.objects_named), *map(Path, commit.delivered)]
    return sum(path.stat().st_size for path in dict.fromkeys(paths) if path.is_file())


def key_of(stage: Stage, job: Job, products: Products, workspace: Workspace) -> tuple[str, dict[str, str]]:
    """The stage's key for this job, and the digests of its inputs by name.

    Raises MediaError for a source that cannot be read, InputError for a given file that cannot, and for one that
    changes while it is read.
    """
    digests = {
        name: _source_digest(job, workspace) if name == "source" else products.objects[name].partition(".")[0]
        for name in stage.needs
    }
    given = stage.given(job)
    digests |= {name: _given_digest(path, workspace) for name, path in given.items()}
    inputs = _Inputs(stage, given, products, workspace)
    digests |= {name: _given_digest(path, workspace) for name, path in stage.found(job, inputs).items()}
    return stage.key(job, digests), digests


class _Inputs(Mapping[str, Path]):
    """The inputs that are there before a stage runs; of what was made, only what is asked for is fetched."""

    def __init__(self, stage: Stage, given: Mapping[str, Path], products: Products, workspace: Workspace) -> None:
        self._made = {name: products.objects[name] for name in stage.needs if name != "source"}
        self._given = given
        self._store = workspace.store

    def __getitem__(self, name: str) -> Path:
        return self._given[name] if name in self._given else self._store.get(self._made[name])

    def __iter__(self) -> Iterator[str]:
        return iter({**self._made, **self._given})

    def __len__(self) -> int:
        return len({**self._made, **self._given})


def _given_digest(path: Path, workspace: Workspace) -> str:
    try:
        return workspace.digests.of(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}.",
            remedy="Mend its name in the manifest, or copy it again.",
        ) from error


def _source_digest(job: Job, workspace: Workspace) -> str:
    try:
        return workspace.digests.of(job.media)
    except OSError as error:
        check_file(job.media)
        raise MediaError(
            f"{job.media} cannot be read: {error.strerror or error}.", remedy="Copy it again, or mend its disk."
        ) from error


def standing(stage: Stage, key: str, workspace: Workspace) -> Commit | None:
    """The commit of a key whose objects are all there and whose delivered files, held or not, are as they were made."""
    commit = workspace.store.committed(stage.name, key)
    if commit is None:
        return None
    return commit if workspace.is_there(commit) else None


def perform(
    stage: Stage,
    job: Job,
    products: Products,
    workspace: Workspace,
    *,
    cores: int = 1,
    force: bool = False,
    redo: frozenset[str] = frozenset(),
    refresh: bool = False,
    tell: Callable[[float], None] = lambda share: None,
) -> Outcome:
    """Run one stage where it is not up to date, or where it is forced; `redo` names lines to be made again in it.

    With `refresh` it runs too where another version of its engine made what is there.

    Raises DubError, with lesson and stage filled in; anything else that a stage raises becomes StageFailed.
    """
    try:
        stage.check(job)
        key, digests = key_of(stage, job, products, workspace)
        made_before = not force and standing(stage, key, workspace) is not None
        commit = workspace.store.sound(stage.name, key) if made_before else None
        if commit is not None and not (refresh and why_stale(stage.engine(job), commit.engine)):
            workspace.ledger.found(job.course.course, {(job.lesson_id, job.language or "", stage.name): key})
            return Outcome(stage.name, commit, cached=True, seconds=commit.seconds)
        # What stands under the key now was found wanting or is to be replaced; what comes later is another worker's.
        replaces = workspace.store.committed(stage.name, key) is not None
        work = _Work(stage, job, products, workspace, key, digests)

        def bench(store: Store, scratch: Path) -> Workbench:
            return Workbench(
                store,
                scratch,
                cores=cores,
                tell=tell,
                history=work.history,
                redo=redo,
                digests=dict(digests),
                refresh=refresh,
                depot=work.depot,
            )

        with workspace.ledger.running(job.course.course, job.lesson_id, job.language, stage.name, key) as row:
            started = time.monotonic()
            try:
                commit = work.done(bench, replaces=replaces)
            except (EngineUnavailable, ConsentRefused) as error:
                row.state, row.message = "blocked", str(error)
                raise
            except Exception as error:
                row.message = str(error)
                raise
            finally:
                row.seconds = time.monotonic() - started
            row.state = "done"
            row.bytes = written_bytes(commit, workspace)
            row.media_seconds = media_seconds(products.plus(Outcome(stage.name, commit, False, 0.0)))
        return Outcome(stage.name, commit, cached=False, seconds=commit.seconds)
    except DubError as error:
        raise error.about(lesson=job.name, stage=stage.name) from error.__cause__
    except Exception as error:
        raise _told(error, workspace).about(lesson=job.name, stage=stage.name) from error


def _told(error: Exception, workspace: Workspace) -> DubError:
    """What an error that no stage foresaw means for the operator."""
    if (full := _out_of_space(error, workspace)) is not None:
        return full
    if isinstance(error, OSError):
        return _system_says(error)
    return StageFailed(f"{type(error).__name__}: {error}", remedy="This is a defect of dubflow.")


def _out_of_space(error: Exception, workspace: Workspace) -> StoreError | None:
    """The error of a workspace whose disk is full, as the system, SQLite or libsndfile put it; else None."""
    if isinstance(error, OSError):
        elsewhere = error.filename and not Path(str(error.filename)).is_relative_to(workspace.root)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT) and not elsewhere
    else:
        full = re.search("No space left on device|database or disk is full", str(error)) is not None
    if not full:
        return None
    return StoreError(
        f"no space is left for the workspace {workspace.root}.",
        remedy="Free some space, or choose another folder with --workspace.",
    )


def _system_says(error: OSError) -> StoreError:
    where = f" ({error.filename})" if error.filename else ""
    return StoreError(f"{error.strerror or error}{where}.", remedy="Mend that and run again: what is finished is kept.")


@dataclass(frozen=True, slots=True)
class _Work:
    """One stage of one job under its key: to be run, and its result to be committed."""

    stage: Stage
    job: Job
    products: Products
    workspace: Workspace
    key: str
    digests: Mapping[str, str]
    """Of its inputs, by name."""

    @property
    def history(self) -> dict[str, Mapping[str, Any]]:
        """What the stages before it did."""
        return {
            name: {**outcome.as_dict(), "engine": outcome.commit.engine, "notes": outcome.commit.notes}
            for name, outcome in self.products.outcomes.items()
        }

    @property
    def depot(self) -> Depot | None:
        """Where its finished files go, if that is an address."""
        return self.workspace.depots.at(self.job.address) if self.job.address else None

    def done(self, bench_of: Callable[[Store, Path], Workbench], *, replaces: bool) -> Commit:
        """Run it and commit what it made; returns the commit that counts. `replaces` is whether one stands already.

        Raises ConsentRefused where somebody whose voice the result carries withdrew meanwhile; nothing of it is kept.
        """
        started, works = time.monotonic(), set[str]()
        store = self.workspace.store
        inputs = self._inputs()
        with store.scratch() as scratch:
            bench = bench_of(store.using(works), scratch)
            made = self.stage.run(self.stage.params(self.job), inputs, bench)
            missing = set(self.stage.makes) - set(made.outputs)
            if missing:
                raise StageFailed(f"made no {', '.join(sorted(missing))}.")
            people = self._people(made)
            with _agreed(self.job, people):
                pass  # else nothing of it is even put into the store
            outputs = {name: store.put(path).name for name, path in made.outputs.items()}
        fresh = replace(
            self._commit(made, outputs, started),
            delivered={bench.place(path): sha256 for path, sha256 in made.delivered.items()},
            people=people,
            works=tuple(sorted(works)),
        )
        if bench.depot is not None and made.uploads:
            bench.depot.deliver(fresh.group, made.uploads, self._check_claim)
        return self._committed(fresh, people, replaces=replaces)

    def _inputs(self) -> dict[str, Path]:
        """Where each input lies."""
        store = self.workspace.store
        needed = {
            name: self.job.media if name == "source" else store.get(self.products.objects[name])
            for name in self.stage.needs
        }
        inputs = needed | dict(self.stage.given(self.job))
        return inputs | dict(self.stage.found(self.job, inputs))

    def _people(self, made: Made) -> tuple[str, ...]:
        """Whose voices the result carries, through its inputs too: a revocation must find stems, mixes and videos."""
        return tuple(sorted(made.people.union(*(self.products.people.get(name, ()) for name in self.stage.needs))))

    def _commit(self, made: Made, outputs: dict[str, str], started: float) -> Commit:
        stage, job, engine = self.stage, self.job, self.stage.engine(self.job)
        return Commit(
            stage=stage.name,
            key=self.key,
            outputs=outputs,
            objects=made.objects,
            engine=engine.as_dict() if engine else {},
            seconds=round(time.monotonic() - started, 3),
            notes={
                "course": job.course.course,
                "lesson": job.lesson_id,
                "language": job.language or "",
                # What the key was made of, so that a plan can say what changed since.
                "made_from": {
                    "version": stage.version,
                    "params": asdict(stage.params(job)),
                    "inputs": dict(self.digests),
                },
                **made.notes,
            },
            address=job.address,
        )

    def _committed(self, fresh: Commit, people: tuple[str, ...], *, replaces: bool) -> Commit:
        """Commit under the claim and with everybody's consent; objects of a result that is refused are discarded."""
        store = self.workspace.store
        try:
            with _agreed(self.job, people):
                self._check_claim()
                if replaces:
                    store.forget(self.stage.name, self.key)
                return replace(store.commit(fresh), seconds=fresh.seconds)
        except ConsentRefused:
            for name in fresh.outputs.values():  # no commit names them, so no revocation would ever find them
                store.discard(name)
            raise

    def _check_claim(self) -> None:
        self.workspace.claims.check(claim_of(self.job))


def claim_of(job: Job) -> str:
    """The name under which workers claim a job's lesson."""
    return f"{job.course.course}/{job.lesson_id}"


def _agreed(job: Job, people: Sequence[str]) -> AbstractContextManager[None]:
    """Within it nobody whose voice a result carries can withdraw. Raises ConsentRefused where somebody has."""
    if not people:
        return nullcontext()
    known = job.course.people
    return Registry.default().agreed(known[person].consent or "" if person in known else "" for person in people)
