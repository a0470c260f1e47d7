"""`dub script …` as the command line has it; what each command does is in `flows.scripting`, loaded when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.options import AsJson, WorkspaceFolder

script = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Give a target's lines to a linguist, and take them back.",
)

Manifest = Annotated[Path, typer.Argument(metavar="MANIFEST", help="The course's manifest, .yaml or .csv.")]
Target = Annotated[str, typer.Argument(metavar="LESSON:LANG", help="Whose lines.")]


@script.command("export")
def export(
    manifest: Manifest,
    target: Target,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What to write: a .csv, .srt, .vtt or .xlf.")],
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Write a target's lines for a linguist, each with its id, its time, what was said, and notes.

    Example: dub script export course.yaml lesson-02:es lesson-02.es.csv
    """
    from flows.scripting import export_lines

    export_lines(manifest, target, file, workspace=workspace, json_wanted=as_json)


@script.command("import")
def import_(
    manifest: Manifest,
    target: Target,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What came back: a .csv, .srt, .vtt or .xlf.")],
    approve_all: Annotated[
        bool, typer.Option("--approve-all", help="Lock the lines that were not changed, too.")
    ] = False,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take a linguist's lines: those whose text differs become human, and no rerun overwrites them.

    They lie in `<manifest stem>.lines/` beside the manifest; keep that in version control. The next run speaks them.

    Example: dub script import course.yaml lesson-02:es lesson-02.es.csv
    """
    from flows.scripting import import_lines

    import_lines(manifest, target, file, approve_all=approve_all, workspace=workspace, json_wanted=as_json)
