"""A region that somebody looks at many times a second: whether its slice runs, and whether it makes way for others.

The file is kept open, and no more of it is read than a look needs. Its programs may cut it short at any moment, and
whoever then touched a mapping of it would be killed: so it is mapped for the kernel alone, which copies from and to it
for many regions by one call, and says where it could not (:mod:`hetero.enforcement.ferry`). What stands in it was
written by its programs, so it is believed only as far as it harms nobody but themselves.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
from pathlib import Path

import msgspec

from hetero.enforcement import layout
from hetero.errors import RegionError

_PULSE = struct.Struct("<Q8xQ8xQ")
PULSE_SIZE = _PULSE.size
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
    """

    read_ns: int
    busy_ns: int
    launches: int
    wanted_ns: int


def pulse(data: bytes, now_ns: int) -> Pulse:
    """What was read of a device at that moment, by whichever way."""
    return Pulse(now_ns, *_PULSE.unpack(data))


class Watched:
    """A slice's region, kept open and mapped.

    Pieces of it are for the kernel to copy from and to, and for nobody to look into; they end with :meth:`close`.

    Args:
        path: The region.

    Raises:
        RegionError: It is none that this release reads, or cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mapping: mmap.mmap | None = None
        self._pieces: list[memoryview] = []
        self._living: int | None = None
        self._next = 0
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _refused(path, error) from error
        try:
            self._identity = self._checked()
            (self._count,) = _WORD.unpack(self._read(_WORD.size, _CHANGED))
            self._mapping = self._mapped()
        except RegionError:
            self.close()
            raise

    def close(self) -> None:
        """Look no more; every later call fails, and touches no other file that may get the descriptor's number."""
        for piece in self._pieces:
            piece.release()
        self._pieces.clear()
        if self._mapping is not None:
            self._mapping.close()
            self._mapping = None
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

    def pulse(self, position: int) -> memoryview:
        """The piece that shows whether the slice wants a device; :func:`pulse` says what its bytes mean."""
        return self._piece(_PULSES[position], _PULSE.size)

    def percent(self, position: int) -> memoryview:
        """The piece that says what a device of the slice is held to."""
        return self._piece(_PERCENTS[position], _WORD.size)

    def until(self, position: int) -> memoryview:
        """The piece that says until when it is."""
        return self._piece(_UNTILS[position], _LONG.size)

    def changed(self) -> memoryview:
        """The piece for a :meth:`question`."""
        return self._piece(_CHANGED, _WORD.size)

    def read(self, position: int) -> bytes:
        """The same bytes as :meth:`pulse`, by a call for this region alone, which says what is wrong with it.

        Raises:
            RegionError: A program of the slice has cut the file short.
        """
        return self._read(_PULSE.size, _PULSES[position])

    def question(self) -> bytes:
        """What :meth:`ask` writes, for who writes it himself."""
        self._count = (self._count + _STEP) % (1 << 32)
        return _WORD.pack(self._count)

    def ask(self) -> None:
        """Have each thread of the slice tell, at its next launch, that it launches.

        That is what a change of limits makes it do; here none was changed. Whoever has not launched since the last
        question need not be asked again. The count is not read, since that would be half of what a look costs. So it
        may go back where somebody else has counted meanwhile: programs notice any other number than the last, and
        whoever changes a limit counts only after having written it.

        Raises:
            RegionError: As :meth:`read`.
        """
        self._write(self.question(), _CHANGED)

    def free(self, position: int) -> None:
        """Hold a device of the slice to nothing any more.

        Each word by a call of its own, since programs read it at the same time: the kernel copies an aligned one whole.

        Raises:
            RegionError: As :meth:`read`.
        """
        self._write(percent_word(0), _PERCENTS[position])
        self._write(until_word(0), _UNTILS[position])

    def lives(self) -> bool:
        """True when a process of the slice lives, whatever it does: the kernel marks the claim of one that ended.

        The one that lived last is looked at first, then a part of the slots at each call. Where there are more than
        that, it lives on until all of them were looked at.

        Raises:
            RegionError: As :meth:`read`.
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

    def _mapped(self) -> mmap.mmap:
        """All up to the slots."""
        try:
            return mmap.mmap(self._descriptor, layout.SLOT.start)
        except (OSError, ValueError) as error:  # the second: it was cut short a moment ago
            raise RegionError(str(self._path), f"cannot be mapped: {error}") from error

    def _piece(self, offset: int, size: int) -> memoryview:
        if self._mapping is None:
            raise RegionError(str(self._path), "cannot be watched: it is closed")
        with memoryview(self._mapping) as whole:
            self._pieces.append(whole[offset : offset + size])
        return self._pieces[-1]

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


def percent_word(percent: int) -> bytes:
    """What stands in :meth:`Watched.percent`."""
    return _WORD.pack(percent)


def until_word(until_ns: int) -> bytes:
    """What stands in :meth:`Watched.until`."""
    return _LONG.pack(until_ns)


def _refused(path: Path, error: OSError) -> RegionError:
    return RegionError(str(path), f"cannot be watched: {error.strerror}")
