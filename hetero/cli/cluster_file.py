"""A cluster described in a file: what ``hetero plan`` places pods on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from hetero.errors import InvalidConfiguration, InvalidValue
from hetero.model.device import Device, Inventory, Node
from hetero.vendor import Vendor

Natural = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


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
    memory: int
    count: Positive = 1
    numa: Annotated[int, msgspec.Meta(ge=-1)] = -1
    mode: str = ""


class NodeEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node, or ``count`` nodes alike whose names get ``-0``, ``-1`` and so on."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
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
    try:
        cluster = msgspec.convert({} if document is None else document, ClusterFile)
        return Inventory(nodes=tuple(node for entry in enumerate(cluster.nodes) for node in _nodes(*entry, vendors)))
    except (msgspec.ValidationError, InvalidValue) as error:
        raise InvalidConfiguration(str(file), str(error)) from error


def _nodes(index: int, entry: NodeEntry, vendors: Mapping[str, Vendor]) -> list[Node]:
    names = [entry.name] if entry.count is None else [f"{entry.name}-{number}" for number in range(entry.count)]
    kinds = [
        kind
        for place, one in enumerate(entry.devices)
        for kind in _devices(one, f"nodes[{index}].devices[{place}]", vendors)
    ]
    # Identities are made from the node's name: in a described cluster no driver has given any.
    return [
        Node(
            name=name,
            devices=tuple(
                msgspec.structs.replace(device, uuid=f"{name}-{device.model.vendor}-{number}", index=number)
                for number, device in enumerate(kinds)
            ),
        )
        for name in names
    ]


def _devices(entry: DeviceEntry, field: str, vendors: Mapping[str, Vendor]) -> list[Device]:
    if entry.vendor not in vendors:
        known = ", ".join(vendors) or "none"
        raise InvalidValue(f"{field}.vendor", entry.vendor, f"is no installed vendor (installed: {known})")
    try:
        model = vendors[entry.vendor].splitting.model(entry.model, entry.memory, entry.mode)
    except InvalidValue as error:
        raise InvalidValue(f"{field}.{error.field}", error.value, error.reason) from error
    return [Device(uuid="", index=0, model=model, numa=entry.numa)] * entry.count
