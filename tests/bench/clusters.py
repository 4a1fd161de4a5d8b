"""Clusters to measure on: so many nodes of five models of cards, filled unevenly with the mix of workloads.

A quarter of the nodes is as good as full, some are empty and the rest is in between, as clusters are after some weeks.
Equal sizes give equal clusters. How they are filled does not matter to what is measured, so it is not the planner that
fills them: devices are taken where most memory is free, never over capacity.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hetero.model.device import CORES, MEMORY, Device, Node, Quantities
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from hetero.vendor import Vendor
from tests.bench.workloads import WORKLOADS, Workload, drawn

VENDOR = "nvidia"
MODELS = (
    ("h100", "NVIDIA H100 80GB HBM3", 81559),
    ("a100", "NVIDIA A100-SXM4-80GB", 81920),
    ("l40s", "NVIDIA L40S", 46068),
    ("a10", "NVIDIA A10", 23028),
    ("t4", "Tesla T4", 15360),
)
POPULAR = (8, 8, 8, 8, 8, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0)
"""How often a node is chosen, by its place in a row of twenty: full ones, ordinary ones, empty ones."""

MOST_TRIES = 50


@dataclass(frozen=True)
class Size:
    """How large a cluster is.

    Attributes:
        nodes: Machines.
        devices: Of each.
        pods: That hold devices.
    """

    nodes: int
    devices: int
    pods: int

    def __str__(self) -> str:
        return f"{self.nodes:,} nodes of {self.devices}, {self.pods:,} pods"


@dataclass(frozen=True)
class Cluster:
    """A described cluster.

    Attributes:
        nodes: Its machines; those of a pool are not neighbours.
        pods: Who holds what: each pod's workload and place.
    """

    nodes: tuple[Node, ...]
    pods: tuple[tuple[Workload, Placement], ...]


def described(size: Size, vendor: Vendor, seed: int = 1) -> Cluster:
    """The cluster of that size.

    Raises:
        ValueError: So many pods do not fit.
    """
    nodes = tuple(_node(index, size.devices, vendor) for index in range(size.nodes))
    return Cluster(nodes=nodes, pods=tuple(_Filling(nodes, vendor, random.Random(seed)).pods(size.pods)))


def _node(index: int, devices: int, vendor: Vendor) -> Node:
    pool, name, memory = MODELS[index % len(MODELS)]
    model = vendor.splitting.model(name, memory)
    machine = f"pool-{pool}-{index:05d}"
    identity = f"{vendor.name.upper()}-{index:08x}-5b1e-4c3a-9d2f"
    return Node(
        name=machine,
        devices=tuple(
            Device(uuid=f"{identity}-{number:012x}", index=number, model=model, numa=number * 2 // devices)
            for number in range(devices)
        ),
    )


class _Filling:
    def __init__(self, nodes: Sequence[Node], vendor: Vendor, random_: random.Random) -> None:
        self._nodes, self._vendor, self._random = nodes, vendor, random_
        self._left: list[list[Quantities]] = [[dict(one.model.capacity) for one in node.devices] for node in nodes]
        self._shares: dict[tuple[str, str], Share | None] = {}

    def pods(self, count: int) -> Iterator[tuple[Workload, Placement]]:
        popular = [POPULAR[index // len(MODELS) % len(POPULAR)] for index in range(len(self._nodes))]
        likely = self._random.choices(range(len(self._nodes)), popular, k=count * 2)
        for number in range(count):
            yield self._pod(number, likely)

    def _pod(self, number: int, likely: Sequence[int]) -> tuple[Workload, Placement]:
        for attempt in range(MOST_TRIES):
            # What is popular is full sooner or later: then anywhere.
            chosen = likely if attempt < MOST_TRIES // 2 else range(len(self._nodes))
            index = self._random.choice(chosen)
            [workload] = drawn(self._random, 1)
            places = self._take(index, workload)
            if places is not None:
                return workload, self._placement(number, index, workload, places)
        raise ValueError(f"no room for pod {number}: ask for fewer pods or more nodes")

    def _take(self, index: int, workload: Workload) -> list[list[int]] | None:
        """The devices of each container; charged, when all of them are found."""
        share = self._share(index, workload)
        if share is None:
            return None
        left, taken = self._left[index], []
        for _ in range(workload.containers):
            ample = [number for number, room in enumerate(left) if _fits(share.quantities, room)]
            if len(ample) < workload.count:
                _add(left, taken, share.quantities)
                return None
            ample.sort(key=lambda number: -left[number][MEMORY])
            taken.append(ample[: workload.count])
            _add(left, taken[-1:], share.quantities, -1)
        return taken

    def _share(self, index: int, workload: Workload) -> Share | None:
        model = self._nodes[index].devices[0].model
        key = (model.name, workload.name)
        if key not in self._shares:
            [ask] = workload.ask(VENDOR).containers[0].asks
            words = workload.use_models
            share = self._vendor.splitting.split(model, ask)
            wanted = not words or any(word in model.name for word in words)
            self._shares[key] = share if wanted and isinstance(share, Share) else None
        return self._shares[key]

    def _placement(self, number: int, index: int, workload: Workload, places: list[list[int]]) -> Placement:
        share = self._share(index, workload)
        assert share is not None
        node = self._nodes[index]
        return Placement(
            namespace="default",
            pod=f"{workload.name}-7f9c6d5b8-{number:05x}",
            uid=f"6f1d2c3b-0000-4000-8000-{number:012x}",
            node=node.name,
            containers=tuple(
                ContainerPlacement(
                    container=f"main-{place}",
                    devices=tuple(
                        DeviceShare(vendor=VENDOR, device=node.devices[device].uuid, share=share) for device in devices
                    ),
                )
                for place, devices in enumerate(places)
            ),
        )


def _fits(asked: Quantities, left: Quantities) -> bool:
    return all(left[name] >= amount for name, amount in asked.items()) and left[CORES] > 0


def _add(left: list[Quantities], places: Sequence[Sequence[int]], amounts: Quantities, sign: int = 1) -> None:
    for devices in places:
        for device in devices:
            for name, amount in amounts.items():
                left[device][name] += sign * amount


def shapes() -> int:
    """How many different asks the mix has."""
    return len({workload.ask(VENDOR) for workload in WORKLOADS})
