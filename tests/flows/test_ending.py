"""How the program ends where something fails that no command expected."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import typer

from flows.ending import ended


def program(error: Exception) -> typer.Typer:
    """One whose only command fails."""
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise error

    return app


def test_a_disk_that_fills_up_is_the_operators_to_mend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, what to free or change, and no talk of a defect."""
    monkeypatch.setattr("sys.argv", ["dub"])
    with pytest.raises(SystemExit) as stopped:
        ended(program(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    told = capsys.readouterr().err
    assert stopped.value.code == 3
    assert told.startswith("dub: No space left on device: where temporary files lie, ")
    assert "TMPDIR" in told
    assert "defect" not in told


def test_what_nobody_foresaw_is_a_defect_with_its_traceback_in_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit code 1; the terminal gets one line."""
    monkeypatch.setattr("sys.argv", ["dub"])
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit) as stopped:
        ended(program(OSError(errno.ENOTTY, "no terminal")))
    [report] = tmp_path.glob("dub-*.txt")
    assert stopped.value.code == 1
    assert capsys.readouterr().err == (
        f"dub: a defect of dubflow: OSError: [Errno {errno.ENOTTY}] no terminal. What to send with a report: {report}\n"
    )
    assert "in fail" in report.read_text()
