"""The Kubernetes files: kustomize builds them, Kubernetes' schemas accept them, and nothing in them is loose."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import kubernetes_validate
import pytest
import yaml
from prefect.cli import _app as prefect_command

from tests.infra.conftest import BIN, INFRA, require_known, settings_of

KUBERNETES = INFRA / "kubernetes"
OVERLAYS = ("cpu", "gpu", "managed")
OF_OTHERS = {"postgres", "redis", "objects"}
VERSIONS = ("1.31", "1.37")

Resource = dict[str, Any]


@pytest.fixture(scope="module", params=OVERLAYS)
def built(request: pytest.FixtureRequest) -> list[Resource]:
    """Every resource of an overlay, as `kubectl apply --kustomize` would send it."""
    told = subprocess.run(
        [BIN / "kubectl", "kustomize", KUBERNETES / "overlays" / request.param],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 0, told.stderr
    return list(yaml.safe_load_all(told.stdout))


@pytest.fixture(params=["courses", "cpu", "gpu"])
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A pool's base job template."""
    return json.loads((KUBERNETES / "pools" / f"{request.param}.json").read_text(encoding="utf-8"))


def job_of(template: dict[str, Any], **variables: object) -> Resource:
    """The job that Prefect's Kubernetes worker makes of a template for a run."""
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from prefect.utilities.templating import apply_values
    from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

    run = FlowRun(name="a shard", flow_id=uuid4())
    pool = WorkPool(id=uuid4(), name="gpu", type="kubernetes", default_queue_id=uuid4())

    values = {name: each["default"] for name, each in template["variables"]["properties"].items()} | variables
    made = KubernetesWorkerJobConfiguration(**apply_values(template=template["job_configuration"], values=values))
    made.prepare_for_flow_run(run, work_pool=pool, worker_name="worker")
    return made.job_manifest


def pods(resources: list[Resource]) -> Iterator[tuple[str, Resource]]:
    """The name and the pod of everything that makes pods."""
    for each in resources:
        if each["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield each["metadata"]["name"], each["spec"]["template"]


def test_every_resource_is_one_that_kubernetes_knows(built: list[Resource]) -> None:
    """By its own schemas, with nothing in it that they do not name; in an older and in the newest version."""
    for resource in built:
        for version in VERSIONS:
            kubernetes_validate.validate(resource, version, strict=True)


def test_everything_is_in_one_namespace_that_restricts_its_pods(built: list[Resource]) -> None:
    """Without root, without rights to gain, without Kubernetes' own token where it is not used."""
    [namespace] = [each for each in built if each["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert all(each["metadata"].get("namespace") == "dubflow" for each in built if each["kind"] != "Namespace")
    for name, template in pods(built):
        require_restricted(template["spec"])
        assert template["spec"]["automountServiceAccountToken"] is name.startswith("worker-")


def require_restricted(pod: Resource) -> None:
    context = pod["securityContext"]
    assert context["runAsNonRoot"]
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert set(container["resources"]["limits"]) >= {"cpu", "memory"}
        assert set(container["resources"]["requests"]) >= {"cpu", "memory"}


def test_images_are_pinned_and_those_of_compose(built: list[Resource], composed: dict[str, Any]) -> None:
    """One version of each, whatever the registry."""
    known = {service["image"] for service in composed["services"].values()}
    for _, template in pods(built):
        for container in template["spec"]["containers"]:
            assert container["image"].removeprefix("registry.example.org/") in known


def test_what_is_named_is_there(built: list[Resource]) -> None:
    """ConfigMaps, claims, accounts and ports by name; secrets are the operator's, and are three."""
    there = {(each["kind"], each["metadata"]["name"]) for each in built}
    for _, template in pods(built):
        spec = template["spec"]
        if "serviceAccountName" in spec:
            assert ("ServiceAccount", spec["serviceAccountName"]) in there
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        for volume in volumes.values():
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in there
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in there
            if "secret" in volume:
                assert volume["secret"]["secretName"] in {"server", "worker", "stores"}
        for container in spec["containers"]:
            for source in container.get("envFrom", []):
                assert ("ConfigMap", source["configMapRef"]["name"]) in there
            ports = {port["name"] for port in container.get("ports", [])}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if "httpGet" in container.get(probe, {}):
                    assert container[probe]["httpGet"]["port"] in ports
            assert {mount["name"] for mount in container["volumeMounts"]} <= {*volumes, "data"}
    for each in built:
        if each["kind"] == "Service":
            [pod] = [
                pod for _, pod in pods(built) if each["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
            ]
            names = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= names
    assert ("ServiceAccount", "run") in there  # the job templates name it


def test_what_has_to_stay_up_is_probed_and_may_be_moved(built: list[Resource]) -> None:
    """Deployments have a liveness probe; API and services come in twos, of which one always stays."""
    budgets = {each["metadata"]["name"] for each in built if each["kind"] == "PodDisruptionBudget"}
    assert budgets == {"api", "services"}
    for each in built:
        if each["kind"] in {"Deployment", "StatefulSet"}:
            assert all("livenessProbe" in each for each in each["spec"]["template"]["spec"]["containers"])
        if each["metadata"]["name"] in budgets and each["kind"] == "Deployment":
            assert each["spec"]["replicas"] == 2


def test_every_variable_is_one_that_somebody_reads(
    built: list[Resource], known_variable: Callable[[str], bool]
) -> None:
    """Settings of Prefect's Kubernetes worker among them; the settings files come through unchanged."""
    from prefect_kubernetes.settings import KubernetesSettings

    from tests.infra.conftest import variables_of

    also = {*variables_of(KubernetesSettings), "PGDATA"}
    for name, template in pods(built):
        for container in template["spec"]["containers"]:
            given = [each["name"] for each in container.get("env", [])]
            assert [each for each in given if not known_variable(each) and each not in also] == [], name
    maps = {each["metadata"]["name"]: each["data"] for each in built if each["kind"] == "ConfigMap"}
    assert maps["server-settings"] == settings_of("server.env")
    differ = maps["worker-settings"].items() ^ settings_of("worker.env").items()
    assert {name for name, _ in differ} <= {"AWS_ENDPOINT_URL", "AWS_DEFAULT_REGION"}


def test_every_command_line_is_understood_by_its_program(built: list[Resource]) -> None:
    """As in compose.yaml; and those of the stores are the same as there but for where their secrets lie."""
    for name, template in pods(built):
        for container in template["spec"]["containers"]:
            if name in OF_OTHERS:
                continue
            lines = [container["args"]]
            lines += (
                [container["livenessProbe"]["exec"]["command"]] if "exec" in container.get("livenessProbe", {}) else []
            )
            for line in lines:
                for part in line[2].split("&&") if line[:2] == ["sh", "-c"] else [shlex.join(line)]:
                    require_known([word for word in shlex.split(part) if word != "exec"])


def test_the_stores_run_as_compose_runs_them(built: list[Resource], composed: dict[str, Any]) -> None:
    """The same programs with the same arguments."""
    for name, template in pods(built):
        if name in OF_OTHERS:
            assert template["spec"]["containers"][0]["args"] == composed["services"][name]["command"]


def test_nobody_talks_to_whom_they_need_not(built: list[Resource]) -> None:
    """All is denied first; then each label that a policy opens something to is one that pods have, and the stores
    let in by their own port only who is labelled to use them."""
    policies = {each["metadata"]["name"]: each["spec"] for each in built if each["kind"] == "NetworkPolicy"}
    assert policies["deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = [template["metadata"]["labels"] for _, template in pods(built)]
    for name, spec in policies.items():
        wanted = spec["podSelector"].get("matchLabels", {})
        assert any(wanted.items() <= each.items() for each in labels), name
        if name.endswith("-is-used"):
            [rule] = spec["ingress"]
            assert rule["from"] == [{"podSelector": {"matchLabels": {"dubflow/uses": "stores"}}}]
            assert len(rule["ports"]) == 1
    users = {name for name, template in pods(built) if "dubflow/uses" in template["metadata"]["labels"]}
    assert users == {"database", "api", "services", "set-up"}
    assert {name for name, template in pods(built) if "dubflow/asks" in template["metadata"]["labels"]} >= {
        "set-up",
        "worker-cpu",
        "worker-courses",
    }


def test_a_worker_may_make_jobs_and_no_more(built: list[Resource]) -> None:
    """No secrets, no cluster-wide role; runs get an account that may do nothing."""
    assert not [each for each in built if each["kind"].startswith("ClusterRole")]
    [role] = [each for each in built if each["kind"] == "Role"]
    assert {name for rule in role["rules"] for name in rule["resources"]} == {
        *("jobs", "pods", "pods/log", "pods/status", "events")
    }
    assert [rule["resources"] for rule in role["rules"] if "create" in rule["verbs"]] == [["jobs"]]


def test_pools_are_made_from_templates_that_prefects_worker_turns_into_jobs(template: dict[str, Any]) -> None:
    """Read by the worker's own configuration; the job is valid, restricted, and runs what Prefect tells it to run."""
    job = job_of(template, env={"PREFECT_API_AUTH_STRING": "x"}, name="shard")
    job["metadata"].setdefault("name", "shard")
    kubernetes_validate.validate(job, VERSIONS[-1], strict=True)
    pod = job["spec"]["template"]["spec"]
    require_restricted(pod)
    [container] = pod["containers"]
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert container["envFrom"] == [{"configMapRef": {"name": "worker-settings"}}]
    assert pod["serviceAccountName"] == "run"
    assert pod["automountServiceAccountToken"] is False
    assert job["metadata"]["namespace"] == "dubflow"
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/run/secrets", "/srv/dub", "/scratch"}
    assert job["spec"]["template"]["metadata"]["labels"]["dubflow/uses"] == "stores"


def test_a_run_of_the_gpu_pool_has_one_gpu() -> None:
    """By the device plugin's name, so that no other pod holds it; the image is the one with CUDA's engines."""
    template = json.loads((KUBERNETES / "pools" / "gpu.json").read_text(encoding="utf-8"))
    pod = job_of(template)["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert pod["containers"][0]["image"].startswith("dubflow/cuda:")
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_templates_name_no_variable_that_they_do_not_describe(template: dict[str, Any]) -> None:
    """And describe none that they do not use."""
    used = set(re.findall(r"\{\{ (\w+) \}\}", json.dumps(template["job_configuration"])))
    assert used == set(template["variables"]["properties"])


def test_their_images_come_from_the_registry_that_is_named(tmp_path: Any) -> None:
    """set-up.sh hands Prefect the template with it in; seen by a `prefect` that keeps what it was given."""
    (tmp_path / "prefect").write_text(
        '#!/bin/sh\necho "$@" >>"$OUT/calls"\nfor last; do :; done\ngrep -h dubflow/ "$last" >>"$OUT/images"\n'
    )
    (tmp_path / "prefect").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "OUT": str(tmp_path), "IMAGES": "registry.example.org/dubflow"}
    subprocess.run([INFRA / "set-up.sh", "pools", "kubernetes"], env=environment, check=True, timeout=60)
    images = re.findall(r'"(\S+dubflow/\S+:\S+)"', (tmp_path / "images").read_text())
    assert images == [f"registry.example.org/dubflow/{image}:0.1.0" for image in ("cpu", "cpu", "cuda")]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert len(calls) == 3
    for call in calls:
        prefect_command._app.parse_args(call.removeprefix("--no-prompt "), exit_on_error=False, print_error=False)
