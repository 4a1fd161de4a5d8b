"""The shared region's layout, version 1: the mirror of ``native/include/hetero/region.h``, which pins it.

Offsets are in bytes from the start of the record named; all fields are little endian.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = 0x4E4F494745524854
VERSION = 1
DEVICES = 16
SLOTS = 1024

READY = 1
TAKEN = 1


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
        "generation": Field(32, "Q"),
        "created_ns": Field(40, "Q"),
        "slice_id": Field(64, "64s"),
    },
)

DEVICE = Record(
    "hetero_region_device",
    4096,
    256,
    {
        "uuid": Field(0, "64s"),
        "memory_limit": Field(64, "Q"),
        "core_limit": Field(72, "I"),
        "physical_memory": Field(80, "Q"),
        "memory_used": Field(128, "Q"),
        "budget_ns": Field(192, "q"),
        "refilled_ns": Field(200, "Q"),
        "busy_ns": Field(208, "Q"),
        "throttled_ns": Field(216, "Q"),
        "launches": Field(224, "Q"),
        "refused": Field(232, "Q"),
    },
)

SLOT = Record(
    "hetero_region_slot",
    8192,
    512,
    {
        "state": Field(64, "I"),
        "pid": Field(68, "I"),
        "start_ns": Field(72, "Q"),
        "name": Field(80, "32s"),
        "used": Field(128, f"{DEVICES}Q"),
        "inflight": Field(256, f"{DEVICES}Q"),
        "busy_ns": Field(384, f"{DEVICES}Q"),
    },
)

SIZE = SLOT.start + SLOTS * SLOT.size
