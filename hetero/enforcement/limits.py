"""The limits of a slice's devices, and the limits file that says them to the native runtime.

The file is what the runtime takes before anything else, see ``native/runtime/limitsfile.c``: it is out of the program's
reach, while an environment is not, and a region is only as far as its file is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

import msgspec

from hetero.enforcement import layout
from hetero.errors import RegionError
from hetero.model.allocation import Grant, Slice
from hetero.model.quantity import MIB

LOWEST = 100
"""The lowest priority that a region or a limits file names; beyond it all are equal."""


class DeviceLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The limits on one device of a slice.

    Attributes:
        uuid: The device's identity, at most 63 bytes.
        memory: Bytes; 0 sets no limit.
        cores: Percent of the device's time; 0 or 100 set no limit.
        physical: Bytes that the device has; 0 when unknown.
        policy: ``cap``: never more than ``cores``; ``conserve``: what others leave idle on top of it.
        priority: 0 is served first.
        oversubscribe: Memory beyond the device's goes to the host.
    """

    uuid: str
    memory: int = 0
    cores: int = 0
    physical: int = 0
    policy: str = "cap"
    priority: int = 1
    oversubscribe: bool = False


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a slice, in the order in which its program sees the devices; at most 16."""

    slice_id: str
    devices: tuple[DeviceLimit, ...]


def priority_of(held: Slice) -> int:
    """The priority of a slice, 0 to :data:`LOWEST`; 1 where nobody said, so that those who ask for 0 go first."""
    return 1 if held.priority is None else min(held.priority, LOWEST)


def limits_of(held: Slice) -> Limits:
    """The limits that a slice's shares come to."""
    return Limits(slice_id=held.id, devices=tuple(_limit(grant, held) for grant in held.grants))


def _limit(grant: Grant, held: Slice) -> DeviceLimit:
    physical = grant.device.model.capacity.get("memory", 0)
    return DeviceLimit(
        uuid=grant.device.uuid,
        memory=min(grant.share.memory, physical or grant.share.memory) * MIB,
        cores=grant.share.cores,
        physical=physical * MIB,
        policy=held.policy,
        priority=priority_of(held),
    )


def render(limits: Limits, region: Path | None = None) -> str:
    """The text of the limits file for a slice, whose region is at ``region`` (a path of the program's file system).

    Raises:
        ValueError: Something cannot be said in such a file, so that the runtime would refuse it or read it otherwise.
    """
    lines = ["# The limits of a slice; written by hetero, read by its native runtime."]
    lines += [_line("slice", limits.slice_id, 63)] if limits.slice_id else []
    lines += [_line("region", str(region), 4095)] if region else []
    if region and not region.is_absolute():
        raise ValueError(f"region {str(region)!r} is no absolute path")
    if len(limits.devices) > layout.DEVICES:
        raise ValueError(f"a slice has at most {layout.DEVICES} devices, not {len(limits.devices)}")
    for index, device in enumerate(limits.devices):
        lines += _lines_of(index, device)
    return "\n".join(lines) + "\n"


def write(path: Path, limits: Limits, region: Path | None = None) -> None:
    """Write the limits file; it appears whole or not at all, and takes the place of an earlier one.

    The runtime takes it only from root, and only if nobody else may write it.

    Raises:
        RegionError: The limits cannot be said in such a file, or it cannot be written.
    """
    partial = path.with_name(f"{path.name}.{secrets.token_hex(6)}.partial")
    try:
        text = render(limits, region)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o444)
        partial.replace(path)
    except ValueError as error:
        raise RegionError(str(path), str(error)) from error
    except OSError as error:
        raise RegionError(str(path), f"cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def _lines_of(index: int, device: DeviceLimit) -> list[str]:
    if not 0 <= device.memory < 1 << 63:
        raise ValueError(f"memory {device.memory} of {device.uuid} is no size")
    if not 0 <= device.cores <= 100 or not 0 <= device.priority <= LOWEST:
        raise ValueError(f"cores {device.cores} and priority {device.priority} of {device.uuid} are to be 0 to 100")
    if device.policy not in layout.POLICIES:
        raise ValueError(f"policy {device.policy!r} of {device.uuid} is none of {', '.join(layout.POLICIES)}")
    return [
        *([_line(f"uuid_{index}", device.uuid, 63)] if device.uuid else []),
        f"memory_{index} = {device.memory}",
        f"cores_{index} = {device.cores}",
        f"policy_{index} = {device.policy}",
        f"priority_{index} = {device.priority}",
        f"oversubscribe_{index} = {'yes' if device.oversubscribe else 'no'}",
    ]


def _line(key: str, value: str, most: int) -> str:
    """A value is one line, without spaces around it, and cut nowhere."""
    if value != value.strip() or any(ord(sign) < 32 or "\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError(f"{key} {value!r} is no text for a limits file")
    if len(value.encode()) > most:
        raise ValueError(f"{key} {value!r} does not fit: there are {most} bytes for it")
    return f"{key} = {value}"
