"""Options that several commands share; as light to import as the command line itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WorkspaceFolder = Annotated[
    Path | None, typer.Option("--workspace", metavar="DIR", help="The workspace, instead of `.dub/`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Where outputs go, instead of the manifest's.")]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="P", help="`embedded` or `studio`, instead of the manifest's."),
]
LogFormat = Annotated[
    str | None,
    typer.Option("--log-format", metavar="F", help="`text`, or `json`: one object a line on stderr, for programs."),
]
