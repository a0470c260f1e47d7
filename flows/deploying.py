"""`dub deploy`: put courses on a Prefect server, for workers to run on their schedules."""

from __future__ import annotations

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from flows.answering import print_json
from flows.order import shown
from flows.saying import say
from flows.server import SETTINGS
from flows.wanted import manifest_path
from manifests.errors import EngineUnavailable, InputError
from manifests.load import load

ASK_S: Final = 10.0
"""How long a server may take to say that it is there."""


def deploy_manifests(
    manifests: Sequence[Path],
    *,
    course_pool: str,
    pool: str,
    gpu_pool: str,
    shard: int,
    flags: Mapping[str, Path | str | None],
    json_wanted: bool,
) -> None:
    """Register every manifest's course on the server that PREFECT_API_URL names, and say which workers to start.

    The courses' own runs, which mostly wait for their shards, have a pool to themselves. `flags` are handed on to each
    run: `profile`, `out`, `workspace`. Raises ManifestError for a manifest that cannot be
    understood; InputError where no server is named, two manifests are one course or the pools are one;
    EngineUnavailable where the server does not answer.
    """
    courses = {path: load(path) for path in map(manifest_path, manifests)}
    names = [course.course for course in courses.values()]
    if course_pool in (pool, gpu_pool):
        raise InputError(
            f"courses and their shards would share the pool {course_pool}: as many courses as it has places would "
            "leave none for a shard, and wait for ever.",
            remedy="Name another one with --course-pool.",
        )
    if len(courses) != len(manifests) or len(set(names)) != len(names):
        raise InputError("two of these manifests are one course.", remedy="Name every course once.")
    url = _server()
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    from prefect.client.orchestration import get_client

    from flows.deployments import register

    given = {
        name: str(value.expanduser().absolute()) if isinstance(value, Path) else value for name, value in flags.items()
    }
    with get_client(sync_client=True) as client:
        deployed = register(
            client, courses, course_pool=course_pool, pool=pool, gpu_pool=gpu_pool, shard=shard, flags=given
        )
    if json_wanted:
        facts = {
            "server": url,
            "pools": [course_pool, pool, gpu_pool],
            "deployments": [each.as_dict() for each in deployed],
        }
        print_json(facts)
        return
    for each in deployed:
        sys.stdout.write(f"{each.name}  pool {each.pool}  {each.schedule or 'when it is started'}\n")
    say("On one machine, and on each that works, with this version of dubflow and the manifest's folder mounted:")
    say(f"  prefect worker start --pool {shown(course_pool)} --type process --limit 10")
    say(f"  prefect worker start --pool {shown(pool)} --type process --limit 2")
    say("A course is started at once by:")
    say(f"  prefect deployment run {shown(deployed[-1].name)}")


def _server() -> str:
    """The server's address, once it has answered."""
    url = os.environ.get("PREFECT_API_URL", "")
    start = "Start one with `prefect server start`, and set PREFECT_API_URL=http://HOST:4200/api."
    if not url:
        raise InputError("PREFECT_API_URL names no Prefect server to deploy to.", remedy=start)
    if not url.startswith(("http://", "https://")):
        raise InputError("PREFECT_API_URL is no http address.", remedy=start)
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=ASK_S) as answer:  # noqa: S310  (http, as checked)
            if answer.status == 200:
                return url
            said = f"status {answer.status}"
    except (urllib.error.URLError, OSError) as error:
        said = str(getattr(error, "reason", error))
    raise EngineUnavailable(f"no Prefect server answers at {url}: {said}.", remedy=start)
