"""Options that several commands share; as light to import as the command line itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WorkspaceFolder = Annotated[
    Path | None, typer.Option("--workspace", metavar="DIR", help="The workspace, instead of `.dub/`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
