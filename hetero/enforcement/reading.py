"""What the bytes of a region say at one moment. Pure.

Programs of the slice can write all of them: every number may be there, and whatever there is becomes a state or the one
error that says why it is none. A scrape reads a hundred regions, so what is read of each is taken apart in few steps.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hetero.enforcement import layout
from hetero.errors import RegionError


class DeviceUse(msgspec.Struct, frozen=True, kw_only=True):
    """One device of a slice.

    Attributes:
        uuid: The device; empty in a region that was made from environment variables alone.
        memory_limit: Bytes; 0 is no limit.
        memory_used: Bytes.
        core_limit: Percent; 0 or 100 is no limit.
        busy_ns: Device time used since the region was created.
        throttled_ns: Time that programs were held back.
        launches: Kernels launched. Without a limit of compute each thread counts its own in lots of about a tenth of a
            second, so the latest are missing; of a program that has ended, those of threads that ended before it.
        refused: Allocations refused.
        policy: ``cap``: never more than ``core_limit``; ``conserve``: what others leave idle on top of it.
        priority: 0 is served first, among the slices of a device.
        lent: Percent that is lent on top of ``core_limit`` at the moment.
        unmeasured: Launches that went through although their time could not be measured.
        exhausted: Allocations within the limit for which the driver had no memory.
        yielding: It makes way for a slice of a higher priority at the moment.
        context: Bytes of those used that the driver takes for contexts; measured where memory is limited.
        module: The same for loaded code.
    """

    uuid: str
    memory_limit: int
    memory_used: int
    core_limit: int
    busy_ns: int
    throttled_ns: int
    launches: int
    refused: int
    policy: str = "cap"
    priority: int = 1
    lent: int = 0
    unmeasured: int = 0
    exhausted: int = 0
    yielding: bool = False
    context: int = 0
    module: int = 0


class ProcessUse(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a slice.

    Attributes:
        pid: As the process sees itself.
        name: Its command, cut to 31 bytes.
        memory: Bytes per device, in the order of the slice.
        busy_ns: Device time per device.
        joined_ns: CLOCK_REALTIME at which it joined the slice; 0 when not known.
        host_pid: As the machine sees it; 0 when the process cannot know.
    """

    pid: int
    name: str
    memory: tuple[int, ...]
    busy_ns: tuple[int, ...]
    joined_ns: int = 0
    host_pid: int = 0


class RegionState(msgspec.Struct, frozen=True, kw_only=True):
    """What a region says at one moment.

    Attributes:
        slice_id: The slice.
        read_ns: CLOCK_MONOTONIC of the reading.
        devices: In the order of the slice.
        processes: Those that have joined; none where they were not asked for.
        taken: How many have joined.
    """

    slice_id: str
    read_ns: int
    devices: tuple[DeviceUse, ...]
    processes: tuple[ProcessUse, ...]
    taken: int = 0


def state(path: Path | str, data: bytes, length: int, *, processes: bool = True) -> RegionState:
    """What a region says now.

    Args:
        path: Whose bytes these are, for the error.
        data: All up to the last slot that was ever taken, or more.
        length: Of the file, in bytes.
        processes: Tell of each process, not only how many there are.

    Raises:
        RegionError: It is unfinished, damaged or of another version.
    """
    check(path, data, length)
    count, slots = _devices_named(data), _Slots(data)
    now = time.monotonic_ns()
    return RegionState(
        slice_id=_text(layout.REGION.get(data, "slice_id")),
        read_ns=now,
        devices=tuple([_device(data, index, now, slots) for index in range(count)]),
        processes=tuple([_process(data, index, count) for index in slots.taken]) if processes else (),
        taken=len(slots.taken),
    )


def used(head: bytes) -> int:
    """How many slots of a region were ever taken: as many as there are at most, whatever is written there."""
    claimed: int = layout.REGION.get(head, "slots_used")
    return min(claimed, layout.SLOTS)


_BEGIN = ("magic", "layout_version", "size", "device_count", "slot_capacity", "state")
_SOUND = layout.REGION.only(*_BEGIN).pack(
    layout.MAGIC, layout.VERSION, layout.SIZE, layout.DEVICES, layout.SLOTS, layout.READY
)
"""How a region begins that was made here or by the native runtime."""


def check(path: Path | str, data: bytes, length: int) -> None:
    """Refuse what is no sound region; arguments as :func:`state` has them.

    Raises:
        RegionError: It is unfinished, damaged or of another version.
    """
    if length == layout.SIZE and len(data) >= layout.SLOT.start and data.startswith(_SOUND):
        return
    head = layout.REGION.unpack(data) if len(data) >= layout.REGION.size else {}
    if head.get("magic") != layout.MAGIC:
        raise RegionError(str(path), "is no region")
    version = head["layout_version"]
    if version != layout.VERSION:
        raise RegionError(str(path), f"is of version {version}; this release reads version {layout.VERSION}")
    if length != layout.SIZE or len(data) < layout.SLOT.start:
        than = "longer" if length > layout.SIZE else "shorter"
        raise RegionError(str(path), f"is {than} than {layout.SIZE} bytes")
    if head["size"] != layout.SIZE:
        raise RegionError(str(path), f"is damaged: it claims {head['size']} bytes instead of {layout.SIZE}")
    devices, slots = head["device_count"], head["slot_capacity"]
    if devices > layout.DEVICES or slots != layout.SLOTS:
        raise RegionError(str(path), f"is damaged: it counts {devices} devices and {slots} slots")
    if head["state"] != layout.READY:
        raise RegionError(str(path), "was never finished")


_NOTHING = bytes(layout.DEVICE.fields["policy"].offset)
"""What a position has that neither names a device nor limits one: these fields stand side by side at its begin."""

_PLACES = tuple(layout.DEVICE.place("uuid", index) for index in range(layout.DEVICES))


_NOTHING_BEHIND = bytes(layout.SLOT.start - _PLACES[1])
"""What most regions have from the second position on."""


def _devices_named(data: bytes) -> int:
    """Positions are kept: a slice whose first device has no limit still begins with it."""
    last = 0 if data.startswith(_NOTHING_BEHIND, _PLACES[1]) else layout.DEVICES - 1
    for index in range(last, -1, -1):
        if not data.startswith(_NOTHING, _PLACES[index]):
            return index + 1
    return 0


_STATES = slice(layout.SLOT.fields["state"].offset // 4, None, layout.SLOT.size // 4)
_WORDS = layout.SLOT.size // 8


class _Slots:
    """The slots of a region that were ever taken.

    They are looked at by columns, and not one by one: a program may say that all thousand are taken, at every look. The
    words are in this machine's order.

    Attributes:
        taken: Those that are taken now.
    """

    def __init__(self, data: bytes) -> None:
        there = min((len(data) - layout.SLOT.start) // layout.SLOT.size, used(data))
        slots = memoryview(data)[layout.SLOT.start : layout.SLOT.start + there * layout.SLOT.size]
        self.taken: Sequence[int] = [index for index, word in enumerate(slots.cast("I")[_STATES].tolist()) if word]
        self._words = slots.cast("Q")

    def sum(self, name: str, device: int) -> int:
        """Of a figure of those taken that each has, as a word, for every device."""
        if not self.taken:
            return 0
        words = self._words[layout.SLOT.fields[name].offset // 8 + device :: _WORDS].tolist()
        return sum(map(words.__getitem__, self.taken))


_OF_A_DEVICE = layout.DEVICE.only(
    "uuid", "memory_limit", "core_limit", "policy", "priority", "memory.bytes", "refused", "exhausted", "busy_ns",
    "throttled_ns", "launches", "unmeasured", "lent_until_ns", "lent_percent", "yield_percent", "yield_until_ns",
)  # fmt: skip


def _device(data: bytes, index: int, now: int, slots: _Slots) -> DeviceUse:
    (
        uuid, memory_limit, core_limit, policy, priority, memory, refused, exhausted, busy_ns,
        throttled_ns, launches, unmeasured, lent_until_ns, lent_percent, yields, yields_until_ns,
    ) = _OF_A_DEVICE.unpack_from(data, _PLACES[index])  # fmt: skip
    return DeviceUse(
        uuid=_text(uuid),
        memory_limit=memory_limit,
        memory_used=memory,
        core_limit=core_limit,
        busy_ns=busy_ns,
        throttled_ns=throttled_ns,
        launches=launches,
        refused=refused,
        policy=layout.POLICIES[policy if policy < len(layout.POLICIES) else 0],
        priority=priority,
        lent=lent_percent if lent_until_ns > now else 0,
        unmeasured=unmeasured,
        exhausted=exhausted,
        yielding=yields_until_ns > now and 0 < yields < 100,
        context=slots.sum("context_bytes", index),
        module=slots.sum("module_bytes", index),
    )


def _process(data: bytes, index: int, devices: int) -> ProcessUse:
    get = layout.SLOT.get
    return ProcessUse(
        pid=get(data, "pid", index),
        joined_ns=get(data, "start_ns", index),
        host_pid=get(data, "host_pid", index),
        name=_text(get(data, "name", index)),
        memory=tuple(_held(data, index, device) for device in range(devices)),
        busy_ns=layout.SLOT.get_all(data, "busy_ns", index)[:devices],
    )


def _held(data: bytes, slot: int, device: int) -> int:
    """Bytes of a device that a process holds after its last change; ``native/runtime/ledger.c`` tells which that is."""
    entry = slot * layout.SLOT.size // layout.ENTRY.size + device
    last_slot, last_number = divmod(layout.DEVICE.get(data, "memory.last", device), 1 << 48)
    number = max(layout.ENTRY.get(data, "done", entry), last_number if last_slot == slot else 0)
    after: int = layout.ENTRY.get_all(data, "after", entry)[number % 2]
    return after


def _text(value: bytes) -> str:
    return value.split(b"\0", 1)[0].decode(errors="replace")
