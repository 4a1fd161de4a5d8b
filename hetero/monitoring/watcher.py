"""Sees to precedence on one machine: looks at the slices of contested devices 20 times a second.

Of all who could look at a runtime directory one leads, by a file lock that ends with its process. What a slice yields
ends by itself a little later: when nobody looks any more, every slice is as before.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from hetero import log
from hetero.model.allocation import Slice
from hetero.monitoring.arena import Arena, contested_devices
from hetero.monitoring.contender import PERIOD_NS
from hetero.monitoring.lending import locked
from hetero.monitoring.precedence import STRICT
from hetero.monitoring.ranks import Ranked, Ranks

_log = log.logger("precedence")

REST = 1.0
"""Seconds between two looks for slices that have come or gone, and whether there is anything to see to."""

_LOCK = "precedence.lock"


class Watcher:
    """Sees to precedence below a runtime directory, if nobody else does.

    Args:
        directory: The runtime directory.
        read: From the bytes of a slice's record to the slice; raises :class:`hetero.errors.WireError`.
        precedence: ``conserve`` or ``strict``.

    Attributes:
        slices: How many there were at the last look for them.
        looks: How often it looked whether a slice has to make way.
    """

    def __init__(self, directory: Path, read: Callable[[bytes], Slice], precedence: str) -> None:
        self.slices = 0
        self.looks = 0
        self._directory = directory
        self._ranks = Ranks(directory, read)
        self._arena = Arena(strict=precedence == STRICT)
        self._lock: int | None = None
        self._know_at = 0.0
        self._known: list[Ranked] | None = None

    @property
    def yields(self) -> int:
        """Slices that make way now, each counted for each of its devices."""
        return self._arena.yields

    def look(self) -> float:
        """Look once, if there is anything to see to. It never raises.

        Returns:
            Seconds until it wants to look again.
        """
        try:
            if time.monotonic() >= self._know_at:
                self._know()
            if self._lock is None:
                return REST
            self._arena.look()
            self.looks += 1
        except Exception as error:  # a program must not end because of what its neighbours are to leave it
            _log.debug("precedence is not seen to this time", reason=str(error))
            return REST
        return PERIOD_NS / 1e9

    def refresh(self) -> None:
        """Have the next look find slices that have come or gone."""
        self._know_at = 0.0

    def close(self) -> None:
        """Let everybody have everything back, and somebody else lead."""
        self._arena.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _know(self) -> None:
        """Find slices that have come or gone; nothing is done where all was well the last time and is as it was."""
        self._know_at = time.monotonic() + REST
        slices = self._ranks.all()
        if slices == self._known:
            return
        self._known = None
        self.slices = len(slices)
        fields = contested_devices(slices)
        if not fields:
            self.close()
        elif self._lock is None:
            self._lock = locked(self._directory / _LOCK)
        if self._lock is not None:
            self._arena.know(fields)
        if self._ranks.settled and (not fields or (self._lock is not None and self._arena.complete)):
            self._known = slices
