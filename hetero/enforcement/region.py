"""The shared region of a slice, seen from Python: creating it with its limits, and reading who uses what.

The native runtime owns the numbers; nothing here changes them after a region was created, only its limits. Whether a
process of the slice lives is known for certain only to the native side, by a claim that the kernel marks. Here it is
judged by ``/proc``, which is right for processes of the own pid namespace, and for those that know their id there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hetero.enforcement import layout, reading
from hetero.enforcement.limits import DeviceLimit, Limits
from hetero.enforcement.reading import ProcessUse, RegionState
from hetero.errors import RegionError

_CLOCK_SLACK_NS = 2_000_000_000
"""The start of a process is known to a second, and the clock may be set a little."""

_PATIENCE = 0.01
"""Seconds for the lock of a region, which programs hold for moments; whoever changes many is not kept by one."""

_ALL_OF_IT = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
"""A ``struct flock`` for who writes a file. Locked by description, as the native runtime does: a lock by process ends
when any thread of it closes the file, as whoever reads it does. Source: fcntl(2), "Open file description locks"."""


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
    """What a slice may have for a while, on top of its cores or at most; ``until_ns`` is CLOCK_MONOTONIC."""

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
    yielding: Loan | None = None,
) -> None:
    """Change limits of a device of a slice, whose programs go on and keep to the new ones from then on.

    Memory below what is held takes nothing away: growth is refused until enough was given back. What is ``lent`` comes
    on top of the cores; one that is ``yielding`` has no more than that whatever else is said, and 0 percent ends it.

    Raises:
        RegionError: The region cannot be read or written, or a limit does not fit into it.
    """
    limit = DeviceLimit(uuid="", memory=memory or 0, cores=cores or 0, policy=policy or "cap", priority=priority or 0)
    _check_limits(path, Limits(slice_id="", devices=(limit,)))
    if not 0 <= device < layout.DEVICES:
        raise RegionError(str(path), f"a slice has no device {device}")
    for loan in filter(None, (lent, yielding)):
        if not (0 <= loan.percent <= 100 and 0 <= loan.until_ns < 1 << 64):
            raise RegionError(str(path), f"{loan} is no loan")
    values = {
        "memory_limit": memory,
        "core_limit": cores,
        "policy": None if policy is None else layout.POLICIES.index(policy),
        "priority": priority,
        "lent_percent": lent.percent if lent else None,
        "lent_until_ns": lent.until_ns if lent else None,
        "yield_percent": yielding.percent if yielding else None,
        "yield_until_ns": yielding.until_ns if yielding else None,
    }
    with _changing(path) as descriptor:
        for name, value in values.items():
            if value is not None:
                _store(descriptor, layout.DEVICE, name, value, device)
        _count(descriptor)


def read(path: Path | str, *, processes: bool = True) -> RegionState:
    """Read a region as it is now, without stopping anybody: its head, its devices, and the slots that were ever taken.

    Args:
        path: The file.
        processes: Tell of each process, not only how many there are.

    Raises:
        RegionError: It is missing, unfinished, damaged or of another version.
    """
    data, length = _bytes(path)
    return reading.state(path, data, length, processes=processes)


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


_FEW = layout.SLOT.start + 4 * layout.SLOT.size
"""All that there is to read of most slices: their programs have no more processes than that."""


def _bytes(path: Path | str) -> tuple[bytes, int]:
    """All up to the last slot that was ever taken, and how long the file is: programs may have made it anything.

    A region is two megabytes, nearly all of it slots that nobody ever took. It is not mapped: see :func:`_changing`.
    """
    try:
        descriptor = _open(str(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            known = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
            return (_pages(descriptor) if known else b""), found.st_size  # a pipe cannot be read from the middle
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RegionError(str(path), f"cannot be read: {error.strerror}") from error


def _pages(descriptor: int) -> bytes:
    data = os.pread(descriptor, _FEW, 0)
    if len(data) < _FEW:
        return data
    end = layout.SLOT.start + reading.used(data) * layout.SLOT.size
    return os.pread(descriptor, end, 0) if end > _FEW else data  # anew, not put together: it may be two megabytes


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[int]:
    """A sound region, open for one at a time who changes limits from here.

    It is not mapped: its programs may cut the file short at any moment, and whoever touches memory beyond the end of a
    file is killed by the kernel.
    """
    reading.check(path, *_bytes(path))
    try:
        with open(path, "r+b", buffering=0, opener=_open) as file:
            _lock(file.fileno())
            yield file.fileno()
    except OSError as error:
        raise RegionError(str(path), f"cannot be changed: {error.strerror}") from error


def _lock(descriptor: int) -> None:
    """Not without end: a program of the slice may hold the lock for as long as it likes."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _ALL_OF_IT)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PATIENCE / 10)


def _open(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        # The slots are empty: a hole takes no memory from whoever makes the region. A node has hundreds, in a tmpfs.
        file.truncate(layout.SIZE)


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
    """All before the slots."""
    data = bytearray(layout.SLOT.start)
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


def _count(descriptor: int) -> None:
    """Count a change up; programs look at the count alone."""
    head = os.pread(descriptor, layout.REGION.size, 0)
    if len(head) == layout.REGION.size:  # else a program has cut it just now
        _store(descriptor, layout.REGION, "limits_changed", (layout.REGION.get(head, "limits_changed") + 1) % (1 << 32))


def _store(descriptor: int, record: layout.Record, name: str, value: int, index: int = 0) -> None:
    """In one call, since programs read it at the same time: the kernel copies an aligned word at once."""
    os.pwrite(descriptor, record.fields[name].packed.pack(value), record.place(name, index))


def _put(data: bytearray, record: layout.Record, name: str, value: object, index: int = 0) -> None:
    record.fields[name].packed.pack_into(data, record.place(name, index), value)
