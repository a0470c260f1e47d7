"""Programs of other people, run with a time limit, their complaints kept for the message."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from manifests.errors import EngineUnavailable, StageFailed

WHERE_IN_MEMORY = re.compile(r"\[\S+ @ 0x[0-9a-f]+\] ")
"""How ffmpeg begins a complaint: it tells a reader nothing, and makes one fault look another each time."""


class ProgramFailed(StageFailed):
    """A program ended with an error; `complaint` is the end of what it wrote to stderr."""

    def __init__(self, program: str, complaint: str) -> None:
        super().__init__(f"{program} failed: {complaint or 'it did not say why'}.")
        self.program = program
        self.complaint = complaint


def run_program(arguments: Sequence[str], timeout_s: float, *, given: str | None = None) -> str:
    """Run a program, with `given` as its input if any, and return its stdout.

    Raises EngineUnavailable where it is not installed, ProgramFailed where it ends with an error, and StageFailed
    where it is not done within `timeout_s` seconds (it is killed then).
    """
    program = Path(arguments[0]).name
    try:
        done = subprocess.run(
            [*dying_with_us(arguments[0]), *arguments],
            stdin=subprocess.DEVNULL if given is None else None,
            input=given,
            capture_output=True,
            check=False,
            timeout=timeout_s,
            encoding="utf-8",
            errors="replace",
            # Out of reach of the terminal's Ctrl-C: a run that is interrupted has not failed.
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise EngineUnavailable(
            f"{program} is not installed.", remedy="Install it with `sudo apt-get install ffmpeg`, or run `make setup`."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise StageFailed(
            f"{program} was still at work after {timeout_s:.0f} s and was stopped.",
            remedy="Run again; if it stays so, the disk is too slow or the file is damaged.",
        ) from error
    if done.returncode != 0:
        complaint = "; ".join(done.stderr.strip().splitlines()[-4:])
        raise ProgramFailed(program, WHERE_IN_MEMORY.sub("", complaint))
    return done.stdout


@cache
def dying_with_us(program: str) -> tuple[str, ...]:
    """What makes a program end when we are killed, so that it never writes into a file that the next run begins.

    util-linux's setpriv, which every Debian has; nothing where it or the program is missing.
    """
    return ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") and shutil.which(program) else ()


def file_argument(path: Path) -> str:
    """A path as ffmpeg takes it, whatever is in its name: a leading dash, a colon, a percent sign."""
    return f"file:{path.absolute()}"
