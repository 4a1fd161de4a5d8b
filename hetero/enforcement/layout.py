"""The shared region's layout, version 2: the mirror of ``native/include/hetero/region.h``, which pins it.

Offsets are in bytes from the start of the record named; all fields are little endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = 0x4E4F494745524854
VERSION = 2
DEVICES = 16
SLOTS = 1024

READY = 1
TAKEN = 1
OVERSUBSCRIBE = 1
POLICIES = ("cap", "conserve")
"""By their numbers in a device."""


@dataclass(frozen=True)
class Field:
    """One field: where it is and how it is packed (:mod:`struct` format without byte order)."""

    offset: int
    format: str

    @property
    def size(self) -> int:
        """Bytes."""
        return struct.calcsize("<" + self.format)


@dataclass(frozen=True)
class Record:
    """A C struct: where the first one stands in the file, how large one is, and its fields."""

    name: str
    start: int
    size: int
    fields: dict[str, Field]


REGION = Record(
    "hetero_region",
    0,
    4096,
    {
        "magic": Field(0, "Q"),
        "layout_version": Field(8, "I"),
        "size": Field(12, "I"),
        "device_count": Field(16, "I"),
        "slot_capacity": Field(20, "I"),
        "state": Field(24, "I"),
        "flags": Field(28, "I"),
        "kernel": Field(32, "Q"),
        "created_ns": Field(40, "Q"),
        "limits_changed": Field(48, "I"),
        "slots_used": Field(52, "I"),
        "slice_id": Field(64, "64s"),
    },
)

DEVICE = Record(
    "hetero_region_device",
    4096,
    512,
    {
        "uuid": Field(0, "64s"),
        "memory_limit": Field(64, "Q"),
        "core_limit": Field(72, "I"),
        "policy": Field(76, "I"),
        "physical_memory": Field(80, "Q"),
        "flags": Field(88, "I"),
        "priority": Field(92, "I"),
        "memory.bytes": Field(128, "Q"),
        "memory.last": Field(136, "Q"),
        "refused": Field(144, "Q"),
        "budget_ns": Field(256, "q"),
        "refilled_ns": Field(264, "Q"),
        "busy_ns": Field(320, "Q"),
        "throttled_ns": Field(328, "Q"),
        "launches": Field(336, "Q"),
        "unmeasured": Field(344, "Q"),
        "wanted_ns": Field(352, "Q"),
        "lent_until_ns": Field(384, "Q"),
        "lent_percent": Field(392, "I"),
    },
)

SLOT = Record(
    "hetero_region_slot",
    12288,
    2048,
    {
        "state": Field(64, "I"),
        "pid": Field(68, "I"),
        "start_ns": Field(72, "Q"),
        "name": Field(80, "32s"),
        "host_pid": Field(112, "I"),
        "busy_ns": Field(1152, f"{DEVICES}Q"),
        "drawn_ns": Field(1280, f"{DEVICES}q"),
        "launches": Field(1408, f"{DEVICES}Q"),
    },
)

ENTRY = Record(
    "hetero_ledger_entry",
    SLOT.start + 128,  # in each slot, one for each device
    64,
    {
        "after": Field(16, "2Q"),
        "done": Field(32, "Q"),
    },
)

SIZE = SLOT.start + SLOTS * SLOT.size
