"""What infra's files say, as the programs that they are for read them; and the command lines in them, parsed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
BIN = Path(sys.executable).parent

Services = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def composed() -> dict[str, Any]:
    """compose.yaml with every profile, merged and filled in by Docker Compose itself."""
    return read_compose(SHARED_FOLDER="/srv/dub")


def read_compose(*over: str, **environment: str) -> dict[str, Any]:
    """The same with further files over it. Raises ValueError with what Docker Compose has to say against them."""
    files = [word for name in ("compose.yaml", *over) for word in ("--file", INFRA / name)]
    command = [BIN / "docker-compose", *files, "--profile", "*", "config", "--format", "json"]
    told = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if told.returncode:
        raise ValueError(told.stderr)
    return json.loads(told.stdout)


@pytest.fixture(scope="session")
def known_variable() -> Callable[[str], bool]:
    """Whether a variable is one that somebody reads: dubflow, Prefect and its Redis, AWS's library, infra's scripts."""
    from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES as OF_AWS
    from prefect.settings import Settings
    from prefect_redis.client import RedisMessagingSettings

    from manifests import settings
    from manifests.quiet import QUIET

    known = {
        "TMPDIR",
        "SECRETS",
        "POOLS",
        "IMAGES",
        "MANIFESTS",
        "POSTGRES_USER",
        "POSTGRES_DB",
        "POSTGRES_PASSWORD_FILE",
    }
    known |= {*QUIET, *settings.ENVIRONMENT.values(), "DUB_LEDGER_FILE", "AWS_ENDPOINT_URL"}
    known |= {*variables_of(Settings), *variables_of(RedisMessagingSettings)}
    for _, names, *_ in OF_AWS.values():
        known |= set([names] if isinstance(names, str) else names or [])
    return known.__contains__


def variables_of(model: type[BaseSettings]) -> Iterator[str]:
    """The variables that a model of settings is filled from; Prefect's are models within models."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseSettings):
            yield from variables_of(inner)
            continue
        yield f"{model.model_config.get('env_prefix', '')}{name}".upper()
        yield from (each.upper() for each in getattr(field.validation_alias, "choices", []) if isinstance(each, str))


def settings_of(name: str) -> dict[str, str]:
    """One of the files of infra/settings."""
    lines = (INFRA / "settings" / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def require_known(command: list[str]) -> None:
    """Parse a command line of `dub`, `prefect` or a script of infra as its program would, without running it."""
    match command:
        case ["prefect", *rest]:
            from prefect.cli import _app

            while rest and rest[0] in {"--no-prompt", "--prompt"}:
                rest = rest[1:]
            _app._app.parse_args(rest, exit_on_error=False, print_error=False)
        case ["dub", *rest]:
            import typer

            from flows.cli import app

            group = typer.main.get_command(app)
            context = group.make_context("dub", rest, resilient_parsing=False)
            while hasattr(group, "resolve_command"):
                name, group, rest = group.resolve_command(context, [*context._protected_args, *context.args])
                context = group.make_context(name, rest, parent=context)
        case [script, *rest] if "infra/" in script:
            path = INFRA / script.rpartition("infra/")[2]
            assert os.access(path, os.X_OK), f"{path} is no program"
            if path.name == "with-secrets.sh":
                require_known(rest)
            elif path.name == "set-up.sh":
                assert re.search(rf"^  {rest[0]}\)", path.read_text(encoding="utf-8"), re.MULTILINE), rest
        case ["python", script, *rest]:
            assert (INFRA / script.rpartition("infra/")[2]).is_file()
            assert rest[0] in {"url", "services"}
        case _:
            raise AssertionError(f"nobody knows {command}")
