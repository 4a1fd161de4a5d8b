"""Real nodes: kubelets and containerd that run pods, each with its own simulated chips, and come back from anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.node.client import Refused, state_of
from tests.cluster.node.cluster import Cluster
from tests.cluster.node.machines import NODES

KNOWN = {
    "nvidia": "libcuda.so.1",
    "cambricon": "libcndev.so",
    "hygon": "libhydmi.so.1",
    "ascend": "libdcmi.so",
}
"""A library of each chip's driver."""


@pytest.fixture
def pods(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster whose pods are gone when the test ends."""
    yield cluster
    cluster.kubectl("delete", "pods", "--all", "--namespace", "default", "--grace-period=1")


def _pod(name: str, node: str, *command: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "hetero/workload:1", "command": list(command), "imagePullPolicy": "Never"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"nodeSelector": {"kubernetes.io/hostname": node}, "containers": [container], **spec},
    }


def test_every_node_is_ready_and_another_machine(cluster: Cluster) -> None:
    """Each with its own address, name and containerd of a version that knows CDI."""
    nodes = {one["metadata"]["name"]: one["status"] for one in cluster.items("nodes")}
    assert {*nodes} >= {*NODES}
    addresses = {next(a["address"] for a in one["addresses"] if a["type"] == "InternalIP") for one in nodes.values()}
    machines = {one["nodeInfo"]["machineID"] for one in nodes.values()}
    assert len(addresses) == len(machines) == len(nodes)
    assert all(one["nodeInfo"]["containerRuntimeVersion"].startswith("containerd://2.") for one in nodes.values())
    assert cluster.nodes["hygon"].exec("hostname").strip() == "hygon"


def test_a_cluster_has_its_own_scheduler_as_kubeadm_makes_it(cluster: Cluster) -> None:
    """A chart finds the cluster's version by it."""
    [found] = cluster.items("pods", "--selector=component=kube-scheduler")
    assert found["metadata"]["namespace"] == "kube-system"
    version = cluster.items("nodes")[0]["status"]["nodeInfo"]["kubeletVersion"]
    assert found["spec"]["containers"][0]["image"].endswith(f":{version}")


@pytest.mark.parametrize("node", NODES)
def test_containers_have_the_drivers_of_their_node(pods: Cluster, node: str) -> None:
    """Libraries that a loader finds, device files on the node, and what it writes in its log is read."""
    pods.apply(_pod("looks", node, "ls", "/usr/lib", restartPolicy="Never"))
    pods.wait("looks", "Succeeded")
    libraries = pods.logs("looks").split()
    assert KNOWN[node] in libraries
    assert not ({*KNOWN.values()} - {KNOWN[node]}) & {*libraries}
    devices = {path.name for path in (pods.nodes[node].root / "dev").rglob("*") if path.is_char_device()}
    assert devices > {"null", "zero", "kmsg"}


def test_a_program_in_a_container_calls_the_simulated_driver(pods: Cluster) -> None:
    """And sees the cards of that machine."""
    pods.apply(_pod("sees", "nvidia", "cardinfo", restartPolicy="Never"))
    pods.wait("sees", "Succeeded")
    assert pods.logs("sees").count("NVIDIA H100") == 2


def test_commands_run_in_a_container_and_what_fails_says_so(pods: Cluster) -> None:
    """By way of API server and kubelet, as a person does it."""
    pods.apply(_pod("stays", "cambricon", "sleep"))
    pods.wait("stays")
    assert "libcndev.so" in pods.exec("stays", "ls", "/usr/lib")
    with pytest.raises(Refused, match="command terminated with exit code"):
        pods.exec("stays", "cat", "/no/such/file")


def test_pods_reach_the_api_server_by_its_service(pods: Cluster) -> None:
    """With the account that they are given: what a kubelet mounts is the certificate by which they know it."""
    pods.apply(_pod("knows", "hygon", "sleep"))
    pods.wait("knows")
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    authority = pods.plane.authority.pair.certificate.read_text()
    assert pods.exec("knows", "cat", f"{place}/ca.crt").strip() == authority.strip()
    assert "KUBERNETES_SERVICE_HOST=10.96.0.1" in pods.exec("knows", "env")


def test_the_api_server_calls_webhooks_where_their_pods_are(pods: Cluster) -> None:
    """There is no proxy that makes a service's address lead there, so it looks the pods up itself."""
    web = _pod("web", "hygon", "python3", "-m", "http.server", "8080")
    web["metadata"]["labels"] = {"app": "web"}
    web["spec"]["containers"][0]["image"] = next(one for one in pods.images if one.startswith("hetero/agent:"))
    service = {"selector": {"app": "web"}, "ports": [{"port": 443, "targetPort": 8080}]}
    hook = {
        "name": "hook.hetero.test",
        "clientConfig": {"service": {"name": "web", "namespace": "default"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    kind = "ValidatingWebhookConfiguration"
    pods.apply([
        web,
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": service},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "x"}, "webhooks": [hook]},
    ])  # fmt: skip
    pods.wait("web")
    told: list[str] = []

    def called() -> tuple[dict[str, Any], bool]:
        with pytest.raises(Refused) as refused:
            pods.kubectl("create", "configmap", "x", "--dry-run=server")
        told.append(str(refused.value))
        # It was reached, and is no webhook at all: it speaks plain HTTP.
        return {}, "does not look like a TLS handshake" in told[-1]

    try:
        pods.until(called, "the webhook's pod is called", 60, lambda: told[-1])
    finally:
        pods.delete("validatingwebhookconfiguration", "x")
        pods.delete("service", "web")


def test_a_container_that_is_killed_is_started_again(pods: Cluster) -> None:
    """By the kubelet, which counts it."""
    pods.apply(_pod("again", "ascend", "sleep"))
    pods.wait("again")
    pods.kill_container("again", "main")

    def restarted() -> tuple[dict[str, Any], bool]:
        found = pods.pod("again")
        counts = [one["restartCount"] for one in found["status"].get("containerStatuses", [])]
        return found, counts == [1] and state_of(found) == "Ready"

    pods.until(restarted, "it runs again", 60, lambda: pods.describe("again"))


def test_containers_outlive_the_programs_that_started_them(pods: Cluster) -> None:
    """Kubelet and containerd killed in the middle; the process is the same one afterwards."""
    node = pods.nodes["cambricon"]
    pods.apply(_pod("lives", "cambricon", "sleep"))
    pods.wait("lives")
    before = node.running()
    node.kill_kubelet()
    node.kill_containerd()
    node.start_containerd()
    node.start_kubelet()
    assert node.running() == before
    pods.apply(_pod("next", "cambricon", "sleep"))
    pods.wait("next")
    assert before.items() <= node.running().items()


def test_a_reboot_leaves_nothing_but_files(pods: Cluster) -> None:
    """No process, an empty /run, /var as it was; the pod's containers are started anew."""
    node = pods.nodes["hygon"]
    pods.apply(_pod("back", "hygon", "sleep"))
    pods.wait("back")
    before = node.running()
    (node.root / "run/volatile").touch()
    (node.root / "var/lib/hetero/kept").touch()
    node.reboot()
    assert not (node.root / "run/volatile").exists()
    assert (node.root / "var/lib/hetero/kept").exists()

    def back() -> tuple[dict[str, Any], bool]:
        return {}, bool(node.running()) and state_of(pods.pod("back")) == "Ready"

    pods.until(back, "the pod is back", 90, lambda: pods.describe("back"))
    assert not {*before} & {*node.running()}


def test_device_files_come_and_go_with_the_drivers(cluster: Cluster) -> None:
    """A driver that cuts a card makes a file for the part; the kernel of a real node does that at once."""
    node = cluster.nodes["ascend"]
    made = node.root / "opt/sim/ascend/root/dev/vdavinci100"
    shown = node.root / "dev/vdavinci100"
    assert not shown.exists()
    made.touch()
    cluster.until(lambda: ({}, shown.is_char_device()), "the device file is there", 10, node.tails)
    made.unlink()
    cluster.until(lambda: ({}, not shown.exists()), "the device file is gone", 10, node.tails)
