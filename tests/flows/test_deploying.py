"""`dub deploy`: what is on the server afterwards, and what it says where there is none."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]

MANIFEST = 'course: {course}\ntargets: [es]\nschedule: "{cron}"\ntimezone: Europe/Madrid\nlessons: [{{media: a.mp4}}]\n'

SAME = ("entrypoint", "path", "work_pool_name", "parameters", "schedules", "limit", "concurrency_options")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "night.yaml"
    path.write_text(MANIFEST.format(course="night", cron="0 2 * * *"), encoding="utf-8")
    return path


def ask(url: str, path: str) -> Any:
    return httpx.post(f"{url}/{path}", json={}, timeout=30).raise_for_status().json()


def deployments(url: str) -> dict[str, dict[str, Any]]:
    """Deployment to what matters of it, as the server has it."""
    found: dict[str, dict[str, Any]] = {}
    for each in ask(url, "deployments/filter"):
        facts = each | {
            "schedules": [(one["schedule"]["cron"], one["schedule"]["timezone"]) for one in each["schedules"]],
            "limit": (each["global_concurrency_limit"] or {}).get("limit"),
        }
        found[each["name"]] = {name: facts[name] for name in SAME}
    return found


def test_without_a_server_it_says_how_to_get_one(dub: Any, manifest: Path) -> None:
    """Nothing was named: the command line is at fault."""
    said = dub("deploy", manifest, PREFECT_API_URL="")
    assert said.code == 2
    assert said.err == (
        "dub: PREFECT_API_URL names no Prefect server to deploy to. "
        "Start one with `prefect server start`, and set PREFECT_API_URL=http://HOST:4200/api.\n"
    )


def test_a_server_that_does_not_answer_is_named(dub: Any, manifest: Path) -> None:
    """A port on which nobody listens."""
    said = dub("deploy", manifest, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert said.code == 3
    assert said.err.startswith("dub: no Prefect server answers at http://127.0.0.1:9/api: ")


def test_one_course_is_deployed_once(dub: Any, manifest: Path, tmp_path: Path) -> None:
    """Two manifests of one course would overwrite each other."""
    other = tmp_path / "other.yaml"
    other.write_text(manifest.read_text(encoding="utf-8"), encoding="utf-8")
    said = dub("deploy", manifest, other)
    assert (said.code, said.err) == (2, "dub: two of these manifests are one course. Name every course once.\n")


def test_courses_and_their_shards_cannot_share_a_pool(dub: Any, manifest: Path) -> None:
    """As many courses as it has places would wait in it for shards that find none."""
    said = dub("deploy", manifest, "--course-pool", "cpu")
    assert said.code == 2
    assert said.err == (
        "dub: courses and their shards would share the pool cpu: as many courses as it has places would leave none for "
        "a shard, and wait for ever. Name another one with --course-pool.\n"
    )


@pytest.mark.slow
def test_deployed_courses_are_on_the_server_and_a_changed_schedule_replaces_the_old_one(
    dub: Any, prefect_url: str, manifest: Path
) -> None:
    """A course flow of the installed package that never runs twice at once, and a shard flow for each pool."""
    pools = ("--course-pool", "waiting", "--pool", "plain", "--gpu-pool", "fast")
    first = dub("deploy", manifest, *pools, "--shard", "7", "--json")
    assert first.code == 0, first.err
    assert first.json["pools"] == ["waiting", "plain", "fast"]
    assert first.json["deployments"][-1] == {
        "deployment": "dispatch-course/night", "pool": "waiting", "schedule": "0 2 * * * Europe/Madrid",
    }  # fmt: skip
    manifest.write_text(MANIFEST.format(course="night", cron="30 3 * * *"), encoding="utf-8")
    again = dub("deploy", manifest, *pools, "--shard", "7")
    assert again.code == 0, again.err
    assert again.out.splitlines()[-1] == "dispatch-course/night  pool waiting  30 3 * * * Europe/Madrid"
    found = deployments(prefect_url)
    assert found["night"] == {
        "entrypoint": "flows.dispatch.dispatch_course",
        "path": None,
        "work_pool_name": "waiting",
        "parameters": {"manifest": str(manifest), "pool": "plain", "gpu_pool": "fast", "shard": 7},
        "schedules": [("30 3 * * *", "Europe/Madrid")],
        "limit": 1,
        "concurrency_options": {"collision_strategy": "CANCEL_NEW", "grace_period_seconds": None},
    }
    assert found["fast"]["parameters"] == {"accelerator": True}
    pools = {pool["name"]: pool["type"] for pool in ask(prefect_url, "work_pools/filter")}
    assert {pools[name] for name in ("waiting", "plain", "fast")} == {"process"}
    watches = [each for each in ask(prefect_url, "automations/filter") if each["name"].startswith("dubflow: ")]
    assert [(each["enabled"], each["trigger"]["posture"], each["trigger"]["within"]) for each in watches] == [
        (True, "Proactive", 540.0)
    ]
    assert watches[0]["actions"][0]["state"] == "CRASHED"


@pytest.mark.slow
def test_the_file_of_deployments_says_the_same(dub: Any, prefect_url: str, tmp_path: Path) -> None:
    """`prefect deploy --prefect-file infra/prefect.yaml` leaves on the server what `dub deploy` does."""
    manifest = tmp_path / "course.yaml"
    manifest.write_text(MANIFEST.format(course="course", cron="0 2 * * *"), encoding="utf-8")
    assert dub("deploy", manifest).code == 0
    ours = deployments(prefect_url)
    command = [Path(sys.executable).with_name("prefect"), "--no-prompt", "deploy", "--all"]
    done = subprocess.run(
        [*command, "--prefect-file", "infra/prefect.yaml"],
        env=dub.environment | {"DUB_MANIFEST": str(manifest)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployments(prefect_url) == ours
