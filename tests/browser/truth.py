"""What must be shown: each figure by the name that its element carries, from the ledger and the agents' reports.

Nothing here knows how the dashboard makes its pages; it is written a second time on purpose.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator

import msgspec

from hetero.kube import objects, paths
from hetero.model.device import CORES, MEMORY, SLOTS, Device, Quantities
from hetero.model.placement import ContainerPlacement, Placement
from hetero.monitoring.report import DeviceReport
from tests.browser.stage import Stage

MIB = 1 << 20
Value = float | None
Figures = dict[str, Value]


class Truth:
    """The figures of a cluster that stands still.

    Args:
        stage: The cluster.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.nodes = {node.name: node.devices for node in stage.cluster.planner.inventory.nodes}
        self.cards = {device.uuid: device for devices in self.nodes.values() for device in devices}
        self._free = {
            uuid: left for of in stage.cluster.planner.free_quantities().values() for uuid, left in of.items()
        }
        reports = [stage.agents.report(name) for name in self.nodes if name not in stage.agents.silent]
        self._devices = {one.uuid: one for report in reports for one in report.devices}
        self._slices = {(one.pod_uid, one.container, one.device): one for report in reports for one in report.slices}
        self._held = [(p, c.container, s) for p in stage.placements.values() for c in p.containers for s in c.devices]

    def figures(self) -> Figures:
        """All of them."""
        found: Figures = dict(self._cluster())
        for vendor in {device.model.vendor for device in self.cards.values()}:
            of = [device for device in self.cards.values() if device.model.vendor == vendor]
            nodes = sum(any(one.model.vendor == vendor for one in devices) for devices in self.nodes.values())
            found |= self._group(f"vendor.{vendor}", of) | {f"vendor.{vendor}.nodes": nodes}
        for name, devices in self.nodes.items():
            found |= self._group(f"node.{name}", devices)
        for device in self.cards.values():
            found |= dict(self._card(device))
        for key, placement in self._stage.placements.items():
            found |= dict(self._workload("/".join(key), placement))
        return found | dict(self._pods())

    def _cluster(self) -> Iterator[tuple[str, Value]]:
        silent = len(self._stage.agents.silent)
        yield "cluster.nodes", len(self.nodes)
        yield "cluster.nodes.known", len(self.nodes)
        yield "cluster.reporting", len(self.nodes) - silent
        yield "cluster.cards", len(self.cards)
        yield "cluster.workloads", len(self._stage.placements)
        yield "cluster.waiting", sum(not pod["spec"].get("nodeName") for pod in self._stage.server.objects(paths.PODS))

    def _group(self, name: str, of: Iterable[Device]) -> Figures:
        of = list(of)
        return {
            f"{name}.cards": len(of),
            f"{name}.unhealthy": sum(not one.health.ok for one in of),
            f"{name}.idle": sum(not self._used(one).get(SLOTS) for one in of),
            f"{name}.slices": sum(len(self._slices_of(one)) for one in of),
            **dict(self._amount(f"{name}.memory", of, MEMORY)),
            **dict(self._amount(f"{name}.compute", of, CORES)),
        }

    def _amount(self, name: str, of: list[Device], what: str) -> Iterator[tuple[str, Value]]:
        unit = MIB if what == MEMORY else 0.01
        capacity = sum(one.model.capacity.get(what, 0) for one in of)
        taken = sum(self._used(one).get(what, 0) for one in of)
        known = [self._devices[one.uuid] for one in of if one.uuid in self._devices]
        used = [value for one in known if (value := _really(one, what)) is not None]
        yield f"{name}.capacity", capacity * unit
        yield f"{name}.allocated", taken * unit
        shared = sum(self._shared(one) for one in of) if what == CORES else 0
        yield f"{name}.shared", shared * unit
        yield f"{name}.idle", max(0, capacity - taken - shared) * unit
        yield f"{name}.used", sum(used) if used else None

    def _card(self, device: Device) -> Iterator[tuple[str, Value]]:
        name, used = f"card.{device.uuid}", self._used(device)
        for what, amount in device.model.capacity.items():
            if what not in (MEMORY, CORES, SLOTS):
                yield f"{name}.{what}.capacity", amount
                yield f"{name}.{what}.allocated", used.get(what, 0)
        yield from self._amount(f"{name}.memory", [device], MEMORY)
        yield from self._amount(f"{name}.compute", [device], CORES)
        for what, unit in ((MEMORY, MIB), (CORES, 0.01)):
            kept = sum(_kept(placement, device.uuid, what) for placement in self._stage.placements.values())
            yield f"{name}.{'memory' if what == MEMORY else 'compute'}.reserved", kept * unit
        yield f"{name}.slots", device.model.capacity.get(SLOTS, 0)
        yield f"{name}.slots_used", used.get(SLOTS, 0)
        said = self._devices.get(device.uuid)
        yield f"{name}.temperature", said.temperature if said else None
        yield f"{name}.power", said.power if said else None
        for placement, container, share in self._slices_of(device):
            part = f"slice.{device.uuid}.{placement.namespace}/{placement.pod}/{container}"
            seen = self._slices.get((placement.uid, container, device.uuid))
            yield f"{part}.memory", share.share.memory * MIB
            yield f"{part}.compute", share.share.cores / 100
            yield f"{part}.memory_used", seen.memory_used if seen else None
            yield f"{part}.compute_used", seen.compute_used if seen else None

    def _workload(self, key: str, placement: Placement) -> Iterator[tuple[str, Value]]:
        mine = [(c, s) for p, c, s in self._held if p is placement]
        seen = [self._slices.get((placement.uid, container, share.device)) for container, share in mine]
        name = f"workload.{key}"
        yield f"{name}.cards", len({share.device for _, share in mine})
        yield f"{name}.memory.allocated", sum(share.share.memory for _, share in mine) * MIB
        yield f"{name}.compute.allocated", sum(share.share.cores for _, share in mine) / 100
        yield f"{name}.memory.used", _sum(one.memory_used for one in seen if one)
        yield f"{name}.compute.used", _sum(one.compute_used for one in seen if one)
        for number, ((_, share), one) in enumerate(zip(mine, seen, strict=True)):
            yield f"{name}.held.{number}.memory", share.share.memory * MIB
            yield f"{name}.held.{number}.compute", share.share.cores / 100
            for field in REPORTED:
                yield f"{name}.held.{number}.{field}", getattr(one, field) if one else UNKNOWN.get(field)

    def _pods(self) -> Iterator[tuple[str, Value]]:
        for pod in self._stage.server.objects(paths.PODS):
            about = pod["metadata"]
            since = datetime.datetime.fromisoformat(about["creationTimestamp"]).timestamp()
            for kind in ("workload", "waiting"):
                yield f"{kind}.{about['namespace']}/{about['name']}.since", since
            name = f"workload.{about['namespace']}/{about['name']}"
            yield f"{name}.priority", pod["spec"].get("priority", 0)
            if not pod["spec"].get("nodeName"):
                ask = self._stage.cluster.asks.read(msgspec.convert(pod, objects.Pod))
                yield f"{name}.cards", sum(one.count for container in ask.containers for one in container.asks)

    def _shared(self, device: Device) -> int:
        """What slices without a limit have together: all that is left."""
        free = any(not share.share.cores for _, _, share in self._slices_of(device))
        return max(0, 100 - self._used(device).get(CORES, 0)) if free else 0

    def _used(self, device: Device) -> Quantities:
        left = self._free[device.uuid]
        return {name: amount - left.get(name, 0) for name, amount in device.model.capacity.items()}

    def _slices_of(self, device: Device) -> list[tuple[Placement, str, object]]:
        return [(p, c, s) for p, c, s in self._held if s.device == device.uuid]


REPORTED = (
    "memory_used",
    "memory_context",
    "memory_module",
    "compute_used",
    "compute_lent",
    "throttled_seconds",
    "launches",
    "refused",
    "exhausted",
    "processes",
    "priority",
)
"""What only an agent knows of a slice."""

UNKNOWN: Figures = {"compute_lent": 0.0}
"""What is shown where no agent says anything; all else is not known."""


def _kept(placement: Placement, device: str, what: str) -> int:
    """By how much an init container asked more of a card than the containers that run after it."""

    def taken(containers: Iterable[ContainerPlacement]) -> list[int]:
        of = [[one.share for one in container.devices if one.device == device] for container in containers]
        return [sum(share.quantities.get(what, 0) for share in shares) for shares in of]

    return max(0, max(taken(placement.init_containers), default=0) - sum(taken(placement.containers)))


def _really(device: DeviceReport, what: str) -> Value:
    return device.memory_used if what == MEMORY else device.utilization


def _sum(values: Iterable[Value]) -> Value:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
