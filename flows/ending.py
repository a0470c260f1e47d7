"""How the program ends: one message and the exit code that DESIGN gives it, whatever happened.

What a failure needs is imported when it happens: `dub --help` answers at once.
"""

from __future__ import annotations

import errno
import sys
from typing import Final, NoReturn

import typer

from manifests.errors import DubError, InputError, ManifestError


def ended(app: typer.Typer) -> NoReturn:
    """Run the command that was typed, and end the process as it ends."""
    try:
        app(standalone_mode=True)
    except ManifestError as error:
        _end(2, str(error))
    except DubError as error:
        _end(2 if isinstance(error, InputError) else 3, f"dub: {error}")
    except KeyboardInterrupt:
        _end(130, "dub: interrupted.")
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:  # noqa: BLE001  (a full disk, or a defect of ours: say so, keep the traceback)
        if isinstance(error, OSError) and error.errno in _FULL:
            _end(3, _full(error))
        _end(1, _defect(error))
    sys.exit(0)


_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def _full(error: OSError) -> str:
    """What a disk that filled up meanwhile needs; whoever writes into a store or `out` says it sooner."""
    import tempfile

    where = error.filename or f"where temporary files lie, {tempfile.gettempdir()}, or where it was writing"
    return (
        f"dub: {error.strerror}: {where}. Free some space, or name another folder for temporary files in TMPDIR, and "
        "type the command again: what was finished is kept."
    )


def _defect(error: Exception) -> str:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="dub-", suffix=".txt", delete=False, encoding="utf-8") as report:
        traceback.print_exception(error, file=report)
    return f"dub: a defect of dubflow: {type(error).__name__}: {error}. What to send with a report: {report.name}"


def _end(code: int, message: str) -> NoReturn:
    """The last word of the program."""
    from flows.saying import emit, in_json

    if in_json():
        emit("ended", "error", code=code, message=message)
    else:
        print(message, file=sys.stderr)  # noqa: T201
    sys.exit(code)
