"""What a slice's region must hold: the limits of each of its devices."""

from __future__ import annotations

import msgspec

from hetero.model.allocation import Grant, Slice
from hetero.model.quantity import MIB


class DeviceLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The limits on one device of a slice.

    Attributes:
        uuid: The device's identity, at most 63 bytes.
        memory: Bytes; 0 sets no limit.
        cores: Percent of the device's time; 0 or 100 set no limit.
        physical: Bytes that the device has; 0 when unknown.
    """

    uuid: str
    memory: int = 0
    cores: int = 0
    physical: int = 0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a slice, in the order in which its program sees the devices; at most 16."""

    slice_id: str
    devices: tuple[DeviceLimit, ...]


def limits_of(held: Slice) -> Limits:
    """The limits that a slice's shares come to."""
    return Limits(slice_id=held.id, devices=tuple(_limit(grant) for grant in held.grants))


def _limit(grant: Grant) -> DeviceLimit:
    physical = grant.device.model.capacity.get("memory", 0)
    return DeviceLimit(
        uuid=grant.device.uuid,
        memory=min(grant.share.memory, physical or grant.share.memory) * MIB,
        cores=grant.share.cores,
        physical=physical * MIB,
    )
