"""`dub consent`: who agreed to what, as a terminal and as programs see it. Revoking is in `flows.revoking`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from flows.answering import print_json, print_line
from flows.standing import UNFINISHED
from flows.stating import Evidence, Findings
from manifests.errors import InputError
from voiceclone.application import Application, application, read_application
from voiceclone.consent import Record
from voiceclone.registry import Registry
from voiceclone.soundness import Checked


def init_registry(json_wanted: bool) -> None:
    """Make the key and the registry, each where it is missing."""
    registry = Registry.default()
    key = registry.init()
    facts = {"registry": str(registry.root), "keys": str(registry.key_folder), "key": key.id}
    if json_wanted:
        print_json(facts)
        return
    print_line(f"consents: {registry.root}")
    print_line(f"keys: {registry.key_folder} (key {key.id}; keep a copy where nobody else reads it)")


def add_consent(
    consent: str | None, *, file: Path | None, given: Mapping[str, Any], evidence: Evidence, json_wanted: bool
) -> None:
    """Record a consent from flags or from a file, with a spoken statement where there is one."""
    flags = {name: value for name, value in given.items() if value not in (None, [])}
    asked = _from_file(file, consent, flags) if file is not None else _from_flags(consent, flags)
    registry = Registry.default()
    taken = {each.consent for each in registry.list()}
    if asked.id in taken:
        raise InputError(f"there is a consent {asked.id} already.", remedy="Choose another id.")
    findings = evidence.heard(registry, asked.id, asked.person)
    record = registry.add(
        asked, statement=findings.statement, statement_audio=findings.audio, voice_match=findings.voice_match
    )
    findings.settle(registry)
    _tell(record, json_wanted, findings)


def list_consents(json_wanted: bool) -> None:
    """One row, or one object, a consent."""
    checked = Registry.default().list()
    if json_wanted:
        print_json({"consents": [_summary(each) for each in checked]})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("consent", "person", "state", "languages", "purposes", "courses", "until", "statement"):
        table.add_column(heading, overflow="fold")
    for each in checked:
        facts = _summary(each)
        until = str(facts["expires_at"] or "")[:10]
        state = "damaged" if facts["problems"] else str(facts["status"])
        cells = (each.consent, facts["person"], state, facts["languages"], facts["purposes"], facts["courses"], until)
        table.add_row(*map(_cell, cells), "verified" if facts["statement_verified"] else "")
    Console().print(table)


def show_consent(consent: str, json_wanted: bool) -> None:
    """Print the whole record and, beside it, the reason of a revocation, which is not part of it."""
    registry = Registry.default()
    record = registry.show(consent)
    reason = registry.reason(consent)
    if json_wanted:
        print_json({"consent": record.model_dump(mode="json"), "reason": reason or None})
        return
    facts = _summary(registry.verify(consent))
    for name in (
        "id",
        "person",
        "status",
        "standing",
        "languages",
        "purposes",
        "courses",
        "territories",
        "forbidden",
        "third_parties",
    ):
        if facts[name]:
            print_line(f"{name.replace('_', ' ')}: {_cell(facts[name])}")
    print_line(f"commercial use: {'yes' if record.scope.commercial else 'no'}")
    print_line(f"holds: {record.validity.not_before.isoformat()} until {record.validity.expires_at.isoformat()}")
    if record.instrument is not None:
        print_line(f"agreement: sha256 {record.instrument.sha256}")
    if record.statement is not None:
        print_line(
            f"spoken statement: {record.statement.verdict}" + (" (verified)" if record.statement_verified else "")
        )
    for match in record.voice_match:
        print_line(f"voice: {match.encoder} {match.score:.3f}, threshold {match.threshold:.3f}: {match.verdict}")
    if reason:
        print_line(f"revoked because: {reason}")
    for problem in facts["problems"]:
        print_line(f"problem: {problem}")


def verify_consents(consents: Iterable[str], json_wanted: bool) -> None:
    """Check these consents, or all; exit 3 where one is not as it was signed."""
    registry = Registry.default()
    checked = [registry.verify(consent) for consent in consents] or list(registry.list())
    if json_wanted:
        print_json({"consents": [_summary(each) for each in checked]})
    else:
        for each in checked:
            for problem in each.problems:
                print_line(f"{each.consent}: {problem}")
            if each.sound:
                print_line(f"{each.consent}: sound, {each.standing or 'in force'}")
    if not all(each.sound for each in checked):
        raise typer.Exit(UNFINISHED)


def suspend_consent(consent: str, json_wanted: bool) -> None:
    """Stop a consent for now."""
    _tell(Registry.default().suspend(consent), json_wanted)


def resume_consent(consent: str, json_wanted: bool) -> None:
    """Let a suspended consent hold again."""
    _tell(Registry.default().resume(consent), json_wanted)


def show_audit(json_wanted: bool) -> None:
    """The log's entries, oldest first."""
    entries = Registry.default().entries()
    if json_wanted:
        print_json({"entries": [entry.model_dump(mode="json") for entry in entries]})
        return
    for entry in entries:
        details = " ".join(f"{name}={json.dumps(value)}" for name, value in entry.details.items() if name != "ids")
        print_line(
            " ".join(part for part in (str(entry.seq), entry.at, entry.action, entry.consent or "", details) if part)
        )


def verify_audit(json_wanted: bool) -> None:
    """Check the whole log; exit 3 at a fault, which is named by its entry's number."""
    report = Registry.default().audit()
    if json_wanted:
        facts = {"entries": report.entries, "fault": report.fault, "torn_bytes": report.torn, "head": report.head}
        print_json({"sound": report.sound, **facts})
    elif report.sound:
        print_line(f"{report.entries} entries, none changed, removed or out of order; the last is {report.head}")
    else:
        print_line(f"the audit log is damaged: {report.fault}")
    if not report.sound:
        raise typer.Exit(UNFINISHED)


def _from_file(file: Path, consent: str | None, flags: Mapping[str, Any]) -> Application:
    if consent is not None or flags:
        raise InputError(
            "a consent comes from a file or from flags, not from both.",
            remedy="Put everything but --statement, --enrolment and --reviewed-by into the file.",
        )
    return read_application(file.expanduser())


def _from_flags(consent: str | None, flags: Mapping[str, Any]) -> Application:
    needed = {"person": "--person", "languages": "--languages", "purposes": "--purpose", "courses": "--course"}
    missing = [flag for name, flag in (needed | {"document": "--document"}).items() if name not in flags]
    missing = (["ID"] if consent is None else []) + missing
    if missing:
        raise InputError(
            f"a consent needs {', '.join(missing)}.", remedy="See `dub consent add --help`, or give a --file."
        )
    fields: dict[str, Any] = {"id": consent, **flags}
    for name in ("languages", "purposes", "courses", "territories", "forbidden", "third_parties"):
        if name in fields:
            fields[name] = tuple(word for each in fields[name] for part in each.split(",") if (word := part.strip()))
    if "any" in fields["courses"]:
        if len(fields["courses"]) > 1:
            raise InputError("--course any covers every course.", remedy="Leave the other courses out, or `any`.")
        fields["courses"] = "any"
    fields["document"] = fields["document"].expanduser()
    return application(**fields)


def _tell(record: Record, json_wanted: bool, findings: Findings | None = None) -> None:
    """Print what a change made of a record."""
    said = () if findings is None else findings.remarks(record)
    if json_wanted:
        print_json({"consent": record.model_dump(mode="json"), "remarks": list(said)})
        return
    until = record.validity.expires_at.date().isoformat()
    print_line(f"{record.id}: {record.status}, {record.person}, {', '.join(record.scope.languages)}, until {until}")
    for remark in said:
        print_line(remark)


def _summary(checked: Checked) -> dict[str, Any]:
    """A record's facts in one flat object; those of one that cannot be read are empty."""
    record = checked.record
    scope = record.scope.model_dump(mode="json") if record else {}
    return {
        "id": checked.consent,
        "person": record.person if record else None,
        "version": record.version if record else None,
        "status": checked.status,
        "standing": checked.standing,
        **{
            name: scope.get(name, [])
            for name in ("languages", "purposes", "courses", "territories", "forbidden", "third_parties")
        },
        "commercial": scope.get("commercial", False),
        "not_before": record.validity.not_before.isoformat() if record else None,
        "expires_at": record.validity.expires_at.isoformat() if record else None,
        "statement_verified": bool(record and record.statement_verified),
        "sound": checked.sound,
        "problems": list(checked.problems),
    }


def _cell(value: Any) -> str:
    text = ", ".join(value) if isinstance(value, list) else str(value or "")
    return text.replace("[", r"\[")
