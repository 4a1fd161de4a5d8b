"""Victims: those that kube-scheduler chose, and as few more as the devices need."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from sent import Events, shown

from hetero.kube import objects
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.extender import Extender
from hetero.scheduler.preemption import ENOUGH
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.testing.fake import MEMORY_MIB, fake_node

HALF = MEMORY_MIB // 2


@pytest.fixture
def cluster(vendors, pod, placed) -> Cluster:
    """Two nodes with two devices, on each of which two pods of priorities 1 and 2 have half the memory."""
    cluster = Cluster(vendors)
    cluster.nodes.replace([shown(fake_node(name, 2)) for name in "ab"])
    for node in "ab":
        for device in (0, 1):
            for priority in (1, 2):
                name = f"{node}{device}{priority}"
                where = placed(name, node, memory=HALF, device=f"fake-{device}")
                cluster.pods.put(pod(name, node=node, placed=where, priority=priority))
    return cluster


def preempt(cluster: Cluster, pod: objects.Pod, chosen: dict[str, list[str]], *, full: bool = False) -> Any:
    """What is answered, node to names of victims."""
    victims: dict[str, Any] = {}
    for node, names in chosen.items():
        pods = [{"metadata": {"uid": f"uid-{name}"}} if full else {"UID": f"uid-{name}"} for name in names]
        victims[node] = {"Pods": pods, "NumPDBViolations": 3}
    key = "NodeNameToVictims" if full else "NodeNameToMetaVictims"
    extender = Extender(cluster, Recent(), Telling(Events()), lambda: True)
    answer = json.loads(extender.preempt(msgspec.json.encode({"Pod": pod, key: victims})))
    for one in answer["NodeNameToMetaVictims"].values():
        assert one["NumPDBViolations"] == 3
    found = answer["NodeNameToMetaVictims"].items()
    return {node: [pod["UID"].removeprefix("uid-") for pod in one["Pods"]] for node, one in found}


@pytest.mark.parametrize("full", [False, True])
def test_victims_that_are_enough_stay_as_they_are(cluster: Cluster, pod, full: bool) -> None:
    """Whichever way they are given."""
    assert preempt(cluster, pod("x", HALF, priority=9), {"a": ["a01"]}, full=full) == {"a": ["a01"]}


def test_a_whole_device_needs_more_than_the_totals_say(cluster: Cluster, pod) -> None:
    """The two that were chosen are on different devices: the neighbour of one of them goes as well."""
    found = preempt(cluster, pod("x", MEMORY_MIB, priority=9), {"a": ["a01", "a11"]})
    assert found["a"][:2] == ["a01", "a11"]
    assert len(found["a"]) == 3
    assert found["a"][2] in ("a02", "a12")


@pytest.mark.parametrize("chosen", ["w", "x", "y", "z"])
def test_of_equals_only_the_neighbour_of_the_victim_goes(vendors, pod, placed, chosen: str) -> None:
    """Whichever of them kube-scheduler chose: those on the other device would be two for one."""
    cluster = Cluster(vendors)
    cluster.nodes.replace([shown(fake_node("a", 2))])
    neighbours = {"w": "x", "x": "w", "y": "z", "z": "y"}
    for name in neighbours:
        device = f"fake-{int(name in 'yz')}"
        cluster.pods.put(pod(name, node="a", placed=placed(name, "a", memory=HALF, device=device), priority=1))
    assert preempt(cluster, pod("high", MEMORY_MIB, priority=9), {"a": [chosen]}) == {"a": [chosen, neighbours[chosen]]}


def test_a_node_that_cannot_serve_is_left_out(cluster: Cluster, pod) -> None:
    """More important pods are never added, and an empty entry would spoil the whole preemption."""
    assert preempt(cluster, pod("x", MEMORY_MIB, priority=2), {"a": ["a01"], "b": ["b01"]}) == {}
    assert preempt(cluster, pod("x", HALF, priority=2), {"a": ["a01"], "unknown": ["z"]}) == {"a": ["a01"]}
    assert preempt(cluster, pod("x", MEMORY_MIB * 2, priority=9), {"a": ["a01"]}) == {}


def test_nobody_is_driven_away_for_room_that_is_promised(cluster: Cluster, pod) -> None:
    """A nominated pod of the same priority has its place first: only who fits beside it gets victims."""
    for priority, name in [(1, "a01"), (2, "a02")]:
        cluster.pods.remove(pod(name, node="a", priority=priority))
    cluster.pods.put(pod("first", MEMORY_MIB, priority=9, nominated="a"))
    assert preempt(cluster, pod("x", MEMORY_MIB, priority=9), {"a": ["a11"]}) == {"a": ["a11", "a12"]}
    cluster.pods.put(pod("second", MEMORY_MIB, priority=9, nominated="a"))
    assert preempt(cluster, pod("x", HALF, priority=9), {"a": ["a11"]}) == {}
    assert preempt(cluster, pod("x", HALF, priority=10), {"a": ["a11"]}) == {"a": ["a11"]}


def test_enough_nodes_are_enough(vendors, pod, placed) -> None:
    """Those that cost least in kube-scheduler's own eyes: budgets, the most important victim, their number."""
    cluster = Cluster(vendors)
    names = [f"n{number:02}" for number in range(ENOUGH + 8)]
    for number, name in enumerate(names):
        cluster.nodes.put(shown(fake_node(name, 1)))
        where = placed(name, name, memory=MEMORY_MIB)
        cluster.pods.put(pod(name, node=name, placed=where, priority=8 if number < 8 else 1))
    found = preempt(cluster, pod("x", priority=9), {name: [name] for name in names})
    assert sorted(found) == names[8:]


def test_victims_that_hold_no_device_are_kept(cluster: Cluster, pod) -> None:
    """kube-scheduler needs their CPU; the devices need others."""
    found = preempt(cluster, pod("x", HALF, priority=9), {"a": ["web"]})
    assert found["a"][0] == "web"
    assert len(found["a"]) == 2


def test_a_pod_without_devices_takes_what_was_chosen(cluster: Cluster, pod) -> None:
    """Nothing is ours to say."""
    assert preempt(cluster, pod("x", None, priority=9), {"a": ["web"], "b": []}) == {"a": ["web"], "b": []}


def test_preemption_charges_nothing(cluster: Cluster, pod) -> None:
    """It is a question."""
    before = cluster.planner.free_quantities()
    preempt(cluster, pod("x", MEMORY_MIB, priority=9), {"a": ["a01"], "b": ["b11"]})
    assert cluster.planner.free_quantities() == before


def test_a_wrong_request_drives_nobody_away(cluster: Cluster, pod) -> None:
    """It fits nowhere."""
    assert preempt(cluster, pod("x", cores=101, priority=9), {"a": ["a01"]}) == {}
