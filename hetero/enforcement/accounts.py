"""The compute accounts of a slice's devices, for whoever looks several times a second.

A region is two megabytes, nearly all of it slots of processes. Here its head and its devices are read, no more.
"""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from typing import Any

import msgspec

from hetero.enforcement import layout
from hetero.errors import RegionError

_HEAD = layout.DEVICE.start + layout.DEVICES * layout.DEVICE.size


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What a region says of one device's time; moments are CLOCK_MONOTONIC in ns.

    Attributes:
        position: Of the device in the slice.
        uuid: The device.
        read_ns: When it was read.
        core_limit: Percent; 0 or 100 is no limit.
        policy: One of :data:`layout.POLICIES`.
        priority: 0 is served first.
        busy_ns: Device time used since the region was created.
        throttled_ns: Time that programs were held back.
        budget_ns: Device time that may be drawn; negative when more was drawn than there was.
        seen_ns: When a program last drew device time or waited for some; 0: never.
        lent: Percent that is lent at the moment.
    """

    position: int
    uuid: str
    read_ns: int
    core_limit: int
    policy: str
    priority: int
    busy_ns: int
    throttled_ns: int
    budget_ns: int
    seen_ns: int
    lent: int


def read(path: Path) -> tuple[Account, ...]:
    """The accounts of the devices that a region names, without stopping anybody.

    Raises:
        RegionError: It is missing, unfinished or of another version.
    """
    data = _head(path)
    now = time.monotonic_ns()
    accounts = (_account(data, position, now) for position in range(layout.DEVICES))
    return tuple(account for account in accounts if account.uuid)


def _head(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = os.read(descriptor, _HEAD)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RegionError(str(path), f"cannot be read: {error.strerror}") from error
    if len(data) < _HEAD or _get(data, layout.REGION, "magic") != layout.MAGIC:
        raise RegionError(str(path), "is no region")
    version, state = _get(data, layout.REGION, "layout_version"), _get(data, layout.REGION, "state")
    if version != layout.VERSION or state != layout.READY:
        raise RegionError(str(path), f"is of version {version} and state {state}: neither is read here")
    return data


def _account(data: bytes, position: int, now: int) -> Account:
    names = ("core_limit", "priority", "busy_ns", "throttled_ns", "budget_ns")
    policy = _get(data, layout.DEVICE, "policy", position)
    lent = _get(data, layout.DEVICE, "lent_until_ns", position) > now
    return Account(
        position=position,
        uuid=_get(data, layout.DEVICE, "uuid", position).split(b"\0", 1)[0].decode(errors="replace"),
        read_ns=now,
        policy=layout.POLICIES[policy if policy < len(layout.POLICIES) else 0],
        # Whoever waits for long draws nothing meanwhile, but fills the account again and again.
        seen_ns=max(_get(data, layout.DEVICE, name, position) for name in ("wanted_ns", "refilled_ns")),
        lent=_get(data, layout.DEVICE, "lent_percent", position) if lent else 0,
        **{name: _get(data, layout.DEVICE, name, position) for name in names},
    )


def _get(data: bytes, record: layout.Record, name: str, position: int = 0) -> Any:
    field = record.fields[name]
    return struct.unpack_from("<" + field.format, data, record.start + position * record.size + field.offset)[0]
