"""The ledger under the names of :mod:`hetero.peer_metrics`: of each device of the cluster, container and quota.

At 5,000 nodes that is a quarter of a million lines. So the lock is held for a copy of what is charged, no longer, and
the text is made family by family, by whoever sends it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

from hetero import peer_metrics as peers
from hetero.instruments import Family, Samples, blocks, labelled
from hetero.model.device import CORES, MEMORY
from hetero.model.placement import ContainerPlacement, Placement
from hetero.model.quantity import MIB
from hetero.peer_metrics import Names, Pair
from hetero.placement.ledger import Amounts
from hetero.placement.quota import Use
from hetero.placement.standing import Standing
from hetero.scheduler.cluster import Cluster


class Row(NamedTuple):
    """A device and what is charged to it; memory in MiB, compute in percent."""

    node: str
    uuid: str
    position: str
    model: str
    memory: int
    memory_used: int
    cores: int
    cores_used: int
    sharing: int

    @property
    def ratio(self) -> float:
        """Compute that is promised, 0 to 100."""
        return float(math.ceil(100 * self.cores_used / self.cores)) if self.cores else 0.0

    @property
    def full(self) -> float | None:
        """Memory that is promised, 0 to 1."""
        return self.memory_used / self.memory if self.memory else None


_Of = Callable[[Row], float | None]

_DEVICES: tuple[tuple[Pair, _Of, _Of], ...] = (
    (peers.memory_limit, lambda row: row.memory * MIB, lambda row: row.memory * MIB),
    (peers.core_limit, lambda row: 100 if row.cores else 0, lambda row: row.cores),
    (peers.memory_allocated, lambda row: row.memory_used * MIB, lambda row: row.memory_used * MIB),
    (peers.shared, lambda row: row.sharing, lambda row: row.sharing),
    (peers.core_allocated, lambda row: row.ratio, lambda row: row.cores_used),
    (peers.overview, lambda row: row.memory_used * MIB, lambda row: row.memory_used * MIB),
    (peers.memory_ratio, lambda row: row.full, lambda row: row.full),
)
"""A figure of a device, and its value under the current name and under the older one, which tells raw amounts."""


class Exposed:
    """What is told in one scrape.

    Args:
        standing: The devices and what is charged to them.
        placements: Of the pods that the cluster shows with devices.
        quotas: Each limit of each quota.
        names: Which names are told.
    """

    def __init__(self, standing: Standing, placements: list[Placement], quotas: list[Use], names: Names) -> None:
        self._standing = standing
        self._placements = placements
        self._quotas = quotas
        self._names = names
        self._written: dict[tuple[str, ...], list[str]] = {}

    def lines(self, family: Family) -> Iterator[str]:
        """The family's samples, as :meth:`hetero.instruments.Samples.lines`."""
        for pair, current, legacy in _DEVICES:
            if family in pair:
                return self._device_lines(family, current if family is pair.current else legacy)
        return self._others.lines(family)

    def _device_lines(self, family: Family, value: _Of) -> Iterator[str]:
        """Devices are not collected first: there are too many of them."""
        for row, labels in zip(self._rows, self._labels(family.labels), strict=True):
            found = value(row)
            if found is not None:
                yield f"{family.name}{labels} {found}"

    def _labels(self, names: tuple[str, ...]) -> list[str]:
        """The labels of all devices; most families have the same."""
        if names not in self._written:
            values = _LABELS[len(names)]
            self._written[names] = [labelled(names, values(row)) for row in self._rows]
        return self._written[names]

    @cached_property
    def _rows(self) -> list[Row]:
        shape, used = self._standing.shape, self._standing.used
        count = len(shape.devices)
        capacity = [_line(shape.capacity, shape.lines.get(name), count) for name in (MEMORY, CORES)]
        taken = [_line(used, shape.lines.get(name), count) for name in (MEMORY, CORES)]
        sharing = self._sharing
        nodes = [shape.names[node] for node in shape.node_of.tolist()]
        return [
            Row(node, device.uuid, str(device.index), device.model.name, memory, memory_used, cores, cores_used,
                sharing[node, device.uuid])
            for node, device, memory, memory_used, cores, cores_used in zip(
                nodes, shape.devices, capacity[0], taken[0], capacity[1], taken[1], strict=True
            )
        ]  # fmt: skip

    @cached_property
    def _sharing(self) -> Counter[tuple[str, str]]:
        """Containers on each device, by node and identity; one that has a device twice shares it once."""
        return Counter(
            (placement.node, uuid)
            for placement in self._placements
            for container in placement.containers
            for uuid in {share.device for share in container.devices}
        )

    @cached_property
    def _others(self) -> Samples:
        found = Samples()
        for placement in self._placements:
            for number, container in _numbered(placement):
                _container(self._names, found, placement, number, container)
        for use in self._quotas:
            namespace, resource, amount = use.namespace, use.limit.resource, use.limit.amount
            self._names.add(found, peers.quota_used, (namespace, resource, str(amount)), use.used)
            self._names.add(found, peers.quota_limit, (namespace, resource), amount)
        return found


_LABELS: dict[int, Callable[[Row], tuple[str, ...]]] = {
    3: lambda row: (row.node, row.uuid, row.position),
    4: lambda row: (row.node, row.uuid, row.position, row.model),
    5: lambda row: (row.node, row.uuid, row.position, str(row.cores), row.model),
    6: lambda row: (row.node, row.uuid, row.position, str(row.cores), str(row.memory), row.model),
}
"""By how many labels a family of devices has."""


class Source:
    """Takes the copies. For any number of threads.

    Args:
        cluster: Of what.
        names: Which names are told.
    """

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self._cluster = cluster
        self._names = names
        self._standing: Standing | None = None

    def pieces(self) -> Iterator[str]:
        """The text, family by family."""
        yield from blocks(self._names.of("scheduler"), self.take())

    def take(self) -> Exposed:
        """The ledger as it is now; the lock is held for some milliseconds at most."""
        with self._cluster.lock:
            self._standing = self._cluster.planner.standing(self._standing)
            charged, shown = self._cluster.planner.placements(), self._cluster.books.shown()
            quotas = self._cluster.planner.quotas_in_use()
        placements = [placement for key in shown if (placement := charged.get(key)) is not None]
        return Exposed(self._standing, placements, quotas, self._names)


def _line(amounts: Amounts, line: int | None, count: int) -> list[int]:
    """What each device has of a dimension, which nobody may have."""
    return [0] * count if line is None else amounts[line].tolist()


def _numbered(placement: Placement) -> Iterator[tuple[str, ContainerPlacement]]:
    """The containers of a pod by their position; init containers have positions of their own."""
    for index, container in enumerate(placement.containers):
        yield str(index), container
    for index, container in enumerate(placement.init_containers):
        yield f"init-{index}", container


def _container(names: Names, found: Samples, of: Placement, number: str, container: ContainerPlacement) -> None:
    sums: dict[str, tuple[int, int]] = {}
    for one in container.devices:
        memory, cores = sums.get(one.device, (0, 0))
        sums[one.device] = memory + one.share.memory, cores + one.share.cores
    for uuid, (memory, cores) in sums.items():
        labels = (of.namespace, of.node, of.pod, number, uuid)
        names.add(found, peers.held_memory, labels, memory * MIB)
        names.add(found, peers.held_cores, labels, cores)
