"""The shared region's layout, version 2: the mirror of ``native/include/hetero/region.h``, which pins it.

Offsets are in bytes from the start of the record named; all fields are little endian.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        return self.packed.size

    @functools.cached_property
    def packed(self) -> struct.Struct:
        """Packs and unpacks it."""
        return struct.Struct("<" + self.format)


@dataclass(frozen=True)
class Record:
    """A C struct: where the first one stands in the file, how large one is, and its fields."""

    name: str
    start: int
    size: int
    fields: dict[str, Field]

    def unpack(self, data: bytes, index: int = 0) -> dict[str, Any]:
        """All fields of one record by name, in one step; for records whose fields have one value each."""
        return dict(zip(self._ordered, self._whole.unpack_from(data, self.start + index * self.size), strict=True))

    def only(self, *names: str) -> struct.Struct:
        """Unpacks these fields of one record in one step, from its begin on; they are named in the order they have."""
        form, end = "<", 0
        for field in map(self.fields.__getitem__, names):
            form += f"{field.offset - end}x{field.format}"
            end = field.offset + field.size
        return struct.Struct(form)

    def place(self, name: str, index: int = 0) -> int:
        """Where a field of one record stands in the file."""
        return self.start + index * self.size + self.fields[name].offset

    def get(self, data: bytes, name: str, index: int = 0) -> Any:
        """The field's value, or the first of them."""
        return self.get_all(data, name, index)[0]

    def get_all(self, data: bytes, name: str, index: int = 0) -> tuple[Any, ...]:
        """The field's values."""
        return self.fields[name].packed.unpack_from(data, self.place(name, index))

    @functools.cached_property
    def _ordered(self) -> Mapping[str, Field]:
        return dict(sorted(self.fields.items(), key=lambda item: item[1].offset))

    @functools.cached_property
    def _whole(self) -> struct.Struct:
        return self.only(*self._ordered)


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
        "exhausted": Field(152, "Q"),
        "budget_ns": Field(256, "q"),
        "refilled_ns": Field(264, "Q"),
        "busy_ns": Field(320, "Q"),
        "throttled_ns": Field(328, "Q"),
        "launches": Field(336, "Q"),
        "unmeasured": Field(344, "Q"),
        "wanted_ns": Field(352, "Q"),
        "lent_until_ns": Field(384, "Q"),
        "lent_percent": Field(392, "I"),
        "yield_percent": Field(396, "I"),
        "yield_until_ns": Field(400, "Q"),
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
        "context_bytes": Field(1536, f"{DEVICES}Q"),
        "module_bytes": Field(1664, f"{DEVICES}Q"),
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
