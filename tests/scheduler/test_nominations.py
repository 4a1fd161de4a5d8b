"""Room that preemption makes is kept for whom it was made."""

from __future__ import annotations

import pytest
from sent import shown

from hetero.kube import objects
from hetero.model.device import Node
from hetero.scheduler import verdicts
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.nominations import KEPT, MOST
from hetero.testing.fake import MEMORY_MIB, fake_node, fake_vendor

WHOLE = MEMORY_MIB


@pytest.fixture
def cluster(vendors, clock, pod, placed) -> Cluster:
    """Two nodes with one device; on node a a victim ends, and the preemptor, of priority 10, waits for it."""
    cluster = Cluster(vendors, clock=clock)
    cluster.nodes.replace([shown(fake_node("a", 1)), shown(fake_node("b", 1))])
    cluster.pods.put(pod("victim", node="a", placed=placed("victim", "a", memory=WHOLE), priority=1))
    cluster.pods.put(pod("preemptor", WHOLE, priority=10, nominated="a"))
    return cluster


def fits(cluster: Cluster, pod, name: str, priority: int, memory: int = 1000) -> list[str]:
    """Where a pod fits."""
    ask = cluster.asks.read(pod(name, memory))
    return list(verdicts.fitting(cluster, ask, priority, ["a", "b"]).fits)


def test_the_room_is_kept_when_the_victim_ends(cluster: Cluster, pod) -> None:
    """From pods of the same or a lower priority; the preemptor itself and who is above it may have it."""
    cluster.pods.remove(pod("victim", node="a"))
    assert fits(cluster, pod, "low", 0) == ["b"]
    assert fits(cluster, pod, "same", 10) == ["b"]
    assert fits(cluster, pod, "above", 11) == ["a", "b"]
    assert fits(cluster, pod, "preemptor", 10, WHOLE) == ["a", "b"]


def test_a_part_of_the_room_is_kept_too(cluster: Cluster, pod, placed) -> None:
    """The first of two victims has ended: what it held is not enough yet, and goes to nobody else."""
    cluster.pods.remove(pod("victim", node="a"))
    cluster.pods.put(pod("second", node="a", placed=placed("second", "a", memory=5000), priority=1))
    ask = cluster.asks.read(pod("low", 1000))
    verdict = verdicts.fitting(cluster, ask, 0, ["a"])
    assert (verdict.fits, verdict.failed, verdict.unresolvable) == ([], {"a": KEPT}, {})
    assert KEPT in verdict.summary


def test_room_beside_it_is_free(vendors, pod) -> None:
    """What the preemptor will leave is anyone's."""
    cluster = Cluster(vendors)
    cluster.nodes.replace([shown(fake_node("a", 2))])
    cluster.pods.put(pod("preemptor", WHOLE, priority=10, nominated="a"))
    assert fits(cluster, pod, "low", 0, 1000) == ["a"]
    cluster.pods.put(pod("another", WHOLE, priority=10, nominated="a"))
    assert fits(cluster, pod, "low", 0, 1000) == []


def test_other_vendors_devices_are_not_kept(clock, pod) -> None:
    """The node is closed for the devices that the preemptor waits for, and for no others."""
    cluster = Cluster({name: fake_vendor(name) for name in ("fake", "other")}, clock=clock)
    devices = (*fake_node("a", 1).devices, *fake_node("a", 1, vendor="other").devices)
    cluster.nodes.replace([shown(Node(name="a", devices=devices))])
    cluster.pods.put(pod("preemptor", WHOLE * 2, priority=10, nominated="a"))
    assert fits(cluster, pod, "low", 0) == []
    limits = {"other.example/npu": "1", "other.example/npumem": "1000"}
    container = objects.Container("c", objects.Requirements(limits=limits))
    ask = cluster.asks.read(objects.Pod(objects.Metadata(name="y", uid="y"), objects.PodSpec(containers=(container,))))
    assert list(verdicts.fitting(cluster, ask, 0, ["a"]).fits) == ["a"]


def test_beyond_many_nodes_all_are_kept(vendors, pod) -> None:
    """Looking at each would stop every other answer; those that were looked at may serve."""
    cluster = Cluster(vendors)
    names = [f"n{number:03}" for number in range(MOST + 10)]
    for name in names:
        cluster.nodes.put(shown(fake_node(name, 2)))
        cluster.pods.put(pod(f"to-{name}", WHOLE, priority=10, nominated=name))
    ask = cluster.asks.read(pod("low", 1000))
    verdict = verdicts.fitting(cluster, ask, 0, names)
    assert (len(verdict.fits), len(verdict.failed)) == (MOST, 10)
    assert verdicts.fitting(cluster, ask, 0, names[-1:]).fits == names[-1:]


@pytest.mark.parametrize("end", ["deleted", "over", "bound", "withdrawn", "unlisted"])
def test_a_nomination_ends(cluster: Cluster, pod, placed, end: str) -> None:
    """With the pod, with its Binding, or when kube-scheduler takes it back."""
    cluster.pods.remove(pod("victim", node="a"))
    one = pod("preemptor", WHOLE, priority=10, nominated="a")
    if end == "deleted":
        cluster.pods.remove(one)
    elif end == "over":
        cluster.pods.put(pod("preemptor", phase="Failed", nominated="a"))
    elif end == "bound":
        cluster.pods.put(pod("preemptor", node="b", placed=placed("preemptor", "b"), nominated="a"))
    elif end == "withdrawn":
        cluster.pods.put(pod("preemptor", WHOLE, priority=10))
    else:
        cluster.pods.replace([])
    assert "a" in fits(cluster, pod, "low", 0)
    assert len(cluster.nominations) == 0


def test_a_nominated_pod_on_its_way_is_counted_once(cluster: Cluster, pod) -> None:
    """Its grant keeps its place; the nomination adds nothing."""
    cluster.pods.remove(pod("victim", node="a"))
    ask = cluster.asks.read(pod("preemptor", 8000, priority=10))
    cluster.pods.put(pod("preemptor", 8000, priority=10, nominated="a"))
    verdicts.promise(cluster, ask, "a")
    assert fits(cluster, pod, "low", 0, 8000) == ["a", "b"]
    assert fits(cluster, pod, "low", 0, 9000) == ["b"]


def test_a_nominated_pod_without_devices_keeps_nothing(cluster: Cluster, pod) -> None:
    """Nor does one whose request cannot be read."""
    cluster.pods.put(pod("preemptor", None, priority=10, nominated="a"))
    assert len(cluster.nominations) == 0
    cluster.pods.put(pod("wrong", priority=10, nominated="a", cores=101))
    assert len(cluster.nominations) == 0


def test_looking_changes_nothing(cluster: Cluster, pod) -> None:
    """The promised pods are charged for the look only."""
    cluster.pods.remove(pod("victim", node="a"))
    before = cluster.planner.free_quantities()
    fits(cluster, pod, "low", 0)
    assert cluster.planner.free_quantities() == before
    assert cluster.planner.charged("uid-preemptor") is None
