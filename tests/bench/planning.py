"""How long the planner takes for a pod, without HTTP, and how that grows with the cluster.

A pod is what the service asks for one: the nodes that fit among all names, their scores, the place on the best of
them, and its charge; then one that was placed earlier is freed. Clusters take turns, so that what disturbs the machine
disturbs all alike.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from hetero import plugins
from hetero.model.ask import PodAsk
from hetero.model.device import Inventory
from hetero.model.placement import Placement
from hetero.placement import Planner
from hetero.testing.fake import fake_node, fake_vendor
from tests.bench.clusters import VENDOR, Size, described
from tests.bench.figures import Figure, quantile
from tests.bench.names import Names
from tests.bench.workloads import WORKLOADS, Workload, drawn

PODS = 300
SMALL, LARGE, SPARSE = Size(1000, 8, 8000), Size(5000, 8, 40000), Size(5000, 8, 8000)


class Planned:
    """A planner over a described cluster.

    Attributes:
        size: Of the cluster.
        times: What each pod took, in ms.
        filled_s: Seconds that it took to tell the planner of every node and pod.
    """

    def __init__(self, size: Size) -> None:
        vendor = plugins.load().vendors[VENDOR]
        cluster = described(size, vendor)
        self.size, self.times = size, list[float]()
        self._random = random.Random(3)
        self._names = Names([node.name for node in cluster.nodes], size.nodes, self._random)
        self._keys = [placement.key for _, placement in cluster.pods]
        start = time.perf_counter()
        self.planner = Planner(Inventory(), {VENDOR: vendor})
        for node in cluster.nodes:
            self.planner.put_node(node)
        for _, placement in cluster.pods:
            self.planner.charge(placement)
        self.filled_s = time.perf_counter() - start

    def turn(self, workload: Workload, name: str) -> None:
        """One pod of the workload comes, and one goes."""
        pod, names = workload.ask(VENDOR, name), self._names.next()
        start = time.perf_counter_ns()
        placed = self._placed(pod, names)
        if placed is not None:
            self.planner.charge(placed)
        self.times.append((time.perf_counter_ns() - start) / 1e6)
        if placed is not None:
            self._keys.append(placed.key)
            last = self._random.randrange(len(self._keys))
            self._keys[last], self._keys[-1] = self._keys[-1], self._keys[last]
            self.planner.free(self._keys.pop())

    def _placed(self, pod: PodAsk, names: Sequence[str]) -> Placement | None:
        options = self.planner.options(pod)
        fits, _, _ = options.split(names)
        options.scores(fits)
        best = options.best(fits)
        placed = self.planner.place_on(pod, best) if best is not None else None
        return placed if isinstance(placed, Placement) else None


def measure() -> list[Figure]:
    """Small and large clusters of equal nodes, as ever; then the mix on filled ones, and its growth."""
    return [
        Figure("placing one pod, 100 nodes, 800 devices (described cluster)", _median_ms(100), "ms", "<= 5"),
        Figure("placing one pod, 5,000 nodes, 40,000 devices (described cluster)", _median_ms(5000), "ms", "<= 20"),
        *_growth(),
    ]


def _median_ms(nodes: int) -> float:
    inventory = Inventory(nodes=tuple(fake_node(f"node-{index}", 8) for index in range(nodes)))
    planner = Planner(inventory, {"fake": fake_vendor()})
    times = []
    for index in range(PODS):
        pod = Workload("pod", 1, memory=4096, cores=25).ask("fake", f"pod-{index}")
        start = time.perf_counter_ns()
        planner.place(pod)
        times.append((time.perf_counter_ns() - start) / 1e6)
    return quantile(times, 50)


def _growth() -> list[Figure]:
    planned = [Planned(size) for size in (SMALL, LARGE, SPARSE)]
    mix = [*WORKLOADS, *drawn(random.Random(2), PODS)]
    for number, workload in enumerate(mix):
        for one in planned:
            one.turn(workload, f"new-{number}")
    for one in planned:
        del one.times[: len(WORKLOADS)]  # a kind of pod that is new costs more once
    small, large, sparse = (quantile(one.times, 50) for one in planned)
    return [
        *(
            Figure(f"planning, {one.size}, p{percent}", quantile(one.times, percent), "ms")
            for one in planned
            for percent in (50, 99)
        ),
        Figure("  growth from 1,000 to 5,000 nodes", large / small, "times", "<= 5"),
        Figure("  growth from 8,000 to 40,000 pods on 5,000 nodes", large / sparse, "times", "<= 1.1"),
        Figure(f"filling the planner, {LARGE}", planned[1].filled_s, "s"),
    ]
