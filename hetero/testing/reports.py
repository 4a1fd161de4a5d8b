"""Reports of nodes on which nothing runs: devices of an inventory, slices of placements, and the use that is pretended.

SIMULATED: what is used is what a load function says. Limits and priorities are as an agent would have them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from hetero.agent.records import identity
from hetero.model.ask import PodAsk
from hetero.model.device import MEMORY, Device, Node
from hetero.model.placement import DeviceShare, Placement
from hetero.model.quantity import MIB
from hetero.monitoring.report import DeviceReport, NodeReport, SliceReport
from hetero.testing.loads import Load, Use, still

CONTEXT = 256 * MIB
"""Of a slice's memory, what a driver takes for a context, where the slice uses as much as four of them."""


class Placed(msgspec.Struct, frozen=True):
    """A pod on its node, as much as an agent needs of it.

    Args:
        placement: What it holds.
        ask: What it asked; None where that cannot be read.
        since: When it was created, seconds since 1970.
    """

    placement: Placement
    ask: PodAsk | None = None
    since: float = 0.0


class _Part(msgspec.Struct, frozen=True):
    """One device of a container, and how much of it is used."""

    container: str
    position: int
    share: DeviceShare
    use: Use


def report(node: Node, placed: Iterable[Placed], load: Load = still, now: float = 0.0) -> NodeReport:
    """What an agent would report of a node. Pure."""
    slices = tuple(one for pod in placed for one in _slices(pod, node, load, now))
    devices = _sorted_out(node.devices, slices)
    return NodeReport(node=node.name, time=now, devices=devices, slices=slices)


def _slices(pod: Placed, node: Node, load: Load, now: float) -> Iterator[SliceReport]:
    here = {device.uuid for device in node.devices}
    for container in pod.placement.containers:
        for vendor in dict.fromkeys(share.vendor for share in container.devices):
            shares = [one for one in container.devices if one.vendor == vendor]
            for position, share in enumerate(shares):
                use = load(f"{pod.placement.uid}/{container.container}/{position}", now)
                if use is not None and share.device in here:
                    yield _slice(pod, _Part(container.container, position, share, use), now)


def _slice(pod: Placed, part: _Part, now: float) -> SliceReport:
    placement, share, container = pod.placement, part.share, part.container
    limit = share.share.memory * MIB
    used = round(part.use.memory * limit)
    compute = part.use.compute * (share.share.cores / 100 or 0.25)
    busy = compute * max(0.0, now - pod.since)
    return SliceReport(
        id=identity(share.vendor, placement.uid, container),
        vendor=share.vendor,
        device=share.device,
        position=part.position,
        namespace=placement.namespace,
        pod=placement.pod,
        pod_uid=placement.uid,
        container=container,
        priority=_priority(pod.ask, container, share.vendor),
        policy=(pod.ask.compute_policy if pod.ask else "") or "cap",
        memory_limit=limit,
        memory_used=used,
        memory_context=min(CONTEXT, used // 4),
        memory_module=min(CONTEXT // 8, used // 16),
        compute_limit=share.share.cores / 100,
        compute_used=round(compute, 4),
        busy_seconds=round(busy, 3),
        throttled_seconds=round(busy / 8, 3),
        launches=int(busy * 500),
        unmeasured=0,
        refused=0,
        exhausted=0,
        processes=1,
    )


def _priority(ask: PodAsk | None, container: str, vendor: str) -> int:
    """What an agent takes it for: 1 where nobody said."""
    asks = [one for of in (ask.containers if ask else ()) if of.name == container for one in of.asks]
    return next((one.priority for one in asks if one.vendor == vendor and one.priority is not None), 1)


def _sorted_out(devices: Sequence[Device], slices: Sequence[SliceReport]) -> tuple[DeviceReport, ...]:
    there: dict[str, list[SliceReport]] = {device.uuid: [] for device in devices}
    for one in slices:
        there[one.device].append(one)
    return tuple(_device(device, there[device.uuid]) for device in devices)


def _device(device: Device, slices: Iterable[SliceReport]) -> DeviceReport:
    slices = tuple(slices)
    busy = min(1.0, sum(one.compute_used or 0.0 for one in slices))
    return DeviceReport(
        uuid=device.uuid,
        vendor=device.model.vendor,
        model=device.model.name,
        index=device.index,
        healthy=device.health.ok,
        health=device.health.reason,
        memory_capacity=device.model.capacity.get(MEMORY, 0) * MIB,
        memory_used=sum(one.memory_used or 0 for one in slices),
        utilization=round(busy, 4),
        temperature=round(32 + 45 * busy),
        power=round(60 + 240 * busy, 1),
    )
