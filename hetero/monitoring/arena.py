"""The contested devices of one machine: those whose slices are not all of one priority."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from hetero.enforcement.pulse import Watched
from hetero.errors import RegionError
from hetero.monitoring.contender import Contender
from hetero.monitoring.contest import Contest
from hetero.monitoring.precedence import contested
from hetero.monitoring.ranks import Ranked

Fields = Mapping[str, list[tuple[Ranked, int]]]
"""By device: each of its slices, and the device's position in it."""


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

    @property
    def yields(self) -> int:
        """Slices that make way now, each counted for each of its devices."""
        return sum(one.yields for one in self._contenders())

    def know(self, fields: Fields) -> None:
        """Say which devices are contested from now on."""
        renewed = self._open({ranked.region for field in fields.values() for ranked, _ in field})
        if not renewed and fields == self._fields:
            return
        before = self._contenders()
        known = {(one.region, one.position): one for one in before}
        self._fields = fields
        self._contests = {device: Contest(self._entered(field, known)) for device, field in fields.items()}
        kept = {id(one) for one in self._contenders()}
        for one in before:
            if id(one) not in kept:
                _free(one)

    def look(self) -> None:
        """See to it that those make way who have to, and that nobody else does."""
        now_ns = time.monotonic_ns()
        for contest in self._contests.values():
            contest.look(now_ns)

    def close(self) -> None:
        """Let everybody have everything back."""
        self.know({})

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
            yield before if before and same else Contender(region, position, ranked.priority, strict=self._strict)

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


def _free(one: Contender) -> None:
    with contextlib.suppress(RegionError):
        one.free()
