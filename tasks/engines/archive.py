"""Archives: unpacked file by file, and only where every name in them stays within the folder."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path


class BadArchive(Exception):
    """No archive, not a whole one, or one that names files outside of itself."""


def unpack(archive: Path, folder: Path) -> None:
    """Write an archive's files below a folder, without the one folder that may lie around them all.

    Links in it are written as plain files. Raises BadArchive; files that were written by then stay.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            names = [name for name in packed.namelist() if not name.endswith("/")]
            outer = {name.partition("/")[0] for name in names}
            inside = len(outer) == 1 and all("/" in name for name in names)
            for name in names:
                path = folder / (name.partition("/")[2] if inside else name)
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise BadArchive(f"{name} leads out of the archive")
                path.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(name) as source, path.open("wb") as out:
                    shutil.copyfileobj(source, out)
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise BadArchive(str(error)) from error
