"""The compute accounts of a slice's devices, for whoever looks several times a second.

A region is two megabytes, nearly all of it slots of processes. Here its head and its devices are read, no more.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from hetero.enforcement import layout
from hetero.errors import RegionError

_HEAD = layout.DEVICE.start + layout.DEVICES * layout.DEVICE.size
_PLACES = tuple(layout.DEVICE.place("uuid", position) for position in range(layout.DEVICES))
_FIELDS = layout.DEVICE.only(
    "uuid", "core_limit", "policy", "priority", "budget_ns", "refilled_ns", "busy_ns", "throttled_ns", "wanted_ns",
    "lent_until_ns", "lent_percent", "yield_percent", "yield_until_ns",
)  # fmt: skip


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
        held_to: Percent that it keeps to while others go first, whatever else it has; 0: it makes way for nobody.
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
    held_to: int = 0


def read(path: Path | str) -> tuple[Account, ...]:
    """The accounts of the devices that a region names, without stopping anybody.

    Raises:
        RegionError: It is missing, unfinished or of another version.
    """
    data = _head(path)
    now = time.monotonic_ns()
    # Most positions name nothing: that shows by the first byte.
    return tuple([_account(data, place, now) for place in range(layout.DEVICES) if data[_PLACES[place]]])


def _head(path: Path | str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            data = os.read(descriptor, _HEAD)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RegionError(str(path), f"cannot be read: {error.strerror}") from error
    if len(data) < _HEAD or layout.REGION.get(data, "magic") != layout.MAGIC:
        raise RegionError(str(path), "is no region")
    version, state = layout.REGION.get(data, "layout_version"), layout.REGION.get(data, "state")
    if version != layout.VERSION or state != layout.READY:
        raise RegionError(str(path), f"is of version {version} and state {state}: neither is read here")
    return data


def _account(data: bytes, position: int, now: int) -> Account:
    (
        uuid, core_limit, policy, priority, budget_ns, refilled_ns, busy_ns, throttled_ns, wanted_ns,
        lent_until_ns, lent_percent, yield_percent, yield_until_ns,
    ) = _FIELDS.unpack_from(data, _PLACES[position])  # fmt: skip
    return Account(
        position=position,
        uuid=uuid.split(b"\0", 1)[0].decode(errors="replace"),
        read_ns=now,
        core_limit=core_limit,
        policy=layout.POLICIES[policy if policy < len(layout.POLICIES) else 0],
        priority=priority,
        busy_ns=busy_ns,
        throttled_ns=throttled_ns,
        budget_ns=budget_ns,
        # Whoever waits for long draws nothing meanwhile, but fills the account again and again.
        seen_ns=max(wanted_ns, refilled_ns),
        lent=lent_percent if lent_until_ns > now else 0,
        held_to=yield_percent if yield_until_ns > now and yield_percent < 100 else 0,
    )
