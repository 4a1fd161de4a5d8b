"""The harness itself on a real Kubernetes: it comes up, schedules, and ends."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.cluster import binaries, users
from tests.cluster.controlplane import ControlPlane
from tests.cluster.processes import until


class Client:
    """Requests of the administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        self._server = plane.server
        self._context = ssl.create_default_context(cafile=str(plane.authority.pair.certificate))

    def ask(self, path: str, document: dict[str, Any] | None = None, method: str | None = None) -> dict[str, Any]:
        """What the API server answers."""
        headers = {"Authorization": f"Bearer {users.ADMIN}", "Content-Type": "application/json"}
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(self._server + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found


@pytest.fixture
def client(plane: ControlPlane) -> Client:
    """The administrator."""
    return Client(plane)


def test_it_is_the_version_that_is_pinned(client: Client) -> None:
    """The programs know what they are, and it is recent enough."""
    told = client.ask("/version")
    assert int(told["minor"]) >= 35
    assert told["gitVersion"].startswith("v1.")
    assert binaries.version().startswith("v1.")


def test_a_pod_is_bound_to_a_node_without_a_kubelet(plane: ControlPlane, client: Client) -> None:
    """A node that only the API knows takes pods, and stays what it is without a heartbeat."""
    profile = {"schedulerName": "plain-scheduler"}
    program = plane.scheduler(
        {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            "leaderElection": {"leaderElect": False},
            "profiles": [profile],
        },
        name="plain-scheduler",
        port=10300,
    )
    ready = [{"type": "Ready", "status": "True", "reason": "Test", "message": "no kubelet"}]
    size = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    node = {"metadata": {"name": "hollow"}, "status": {"capacity": size, "allocatable": size, "conditions": ready}}
    container = {"name": "main", "image": "none", "resources": {"requests": {"cpu": "1"}}}
    pod = {"metadata": {"name": "first"}, "spec": {"schedulerName": "plain-scheduler", "containers": [container]}}
    pods = "/api/v1/namespaces/default/pods"
    client.ask("/api/v1/nodes", node)
    until(lambda: _created(client, pods, pod), "the namespace is there", seconds=30)

    def bound() -> bool:
        return client.ask(f"{pods}/first")["spec"].get("nodeName") == "hollow"

    until(bound, "the pod is bound", seconds=60, programs=[program])
    client.ask(f"{pods}/first?gracePeriodSeconds=0", method="DELETE")
    client.ask("/api/v1/nodes/hollow", method="DELETE")
    program.stop()
    assert not program.running


def _created(client: Client, path: str, document: dict[str, Any]) -> bool:
    try:
        client.ask(path, document)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise
    return True
