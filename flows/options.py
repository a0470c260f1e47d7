"""Options that several commands share; as light to import as the command line itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer


def a_folder(out: Path | None) -> Path | None:
    """Raises InputError for an address: a folder named `s3:` would be made of it."""
    if out is not None and re.match(r"[a-z][a-z0-9+.-]+:/", str(out)):
        from manifests.errors import InputError

        raise InputError("outputs go into a folder, and --out is an address.", remedy="Mount it, and name the folder.")
    return out


WorkspaceFolder = Annotated[
    Path | None, typer.Option("--workspace", metavar="DIR", help="The workspace, instead of `.dub/`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", callback=a_folder, help="Where outputs go, instead of the manifest's."),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="P", help="`embedded` or `studio`, instead of the manifest's."),
]
LogFormat = Annotated[
    str | None,
    typer.Option("--log-format", metavar="F", help="`text`, or `json`: one object a line on stderr, for programs."),
]
