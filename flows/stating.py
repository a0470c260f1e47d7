"""`dub consent statement`, and the spoken statement that `dub consent add` takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flows.answering import print_json
from manifests import settings
from manifests.errors import InputError
from manifests.workspace import locate
from voiceclone import challenge, vouching
from voiceclone.consent import ID, Record, Statement, VoiceMatch
from voiceclone.enrolment import language_tag_or_fault
from voiceclone.enrolments import newest
from voiceclone.quality import Recording
from voiceclone.recordings import read
from voiceclone.records import plain_suffix
from voiceclone.registry import Registry


@dataclass(frozen=True, slots=True)
class Findings:
    """What hearing a statement found, ready for the registry."""

    statement: Statement | None = None
    audio: Path | None = None
    voice_match: tuple[VoiceMatch, ...] = ()
    consent: str = ""

    def remarks(self, record: Record) -> tuple[str, ...]:
        """What was found, and what is still to do for the statement to count."""
        if self.statement is None:
            return ()
        said = [f"words: {self.statement.verdict}, {self.statement.word_error_rate:.0%} wrong"]
        said += [heard_of(match) for match in self.voice_match] or ["voice: not compared yet"]
        return (*said, *filter(None, [vouching.still_to_do(record)]))

    def settle(self, registry: Registry) -> None:
        """The sentence was used: it serves once."""
        if self.statement is not None:
            challenge.spend(registry.root, self.consent)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The recordings that a user gives for a statement, and who listened to them."""

    statement: Path | None = None
    enrolment: tuple[Path, ...] = ()
    cohort: Path | None = None
    reviewed_by: str | None = None

    def heard(self, registry: Registry, consent: str, person: str) -> Findings:
        """Check the statement. Raises InputError where its words or its voice are refused."""
        if self.statement is None:
            if self.enrolment or self.cohort or self.reviewed_by:
                raise InputError("--enrolment, --cohort and --reviewed-by are about a --statement.")
            return Findings()
        if self.reviewed_by is not None and not ID.fullmatch(self.reviewed_by):
            raise InputError("--reviewed-by wants an id, not a name.", remedy="Use letters, digits, `-` and `_`.")
        issued, now = challenge.pending(registry.root, consent), registry.clock.wall()
        again = f"Print a sentence: `dub consent statement {consent} --person {person}`."
        if issued is None or issued.person != person:
            raise InputError(f"no sentence was drawn for {consent} and {person}.", remedy=again)
        if now >= issued.expires_at:
            raise InputError("the sentence's time is over.", remedy=again)
        from voiceclone.statement import check_origin, hear

        audio, here = self.statement.expanduser(), locate(Path.cwd() / "course.yaml")
        said, others = read(audio), [read(path) for path in self._others()]
        enrolled, digest = self._enrolled(registry, person, here)
        mark = check_origin(said, enrolled)
        statement = hear(said, plain_suffix(audio), issued, mark=mark, now=now, reviewed_by=self.reviewed_by)
        matches: tuple[VoiceMatch, ...] = ()
        if enrolled:
            matches = vouching.compared(
                said,
                enrolled,
                vouching.folders(registry, [here]),
                others=others,
                enrolment=digest,
                reviewed_by=self.reviewed_by,
            )
        return Findings(statement, audio, matches, consent)

    def _enrolled(self, registry: Registry, person: str, here: Path) -> tuple[Sequence[Recording], str | None]:
        """Speech of the person: the files that are given, else what is enrolled of them, with its digest."""
        if self.enrolment:
            return [read(path.expanduser()) for path in self.enrolment], None
        voices = newest(registry, person, [here])
        return (voices.recordings(person), voices.get(person).digest) if voices else ((), None)

    def _others(self) -> list[Path]:
        if self.cohort is None:
            return []
        folder = self.cohort.expanduser()
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder.", remedy="Give a folder of other people's recordings.")
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def heard_of(match: VoiceMatch) -> str:
    """One encoder's verdict, in a line."""
    scale = f"{match.score:.3f}" if match.normalized is None else f"{match.normalized:.2f} against {match.cohort}"
    return f"voice: {match.verdict}, {match.encoder} {scale}, a match from {match.threshold:.2f} on"


def issue_statement(consent: str, person: str | None, minutes: int | None, language: str, json_wanted: bool) -> None:
    """Draw the words and print what is to be read."""
    if person is None:
        raise InputError("a sentence is for somebody.", remedy="Name them: --person P.")
    registry = Registry.default()
    registry.epoch()  # raises where there is no registry that could be relied on
    valid = timedelta(minutes=minutes or settings.personal().statement.minutes)
    now, tag = registry.clock.wall(), language_tag_or_fault(language)
    made = challenge.issue(registry.root, consent, person, now=now, valid=valid, language=tag)
    if json_wanted:
        _json({"text": made.text, "nonce_words": made.nonce_words, "expires_at": made.expires_at.isoformat()})
    else:
        sys.stdout.write(made.text + "\n")
        sys.stderr.write(f"To be read aloud and given to us before {made.expires_at:%H:%M} UTC.\n")


def attach_statement(consent: str, evidence: Evidence, json_wanted: bool) -> None:
    """Add a statement to a consent that is there."""
    registry = Registry.default()
    findings = evidence.heard(registry, consent, registry.show(consent).person)
    record = registry.amend(
        consent, statement=findings.statement, statement_audio=findings.audio, voice_match=findings.voice_match
    )
    findings.settle(registry)
    remarks = findings.remarks(record)
    if json_wanted:
        _json({"consent": record.model_dump(mode="json"), "remarks": remarks})
    else:
        sys.stdout.write("\n".join((f"{consent}: statement added", *remarks)) + "\n")


def _json(value: dict[str, Any]) -> None:
    print_json(value)
