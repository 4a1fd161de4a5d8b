"""The priorities of the slices below a runtime directory, by their records; never by what their programs can write.

A record, and a region too, is never written over but replaced by a new file, which shows in the time of its directory.
So one look at the directory is enough to know that all of it is as it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from hetero import log
from hetero.enforcement.limits import priority_of
from hetero.enforcement.slices import REGION
from hetero.errors import WireError
from hetero.model.allocation import Slice

_log = log.logger("precedence")

RECORD = "slice.json"

SETTLED_NS = 2_000_000_000
"""Age of a directory from which on another change of it has another time for certain."""

Stamp = tuple[int, int]
"""The number of a directory, and when it was last changed."""


class Ranked(msgspec.Struct, frozen=True):
    """A slice, as far as precedence is concerned.

    Attributes:
        region: Where its region is on this machine.
        priority: 0 goes first.
        devices: Identities of the devices, in the order of the slice.
        stamp: Which directory it was read from, and when that was last changed.
    """

    region: Path
    priority: int
    devices: tuple[str, ...]
    stamp: Stamp


class _Known(msgspec.Struct):
    """What is known of a directory: of when it and its record are, its slice, and that this is certainly all."""

    stamp: Stamp | None = None
    record: tuple[int, ...] = ()
    ranked: Ranked | None = None
    settled: bool = False


class Ranks:
    """The slices below a runtime directory.

    Args:
        directory: The runtime directory.
        read: From the bytes of a record to its slice; raises :class:`WireError`.
    """

    def __init__(self, directory: Path, read: Callable[[bytes], Slice]) -> None:
        self._slices = directory / "slices"
        self._read = read
        self._known: dict[str, _Known] = {}

    @property
    def settled(self) -> bool:
        """True when the last look saw all there is; else something may have changed that is not seen by the next."""
        return all(known.settled for known in self._known.values())

    def all(self) -> list[Ranked]:
        """Those that have a region, by id; the same objects as the last time for those that are as they were.

        Raises:
            OSError: The directory cannot be read.
        """
        try:
            names = sorted(os.listdir(self._slices))  # noqa: PTH208 — names are enough
        except FileNotFoundError:
            names = []
        old_ns = time.time_ns() - SETTLED_NS
        self._known = {name: self._look(name, old_ns) for name in names}
        return [known.ranked for known in self._known.values() if known.ranked is not None]

    def _look(self, name: str, old_ns: int) -> _Known:
        directory = f"{self._slices}/{name}"
        known = self._known.get(name) or _Known()
        try:
            found = os.stat(directory)  # noqa: PTH116 — a hundred at a time: a path object costs more than this
            stamp = (found.st_ino, found.st_mtime_ns)
            if known.stamp == stamp and known.settled:
                return known
            return self._read_anew(Path(directory), stamp, known, settled=found.st_mtime_ns < old_ns)
        except (OSError, WireError) as error:  # one that is being made or removed
            _log.debug("a record is not read", slice=name, reason=str(error))
            return _Known()

    def _read_anew(self, directory: Path, stamp: Stamp, known: _Known, *, settled: bool) -> _Known:
        path = directory / RECORD
        found = path.stat()
        record = (found.st_ino, found.st_mtime_ns, found.st_size)
        if (known.stamp, known.record) == (stamp, record):
            return _Known(stamp, record, known.ranked, settled)
        return _Known(stamp, record, _ranked(self._read(path.read_bytes()), directory / REGION, stamp), settled)


def _ranked(held: Slice, region: Path, stamp: Stamp) -> Ranked | None:
    if not held.region:
        return None
    return Ranked(region, priority_of(held), tuple(grant.device.uuid for grant in held.grants), stamp)
