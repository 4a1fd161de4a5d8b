"""How long the planner takes for one pod, on described clusters."""

from __future__ import annotations

import statistics
import time

from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.device import Inventory
from hetero.placement import Planner
from hetero.testing.fake import fake_node, fake_vendor
from tests.bench.figures import Figure

PODS = 200


def measure() -> list[Figure]:
    """Small and large clusters of 8 devices a node, a quarter of a device for each pod."""
    return [
        Figure("placing one pod, 100 nodes, 800 devices (described cluster)", _median_ms(100), "ms", "<= 5"),
        Figure("placing one pod, 5,000 nodes, 40,000 devices (described cluster)", _median_ms(5000), "ms", "<= 20"),
    ]


def _median_ms(nodes: int) -> float:
    inventory = Inventory(nodes=tuple(fake_node(f"node-{index}", 8) for index in range(nodes)))
    planner = Planner(inventory, {"fake": fake_vendor()})
    return statistics.median(_place_ms(planner, index) for index in range(PODS))


def _place_ms(planner: Planner, index: int) -> float:
    ask = Ask(vendor="fake", memory=4096, cores=25)
    pod = PodAsk(name=f"pod-{index}", containers=(ContainerAsk(name="main", asks=(ask,)),))
    start = time.perf_counter_ns()
    planner.place(pod)
    return (time.perf_counter_ns() - start) / 1e6
