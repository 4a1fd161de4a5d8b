"""What only a real kube-scheduler does, with pods that ask for devices: topology spread and preemption by priority."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest

from hetero.errors import ApiError
from tests.cluster.manifests import limits, machine, pod
from tests.cluster.processes import until
from tests.cluster.stage import Stage

CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


@pytest.fixture
def important(stage: Stage) -> str:
    """A priority class above the default."""
    body = {"metadata": {"name": "important"}, "value": 1000, "preemptionPolicy": "PreemptLowerPriority"}
    try:
        stage.api.post(CLASSES, msgspec.json.encode(body))
    except ApiError as error:
        if error.status != 409:
            raise
    return "important"


def _low(name: str, memory: int) -> dict[str, object]:
    """A pod that may go, and is gone at once where no kubelet ends it."""
    return pod(name, limits(memory=memory), terminationGracePeriodSeconds=0)


def test_topology_spread_holds(stage: Stage) -> None:
    """As many pods with devices in each zone, though the planner would rather fill one node after the other."""
    stage.kube_scheduler(stage.scheduler())
    for zone in ("a", "b", "c"):
        stage.add(*(machine(f"{zone}{index}", 2) for index in range(2)), labels={"zone": zone})
    spread = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "spread"}},
    }
    asked = (
        pod(f"spread-{index}", limits(memory=4096), labels={"app": "spread"}, topologySpreadConstraints=[spread])
        for index in range(9)
    )
    where = stage.until_bound(stage.submit(*asked))
    assert Counter(node[0] for node in where.values()) == {"a": 3, "b": 3, "c": 3}
    stage.check()


def test_a_pod_of_higher_priority_takes_the_place(stage: Stage, important: str) -> None:
    """On a full cluster as many pods go as must, and the device is never promised twice on the way."""
    stage.kube_scheduler(stage.scheduler())
    stage.add(machine("node", 1))
    low = stage.submit(_low("low-0", 8192), _low("low-1", 8192))
    stage.until_bound(low)
    stage.submit(pod("high", limits(memory=8192), priorityClassName=important))
    assert stage.until_bound(["high"]) == {"high": "node"}
    until(lambda: len(stage.bound(low)) == 1, "one pod went", seconds=30)
    stage.check()


def test_preemption_frees_a_device_not_a_total(stage: Stage, important: str) -> None:
    """kube-scheduler counts totals and finds one victim enough; the planner adds the one on the same device."""
    stage.kube_scheduler(stage.scheduler())
    stage.add(machine("node", 2))
    low = stage.submit(*(_low(f"low-{index}", 6000) for index in range(4)))
    stage.until_bound(low)
    stage.submit(pod("high", limits(memory=14000), priorityClassName=important))
    stage.until_bound(["high"], seconds=90)
    until(lambda: len(stage.bound(low)) == 2, "two pods went", seconds=30)
    books = stage.check()
    assert sorted(amounts["memory"] for amounts in books["node"].values()) == [12000, 14000]


def test_nobody_goes_where_it_would_not_help(stage: Stage, important: str) -> None:
    """A pod that asks for more than any device has ends no other pod."""
    stage.kube_scheduler(stage.scheduler())
    stage.add(machine("node", 2))
    low = stage.submit(_low("low-0", 16384), _low("low-1", 16384))
    stage.until_bound(low)
    stage.submit(pod("high", limits(memory=16385), priorityClassName=important))
    assert stage.until_refused("high")
    assert len(stage.bound(low)) == 2
    stage.check()
