"""A device, what kind it is, and what a node has of them."""

from __future__ import annotations

import enum

import msgspec

SLOTS = "slots"
MEMORY = "memory"
CORES = "cores"

Quantities = dict[str, int]
"""Amounts by the name of what a chip runs out of: ``slots`` (programs), ``memory`` (MiB), ``cores`` (percent of
one device's compute), and whatever else the vendor's chip has a limited number of."""


class DeviceModel(msgspec.Struct, frozen=True, kw_only=True):
    """All that splitting needs to know of a device: devices of one model are split alike.

    Attributes:
        vendor: Name of the vendor, as :attr:`hetero.vendor.Vendor.name`.
        name: The product as the driver spells it, compared exactly.
        capacity: What one device has, in each dimension that a share can be charged for.
        family: Which of the vendor's resource families asks for it; empty when the vendor has one family.
        mode: The way in which the device is split, when a chip has several; empty for the vendor's usual one.
    """

    vendor: str
    name: str
    capacity: Quantities
    family: str = ""
    mode: str = ""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a device may be given to a program, and if not, why.

    Attributes:
        ok: True when the driver reports nothing that forbids use.
        reason: The driver's finding in a few words; empty when ok.
    """

    ok: bool = True
    reason: str = ""


class LinkKind(enum.StrEnum):
    """How two devices reach each other, from nearest to farthest."""

    DIRECT = "direct"
    SWITCH = "switch"
    BOARD = "board"
    BRIDGE = "bridge"
    NUMA = "numa"
    SYSTEM = "system"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A path from a device to a peer on the same node.

    Attributes:
        peer: The peer's :attr:`Device.uuid`.
        kind: The nearest kind of path between the two.
        lanes: How many direct links there are; 0 when :attr:`kind` is not direct.
    """

    peer: str
    kind: LinkKind
    lanes: int = 0


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """One accelerator of one node.

    Attributes:
        uuid: The driver's own identity of the card, the same after a restart of the machine; never made up.
        index: Position in the driver's list, from 0; may change when a card is added.
        model: What it is and has.
        numa: NUMA node, or -1 when the platform has none or does not say.
        links: Paths to the other devices of the node.
        health: Whether it may be used.
        paths: Device files that a program needs, e.g. for a container.
        bus: Address on the bus (``0000:3b:00.0``), empty when unknown.
    """

    uuid: str
    index: int
    model: DeviceModel
    numa: int = -1
    links: tuple[Link, ...] = ()
    health: Health = Health()
    paths: tuple[str, ...] = ()
    bus: str = ""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What one operating-system process uses on a device.

    Attributes:
        pid: Process id in the namespace of the driver.
        memory: MiB, or -1 when the driver does not say.
        utilization: Percent of time with work of it on the device, or -1 when the driver does not say.
    """

    pid: int
    memory: int = -1
    utilization: int = -1


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """What a device does at one moment.

    Attributes:
        uuid: The device.
        memory_used: MiB in use by all programs.
        utilization: Percent of time with work on the device over the driver's window, or -1.
        health: As of this sample.
        processes: Who uses it, as far as the driver tells.
        temperature: Degrees Celsius of the chip, or None when the driver does not say.
        power: Watts, or None when the driver does not say.
    """

    uuid: str
    memory_used: int
    utilization: int = -1
    health: Health = Health()
    processes: tuple[Process, ...] = ()
    temperature: int | None = None
    power: float | None = None


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A machine and its devices, of any vendors.

    Attributes:
        name: Of the machine.
        devices: In any order.
        cordoned: Identities of devices that get no new program; those that run there stay.
        foreign: Vendors of whose devices is told here alone: they are given out by somebody else.
    """

    name: str
    devices: tuple[Device, ...] = ()
    cordoned: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster has. Node names are unique, and so are device identities within a node."""

    nodes: tuple[Node, ...] = ()
