"""A region that somebody looks at many times a second: whether its slice runs, and whether it makes way for others.

The file is kept open, and no more of it is read than a look needs: a few microseconds for a slice. It is not mapped,
since its programs may cut it short at any moment; and what stands in it was written by them, so it is believed only as
far as it harms nobody but themselves.
"""

from __future__ import annotations

import os
import stat
import struct
import time
from pathlib import Path

import msgspec

from hetero.enforcement import layout
from hetero.errors import RegionError

_PULSE = struct.Struct("<Q8xQ8xQ36xIQ")
_WORD = struct.Struct("<I")
_LONG = struct.Struct("<Q")
_PULSES = tuple(layout.DEVICE.place("busy_ns", position) for position in range(layout.DEVICES))
_PERCENTS = tuple(layout.DEVICE.place("yield_percent", position) for position in range(layout.DEVICES))
_UNTILS = tuple(layout.DEVICE.place("yield_until_ns", position) for position in range(layout.DEVICES))
_CHANGED = layout.REGION.fields["limits_changed"].offset
_USED = layout.REGION.fields["slots_used"].offset

_STEP = 0x10001
"""What a question adds to the count of changes. Whoever changes a limit adds one, so the two never come to the same."""

_CLAIM = struct.Struct(f"<I60xI{layout.SLOT.size - 68}x")
_THREAD = 0x3FFFFFFF
_OWNER_DIED = 0x40000000
"""Of a claim's word. Source: ``linux/futex.h``, ``FUTEX_TID_MASK`` and ``FUTEX_OWNER_DIED``."""

PART = 64
"""Slots that are looked at at once for a process that lives. Hardly a slice has had more; one that claims to have had a
thousand takes no more of whoever looks."""


class Pulse(msgspec.Struct, frozen=True):
    """One device of a slice at one moment; moments are CLOCK_MONOTONIC in ns.

    Attributes:
        read_ns: When it was first read as it is.
        busy_ns: Device time used since the region was created.
        launches: Kernels launched, as far as they are counted yet.
        wanted_ns: When a program last launched something or waited to.
        yield_percent: What the slice is held to...
        yield_until_ns: ...until then.
    """

    read_ns: int
    busy_ns: int
    launches: int
    wanted_ns: int
    yield_percent: int
    yield_until_ns: int


class Watched:
    """A slice's region, kept open.

    Args:
        path: The region.

    Raises:
        RegionError: It is none that this release reads, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: dict[int, tuple[bytes, Pulse]] = {}
        self._living: int | None = None
        self._next = 0
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _refused(path, error) from error
        try:
            self._identity = self._checked()
            (self._count,) = _WORD.unpack(self._read(_WORD.size, _CHANGED))
        except RegionError:
            self.close()
            raise

    def close(self) -> None:
        """Look no more; every later call fails, and touches no other file that may get the descriptor's number."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def current(self) -> bool:
        """False when another file has taken the region's place: its container was started anew."""
        try:
            found = self._path.lstat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def pulse(self, position: int, now_ns: int = 0) -> Pulse:
        """How a device of the slice does, at this moment if none is said: the last pulse where nothing has changed.

        Raises:
            RegionError: A program of the slice has cut the file short.
        """
        data = self._read(_PULSE.size, _PULSES[position])
        last = self._last.get(position)
        if last is None or last[0] != data:
            last = self._last[position] = data, Pulse(now_ns or time.monotonic_ns(), *_PULSE.unpack(data))
        return last[1]

    def ask(self) -> None:
        """Have each thread of the slice tell, at its next launch, that it launches.

        That is what a change of limits makes it do; here none was changed. Whoever has not launched since the last
        question need not be asked again. The count is not read, since that would be half of what a look costs. So it
        may go back where somebody else has counted meanwhile: programs notice any other number than the last, and
        whoever changes a limit counts only after having written it.

        Raises:
            RegionError: As :meth:`pulse`.
        """
        self._count = (self._count + _STEP) % (1 << 32)
        self._write(_WORD.pack(self._count), _CHANGED)

    def hold(self, position: int, percent: int | None, until_ns: int) -> None:
        """Hold a device of the slice to so many percent until then, None to as many as before; 0 percent ends it.

        Each word by a call of its own, since programs read it at the same time: the kernel copies an aligned one whole.

        Raises:
            RegionError: As :meth:`pulse`.
        """
        if percent is not None:
            self._write(_WORD.pack(percent), _PERCENTS[position])
        self._write(_LONG.pack(until_ns), _UNTILS[position])

    def lives(self) -> bool:
        """True when a process of the slice lives, whatever it does: the kernel marks the claim of one that ended.

        The one that lived last is looked at first, then a part of the slots at each call. Where there are more than
        that, it lives on until all of them were looked at.

        Raises:
            RegionError: As :meth:`pulse`.
        """
        (used,) = _WORD.unpack(self._read(_WORD.size, _USED))
        used = min(used, layout.SLOTS)
        last = self._living
        if last is not None and last < used and self._living_of(range(last, last + 1)) is not None:
            return True
        part = range(self._next, min(self._next + PART, used))
        living = self._living_of(part)
        self._next = part.stop if living is None and part.stop < used else 0
        if living is not None or not self._next:
            self._living = living
        return self._living is not None

    def _living_of(self, slots: range) -> int | None:
        """The first of these whose process lives."""
        data = self._read(len(slots) * layout.SLOT.size, layout.SLOT.start + slots.start * layout.SLOT.size)
        for slot, (word, state) in zip(slots, _CLAIM.iter_unpack(data), strict=True):
            if state == layout.TAKEN and word & _THREAD and not word & _OWNER_DIED:
                return slot
        return None

    def _checked(self) -> tuple[int, int]:
        """Which file it is."""
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != layout.SIZE:
            raise RegionError(str(self._path), f"is no file of {layout.SIZE} bytes")
        head = self._read(layout.REGION.size, 0)
        expected = {"magic": layout.MAGIC, "layout_version": layout.VERSION, "state": layout.READY}
        for name, value in expected.items():
            field = layout.REGION.fields[name]
            if struct.unpack_from("<" + field.format, head, field.offset)[0] != value:
                raise RegionError(str(self._path), f"is not to be watched: its {name} is not {value}")
        return found.st_dev, found.st_ino

    def _read(self, size: int, offset: int) -> bytes:
        try:
            data = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise _refused(self._path, error) from error
        if len(data) < size:
            raise RegionError(str(self._path), f"ends before byte {offset + size}")
        return data

    def _write(self, data: bytes, offset: int) -> None:
        try:
            os.pwrite(self._descriptor, data, offset)
        except OSError as error:
            raise _refused(self._path, error) from error


def _refused(path: Path, error: OSError) -> RegionError:
    return RegionError(str(path), f"cannot be watched: {error.strerror}")
