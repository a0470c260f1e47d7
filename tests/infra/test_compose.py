"""compose.yaml: Docker Compose understands it, and nothing in it is unknown, unlimited, unpinned or unwatched."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import INFRA, ROOT, read_compose, require_known

JOBS = {"database", "set-up"}
IMAGES_OF_OTHERS = {"postgres", "redis", "objects"}


def services(composed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return composed["services"]


def test_the_parts_are_all_there(composed: dict[str, Any]) -> None:
    """API and services apart, one database, one job for it, one for courses, workers of both kinds."""
    assert set(services(composed)) == {
        *("postgres", "redis", "objects", "database", "api", "services", "set-up", "worker-cpu"),
        *("worker-courses", "worker-gpu"),
    }
    assert services(composed)["worker-gpu"]["profiles"] == ["gpu"]


def test_without_the_shared_folder_nothing_starts() -> None:
    """Docker Compose says which variable is missing, and what it is."""
    with pytest.raises(ValueError, match=r"SHARED_FOLDER.*the folder that all machines share"):
        read_compose()


def test_every_image_is_pinned_and_ours_are_this_version(composed: dict[str, Any]) -> None:
    """A tag with three numbers or two; never `latest`, never none."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, service in services(composed).items():
        assert re.fullmatch(r"[\w/.-]+:\d+\.\d+(\.\d+)?(-[a-z]+)?", service["image"]), service["image"]
        if name not in IMAGES_OF_OTHERS:
            assert service["image"] == f"dubflow/{service['build']['target']}:{version}"
            stages = re.findall(r"^FROM \S+ AS (\S+)$", (INFRA / "Dockerfile").read_text(), re.MULTILINE)
            assert service["build"]["target"] in stages


def test_what_runs_on_is_watched_limited_and_started_again(composed: dict[str, Any]) -> None:
    """Health check, limits of cores and memory, restart, bounded logs; the jobs end, and are not repeated."""
    for name, service in services(composed).items():
        limits = service["deploy"]["resources"]["limits"]
        assert limits["cpus"], name
        assert int(limits["memory"]) >= 512 << 20, name
        assert name == "postgres" or service["security_opt"] == ["no-new-privileges:true"]
        if name in JOBS:
            assert service["restart"] == "no"
            assert "healthcheck" not in service
        else:
            assert service["restart"] == "unless-stopped"
            assert service["logging"]["options"]["max-size"] == "20m"
            assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def test_every_variable_is_one_that_somebody_reads(
    composed: dict[str, Any], known_variable: Callable[[str], bool]
) -> None:
    """A misspelled setting would do nothing, and nobody would say so; the names of secrets are variables too."""
    for name, service in services(composed).items():
        given = {*service.get("environment", {}), *(each["target"] for each in service.get("secrets", []))}
        unknown = [each for each in given if re.fullmatch(r"[A-Z][A-Z0-9_]*", each) and not known_variable(each)]
        assert not unknown, f"{name}: {unknown}"


def test_no_password_stands_in_the_environment(composed: dict[str, Any]) -> None:
    """Nor an address that holds one: they are files."""
    for service in services(composed).values():
        for variable, value in service.get("environment", {}).items():
            assert not re.search(r"(PASSWORD|SECRET|KEY|AUTH_STRING|CONNECTION_URL)$", variable), variable
            assert not re.search(r"://[^/\s]*@", value or ""), variable


def test_the_secrets_are_those_that_the_script_makes(composed: dict[str, Any], tmp_path: Path) -> None:
    """Each once, drawn anew for every installation, closed to others, and kept when it is run again."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second, first):
        before = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}
        subprocess.run([INFRA / "make-secrets.sh", folder], check=True, timeout=60)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before or not before
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    declared = {Path(secret["file"]).name for secret in composed["secrets"].values()}
    used = {each["source"] for service in services(composed).values() for each in service.get("secrets", [])}
    made = {path.name for path in first.iterdir()}
    assert used == declared
    assert made - declared == {"operator_password", "s3_key", "s3_secret"}  # parts of others, for the operator to read
    assert declared <= made
    assert not any((first / name).read_bytes() == (second / name).read_bytes() for name in made)


def test_secrets_named_like_variables_become_variables(tmp_path: Path) -> None:
    """Others stay files; quotes, spaces and dollars come through as they are."""
    (tmp_path / "A_SECRET").write_text("a 'b' \"c\" $HOME\n")
    (tmp_path / "a_file").write_text("no")
    told = subprocess.run(
        [INFRA / "with-secrets.sh", "sh", "-c", 'printf "%s|%s" "$A_SECRET" "${a_file-unset}"'],
        env={"PATH": "/usr/bin:/bin", "SECRETS": str(tmp_path), "TMPDIR": str(tmp_path / "new")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert told.stdout == "a 'b' \"c\" $HOME|unset"
    assert (tmp_path / "new").is_dir()


def test_every_command_line_is_understood_by_its_program(composed: dict[str, Any]) -> None:
    """Prefect's by Prefect's own parser, ours by ours; those of images by others are run in test_native."""
    parsed = 0
    for name, service in services(composed).items():
        if name in IMAGES_OF_OTHERS:
            continue
        lines = [service["command"], *([service["healthcheck"]["test"][1:]] if "healthcheck" in service else [])]
        for line in lines:
            if line[:2] == ["sh", "-c"]:
                for part in line[2].split("&&"):
                    require_known([word for word in shlex.split(part) if word != "exec"])
            else:
                require_known(line)
            parsed += 1
    assert parsed == 12


def test_what_is_used_is_there(composed: dict[str, Any]) -> None:
    """Files that are mounted exist; ports that are asked for are those that somebody listens on; and the stores
    are reached from no other machine unless somebody publishes them."""
    for service in services(composed).values():
        for volume in service.get("volumes", []):
            assert volume["type"] != "bind" or volume["source"] == "/srv/dub" or Path(volume["source"]).is_file()
    published = {name: service["ports"] for name, service in services(composed).items() if "ports" in service}
    assert {name: [(port["host_ip"], port["target"]) for port in ports] for name, ports in published.items()} == {
        "api": [("127.0.0.1", 4200)]
    }
    assert "4200" in services(composed)["api"]["command"]
    assert services(composed)["worker-cpu"]["environment"]["PREFECT_API_URL"] == "http://api:4200/api"
    assert "-s3.port=8333" in services(composed)["objects"]["command"]
    assert services(composed)["worker-cpu"]["environment"]["AWS_ENDPOINT_URL"] == "http://objects:8333"


def test_the_stores_are_published_where_the_operator_says_and_nowhere_else() -> None:
    """By the file for the first of several machines; without an address it starts nothing."""
    with pytest.raises(ValueError, match="STORES_ADDRESS"):
        read_compose("compose.published.yaml", SHARED_FOLDER="/srv/dub")
    merged = read_compose("compose.published.yaml", SHARED_FOLDER="/srv/dub", STORES_ADDRESS="192.0.2.10")
    for name, port in (("postgres", 5432), ("objects", 8333)):
        [published] = services(merged)[name]["ports"]
        assert (published["host_ip"], published["target"]) == ("192.0.2.10", port)


def test_a_gpu_is_held_by_one_process(composed: dict[str, Any]) -> None:
    """One named device, one run at a time."""
    worker = services(composed)["worker-gpu"]
    [device] = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["device_ids"], device["capabilities"]) == ("nvidia", ["0"], ["gpu"])
    assert worker["command"][-3:] == ["--limit", "1", "--with-healthcheck"]
