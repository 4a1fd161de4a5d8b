"""A cluster described in a file: what ``hetero plan`` places pods on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from hetero.complaints import complaint
from hetero.errors import InvalidConfiguration, InvalidValue
from hetero.model.device import Device, Inventory, Node
from hetero.vendor import Vendor

# Source: Kubernetes documentation, "Object Names and IDs", "DNS Subdomain Names".
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")

Positive = Annotated[int, msgspec.Meta(ge=1, le=100_000)]

MOST = 1_000_000
"""Nodes and devices that a file may come to. More than any cluster has is a slip of the keyboard."""


class DeviceEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Devices of one kind on a node.

    Attributes:
        vendor: Name of an installed vendor.
        model: Product name as the driver spells it.
        memory: MiB of one device.
        count: How many.
        numa: NUMA node of each, -1 for none.
        mode: See :attr:`hetero.model.device.DeviceModel.mode`.
    """

    vendor: str
    model: str
    memory: Annotated[int, msgspec.Meta(le=2**31 - 1)]
    count: Positive = 1
    numa: Annotated[int, msgspec.Meta(ge=-1, le=65535)] = -1
    mode: str = ""


class NodeEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node, or ``count`` nodes alike whose names get ``-0``, ``-1`` and so on."""

    name: str
    count: Positive | None = None
    devices: tuple[DeviceEntry, ...] = ()


class ClusterFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    nodes: Annotated[tuple[NodeEntry, ...], msgspec.Meta(min_length=1)]


def inventory(document: Any, file: Path, vendors: Mapping[str, Vendor]) -> Inventory:
    """Check a cluster file and describe its devices as their vendors' discovery would.

    Raises:
        InvalidConfiguration: With the field.
    """
    unknown = sorted(str(key) for key in document if key != "nodes") if isinstance(document, dict) else []
    if unknown:
        told = f"{unknown[0]} is no key of a cluster; it has nodes (the file of a machine is for 'hetero sim run')"
        raise InvalidConfiguration(str(file), told)
    try:
        cluster = msgspec.convert({} if document is None else document, ClusterFile)
        _check_size(cluster)
        nodes = tuple(node for entry in enumerate(cluster.nodes) for node in _nodes(*entry, vendors))
        _check_names(nodes)
        return Inventory(nodes=nodes)
    except msgspec.ValidationError as error:
        raise InvalidConfiguration(str(file), complaint(error, ClusterFile, document)) from error
    except InvalidValue as error:
        raise InvalidConfiguration(str(file), str(error)) from error


def _check_size(cluster: ClusterFile) -> None:
    total = sum((node.count or 1) * (1 + sum(one.count for one in node.devices)) for node in cluster.nodes)
    if total > MOST:
        raise InvalidValue("nodes", total, f"nodes and devices are too many; describe at most {MOST}")


def _check_names(nodes: Iterable[Node]) -> None:
    name, times = Counter(node.name for node in nodes).most_common(1)[0]
    if times > 1:
        raise InvalidValue("nodes", name, f"is the name of {times} nodes; give each a name of its own")


def _nodes(index: int, entry: NodeEntry, vendors: Mapping[str, Vendor]) -> list[Node]:
    if not _NAME.fullmatch(entry.name):
        reason = "is no name of a node; write lower-case letters, digits, '-' and '.'"
        raise InvalidValue(f"nodes[{index}].name", entry.name, reason)
    names = [entry.name] if entry.count is None else [f"{entry.name}-{number}" for number in range(entry.count)]
    kinds = [
        kind
        for place, one in enumerate(entry.devices)
        for kind in _devices(one, f"nodes[{index}].devices[{place}]", vendors)
    ]
    # Identities are made from the node's name: in a described cluster no driver has given any.
    # A position is one in a driver's list, so each vendor's devices are counted from 0.
    counts: Counter[str] = Counter()
    places = []
    for device in kinds:
        places.append(counts[device.model.vendor])
        counts[device.model.vendor] += 1
    return [Node(name=name, devices=tuple(_named(name, kinds, places))) for name in names]


def _named(node: str, devices: Iterable[Device], places: Iterable[int]) -> Iterator[Device]:
    for number, (device, place) in enumerate(zip(devices, places, strict=True)):
        yield msgspec.structs.replace(device, uuid=f"{node}-{device.model.vendor}-{number}", index=place)


def _devices(entry: DeviceEntry, field: str, vendors: Mapping[str, Vendor]) -> list[Device]:
    if entry.vendor not in vendors:
        known = ", ".join(vendors) or "none"
        reason = f"is no installed vendor (installed: {known}); install its package"
        raise InvalidValue(f"{field}.vendor", entry.vendor, reason)
    try:
        model = vendors[entry.vendor].splitting.model(entry.model, entry.memory, entry.mode)
    except InvalidValue as error:
        raise InvalidValue(f"{field}.{error.field}", error.value, error.reason) from error
    return [Device(uuid="", index=0, model=model, numa=entry.numa)] * entry.count
