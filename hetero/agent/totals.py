"""What a node has in all, by the names that users ask it by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hetero.model.device import CORES, MEMORY, Device, Node
from hetero.model.resources import Resources
from hetero.vendor import Vendor


def totals(described: Node, vendors: Mapping[str, Vendor]) -> dict[str, str]:
    """What all devices of a machine have together, by the resource names of their families, in the families' units."""
    found: dict[str, int] = {}
    for device in described.devices:
        for words in families(device, vendors):
            for name, amount in {**words.counted(device.model), **_amounts(device, words)}.items():
                found[name] = found.get(name, 0) + amount
    return {name: str(amount) for name, amount in found.items() if name and amount}


def amounts(devices: Iterable[Device], vendors: Mapping[str, Vendor]) -> dict[str, int]:
    """The part of :func:`totals` that no kubelet counts: memory and compute. 0 where no device is well."""
    found: dict[str, int] = {}
    for device in devices:
        for words in families(device, vendors):
            for name, amount in _amounts(device, words).items():
                found[name] = found.get(name, 0) + (amount if device.health.ok else 0)
    return {name: amount for name, amount in found.items() if name}


def slots(devices: Iterable[Device], vendors: Mapping[str, Vendor]) -> dict[str, tuple[int, int]]:
    """By each name that the kubelet counts: how many slots all devices have, and those that are well."""
    found: dict[str, tuple[int, int]] = {}
    for device in devices:
        for words in families(device, vendors):
            for name, amount in words.counted(device.model).items():
                every, well = found.get(name, (0, 0))
                found[name] = every + amount, well + (amount if device.health.ok else 0)
    return found


def families(device: Device, vendors: Mapping[str, Vendor]) -> Iterable[Resources]:
    """The resource family that asks for a device; none when its vendor is not installed."""
    vendor = vendors.get(device.model.vendor)
    return [words for words in vendor.resources if words.family == device.model.family] if vendor else []


def _amounts(device: Device, words: Resources) -> dict[str, int]:
    has = device.model.capacity
    return {words.memory: has.get(MEMORY, 0) // words.memory_unit, words.cores: has.get(CORES, 0)}
