"""Many pods at the same moment on one node: nobody gets another's limits, and nobody waits for the agent."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figures import Figure, table, write
from tests.cluster.node.client import Json, Refused, state_of
from tests.cluster.node.cluster import Cluster
from tests.cluster.processes import until
from tests.cluster.release import Release, container, gpu, limits_of, names, pod

MANY = 20
GATE = "hetero.test/together"
RESULTS = Path(__file__).parents[2] / "build/bench"


class Watcher:
    """Looks at all pods of a namespace, and notes when each was first seen bound and first seen Ready."""

    def __init__(self, cluster: Cluster, wanted: Sequence[str]) -> None:
        self.bound: dict[str, float] = {}
        self.ready: dict[str, float] = {}
        self._cluster = cluster
        self._wanted = set(wanted)
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._over = threading.Event()

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def seconds(self) -> float:
        """From the first that was bound until the last that ran."""
        until(lambda: self._wanted <= {*self.ready}, "all pods are Ready", seconds=180)
        return max(self.ready.values()) - min(self.bound.values())

    def _look(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(Refused):  # an API server under load; the next look is as good
                for one in self._cluster.items("pods", "--field-selector=metadata.namespace=default"):
                    self._note(one, time.monotonic())

    def _note(self, one: Json, now: float) -> None:
        name = one["metadata"]["name"]
        if one["spec"].get("nodeName"):
            self.bound.setdefault(name, now)
        if state_of(one) == "Ready":
            self.ready.setdefault(name, now)


def together(cluster: Cluster, pods: Sequence[Json]) -> float:
    """Create pods behind a gate, open it for all, and say how long it took until all of them ran."""
    for one in pods:
        one["spec"] |= {"schedulingGates": [{"name": GATE}], "nodeSelector": {"kubernetes.io/hostname": "nvidia"}}
    cluster.apply(pods)
    with Watcher(cluster, names(pods)) as watcher:
        for one in pods:
            one["spec"]["schedulingGates"] = []
        patch = json.dumps([{"op": "replace", "path": "/spec/schedulingGates", "value": []}])
        cluster.kubectl("patch", "pods", *names(pods), "--type=json", f"--patch={patch}")
        return watcher.seconds()


def refused(cluster: Cluster, pods: Sequence[str]) -> list[str]:
    """What was said of their starts where plugin or runtime refused: each container starts at the first."""
    told = [one for one in cluster.items("events") if one["reason"] == "Failed"]
    return [one["message"] for one in told if one["involvedObject"]["name"] in pods]


def away(cluster: Cluster) -> None:
    """Delete all pods and wait until they are gone."""
    cluster.kubectl("delete", "pods", "--all", "--namespace", "default", "--grace-period=1")


def test_twenty_pods_at_once_have_each_its_own_limits(slices: Release) -> None:
    """Different limits, equal counts, one node: so many that nothing but the kubelet's own word tells them apart."""
    cluster = slices.cluster
    took: dict[str, list[float]] = {"plain": [], "slices": []}
    for turn in range(2):
        plain = [pod(f"plain-{turn}-{n}", container()) for n in range(MANY)]
        took["plain"].append(together(cluster, plain))
        away(cluster)
        sliced = [pod(f"slice-{turn}-{n}", container(ask=gpu(1000 + 10 * n, 3))) for n in range(MANY)]
        took["slices"].append(together(cluster, sliced))
        found = {one: limits_of(cluster, one) for one in names(sliced)}
        assert {one: each.memory for one, each in found.items()} == {
            f"slice-{turn}-{n}": [1000 + 10 * n] for n in range(MANY)
        }
        assert len({each.slice_id for each in found.values()}) == MANY
        assert refused(cluster, names(sliced)) == []
        away(cluster)
    ratio = min(took["slices"]) / min(took["plain"])
    figures = [
        *(Figure(f"{MANY} pods on one node: {kind}, until all run", min(each), "s") for kind, each in took.items()),
        Figure("slices, to pods without devices", ratio, "times", "<= 1.2"),
    ]
    print(table(figures))
    write("bursts", figures, RESULTS)
