"""The chart comes, changes and goes, while pods run in their slices."""

from __future__ import annotations

from tests.cluster.node.cluster import Cluster
from tests.cluster.release import COUNTS, NAMESPACE, Release, container, gpu, limits_of, pod, totals

KINDS = (
    "daemonsets,deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,cronjobs,jobs,"
    "poddisruptionbudgets,clusterroles,clusterrolebindings,priorityclasses,mutatingwebhookconfigurations,"
    "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings"
)


def ours(cluster: Cluster) -> list[str]:
    """Objects that are there because of the chart."""
    found = cluster.kubectl("get", KINDS, "--all-namespaces", "--output", "name", "--ignore-not-found")
    return [line for line in found.splitlines() if "hetero" in line]


def test_an_upgrade_leaves_running_pods_in_their_slices(slices: Release) -> None:
    """Agents and scheduler are replaced; the containers are the same ones, and new pods have theirs."""
    cluster = slices.cluster
    cluster.apply([pod(f"stays-{n}", container(ask=gpu(1000 + n, 10))) for n in range(3)])
    before = [cluster.wait(f"stays-{n}")["status"]["containerStatuses"][0]["containerID"] for n in range(3)]
    agent = slices.agent("nvidia")["metadata"]["name"]
    slices.upgrade("--set", "config.log.level=debug")
    assert slices.agent("nvidia")["metadata"]["name"] != agent
    now = [cluster.pod(f"stays-{n}")["status"]["containerStatuses"][0]["containerID"] for n in range(3)]
    assert now == before
    assert [limits_of(cluster, f"stays-{n}").memory for n in range(3)] == [[1000], [1001], [1002]]
    assert totals(cluster.exec("stays-1", "cardinfo")) == {1001}
    cluster.apply(pod("later", container(ask=gpu(1500))))
    cluster.wait("later")
    assert limits_of(cluster, "later").memory == [1500]


def test_uninstalled_it_leaves_nothing_behind(slices: Release) -> None:
    """No object, annotation, total or file; a pod that runs keeps running, and pods are created as if it never was."""
    cluster = slices.cluster
    cluster.apply(pod("outlives", container(ask=gpu(1000))))
    cluster.wait("outlives")
    slices.uninstall()
    assert ours(cluster) == []
    for node in COUNTS:
        found = cluster.get("node", node)
        assert not [key for key in found["metadata"].get("annotations", {}) if key.startswith("hetero.io/")]
        assert "nvidia.com/gpumem" not in found["status"]["capacity"]
    assert limits_of(cluster, "outlives").memory == [1000]
    cluster.kubectl("delete", "pods", "--all", "--namespace", "default", "--grace-period=1")
    for name in COUNTS:
        root = cluster.nodes[name].root
        left = [*(root / "run/cdi").glob("hetero*"), *(root / "var/lib/kubelet/device-plugins").glob("hetero*")]
        assert left == [], name
    cluster.apply(pod("plain", container()))
    cluster.wait("plain")
    assert NAMESPACE not in ours(cluster)
