"""`dub consent …` as the command line has it; what each command does is in `flows.consenting`, loaded when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.options import AsJson

consent = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Record who agreed that their voice is used, for what and until when, and take it back.",
)

Id = Annotated[str, typer.Argument(metavar="ID", help="The consent's id, as manifests name it.")]


@consent.command()
def init(as_json: AsJson = False) -> None:
    """Make the operator's signing key and an empty registry, each where it is missing.

    Example: dub consent init
    """
    from flows.consenting import init_registry

    init_registry(as_json)


@consent.command()
def add(
    consent_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="The new consent's id.")] = None,
    file: Annotated[
        Path | None, typer.Option("--file", metavar="RECORD.yaml", help="Everything from a file instead of flags.")
    ] = None,
    person: Annotated[str | None, typer.Option(metavar="P", help="Who agrees: an id, not a name.")] = None,
    languages: Annotated[
        list[str] | None, typer.Option(metavar="LANG,…", help="Languages they may be heard in; `es` covers `es-MX`.")
    ] = None,
    purpose: Annotated[list[str] | None, typer.Option(metavar="WORD", help="For what; may be repeated.")] = None,
    course: Annotated[
        list[str] | None, typer.Option(metavar="COURSE", help="In which course, or `any`; may be repeated.")
    ] = None,
    document: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The written agreement (PDF, image, …); it is copied.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day on which it no longer holds; a year from its begin.")
    ] = None,
    begins: Annotated[str | None, typer.Option(metavar="DATE", help="First day on which it holds; now.")] = None,
    signed_on: Annotated[str | None, typer.Option(metavar="DATE", help="When the agreement was signed.")] = None,
    commercial: Annotated[bool, typer.Option("--commercial", help="Commercial use is covered.")] = False,
    territory: Annotated[
        list[str] | None, typer.Option(metavar="CC", help="ISO country code; everywhere, if left out.")
    ] = None,
    forbid: Annotated[
        list[str] | None, typer.Option(metavar="WORD", help="A purpose that is out whatever else is said.")
    ] = None,
    third_party: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHO", help="A service that may have the voice, such as `elevenlabs`, or a server's host."
        ),
    ] = None,
    statement: Annotated[
        Path | None, typer.Option(metavar="WAV", help="The spoken statement; see `dub consent statement --help`.")
    ] = None,
    enrolment: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Speech of the person, to compare the statement with; may be repeated."),
    ] = None,
    cohort: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Recordings of other people, made as the statement was.")
    ] = None,
    reviewed_by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who listened and decided where the measurement could not: an id.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record a consent: from flags, or from a YAML file.

    Examples: dub consent add amara-2026 --person amara --languages es,ca --purpose training_video --course
    intro-biology --document agreement.pdf --expires 2027-05-01; dub consent add --file amara.yaml
    """
    from flows.consenting import add_consent
    from flows.stating import Evidence

    add_consent(
        consent_id,
        file=file,
        given={
            "person": person,
            "languages": languages,
            "purposes": purpose,
            "courses": course,
            "document": document,
            "expires": expires,
            "begins": begins,
            "signed_on": signed_on,
            "commercial": commercial or None,
            "territories": territory,
            "forbidden": forbid,
            "third_parties": third_party,
        },
        evidence=Evidence(statement, tuple(enrolment or ()), cohort, reviewed_by),
        json_wanted=as_json,
    )


@consent.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List every consent, its state and what it covers.

    Example: dub consent list
    """
    from flows.consenting import list_consents

    list_consents(as_json)


@consent.command()
def show(consent_id: Id, as_json: AsJson = False) -> None:
    """Show one consent: its current version, and why it was revoked where it was.

    Example: dub consent show amara-2026
    """
    from flows.consenting import show_consent

    show_consent(consent_id, as_json)


@consent.command()
def verify(
    consents: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Which; all, if left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check signatures, versions, copied files and who can read them; exit 3 where something is wrong.

    Example: dub consent verify amara-2026
    """
    from flows.consenting import verify_consents

    verify_consents(consents or [], as_json)


@consent.command()
def statement(
    consent_id: Id,
    person: Annotated[str | None, typer.Option(metavar="P", help="Who will read it; not needed with --audio.")] = None,
    valid: Annotated[
        int | None, typer.Option(metavar="MINUTES", min=1, help="How long the sentence is good for; 15, if not set.")
    ] = None,
    language: Annotated[str, typer.Option(metavar="LANG", help="The language of the sentence.")] = "en",
    audio: Annotated[
        Path | None, typer.Option(metavar="WAV", help="The recording, for a consent that is there already.")
    ] = None,
    enrolment: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Speech of the person to compare with; may be repeated.")
    ] = None,
    cohort: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Recordings of other people, made as the statement was.")
    ] = None,
    reviewed_by: Annotated[
        str | None, typer.Option(metavar="WHO", help="Who listened and decided where the measurement could not: an id.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the sentence that a person is to read aloud, with four words drawn for them; or check the recording.

    Examples: dub consent statement amara-2026 --person amara; dub consent add amara-2026 … --statement said.wav
    --enrolment lecture.wav; or, for a consent that is there, dub consent statement amara-2026 --audio said.wav
    --enrolment lecture.wav
    """
    from flows.stating import Evidence, attach_statement, issue_statement

    if audio is None:
        issue_statement(consent_id, person, valid, language, as_json)
    else:
        attach_statement(consent_id, Evidence(audio, tuple(enrolment or ()), cohort, reviewed_by), as_json)


@consent.command()
def suspend(consent_id: Id, as_json: AsJson = False) -> None:
    """Stop every use of a voice until `resume`; nothing is deleted.

    Example: dub consent suspend amara-2026
    """
    from flows.consenting import suspend_consent

    suspend_consent(consent_id, as_json)


@consent.command()
def resume(consent_id: Id, as_json: AsJson = False) -> None:
    """Let a suspended consent hold again.

    Example: dub consent resume amara-2026
    """
    from flows.consenting import resume_consent

    resume_consent(consent_id, as_json)


@consent.command()
def revoke(
    consent_id: Id,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, in a sentence; it is kept beside the record.")],
    by: Annotated[Literal["subject", "operator", "authority"], typer.Option(help="Who withdraws it.")] = "subject",
    workspace: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="A further workspace to erase the voice from; may be repeated."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """End a consent for good: print every finished output that used the voice, and erase what derives from it.

    The outputs come on stdout, a path a line. They stay where they are; the next `dub run` replaces or withdraws them.

    Example: dub consent revoke amara-2026 --reason "asked by letter of 3 May"
    """
    from flows.revoking import revoke_consent

    revoke_consent(consent_id, reason=reason, by=by, workspaces=workspace or [], json_wanted=as_json)


@consent.command()
def audit(
    verify: Annotated[bool, typer.Option("--verify", help="Check every entry, and name the first fault.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the log of every change, or check that none was altered, removed or reordered (exit 3 where one was).

    Example: dub consent audit --verify
    """
    from flows.consenting import show_audit, verify_audit

    if verify:
        verify_audit(as_json)
    else:
        show_audit(as_json)
