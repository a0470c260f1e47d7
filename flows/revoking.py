"""`dub consent revoke`: end a consent, say which finished outputs used the voice, and erase what derives from it.

The registry comes first, so that nothing new is synthesized; then the outputs are printed, while the store still knows
them; then the voice is erased from every workspace that used it. Revoking again does the rest of what was interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import typer

from flows.answering import print_json, print_line
from flows.standing import UNFINISHED
from manifests.errors import DubError, InputError
from manifests.settings import personal
from manifests.store import Store
from manifests.workspace import locate, open_store, run_is_at_work
from voiceclone.enrolments import VOICES, Enrolments
from voiceclone.erasure import Delivered, Erased, erase, outputs_of
from voiceclone.private import RegistryError
from voiceclone.registry import Registry
from voiceclone.workspaces import known


@dataclass(slots=True)
class Reached:
    """A workspace that a revocation reached, and what it did there."""

    root: Path
    shared: bool = False
    """Whether this is the shared store that the settings name."""
    outputs: tuple[Delivered, ...] = ()
    erased: Erased | None = None
    busy: bool = False
    """Whether a run is at work there."""
    problems: list[str] = field(default_factory=list[str])

    @property
    def place(self) -> str:
        return self.store().place if self.shared else str(self.root)

    @property
    def faults(self) -> list[str]:
        """What went wrong here, each with where."""
        unknown = [
            f"{each.path}: its address does not answer, so nobody knows whether it is there."
            for each in self.outputs
            if each.there is None
        ]
        return unknown + [f"{self.place}: {problem}" for problem in self.problems]

    def outputs_as_dicts(self) -> list[dict[str, Any]]:
        return [
            {"path": str(each.path), "sha256": each.sha256, "there": each.there, "workspace": self.place}
            for each in self.outputs
        ]

    def store(self) -> Store:
        return open_store(self.root) if self.shared else Store(self.root / "store")

    def as_dict(self) -> dict[str, Any]:
        erased = self.erased
        return {
            "workspace": self.place,
            "commits": len(erased.commits) if erased else 0,
            "objects": len(erased.objects) if erased else 0,
            "kept": len(erased.kept) if erased else 0,
            "folders": [str(folder) for folder in erased.folders] if erased else [],
            "busy": self.busy,
            "problems": self.problems,
        }


def revoke_consent(
    consent: str,
    *,
    reason: str,
    by: Literal["subject", "operator", "authority"],
    workspaces: Sequence[Path],
    json_wanted: bool,
) -> None:
    """Revoke, list, erase; exit 3 where a workspace could not be cleared, once all others are."""
    for folder in workspaces:
        if not (folder.expanduser() / "store").is_dir():
            raise InputError(f"{folder} is not a workspace.", remedy="Give the folder that holds `store/`.")
    registry = Registry.default()
    already = registry.show(consent).status == "revoked"
    record = registry.revoke(consent, reason, by)
    problems: list[str] = []
    roots = _roots(registry, record.person, workspaces, problems)
    reached = [Reached(root) for root in roots]
    if personal().store is not None:
        # It goes first: whoever opens it afterwards deletes their copies of what was erased.
        reached.insert(0, Reached(roots[0] if roots else locate(Path.cwd() / "course.yaml"), shared=True))
    for each in reached:
        _attempt(each, lambda each=each: _list(each, record.person))
    outputs = [output for each in reached for output in each.outputs]
    if not json_wanted:
        for output in outputs:
            print_line(str(output.path))
        sys.stdout.flush()
    for each in reached:
        _attempt(each, lambda each=each: _erase(each, record.person, registry, consent))
        problems += each.faults
    problems += _elsewhere(registry, record.person)
    if json_wanted:
        print_json(
            {
                "consent": consent,
                "person": record.person,
                "status": record.status,
                "outputs": [output for each in reached for output in each.outputs_as_dicts()],
                "erased": [each.as_dict() for each in reached],
                "problems": problems,
            }
        )
    else:
        _report(consent, record.person, len(outputs), reached, already=already)
    for problem in problems:
        _note(problem)
    if problems:
        raise typer.Exit(UNFINISHED)


def _roots(registry: Registry, person: str, workspaces: Sequence[Path], problems: list[str]) -> tuple[Path, ...]:
    """The workspaces that the registry knows, those that were named, and this folder's own; those that are there."""
    roots = {folder.expanduser().absolute() for folder in workspaces}
    roots.add(locate(Path.cwd() / "course.yaml"))
    try:
        listed = known(registry.root, person)
    except RegistryError as error:
        problems.append(f"{error} Name the workspaces with --workspace.")
    else:
        roots |= set(listed.folders)
        if listed.unreadable:
            problems.append(
                f"{listed.unreadable} lines of the registry's list of workspaces cannot be read; name any other "
                "workspace that used the voice with --workspace."
            )
    return tuple(sorted({root.resolve() for root in roots if root.is_dir()}))


def _attempt(reached: Reached, work: Any) -> None:
    """Do something in one workspace; an error there does not keep the voice in the others."""
    try:
        work()
    except (DubError, OSError) as error:
        reached.problems.append(str(error))


def _list(reached: Reached, person: str) -> None:
    if reached.shared or (reached.root / "store").is_dir():
        reached.outputs = outputs_of(reached.store(), person)


def _erase(reached: Reached, person: str, registry: Registry, consent: str) -> None:
    if not reached.shared and not (reached.root / "store").is_dir() and not (reached.root / "voices").is_dir():
        return
    voices = Enrolments.of(reached.root).root if reached.shared else reached.root / VOICES
    reached.erased = erase(
        person,
        store=reached.store(),
        registry=registry,
        consents=[consent],
        enrolments=[voices],
    )
    if reached.shared:
        return  # whoever works on it now makes nothing more in this voice, and what they had in hand is refused
    if personal().store is not None:
        open_store(reached.root)
    reached.busy = run_is_at_work(reached.root)
    if reached.busy:
        reached.problems.append(
            "a run is at work there, which makes nothing more in this voice; revoke again when it has ended, to erase "
            "what it had in hand."
        )


def _elsewhere(registry: Registry, person: str) -> list[str]:
    """Delete a person's voice from every service that has it; what could not be deleted, and why."""
    from tasks.engines import catalogue
    from voiceclone import remote_voices

    try:
        standing = remote_voices.standing(registry.root, person)
    except RegistryError as error:
        return [str(error)]
    problems: list[str] = []
    for voice in standing:
        try:
            catalogue.remote(voice.engine).forget(voice, registry)
        except DubError as error:
            problems.append(f"{voice.engine} at {voice.where} may still have the voice {voice.voice}: {error}")
        else:
            _note(f"{voice.engine} at {voice.where}: deleted the voice {voice.voice}.")
    return problems


def _report(consent: str, person: str, outputs: int, reached: Sequence[Reached], *, already: bool) -> None:
    used = f"{outputs} {'further ' if already else ''}finished {'file' if outputs == 1 else 'files'}"
    _note(f"{consent} {'was revoked before' if already else 'is revoked'}; {used} used the voice of {person}.")
    for each in reached:
        if (erased := each.erased) is not None and (erased.commits or erased.objects or erased.folders):
            what = f"{len(erased.objects)} objects of {len(erased.commits)} results"
            folders = "".join(f", and {folder}" for folder in erased.folders)
            _note(f"{each.place}: erased {what}{folders}.")
        elif erased is not None:
            _note(f"{each.place}: nothing there derives from the voice.")
    if outputs:
        _note("Finished files stay where they are: the next `dub run` of their course replaces or withdraws them.")


def _note(text: str) -> None:
    sys.stderr.write(text + "\n")
