"""The settings of server and workers: each is known, and Prefect reads of them what was measured to be right."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from flows.server import SETTINGS
from tests.infra.conftest import settings_of

READ = """
import json
from prefect.settings import get_current_settings
server = get_current_settings().server
print(json.dumps({
    "batch": server.services.task_run_recorder.batch_size,
    "events": server.events.retention_period.days,
    "vacuum": sorted(server.services.db_vacuum.enabled),
    "runs": server.services.db_vacuum.retention_period.days,
    "broker": server.events.messaging_broker,
    "lease": server.concurrency.lease_storage,
    "migrate": server.database.migrate_on_start,
    "analytics": server.analytics_enabled,
    "heartbeat": get_current_settings().flows.heartbeat_frequency,
    "retries": get_current_settings().client.max_retries,
}))
"""


@pytest.mark.parametrize("name", ["server.env", "worker.env"])
def test_every_setting_is_known(name: str, known_variable: Callable[[str], bool]) -> None:
    """To dubflow or to Prefect."""
    assert [each for each in settings_of(name) if not known_variable(each)] == []


def test_prefect_reads_them_as_they_are_meant() -> None:
    """In a process of its own, as a container has them."""
    told = subprocess.run(
        [sys.executable, "-c", READ],
        env={**settings_of("server.env"), **settings_of("worker.env")},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(told.stdout) == {
        "batch": 200,
        "events": 2,
        "vacuum": ["events", "flow_runs"],
        "runs": 30,
        "broker": "prefect_redis.messaging",
        "lease": "prefect_redis.lease_storage",
        "migrate": False,
        "analytics": False,
        "heartbeat": 30,
        "retries": 7,
    }


def test_the_server_of_a_single_run_has_the_same_recorder() -> None:
    """What holds for both is not said twice in two ways."""
    shared = {name: value for name, value in SETTINGS.items() if name in settings_of("server.env")}
    assert len(shared) == 4
    assert shared == {name: settings_of("server.env")[name] for name in shared}
