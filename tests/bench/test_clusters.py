"""What the placement benches measure on is as it says."""

from __future__ import annotations

import random
from collections import Counter

import msgspec
import pytest

from hetero import plugins
from hetero.kube.objects import Pod
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.device import Inventory
from hetero.model.placement import Placement
from hetero.placement import Planner
from tests.bench import objects
from tests.bench.clusters import VENDOR, Cluster, Size, described
from tests.bench.names import Names, sample
from tests.bench.workloads import TOO_LARGE, WORKLOADS, drawn

SIZE = Size(nodes=40, devices=8, pods=300)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """A small one."""
    return described(SIZE, plugins.load().vendors[VENDOR])


def test_a_cluster_is_as_large_as_it_says(cluster: Cluster) -> None:
    """So many nodes, devices of each, and pods of different identities."""
    assert [len(node.devices) for node in cluster.nodes] == [8] * 40
    assert len({placement.uid for _, placement in cluster.pods}) == 300


def test_equal_sizes_give_equal_clusters(cluster: Cluster) -> None:
    """Two runs measure on the same."""
    assert described(SIZE, plugins.load().vendors[VENDOR]) == cluster


def test_a_cluster_is_filled_unevenly_and_never_beyond(cluster: Cluster) -> None:
    """The planner finds no device over capacity, and the fullest node has several times the pods of the median."""
    vendors = plugins.load().vendors
    planner = Planner(Inventory(nodes=cluster.nodes), vendors)
    for _, placement in cluster.pods:
        planner.charge(placement)
    assert all(min(left.values()) >= 0 for free in planner.free_quantities().values() for left in free.values())
    pods = Counter(placement.node for _, placement in cluster.pods)
    counts = sorted(pods[node.name] for node in cluster.nodes)
    assert counts[0] == 0
    assert counts[-1] > 2 * counts[20]


def test_too_many_pods_are_refused() -> None:
    """A size that cannot be filled says so, and does not try for ever."""
    with pytest.raises(ValueError, match="no room"):
        described(Size(nodes=5, devices=1, pods=500), plugins.load().vendors[VENDOR])


def test_the_mix_has_twenty_shapes() -> None:
    """Each workload asks in a way of its own, and what fits nowhere is not among them."""
    asks = {workload.ask(VENDOR) for workload in WORKLOADS}
    assert len(asks) == 20
    assert TOO_LARGE.ask(VENDOR) not in asks
    assert {workload.name for workload in drawn(random.Random(1), 3000)} == {workload.name for workload in WORKLOADS}


def test_a_running_pod_carries_its_placement(cluster: Cluster) -> None:
    """What the API server holds is what the scheduler reads at its start."""
    workload, placement = cluster.pods[0]
    written = msgspec.json.encode(objects.running(workload, placement, plugins.load().vendors[VENDOR].resources[0]))
    pod = msgspec.json.decode(written, type=Pod)
    assert pod.spec.node_name == placement.node
    assert pod.metadata.uid == placement.uid
    assert wire.decode(pod.metadata.notes[PLACEMENT], Placement) == placement


def test_samples_are_those_of_kube_scheduler() -> None:
    """All of few nodes, 42 percent of a thousand, a tenth of 5,000 and never less than a twentieth."""
    assert [sample(nodes) for nodes in (20, 100, 1000, 5000, 15000)] == [20, 100, 420, 500, 750]


def test_names_come_in_another_order_each_time() -> None:
    """All of them are there, but a cache of equal lists would never serve."""
    names = [f"node-{index}" for index in range(500)]
    lists = Names(names, 500, random.Random(1))
    first, second = lists.next(), lists.next()
    assert first != second
    assert sorted(first) == sorted(second) == sorted(names)


def test_the_window_moves_on() -> None:
    """A sample begins where the last one ended, around the end of the list."""
    lists = Names([f"node-{index:03}" for index in range(100)], 40, random.Random(1))
    windows = [sorted(lists.next()) for _ in range(3)]
    assert [window[0] for window in windows[:2]] == ["node-000", "node-040"]
    assert windows[2][:20] == [f"node-{index:03}" for index in range(20)]
