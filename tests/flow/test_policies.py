"""Policies from the annotation of a manifest to the devices that a pod gets, with an installed and a fake vendor."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hetero_nvidia import nvidia

from hetero.admission.asks import pod_ask
from hetero.admission.workloads import pods
from hetero.model.device import Device, Inventory, Link, LinkKind, Node
from hetero.model.placement import Placement, Unplaced
from hetero.placement import Planner
from hetero.placement.quota import read
from hetero.testing.fake import fake_device, fake_vendor
from hetero.vendor import Vendor

VENDORS: dict[str, Vendor] = {"fake": fake_vendor(), "nvidia": nvidia}
DEVICE_POLICIES = ("hetero.io/device-policy", "hami.io/gpu-scheduler-policy")


def _bridged(index: int) -> Device:
    """A GPU of eight: bridged with its neighbour, four on each processor."""
    model = nvidia.splitting.model("NVIDIA A40", 46068)
    links = tuple(
        Link(peer=f"GPU-{peer}", kind=LinkKind.DIRECT, lanes=4)
        if peer == index ^ 1
        else Link(peer=f"GPU-{peer}", kind=LinkKind.NUMA if peer // 4 == index // 4 else LinkKind.SYSTEM)
        for peer in range(8)
        if peer != index
    )
    return Device(uuid=f"GPU-{index}", index=index, model=model, numa=index // 4, links=links)


GPUS = Node(name="gpus", devices=tuple(_bridged(index) for index in range(8)))


def _npus(*numas: int) -> Node:
    return Node(name="npus", devices=tuple(fake_device(index, numa=numa) for index, numa in enumerate(numas)))


class Cluster:
    """A cluster into which manifests are thrown."""

    def __init__(self, *nodes: Node, **settings: Any) -> None:
        self.planner = Planner(Inventory(nodes=nodes), VENDORS, **settings)
        self._pods = 0

    def run(self, *, annotations: dict[str, str] | None = None, **limits: int) -> Placement | Unplaced:
        """A pod of one container with limits such as ``gpu=1`` and ``npumem=1024``."""
        self._pods += 1
        domains = {"gpu": "nvidia.com/", "npu": "fake.example/"}
        named = {f"{domains[name[:3]]}{name}": amount for name, amount in limits.items()}
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"p{self._pods}", "annotations": annotations or {}},
            "spec": {"containers": [{"name": "c", "image": "i", "resources": {"limits": named}}]},
        }
        [pod] = pods(manifest)
        return self.planner.place(pod_ask(pod, VENDORS))

    def devices(self, **asked: Any) -> list[int]:
        """The numbers of the devices that a pod gets."""
        placed = self.run(**asked)
        assert isinstance(placed, Placement), placed
        return [int(share.device.rpartition("-")[2]) for share in placed.containers[0].devices]


@pytest.mark.parametrize("key", DEVICE_POLICIES)
def test_mutex_takes_idle_devices_only(key: str) -> None:
    """A card that anybody uses is passed over, however much of it is free; without an idle one the pod waits."""
    cluster = Cluster(_npus(0, 0))
    mutex = {key: "mutex"}
    assert cluster.devices(npu=1, npumem=10, annotations={key: "binpack"}) == [0]
    assert cluster.devices(npu=1, npumem=10, annotations=mutex) == [1]
    refused = cluster.run(npu=1, npumem=10, annotations=mutex)
    assert isinstance(refused, Unplaced)
    assert cluster.devices(npu=1, npumem=10, annotations={key: "binpack"}) == [0]


@pytest.mark.parametrize("key", DEVICE_POLICIES)
def test_numa_keeps_the_devices_of_a_container_together(key: str) -> None:
    """Though the emptiest are on two NUMA nodes; where none has enough, others are given all the same."""
    cluster = Cluster(_npus(0, 1, 1, 1))
    cluster.run(npu=1, npumem=10, annotations={"fake.example/use-devices": "fake-3"})
    assert sorted(cluster.devices(npu=3, npumem=10, annotations={key: "numa"})) == [1, 2, 3]
    assert len(cluster.devices(npu=4, npumem=10, annotations={key: "numa,binpack"})) == 4


@pytest.mark.parametrize("key", DEVICE_POLICIES)
def test_topology_aware_takes_what_is_linked(key: str) -> None:
    """A pair is a bridged pair, though emptier cards are apart; a single card is one whose partner is taken."""
    cluster = Cluster(GPUS)
    cluster.run(gpu=1, gpumem=100, annotations={"nvidia.com/use-gpuuuid": "GPU-0"})
    for index in range(2, 8, 2):
        cluster.run(gpu=1, annotations={"nvidia.com/use-gpuuuid": f"GPU-{index}"})
    aware = {key: "topology-aware"}
    assert cluster.devices(gpu=1, gpumem=100, annotations=aware) == [5]
    assert sorted(cluster.devices(gpu=2, gpumem=100, annotations=aware)) == [0, 1]
    assert cluster.devices(gpu=2, gpumem=100) == [3, 7]


def test_on_an_idle_node_linked_devices_are_taken_anyway() -> None:
    """The policy likes all alike, so the links decide."""
    cluster = Cluster(GPUS)
    assert cluster.devices(gpu=4) == [0, 1, 2, 3]
    assert cluster.devices(gpu=2) == [4, 5]


def test_weights_choose_by_the_dimension_that_counts() -> None:
    """The emptiest in memory is not the emptiest in compute."""
    for weights, device in (("slot=0,core=1,memory=0", 0), ("slot=0,core=0,memory=1", 1)):
        cluster = Cluster(_npus(0, 0))
        cluster.run(npu=1, npumem=12000, npucores=1, annotations={"fake.example/use-devices": "fake-0"})
        cluster.run(npu=1, npumem=1000, npucores=60, annotations={"fake.example/use-devices": "fake-1"})
        assert cluster.devices(npu=1, npumem=10, annotations={"hami.io/device-scoring-weights": weights}) == [device]


def test_a_chain_may_be_the_default_of_a_cluster() -> None:
    """And a pod's own policy goes before it."""
    cluster = Cluster(_npus(0, 0), device_policy="mutex,binpack")
    assert cluster.devices(npu=1, npumem=10) == [0]
    assert cluster.devices(npu=1, npumem=10) == [1]
    assert isinstance(cluster.run(npu=1, npumem=10), Unplaced)
    assert cluster.devices(npu=1, npumem=10, annotations={DEVICE_POLICIES[0]: "spread"}) == [0]


def test_a_models_whole_name_selects_it_alone() -> None:
    """Though another model's name contains it."""
    longer, exact = (fake_device(index, model=name) for index, name in enumerate(("F1-1", "F1")))
    cluster = Cluster(Node(name="n", devices=(longer, exact)))
    assert cluster.devices(npu=1, npumem=10, annotations={"fake.example/use-models": "f1"}) == [1]
    assert isinstance(cluster.run(npu=2, npumem=10, annotations={"fake.example/use-models": "f1"}), Unplaced)
    assert sorted(cluster.devices(npu=2, npumem=10, annotations={"fake.example/use-models": "f"})) == [0, 1]


def test_quotas_of_several_vendors_hold_together() -> None:
    """A whole card counts with all of its memory, which is known when it is chosen."""
    cluster = Cluster(GPUS, _npus(0, 0))
    hard = {"limits.nvidia.com/gpumem": 50000, "limits.fake.example/npu": 1}
    quotas = [read("memory", hard, VENDORS), read("count", {"requests.nvidia.com/gpu": 1}, VENDORS)]
    cluster.planner.put_quotas("default", quotas)
    assert cluster.devices(npu=1) == [0]
    assert len(cluster.devices(gpu=1)) == 1
    for asked in ({"npu": 1}, {"gpu": 1}):
        refused = cluster.run(**asked)
        assert isinstance(refused, Unplaced)
        reasons = {refusal.reason for refusal in refused.refusals.values()}
        assert "ResourceQuotaNotFit" in reasons, msgspec.to_builtins(refused)
