"""`dub consent statement`, and the spoken statement that `dub consent add` takes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from manifests.errors import InputError
from voiceclone import challenge
from voiceclone.consent import ID, Statement, VoiceMatch
from voiceclone.registry import Registry


@dataclass(frozen=True, slots=True)
class Findings:
    """What hearing a statement found, ready for the registry."""

    statement: Statement | None = None
    audio: Path | None = None
    voice_match: tuple[VoiceMatch, ...] = ()
    remarks: tuple[str, ...] = ()
    consent: str = ""

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
        from voiceclone.statement import check_origin, compare, hear, read_speech

        audio = self.statement.expanduser()
        enrolment = [path.expanduser() for path in self.enrolment]
        mark = check_origin(audio, enrolment)
        statement = hear(audio, issued, mark=mark, now=now, reviewed_by=self.reviewed_by)
        matches: tuple[VoiceMatch, ...] = ()
        if enrolment:
            cohort = [read_speech(path) for path in self._others()]
            match = compare(read_speech(audio), [read_speech(path) for path in enrolment], cohort)
            if match.verdict == "refused":
                raise InputError(
                    f"the statement and the enrolment are different voices ({match.score:.2f}).",
                    remedy="Have the sentence read by the person whose voice is enrolled.",
                )
            matches = (match,)
        return Findings(statement, audio, matches, _remarks(statement, matches), consent)

    def _others(self) -> list[Path]:
        if self.cohort is None:
            return []
        folder = self.cohort.expanduser()
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder.", remedy="Give a folder of other people's recordings.")
        return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def issue_statement(consent: str, person: str | None, minutes: int, json_wanted: bool) -> None:
    """Draw the words and print what is to be read."""
    if person is None:
        raise InputError("a sentence is for somebody.", remedy="Name them: --person P.")
    registry = Registry.default()
    registry.epoch()  # raises where there is no registry that could be relied on
    made = challenge.issue(registry.root, consent, person, now=registry.clock.wall(), valid=timedelta(minutes=minutes))
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
    if json_wanted:
        _json({"consent": record.model_dump(mode="json"), "remarks": findings.remarks})
    else:
        sys.stdout.write("\n".join((f"{consent}: statement added", *findings.remarks)) + "\n")


def _remarks(statement: Statement, matches: tuple[VoiceMatch, ...]) -> tuple[str, ...]:
    said = [f"words: {statement.verdict}, {statement.word_error_rate:.0%} wrong"]
    said += [f"voice: {match.verdict}, {match.encoder} {match.score:.3f}" for match in matches]
    if not matches:
        said.append("voice: not compared; the statement is not verified until --enrolment is given")
    elif statement.reviewed_by is None and {statement.verdict, *(match.verdict for match in matches)} != {"matched"}:
        said.append("not sure: somebody should listen; then give it again with --reviewed-by WHO")
    return tuple(said)


def _json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
