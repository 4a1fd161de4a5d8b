"""The contested devices of one machine: those whose slices are not all of one priority."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from hetero.enforcement.ferry import Ferry
from hetero.enforcement.pulse import PULSE_SIZE, Watched
from hetero.errors import RegionError
from hetero.monitoring.contender import Contender
from hetero.monitoring.contest import Contest
from hetero.monitoring.errands import Errands
from hetero.monitoring.precedence import contested
from hetero.monitoring.ranks import Ranked

Fields = Mapping[str, list[tuple[Ranked, int]]]
"""By device: each of its slices, and the device's position in it."""

Block = tuple[Contest, slice | None]
"""A contest, and where the bytes for it are among those that are read at once; None: each of its slices is read."""


class Arena:
    """Who contends for which device. Regions of no contested device are not opened.

    Args:
        strict: A slice wants its devices for as long as a process of it lives.
    """

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._regions: dict[Path, Watched] = {}
        self._fields: Fields = {}
        self._contests: dict[str, Contest] = {}
        self._ferry = Ferry()
        self._errands = Errands()
        self._pieces: list[memoryview] = []
        self._blocks: list[Block] = []

    @property
    def yields(self) -> int:
        """Slices that make way now, each counted for each of its devices."""
        return sum(one.yields for one in self._contenders())

    @property
    def complete(self) -> bool:
        """True when every slice of a contested device is looked at: all their regions could be opened."""
        return sum(map(len, self._fields.values())) == len(self._contenders())

    def know(self, fields: Fields) -> None:
        """Say which devices are contested from now on."""
        renewed = self._open({ranked.region for field in fields.values() for ranked, _ in field})
        if not renewed and fields == self._fields:
            return
        before = self._contenders()
        known = {(one.region, one.position): one for one in before}
        self._fields = fields
        self._contests = {device: Contest(self._entered(field, known)) for device, field in fields.items()}
        self._lay_out()
        kept = {id(one) for one in self._contenders()}
        for one in before:
            if id(one) not in kept:
                _free(one)

    def look(self) -> None:
        """See to it that those make way who have to, and that nobody else does."""
        now_ns = time.monotonic_ns()
        data, missing = self._ferry.gather(self._pieces) if self._pieces else (b"", [])
        changed = False
        for contest, part in _readable(self._blocks, missing) if missing else self._blocks:
            if contest.look(now_ns, data[part] if part else None):
                changed = True
        if changed:
            self._lay_out()
        self._errands.run(self._ferry)

    def close(self) -> None:
        """Let everybody have everything back."""
        self.know({})

    def _lay_out(self) -> None:
        """Say where among the pieces that are read at once each contest has its own."""
        self._pieces, self._blocks = [], []
        for contest in self._contests.values():
            start = len(self._pieces)
            if not self._strict:
                self._pieces += contest.pieces
            part = slice(start * PULSE_SIZE, len(self._pieces) * PULSE_SIZE)
            self._blocks.append((contest, None if self._strict else part))
        if not self._blocks:
            self._ferry.close()

    def _contenders(self) -> list[Contender]:
        return [one for contest in self._contests.values() for one in contest.contenders]

    def _entered(
        self, field: list[tuple[Ranked, int]], known: Mapping[tuple[Watched, int], Contender]
    ) -> Iterable[Contender]:
        """Those of a device whose region could be opened; who was there before is the same one still."""
        for ranked, position in field:
            region = self._regions.get(ranked.region)
            if region is None:
                continue
            before = known.get((region, position))
            same = before is not None and before.priority == ranked.priority
            if before and same:
                yield before
            else:
                yield Contender(region, position, ranked.priority, self._errands, strict=self._strict)

    def _open(self, paths: set[Path]) -> bool:
        """Open what is to be looked at, and nothing else; anew where another file has taken a region's place.

        Returns:
            True when one was opened or closed.
        """
        before = set(self._regions.values())
        for path, region in list(self._regions.items()):
            if path not in paths or not region.current():
                self._close(path, region)
        for path in paths - self._regions.keys():
            with contextlib.suppress(RegionError):  # tried again at the next time
                self._regions[path] = Watched(path)
        return before != set(self._regions.values())

    def _close(self, path: Path, region: Watched) -> None:
        for one in self._contenders():
            if one.region is region:
                _free(one)
        region.close()
        del self._regions[path]


def contested_devices(slices: Iterable[Ranked]) -> Fields:
    """The devices whose slices are not all equal. Pure."""
    fields: dict[str, list[tuple[Ranked, int]]] = {}
    for ranked in slices:
        for position, device in enumerate(ranked.devices):
            fields.setdefault(device, []).append((ranked, position))
    return {device: field for device, field in fields.items() if contested([one.priority for one, _ in field])}


def _readable(blocks: Iterable[Block], missing: Iterable[int]) -> Iterator[Block]:
    """The same, but for those of which a piece is missing: their slices are to be read one by one."""
    for contest, part in blocks:
        lost = part and any(part.start <= place * PULSE_SIZE < part.stop for place in missing)
        yield contest, None if lost else part


def _free(one: Contender) -> None:
    with contextlib.suppress(RegionError):
        one.free()
