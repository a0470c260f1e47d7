"""What commands say on stderr, beside their result: sentences for a person, or one JSON object a line for a program.

Neither form ever holds what is said in a lesson, nor a password.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from manifests import settings
from manifests.errors import InputError

Form = Literal["text", "json"]

_form: Form = "text"


def in_json() -> bool:
    """Whether what is said in this process is for a program."""
    return _form == "json"


def choose_log_format(asked: str | None, folder: Path | None = None) -> None:
    """Choose the form: what the flag asks for, else the environment, else the settings of a manifest's folder.

    Raises InputError for one that there is not, ManifestError for faulty settings.
    """
    global _form  # noqa: PLW0603  (one command a process)
    wanted = asked or settings.asked_log_format()
    if wanted is None:
        _form = settings.of(folder).log_format or "text"
    elif wanted in ("text", "json"):
        _form = "json" if wanted == "json" else "text"
    else:
        raise InputError(f"there is no log format {wanted!r}.", remedy="There are `text` and `json`.")


def say(text: str, level: str = "info") -> None:
    """A sentence to whoever started the command."""
    if _form == "json":
        emit("said", level, message=text)
    else:
        Console(file=sys.stderr).print(text, markup=False, highlight=False, soft_wrap=True)


def emit(event: str, level: str = "info", **facts: Any) -> None:
    """One JSON line: when, how grave, what happened, and to what."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    line = json.dumps({"time": now, "level": level, "event": event, **facts}, ensure_ascii=False)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
