"""The shared region of a slice, seen from Python: creating it with its limits, and reading who uses what.

The native runtime owns the numbers; nothing here changes them after a region was created, only its limits. Whether a
process of the slice lives is known for certain only to the native side, by a claim that the kernel marks. Here it is
judged by ``/proc``, which is right for processes of the own pid namespace, and for those that know their id there.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import mmap
import os
import secrets
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from hetero.enforcement import layout
from hetero.enforcement.limits import DeviceLimit, Limits
from hetero.errors import RegionError

_CLOCK_SLACK_NS = 2_000_000_000
"""The start of a process is known to a second, and the clock may be set a little."""


class DeviceUse(msgspec.Struct, frozen=True, kw_only=True):
    """One device of a slice.

    Attributes:
        uuid: The device; empty in a region that was made from environment variables alone.
        memory_limit: Bytes; 0 is no limit.
        memory_used: Bytes.
        core_limit: Percent; 0 or 100 is no limit.
        busy_ns: Device time used since the region was created.
        throttled_ns: Time that programs were held back.
        launches: Kernels launched.
        refused: Allocations refused.
        policy: ``cap``: never more than ``core_limit``; ``conserve``: what others leave idle on top of it.
        priority: 0 is served first, among the slices of a device.
        lent: Percent that is lent on top of ``core_limit`` at the moment.
        unmeasured: Launches that went through although their time could not be measured.
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
    """What a region says at one moment; ``read_ns`` is CLOCK_MONOTONIC of the reading."""

    slice_id: str
    read_ns: int
    devices: tuple[DeviceUse, ...]
    processes: tuple[ProcessUse, ...]


def create(path: Path, limits: Limits) -> None:
    """Write a slice's region. The file appears whole or not at all; an existing one is left as it is.

    Raises:
        RegionError: The limits do not fit into a region, or the file cannot be written.
    """
    _check_limits(path, limits)
    # A name that nobody has: a partial file left by a process that died is not taken for the region.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(6)}.partial")
    try:
        _write(partial, _packed(limits))
        # A link, not a rename: it refuses to replace a region that programs may already be using.
        os.link(partial, path)
    except FileExistsError:
        return
    except OSError as error:
        raise RegionError(str(path), f"cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


class Loan(msgspec.Struct, frozen=True, kw_only=True):
    """What a slice may have for a while on top of its cores; ``until_ns`` is CLOCK_MONOTONIC."""

    percent: int
    until_ns: int


def change(  # noqa: PLR0913 — each is a limit of its own, and named
    path: Path,
    device: int,
    *,
    memory: int | None = None,
    cores: int | None = None,
    policy: str | None = None,
    priority: int | None = None,
    lent: Loan | None = None,
) -> None:
    """Change limits of a device of a slice, whose programs go on and keep to the new ones from then on.

    Memory below what is held takes nothing away: growth is refused until enough was given back.

    Raises:
        RegionError: The region cannot be read or written, or a limit does not fit into it.
    """
    limit = DeviceLimit(uuid="", memory=memory or 0, cores=cores or 0, policy=policy or "cap", priority=priority or 0)
    _check_limits(path, Limits(slice_id="", devices=(limit,)))
    if not 0 <= device < layout.DEVICES:
        raise RegionError(str(path), f"a slice has no device {device}")
    if lent and not (0 <= lent.percent <= 100 and 0 <= lent.until_ns < 1 << 64):
        raise RegionError(str(path), f"{lent} is no loan")
    values = {
        "memory_limit": memory,
        "core_limit": cores,
        "policy": None if policy is None else layout.POLICIES.index(policy),
        "priority": priority,
        "lent_percent": lent.percent if lent else None,
        "lent_until_ns": lent.until_ns if lent else None,
    }
    with _mapped(path) as memory_map:
        for name, value in values.items():
            if value is not None:
                _store(memory_map, layout.DEVICE, name, value, device)
        changed = _get(memory_map, layout.REGION, "limits_changed")
        _store(memory_map, layout.REGION, "limits_changed", (changed + 1) % (1 << 32))


def read(path: Path) -> RegionState:
    """Read a region as it is now, without stopping anybody.

    Raises:
        RegionError: It is missing, unfinished, damaged or of another version.
    """
    data = _bytes(path)
    _check(path, data)
    # Positions are kept: a slice whose first device has no limit still begins with it.
    count = max((index + 1 for index in range(layout.DEVICES) if _described(data, index)), default=0)
    now = time.monotonic_ns()
    return RegionState(
        slice_id=_text(_get(data, layout.REGION, "slice_id")),
        read_ns=now,
        devices=tuple(_device(data, index, now) for index in range(count)),
        processes=tuple(
            _process(data, index, count) for index in range(layout.SLOTS) if _get(data, layout.SLOT, "state", index)
        ),
    )


def alive(process: ProcessUse) -> bool:
    """True when the process exists and is no later one of the same id; see the module about its limits."""
    pid = process.host_pid or process.pid
    started = _started_ns(pid) if pid > 0 else None
    return started is not None and (not process.joined_ns or started <= process.joined_ns + _CLOCK_SLACK_NS)


def _started_ns(pid: int) -> int | None:
    """CLOCK_REALTIME of a process's start, to a second; None when no such process lives.

    Source: proc(5), ``/proc/[pid]/stat`` field 22 (``starttime``, in ticks since boot) and ``btime`` of ``/proc/stat``.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[18])
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    if state in ("Z", "X"):
        return None  # dead, and only not yet asked for by its parent
    return int(boot.split()[1]) * 1_000_000_000 + ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _bytes(path: Path) -> bytes:
    """What is there, up to a byte beyond a region: programs may have made it as long as they like, or a pipe."""
    try:
        with open(path, "rb", opener=_open) as file:
            return file.read(layout.SIZE + 1) or b""
    except OSError as error:
        raise RegionError(str(path), f"cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap]:
    """A sound region's memory, for one at a time who changes limits from here."""
    _check(path, _bytes(path))
    try:
        with open(path, "r+b", opener=_open) as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            with mmap.mmap(file.fileno(), layout.SIZE) as memory_map:
                yield memory_map
    except (OSError, ValueError) as error:
        raise RegionError(str(path), f"cannot be changed: {error}") from error


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _check_limits(path: Path, limits: Limits) -> None:
    if len(limits.devices) > layout.DEVICES:
        raise RegionError(str(path), f"a slice has at most {layout.DEVICES} devices, not {len(limits.devices)}")
    for text in (limits.slice_id, *(device.uuid for device in limits.devices)):
        # Cut, it would name another slice or no device at all.
        if len(text.encode(errors="replace")) >= layout.DEVICE.fields["uuid"].size:
            raise RegionError(str(path), f"{text!r} does not fit: a region has 63 bytes for it")
        if any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text):
            raise RegionError(str(path), f"{text!r} is no text that a region can hold")
    for device in limits.devices:
        _check_device(path, device)


def _check_device(path: Path, device: DeviceLimit) -> None:
    for name, value, bits in (
        ("memory", device.memory, 64),
        ("physical", device.physical, 64),
        ("cores", device.cores, 32),
        ("priority", device.priority, 32),
    ):
        if not 0 <= value < 1 << bits:
            raise RegionError(str(path), f"{name} {value} of {device.uuid} does not fit into {bits} bits")
    if device.policy not in layout.POLICIES:
        raise RegionError(str(path), f"policy {device.policy!r} of {device.uuid} is none that a region knows")


def _packed(limits: Limits) -> bytes:
    data = bytearray(layout.SIZE)
    header = {
        "magic": layout.MAGIC,
        "layout_version": layout.VERSION,
        "size": layout.SIZE,
        "device_count": layout.DEVICES,
        "slot_capacity": layout.SLOTS,
        "created_ns": time.time_ns(),
        "slice_id": limits.slice_id.encode(),
        "state": layout.READY,
    }
    for name, value in header.items():
        _put(data, layout.REGION, name, value)
    for index, device in enumerate(limits.devices):
        _put(data, layout.DEVICE, "uuid", device.uuid.encode(), index)
        _put(data, layout.DEVICE, "memory_limit", device.memory, index)
        _put(data, layout.DEVICE, "core_limit", device.cores, index)
        _put(data, layout.DEVICE, "physical_memory", device.physical, index)
        _put(data, layout.DEVICE, "policy", layout.POLICIES.index(device.policy), index)
        _put(data, layout.DEVICE, "priority", device.priority, index)
        _put(data, layout.DEVICE, "flags", layout.OVERSUBSCRIBE if device.oversubscribe else 0, index)
    return bytes(data)


def _check(path: Path, data: bytes) -> None:
    if len(data) < layout.REGION.size or _get(data, layout.REGION, "magic") != layout.MAGIC:
        raise RegionError(str(path), "is no region")
    version = _get(data, layout.REGION, "layout_version")
    if version != layout.VERSION:
        raise RegionError(str(path), f"is of version {version}; this release reads version {layout.VERSION}")
    if len(data) != layout.SIZE:
        than = "longer" if len(data) > layout.SIZE else "shorter"
        raise RegionError(str(path), f"is {than} than {layout.SIZE} bytes")
    size = _get(data, layout.REGION, "size")
    if size != layout.SIZE:
        raise RegionError(str(path), f"is damaged: it claims {size} bytes instead of {layout.SIZE}")
    counts = (_get(data, layout.REGION, "device_count"), _get(data, layout.REGION, "slot_capacity"))
    if counts[0] > layout.DEVICES or counts[1] != layout.SLOTS:
        raise RegionError(str(path), f"is damaged: it counts {counts[0]} devices and {counts[1]} slots")
    if _get(data, layout.REGION, "state") != layout.READY:
        raise RegionError(str(path), "was never finished")


def _described(data: bytes, index: int) -> bool:
    """A position counts when it names a device or limits one."""
    named = _get(data, layout.DEVICE, "uuid", index).strip(b"\0")
    limited = _get(data, layout.DEVICE, "memory_limit", index) or _get(data, layout.DEVICE, "core_limit", index)
    return bool(named or limited)


def _device(data: bytes, index: int, now: int) -> DeviceUse:
    names = ("memory_limit", "core_limit", "busy_ns", "throttled_ns", "launches", "refused", "priority", "unmeasured")
    values = {name: _get(data, layout.DEVICE, name, index) for name in names}
    policy = _get(data, layout.DEVICE, "policy", index)
    lent = _get(data, layout.DEVICE, "lent_until_ns", index) > now
    return DeviceUse(
        uuid=_text(_get(data, layout.DEVICE, "uuid", index)),
        memory_used=_get(data, layout.DEVICE, "memory.bytes", index),
        policy=layout.POLICIES[policy if policy < len(layout.POLICIES) else 0],
        lent=_get(data, layout.DEVICE, "lent_percent", index) if lent else 0,
        **values,
    )


def _process(data: bytes, index: int, devices: int) -> ProcessUse:
    return ProcessUse(
        pid=_get(data, layout.SLOT, "pid", index),
        joined_ns=_get(data, layout.SLOT, "start_ns", index),
        host_pid=_get(data, layout.SLOT, "host_pid", index),
        name=_text(_get(data, layout.SLOT, "name", index)),
        memory=tuple(_held(data, index, device) for device in range(devices)),
        busy_ns=_get_all(data, layout.SLOT, "busy_ns", index)[:devices],
    )


def _held(data: bytes, slot: int, device: int) -> int:
    """Bytes of a device that a process holds after its last change; ``native/runtime/ledger.c`` tells which that is."""
    entry = slot * layout.SLOT.size // layout.ENTRY.size + device
    last_slot, last_number = divmod(_get(data, layout.DEVICE, "memory.last", device), 1 << 48)
    number = max(_get(data, layout.ENTRY, "done", entry), last_number if last_slot == slot else 0)
    after: int = _get_all(data, layout.ENTRY, "after", entry)[number % 2]
    return after


def _place(record: layout.Record, name: str, index: int) -> int:
    return record.start + index * record.size + record.fields[name].offset


def _get_all(data: bytes | mmap.mmap, record: layout.Record, name: str, index: int) -> tuple[Any, ...]:
    return struct.unpack_from("<" + record.fields[name].format, data, _place(record, name, index))


def _get(data: bytes | mmap.mmap, record: layout.Record, name: str, index: int = 0) -> Any:
    return _get_all(data, record, name, index)[0]


def _store(data: mmap.mmap, record: layout.Record, name: str, value: int, index: int = 0) -> None:
    """In one piece, since programs read it at the same time; :mod:`struct` writes byte by byte."""
    kind = ctypes.c_uint64 if record.fields[name].format == "Q" else ctypes.c_uint32
    kind.from_buffer(data, _place(record, name, index)).value = value


def _put(data: bytearray, record: layout.Record, name: str, value: object, index: int = 0) -> None:
    struct.pack_into("<" + record.fields[name].format, data, _place(record, name, index), value)


def _text(value: bytes) -> str:
    return value.split(b"\0", 1)[0].decode(errors="replace")
