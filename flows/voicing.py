"""`dub voices`: enrol people's voices with a quality report, list them, delete them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from flows.answering import print_json
from flows.standing import BLOCKED, DONE, MISUNDERSTOOD
from flows.stating import heard_of
from manifests.errors import ConsentRefused, DubError, InputError
from manifests.workspace import locate
from voiceclone import vouching
from voiceclone.consent import ID
from voiceclone.enrolment import Enrolment, RecordingsRejected, identified
from voiceclone.enrolments import Enrolments
from voiceclone.permission import permitted
from voiceclone.quality import Report
from voiceclone.recordings import read
from voiceclone.registry import Registry

_COLOURS = {"pass": "green", "warn": "yellow", "reject": "red"}


def enrolments(workspace: Path | None) -> Enrolments:
    """The enrolments of the given workspace, else of the one that a manifest in this folder would have."""
    return Enrolments.of(locate(Path.cwd() / "course.yaml", workspace))


def enrol_voice(
    person: str,
    files: Sequence[Path],
    *,
    consent: str,
    language: str | None,
    reviewed_by: str | None,
    workspace: Path | None,
    json_wanted: bool,
) -> NoReturn:
    """Enrol a person and print the quality report.

    Exits 2 where the recordings are no good or not the voice of the consent's statement, 4 without consent.
    """
    registry, voices = Registry.default(), enrolments(workspace)
    identified(person)
    if reviewed_by is not None and not ID.fullmatch(reviewed_by):
        raise InputError("--reviewed-by wants an id, not a name.", remedy="Use letters, digits, `-` and `_`.")
    try:
        permitted(registry, consent, person)
        recordings = [read(file.expanduser()) for file in files]
        made = voices.enrol(
            person,
            recordings,
            consent=consent,
            registry=registry,
            language=language,
            reviewed_by=reviewed_by,
        )
    except ConsentRefused as refusal:
        if json_wanted:
            print_json({"person": person, "consent": consent, "enrolled": False, "problem": str(refusal)})
        _end(BLOCKED, refusal)
    except RecordingsRejected as rejected:
        if json_wanted:
            facts = {"person": person, "consent": consent, "enrolled": False, "problem": rejected.message}
            print_json(facts | _as_json(rejected.report))
        else:
            _print_report(person, rejected.report)
        _end(MISUNDERSTOOD, rejected)
    record = registry.show(consent)
    matches = [match for match in record.voice_match if match.enrolment == made.digest]
    remarks = [*map(heard_of, matches), *filter(None, [vouching.still_to_do(record)])]
    if json_wanted:
        said = {"voice_match": [match.model_dump(mode="json") for match in matches], "remarks": remarks}
        print_json({"enrolled": True} | _facts(made) | _as_json(made.report) | said)
    else:
        _print_report(person, made.report)
        sys.stdout.write(f"{person} is enrolled: {made.seconds:.1f} s in {len(made.clips)} clips\n")
        sys.stdout.writelines(f"{remark}\n" for remark in remarks)
    raise typer.Exit(DONE)


def list_voices(workspace: Path | None, json_wanted: bool) -> NoReturn:
    """Print who is enrolled, how well, and whether their consent still holds."""
    voices, registry = enrolments(workspace), Registry.default()
    rows = [_row(voices, registry, person) for person in voices.people()]
    if json_wanted:
        print_json({"voices": rows})
        raise typer.Exit(DONE)
    if not rows:
        sys.stdout.write("nobody is enrolled: dub voices enrol PERSON FILE... --consent ID\n")
        raise typer.Exit(DONE)
    table = Table(box=None, pad_edge=False)
    for heading in ("person", "seconds", "quality", "from", "consent", "standing", "trained for"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "seconds" else "left")
    for row in rows:
        table.add_row(
            row["person"],
            f"{row['seconds']:.1f}" if "seconds" in row else "",
            row.get("verdict", ""),
            ", ".join(row.get("gathered_from", ())) or "recordings",
            row.get("consent", ""),
            row["problem"].replace("[", r"\[") if row["problem"] else "in force",
            ", ".join(row.get("trained", ())),
        )
    Console().print(table)
    raise typer.Exit(DONE)


def delete_voice(person: str, workspace: Path | None, json_wanted: bool) -> NoReturn:
    """Delete everything that is enrolled of a person. Exits 2 where nothing is."""
    voices = enrolments(workspace)
    deleted = voices.delete(person)
    if not deleted:
        raise InputError(f"nobody called {person} is enrolled in {voices.root}.", remedy="See: dub voices list")
    if json_wanted:
        print_json({"person": person, "deleted": True})
    else:
        sys.stdout.write(
            f"the enrolment of {person} is deleted. Takes and finished files stay; "
            "to withdraw them too: dub consent revoke ID --reason TEXT\n"
        )
    raise typer.Exit(DONE)


def _row(voices: Enrolments, registry: Registry, person: str) -> dict[str, Any]:
    try:
        enrolment = voices.get(person)
    except DubError as error:
        return {"person": person, "problem": str(error)}
    problem = ""
    try:
        permitted(registry, enrolment.consent, person)
    except ConsentRefused as refusal:
        problem = refusal.message
    trained = voices.trained_languages(enrolment)
    return _facts(enrolment) | {"verdict": enrolment.report.verdict, "trained": list(trained), "problem": problem}


def _facts(enrolment: Enrolment) -> dict[str, Any]:
    return {
        "person": enrolment.person,
        "consent": enrolment.consent,
        "language": enrolment.language,
        "made_at": enrolment.made_at.isoformat(),
        "digest": enrolment.digest,
        "seconds": enrolment.seconds,
        "clips": len(enrolment.clips),
        "gathered_from": list(dict.fromkeys(origin.lesson for origin in enrolment.gathered)),
    }


def _as_json(report: Report) -> dict[str, Any]:
    return {"verdict": report.verdict, "findings": [asdict(finding) for finding in report.findings]}


def _print_report(person: str, report: Report) -> None:
    table = Table(title=person, title_justify="left", box=None, pad_edge=False)
    for heading in ("check", "verdict", "measured", "what to do"):
        table.add_column(heading, overflow="fold")
    for each in report.findings:
        advice = f"{each.reason}. {each.mend}".replace("[", r"\[") if each.verdict != "pass" else ""
        table.add_row(each.check, f"[{_COLOURS[each.verdict]}]{each.verdict}[/]", each.measured, advice)
    Console().print(table)


def _end(code: int, error: DubError) -> NoReturn:
    remedy = f" {error.remedy}" if error.remedy else ""
    sys.stderr.write(f"dub: {error.message.rstrip('.')}.{remedy}\n")
    raise typer.Exit(code) from error
