"""The dashboard in a pod, as a person comes to it: by port-forward, with a token, and what it then shows."""

from __future__ import annotations

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.helm import CHART
from tests.cluster.node.client import Json, Refused
from tests.cluster.processes import Program, until
from tests.cluster.release import COUNTS, NAMESPACE, Release, container, gpu, pod

NAME = "hetero-dashboard"
PORT = 9446
MIB = 1 << 20

VIEWER = "hetero-dashboard-viewer"
ROLES = ("clusterrole", "clusterrolebinding")
FORBIDDEN = (("get", "secrets"), ("patch", "nodes"), ("create", "pods"), ("get", "pods/proxy"))


class Page:
    """The dashboard's interface, for one person.

    Args:
        token: Of Kubernetes; empty for nobody.
    """

    def __init__(self, token: str = "") -> None:
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str) -> Any:
        """A document."""
        return json.loads(self.tried(path)[1])

    def tried(self, path: str) -> tuple[int, bytes]:
        """Status and body, whatever they are."""
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


@pytest.fixture
def forwarded(slices: Release, tmp_path: Path) -> Iterator[Release]:
    """The chart is installed, and a person has the dashboard on this machine, by the words of the notes."""
    notes = slices.cluster.helm("get", "notes", "hetero", "--namespace", NAMESPACE)
    [command] = re.findall(r"kubectl (-n \S+ port-forward \S+ \d+)$", notes, re.MULTILINE)
    kubectl = Path(os.environ["HETERO_KUBE_BIN"], "kubectl")
    forward = Program("port-forward", [str(kubectl), *command.split()], tmp_path, slices.cluster.environment)
    forward.start()
    try:
        until(lambda: "Forwarding from" in forward.tail(1000), "the port is forwarded", seconds=60, every=0.2)
        yield slices
    finally:
        forward.stop()


@pytest.fixture
def viewer(forwarded: Release) -> Iterator[str]:
    """A token of an account that may list pods and nodes, made by the commands of the notes."""
    cluster = forwarded.cluster
    notes = cluster.helm("get", "notes", "hetero", "--namespace", NAMESPACE)
    told = re.findall(r"^ +kubectl ((?:-n \S+ )?create .*)$", notes, re.MULTILINE)
    assert len(told) == 4
    try:
        yield [cluster.kubectl(*line.split()).strip() for line in told][-1]
    finally:
        for kind in ROLES:
            cluster.kubectl("delete", kind, VIEWER, "--ignore-not-found")
        cluster.kubectl("delete", "serviceaccount", "viewer", "--namespace", NAMESPACE, "--ignore-not-found")


def test_the_pod_is_ready_and_may_do_little(slices: Release) -> None:
    """It runs as nobody, beside the scheduler; kubelet's probes reach it, and no Service leads there."""
    [found] = slices.cluster.items("pods", "--selector=app.kubernetes.io/component=dashboard")
    assert {one["type"]: one["status"] for one in found["status"]["conditions"]}["Ready"] == "True"
    services = slices.cluster.items("services", "--selector=app.kubernetes.io/component=dashboard")
    assert services == []
    may = {(verb, kind): _may(slices, verb, kind) for verb, kind in (("list", "pods"), *FORBIDDEN)}
    assert may == {("list", "pods"): True, **dict.fromkeys(FORBIDDEN, False)}


def test_nobody_sees_anything_without_rights(forwarded: Release) -> None:
    """No token, a wrong one, and one of an account that may list nothing; the page itself is for everybody."""
    assert Page().tried("/")[0] == 200
    assert Page().tried("/api/v1/overview")[0] == 401
    assert Page("guess").tried("/api/v1/overview")[0] == 401
    token = forwarded.cluster.kubectl("create", "token", "default", "--namespace", "default").strip()
    status, body = Page(token).tried("/api/v1/overview")
    assert status == 403
    assert "list" in json.loads(body)["error"]


def test_the_overview_is_the_clusters(forwarded: Release, viewer: str) -> None:
    """Cards of every vendor, what a pod was promised and what its slice uses, as its node's agent says."""
    cluster, page = forwarded.cluster, Page(viewer)
    cluster.apply(pod("seen", container("main", "fill", "--step", "64m", "--hold", "600", ask=gpu(1024, 30))))
    cluster.wait("seen")
    shown = page.get("/api/v1/overview")
    assert {one["vendor"] for one in shown["vendors"]} == set(COUNTS)
    assert shown["workloads"] == 1
    held = until(lambda: _used(page, "seen"), "the use of the slice is shown", seconds=90, every=0.5)
    assert (held["memory"], held["compute"], held["running"]) == (1024 * MIB, 0.3, True)
    assert 512 * MIB <= held["memory_used"] <= 1024 * MIB
    node = cluster.get("pod", "seen")["spec"]["nodeName"]
    cards = page.get(f"/api/v1/cards?node={node}")["items"]
    assert sum(one["memory"]["allocated"] for one in cards) == 1024 * MIB
    assert {one["pod"] for card in cards for one in card["slices"]} == {"seen"}


def test_what_if_is_answered_there(forwarded: Release, viewer: str) -> None:
    """An example of this repository finds its place, without being created."""
    manifest = (CHART.parents[1] / "examples/nvidia/gpu-pod.yaml").read_text()
    body = json.dumps({"manifest": manifest}).encode()
    headers = {"Authorization": f"Bearer {viewer}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/api/v1/plan", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        [planned] = json.loads(answer.read())["pods"]
    assert planned["node"] == "nvidia"
    assert forwarded.cluster.get("pod", "gpu-pod") == {}


def _may(release: Release, verb: str, kind: str) -> bool:
    """Whether the dashboard's account may do something anywhere; kubectl says no by failing."""
    account = f"--as=system:serviceaccount:{NAMESPACE}:{NAME}"
    try:
        return release.cluster.kubectl("auth", "can-i", verb, kind, "--all-namespaces", account).strip() == "yes"
    except Refused:
        return False


def _used(page: Page, name: str) -> Json:
    """What the pod's container holds, once its use is known; empty before."""
    [held] = page.get(f"/api/v1/workloads/default/{name}")["held"]
    return held if (held.get("memory_used") or 0) >= 512 * MIB else {}
