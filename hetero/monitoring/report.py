"""What an agent knows of its node at one moment: its devices, and what the slices on them use.

Answered by the agent under ``/usage`` as JSON, read by ``hetero top --cluster`` and by the dashboard. Base units, as in
the metrics: bytes, seconds, and ratios from 0 to 1 of one device. What is not known is None and not 0.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

VERSION = 1
"""Of the report. A reader skips fields that it does not know; a report of another version is not read."""

PATH = "/usage"

MOST = 1 << 53
"""Of any amount: up to here sums are exact. What is beyond, or negative, was invented, and no part of any sum."""

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]
Amount = Annotated[float, msgspec.Meta(ge=0, le=MOST)]
Degrees = Annotated[int, msgspec.Meta(ge=-MOST, le=MOST)]


class DeviceReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device of the node.

    Attributes:
        uuid: Its identity.
        vendor: Name of its vendor.
        model: The product.
        index: Position in the driver's list, from 0.
        healthy: Whether it may be given to a program.
        health: The driver's finding in a few words; empty when healthy.
        memory_capacity: Bytes.
        memory_used: Bytes in use by all programs, in slices or not.
        utilization: Ratio of time with work on it, over the driver's window.
        temperature: Degrees Celsius.
        power: Watts.
        slots: Programs that it takes at once.
        memory_allocated: Bytes that the slices on the node were given; with the next two None where another program
            than the agent gives out the device.
        compute_allocated: Ratio that they were given.
        slots_allocated: Slots that they were given.
    """

    uuid: str
    vendor: str
    model: str
    index: int = 0
    healthy: bool = True
    health: str = ""
    memory_capacity: Count = 0
    memory_used: Count | None = None
    utilization: Amount | None = None
    temperature: Degrees | None = None
    power: Amount | None = None
    slots: Count = 0
    memory_allocated: Count | None = None
    compute_allocated: Amount | None = None
    slots_allocated: Count | None = None


class SliceReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One device of the slice of one container; there from the moment that the slice is made.

    Attributes:
        id: The slice.
        vendor: Name of its vendor.
        device: The device's identity.
        position: Of the device in the slice, from 0: the same device may be in it twice.
        namespace: Of the pod; empty on a machine without Kubernetes.
        pod: Name of the pod; empty likewise.
        pod_uid: The pod's identity.
        container: Name of the container.
        priority: 0 is served first.
        policy: ``cap`` or ``conserve``.
        memory_limit: Bytes; 0 is no limit.
        memory_used: Bytes; None where the vendor keeps no region.
        memory_context: Of those, what the driver takes for contexts.
        memory_module: Of those, what it takes for code and its variables. The rest is the program's data.
        compute_limit: Ratio; 0 is no limit.
        compute_used: Ratio between the last two readings; None where it is not known.
        compute_lent: Ratio that is lent on top of the limit at the moment.
        yielding: True while it makes way for a slice of a higher priority.
        busy_seconds: Device time used since the slice was made; with the next ones None where no region is kept.
        throttled_seconds: Time that its programs were held back.
        launches: Kernels launched.
        unmeasured: Of those, launches whose time could not be measured.
        refused: Allocations refused because they were beyond the limit.
        exhausted: Allocations within the limit for which the device itself had no memory.
        processes: Those that joined the slice and did not leave it; one that was killed counts until the next one
            joins. Which live is not known here: they may be in a namespace of processes of their own.
    """

    id: str
    vendor: str
    device: str
    position: int = 0
    namespace: str = ""
    pod: str = ""
    pod_uid: str = ""
    container: str = ""
    priority: int = 1
    policy: str = "cap"
    memory_limit: Count = 0
    memory_used: Count | None = None
    memory_context: Count | None = None
    memory_module: Count | None = None
    compute_limit: Amount = 0.0
    compute_used: Amount | None = None
    compute_lent: Amount = 0.0
    yielding: bool = False
    busy_seconds: Amount | None = None
    throttled_seconds: Amount | None = None
    launches: Count | None = None
    unmeasured: Count | None = None
    refused: Count | None = None
    exhausted: Count | None = None
    processes: Count | None = None


class NodeReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one agent knows; a node with agents of several images has one from each.

    Attributes:
        version: :data:`VERSION`.
        node: Name of the node.
        time: Of the reading, seconds since 1970.
        devices: Of the vendors that this agent serves.
        slices: On them.
    """

    version: int = msgspec.field(default_factory=lambda: VERSION)  # which is written, unlike a plain default
    node: str
    time: float
    devices: tuple[DeviceReport, ...] = ()
    slices: tuple[SliceReport, ...] = ()
