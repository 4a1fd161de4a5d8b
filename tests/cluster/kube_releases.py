"""The chart comes, changes and goes, while pods run in their slices."""

from __future__ import annotations

import json
import threading

from hetero.errors import ApiError
from hetero.kube import paths
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


class Asking:
    """Creates pods that ask for devices all the time, each as a dry run, and keeps what the API server says against it.

    Args:
        cluster: The chart is on it.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.refusals: list[str] = []
        self.taken = 0
        self._cluster = cluster
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def _ask(self) -> None:
        body = json.dumps(pod("asked", container(ask=gpu(1000)))).encode()
        while not self._over.wait(0.02):
            try:
                self._cluster.api.post(f"{paths.pods('default')}?dryRun=All", body)
                self.taken += 1
            except ApiError as error:
                self.refusals.append(str(error))


def test_a_scheduler_that_is_replaced_answers_until_nobody_asks_it(slices: Release) -> None:
    """The API server hears of its end no sooner than it does itself: no pod is refused meanwhile."""
    cluster = slices.cluster
    name = slices.scheduler()["metadata"]["name"]
    slices.until_admits()
    with Asking(cluster) as asking:
        cluster.kubectl("rollout", "restart", "deployment/hetero-scheduler", "--namespace", NAMESPACE)
        cluster.until(lambda: ({}, not cluster.pod(name, NAMESPACE)), "the old one is gone", 180, slices.tails)
    assert asking.taken
    # One that takes long is an API server's or a webhook's on busy cores; nobody there is something else.
    assert [one for one in asking.refusals if "deadline exceeded" not in one] == []


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
