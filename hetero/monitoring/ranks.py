"""The priorities of the slices below a runtime directory, by their records; never by what their programs can write."""

from __future__ import annotations

import os
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


class Ranked(msgspec.Struct, frozen=True):
    """A slice, as far as precedence is concerned.

    Attributes:
        region: Where its region is on this machine.
        priority: 0 goes first.
        devices: Identities of the devices, in the order of the slice.
    """

    region: Path
    priority: int
    devices: tuple[str, ...]


class Ranks:
    """The slices below a runtime directory.

    Args:
        directory: The runtime directory.
        read: From the bytes of a record to its slice; raises :class:`WireError`.
    """

    def __init__(self, directory: Path, read: Callable[[bytes], Slice]) -> None:
        self._slices = directory / "slices"
        self._read = read
        self._known: dict[str, tuple[tuple[int, ...], Ranked | None]] = {}

    def all(self) -> list[Ranked]:
        """Those that have a region, by id. A record is read again only when it was written anew.

        Raises:
            OSError: The directory cannot be read.
        """
        try:
            names = sorted(os.listdir(self._slices))  # noqa: PTH208 — names are enough
        except FileNotFoundError:
            names = []
        self._known = {name: self._ranked(name) for name in names}
        return [ranked for _, ranked in self._known.values() if ranked is not None]

    def _ranked(self, name: str) -> tuple[tuple[int, ...], Ranked | None]:
        file = f"{self._slices}/{name}/{RECORD}"
        try:
            found = os.stat(file)  # noqa: PTH116 — a hundred at a time: a path object costs more than this
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            known = self._known.get(name)
            if known is not None and known[0] == stamp:
                return known
            path = Path(file)
            return stamp, _ranked(self._read(path.read_bytes()), path.with_name(REGION))
        except (OSError, WireError) as error:  # one that is being made or removed
            _log.debug("a record is not read", slice=name, reason=str(error))
            return (), None


def _ranked(held: Slice, region: Path) -> Ranked | None:
    if not held.region:
        return None
    return Ranked(region, priority_of(held), tuple(grant.device.uuid for grant in held.grants))
