"""The chart as helm renders it. Helm is one of the programs of :mod:`tests.cluster.binaries`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "charts/hetero"
CI = sorted((CHART / "ci").glob("*-values.yaml"))
NEWEST, OLDEST = "1.36.3", "1.30.0"
"""Versions of Kubernetes that the chart is rendered for; without a cluster, helm is told."""

Object = dict[str, Any]

SCHEDULER = {"kubeScheduler": {"image": "hetero/kube-scheduler"}}
"""What a rendering without a cluster has to be told."""


def helm(*arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run it, on no cluster."""
    program = Path(os.environ["HETERO_KUBE_BIN"], "helm")
    environment = {**os.environ, "KUBECONFIG": "/dev/null"}
    return subprocess.run(
        [program, *map(str, arguments)], input=given, env=environment, capture_output=True, text=True, check=False
    )


def rendered(
    *values: Path | Mapping[str, Any], version: str = NEWEST, namespace: str = "kube-system", release: str = "hetero"
) -> list[Object]:
    """All objects, hooks too, for values from files and as they are; the last ones win."""
    done = _template(values, version, namespace, release)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def refusal(*values: Path | Mapping[str, Any], version: str = NEWEST) -> str:
    """Why values are refused."""
    done = _template(values, version, "kube-system", "hetero")
    assert done.returncode != 0, "the values were taken"
    return done.stderr


def one(objects: list[Object], kind: str, name: str) -> Object:
    """The object of that kind and name."""
    [found] = [found for found in objects if (found["kind"], found["metadata"]["name"]) == (kind, name)]
    return found


def all_of(objects: list[Object], kind: str) -> list[Object]:
    """The objects of a kind."""
    return [found for found in objects if found["kind"] == kind]


def pod_templates(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """What every workload makes pods of: its kind and name, and the template."""
    for found in objects:
        where = f"{found['kind']}/{found['metadata']['name']}"
        spec = found.get("spec", {})
        if found["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            yield where, spec["template"]


def containers(template: Object) -> list[Object]:
    """All containers of a pod, init containers first."""
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]


def environment(container: Object) -> dict[str, Any]:
    """What a container is told: the value, or where it is from."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container.get("env", ())}


def _template(
    values: tuple[Path | Mapping[str, Any], ...], version: str, namespace: str, release: str
) -> subprocess.CompletedProcess[str]:
    files: list[str] = []
    given = ""
    for each in values:
        if isinstance(each, Path):
            files += ["-f", str(each)]
        else:
            assert not given, "one mapping of values"
            given = yaml.safe_dump(dict(each))
            files += ["-f", "-"]
    return helm("template", release, CHART, "-n", namespace, "--kube-version", version, *files, given=given)
