"""Where a chip sits: its NUMA node, by the kernel or by the processors that are near it, and its links to others."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hetero.driver import host
from hetero.model.device import Device, Link, LinkKind
from hetero_ascend.names import VENDOR
from hetero_ascend.rings import BOX, MODULE, RING, place

_PCI_VENDOR = "0x19e5"

# Of a board: how many chips lie in a group, how two of one group reach each other, and how two of different ones do.
_GROUPS = {
    "Ascend910A": (RING, LinkKind.DIRECT, LinkKind.SYSTEM),
    "Ascend910B2": (BOX, LinkKind.DIRECT, LinkKind.SYSTEM),
    "Ascend910B3": (BOX, LinkKind.DIRECT, LinkKind.SYSTEM),
    "Ascend910B4": (BOX, LinkKind.DIRECT, LinkKind.SYSTEM),
    "Ascend910B4-1": (BOX, LinkKind.DIRECT, LinkKind.SYSTEM),
    "Ascend910C": (MODULE, LinkKind.DIRECT, LinkKind.SWITCH),
}


def numa_node(bus: str, cpus: str) -> int:
    """The NUMA node of a chip, or -1 where neither the kernel nor the driver tells.

    Args:
        bus: Address on the bus; empty when unknown.
        cpus: Processors that the driver says are near, as ``0-23,48-71``; empty when it does not say.
    """
    directory = host(VENDOR, f"/sys/bus/pci/devices/{bus}")
    try:
        if bus and (directory / "vendor").read_text().strip() == _PCI_VENDOR:
            node = int((directory / "numa_node").read_text())
            if node >= 0:
                return node
    except (OSError, ValueError):
        pass
    return _node_of(_first(cpus))


def _first(cpus: str) -> int:
    match = re.match(r"\s*(\d+)", cpus)
    return int(match[1]) if match else -1


def _node_of(cpu: int) -> int:
    for file in sorted(host(VENDOR, "/sys/devices/system/node").glob("node[0-9]*/cpulist")):
        if cpu in _cpus(file.read_text()):
            return int(file.parent.name.removeprefix("node"))
    return -1


def _cpus(text: str) -> set[int]:
    found: set[int] = set()
    for low, high in re.findall(r"(\d+)(?:-(\d+))?", text):
        found.update(range(int(low), int(high or low) + 1))
    return found


def links(device: Device, devices: Sequence[Device]) -> tuple[Link, ...]:
    """The paths from a chip to the others of its node.

    The driver tells no peers: they follow from the place of each chip, as the vendor wires its boards.
    """
    return tuple(
        Link(peer=peer.uuid, kind=kind, lanes=int(kind is LinkKind.DIRECT))
        for peer in devices
        if peer.uuid != device.uuid
        for kind in (_kind(device, peer),)
    )


def _kind(device: Device, peer: Device) -> LinkKind:
    size, within, between = _GROUPS.get(device.model.family, (1, LinkKind.SYSTEM, LinkKind.SYSTEM))
    if device.model.family != peer.model.family:
        return LinkKind.SYSTEM
    return within if place(device) // size == place(peer) // size else between
