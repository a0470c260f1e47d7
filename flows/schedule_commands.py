"""`dub serve` and `dub deploy` as the command line has them; what they do is in `flows.serving` and `flows.deploying`,
loaded when they run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.options import AsJson, LogFormat, Out, Profile, WorkspaceFolder


def serve(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests with a `schedule:`.")],
    profile: Profile = None,
    out: Out = None,
    workspace: WorkspaceFolder = None,
    log_format: LogFormat = None,
) -> None:
    """Run manifests on their own schedules, from this process, until it is told to end.

    Example: dub serve biology.yaml physics.yaml
    """
    from flows.serving import serve_manifests

    serve_manifests(
        manifests, {"--profile": profile, "--out": out, "--workspace": workspace, "--log-format": log_format}
    )


def deploy(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="Manifests, as workers find them.")],
    course_pool: Annotated[
        str, typer.Option("--course-pool", metavar="NAME", help="The work pool of the courses' own runs.")
    ] = "courses",
    pool: Annotated[str, typer.Option("--pool", metavar="NAME", help="The pool of plain work.")] = "cpu",
    gpu_pool: Annotated[
        str, typer.Option("--gpu-pool", metavar="NAME", help="The pool of workers that have a GPU.")
    ] = "gpu",
    shard: Annotated[
        int, typer.Option("--shard", metavar="N", min=1, help="Lessons that one process does with the models it loads.")
    ] = 20,
    profile: Profile = None,
    out: Out = None,
    workspace: WorkspaceFolder = None,
    as_json: AsJson = False,
) -> None:
    """Register courses, with their schedules, on the Prefect server that PREFECT_API_URL names, for workers to run.

    Example: PREFECT_API_URL=http://server:4200/api dub deploy biology.yaml physics.yaml --shard 50
    """
    from flows.deploying import deploy_manifests

    deploy_manifests(
        manifests,
        course_pool=course_pool,
        pool=pool,
        gpu_pool=gpu_pool,
        shard=shard,
        flags={"profile": profile, "out": out, "workspace": workspace},
        json_wanted=as_json,
    )
