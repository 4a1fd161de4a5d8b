"""The mix of pods that the placement benches ask with: twenty workloads, from a tenth of a card to eight whole ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.model.resources import Resources


@dataclass(frozen=True)
class Workload:
    """Equal pods, as a Deployment or Job makes them.

    Attributes:
        name: Of the workload.
        weight: How many of all pods are of it, relative to the others.
        count: Devices for each container.
        memory: MiB of each; 0 when asked in percent or not at all.
        percentage: Of each device's memory; 0 when asked in MiB or not at all.
        cores: Percent of each device's compute.
        containers: How many containers ask the same.
        use_models: Words of models that may serve.
        node_policy: Over nodes; empty for the default.
        device_policy: Over devices; empty for the default.
    """

    name: str
    weight: int
    count: int = 1
    memory: int = 0
    percentage: int = 0
    cores: int = 0
    containers: int = 1
    use_models: tuple[str, ...] = field(default=())
    node_policy: str = ""
    device_policy: str = ""

    def ask(self, vendor: str, name: str = "pod") -> PodAsk:
        """What one of its pods asks, as admission would read it."""
        ask = Ask(
            vendor=vendor,
            count=self.count,
            memory=self.memory or None,
            memory_percentage=self.percentage or None,
            cores=self.cores,
            selection=Selection(use_models=self.use_models),
        )
        return PodAsk(
            name=name,
            containers=tuple(ContainerAsk(name=f"main-{index}", asks=(ask,)) for index in range(self.containers)),
            node_policy=self.node_policy,
            device_policy=self.device_policy,
        )

    def limits(self, resources: Resources) -> dict[str, str]:
        """``resources.limits`` of one of its containers."""
        asked = {
            resources.count: self.count,
            resources.memory: self.memory,
            resources.memory_percentage: self.percentage,
            resources.cores: self.cores,
        }
        return {name: str(amount) for name, amount in asked.items() if name and amount}

    def annotations(self, resources: Resources) -> dict[str, str]:
        """The annotations of its pods."""
        said = {
            resources.use_models: ",".join(self.use_models),
            "hami.io/node-scheduler-policy": self.node_policy,
            "hami.io/gpu-scheduler-policy": self.device_policy,
        }
        return {name: text for name, text in said.items() if text}


WORKLOADS = (
    Workload("notebook", 12, memory=2048, cores=10),
    Workload("notebook-large", 6, memory=6144, cores=20),
    Workload("embedder", 12, memory=1536, cores=15),
    Workload("reranker", 8, memory=3072, cores=20),
    Workload("speech", 6, memory=4096, cores=30),
    Workload("vision", 8, memory=2048, cores=25, device_policy="binpack"),
    Workload("detector", 6, percentage=10, cores=10),
    Workload("batch", 8, percentage=25, cores=25, node_policy="spread"),
    Workload("half", 4, percentage=50, cores=50),
    Workload("llm-small", 5, memory=10240, cores=40),
    Workload("llm-medium", 3, memory=20480, cores=50),
    Workload("llm-large", 2, memory=40960, cores=60),
    Workload("llm-pair", 2, count=2, memory=30720, cores=60),
    Workload("unlimited", 4, memory=4096),
    Workload("unlimited-spread", 2, memory=8192, node_policy="spread"),
    Workload("chain", 3, memory=2048, cores=10, containers=2),
    Workload("hopper", 2, memory=16384, cores=30, use_models=("H100",)),
    Workload("whole", 3, cores=100),
    Workload("train-4", 1, count=4, cores=100),
    Workload("train-8", 1, count=8, cores=100, use_models=("H100", "A100")),
)
"""Replicas of a workload ask alike, so these are twenty shapes."""

TOO_LARGE = Workload("too-large", 1, memory=200000)
"""Fits on no card that is sold."""


def drawn(random_: random.Random, count: int, among: Sequence[Workload] = WORKLOADS) -> list[Workload]:
    """So many pods of the mix."""
    return random_.choices(among, [workload.weight for workload in among], k=count)
