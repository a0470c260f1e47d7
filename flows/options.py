"""Options that several commands share; as light to import as the command line itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def absolute(out: str | None) -> str | None:
    """A folder of outputs, absolute, or an address. Raises InputError for an address that cannot be one."""
    if out is None:
        return None
    from manifests.settings import is_address

    if not is_address(out):
        return str(Path(out).expanduser().absolute())
    from manifests.errors import InputError
    from manifests.remote import address_fault

    if fault := address_fault(out):
        raise InputError(f"--out: {fault}")
    return out


WorkspaceFolder = Annotated[
    Path | None, typer.Option("--workspace", metavar="DIR", help="The workspace, instead of `.dub/`.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else there.")]
Out = Annotated[
    str | None,
    typer.Option(
        "--out", metavar="DIR", callback=absolute, help="Folder or address of the outputs, instead of the manifest's."
    ),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="P", help="`embedded` or `studio`, instead of the manifest's."),
]
LogFormat = Annotated[
    str | None,
    typer.Option("--log-format", metavar="F", help="`text`, or `json`: one object a line on stderr, for programs."),
]
