"""What a command answers on stdout, for a program or a pipe; what it says beside that is `flows.saying`'s."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(value: Any) -> None:
    """One JSON value, the whole answer of a command that was asked for `--json`."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def print_line(text: str) -> None:
    """One line, never folded."""
    sys.stdout.write(text + "\n")
