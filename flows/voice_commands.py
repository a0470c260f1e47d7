"""`dub voices …` as the command line has it; what each command does is in `flows.voicing`, loaded when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.options import AsJson, WorkspaceFolder

voices = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Enrol the voices of people who consented, with a quality report; hear, list and delete them.",
)

Person = Annotated[str, typer.Argument(metavar="PERSON", help="The person's id, as consents and manifests name them.")]


@voices.command()
def enrol(
    person: Person,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings of this person alone.")],
    consent: Annotated[str, typer.Option("--consent", metavar="ID", help="Their consent.")],
    language: Annotated[
        str | None, typer.Option("--language", metavar="LANG", help="The language that they speak there.")
    ] = None,
    reviewed_by: Annotated[
        str | None,
        typer.Option(
            "--reviewed-by", metavar="WHO", help="Who listened to statement and recordings and vouches for them: an id."
        ),
    ] = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take recordings of a person in, in place of earlier ones, if they are good enough and the person consented.

    A minute of quiet speech, recorded at 24 kHz or more, is best. Where the consent holds a spoken statement, it must
    be the same voice.

    Example: dub voices enrol amara amara-1.wav amara-2.wav --consent amara-2026 --language en
    """
    from flows.voicing import enrol_voice

    enrol_voice(
        person,
        files,
        consent=consent,
        language=language,
        reviewed_by=reviewed_by,
        workspace=workspace,
        json_wanted=as_json,
    )


@voices.command("list")
def list_(workspace: WorkspaceFolder = None, as_json: AsJson = False) -> None:
    """Show who is enrolled, how well, and whether their consent still holds.

    Example: dub voices list
    """
    from flows.voicing import list_voices

    list_voices(workspace, as_json)


@voices.command()
def audition(
    person: Person,
    text: Annotated[str, typer.Option("--text", metavar="TEXT", help="What to say.")],
    language: Annotated[str, typer.Option("--lang", metavar="LANG", help="In which language.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The WAV to write, instead of PERSON.LANG.wav here.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--for", metavar="MANIFEST", help="Speak with the engine that this course chose.")
    ] = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Hear a sentence in an enrolled person's voice. The first one in a language trains the voice: about a minute.

    Example: dub voices audition amara --text "Bienvenidos al curso." --lang es
    """
    from flows.auditioning import audition_voice

    audition_voice(
        person,
        text=text,
        language=language,
        out=out,
        manifest=manifest,
        workspace=workspace,
        json_wanted=as_json,
    )


@voices.command()
def delete(person: Person, workspace: WorkspaceFolder = None, as_json: AsJson = False) -> None:
    """Delete everything that is enrolled of a person: recordings, voice print, trained voices.

    Example: dub voices delete amara
    """
    from flows.voicing import delete_voice

    delete_voice(person, workspace, as_json)
