"""Sees to it on a node that pods of a higher priority go first on the devices that they share with others.

Slices say what they want by launching, and are looked at 20 times a second, but only while slices of different
priorities share a device; a node without slices is not looked at at all.
"""

from __future__ import annotations

import threading
from pathlib import Path

from hetero import log, metrics
from hetero.agent.records import PodSlice
from hetero.model import wire
from hetero.model.allocation import Slice
from hetero.monitoring.precedence import OFF
from hetero.monitoring.watcher import Watcher

_log = log.logger("agent")


class Precedence:
    """A thread that looks, and rests while there is nothing to see to.

    Args:
        directory: Where slices are kept.
        precedence: See :attr:`hetero.config.AgentSettings.precedence`.
    """

    def __init__(self, directory: Path, precedence: str) -> None:
        self._watcher = Watcher(directory, _slice, precedence)
        self._off = precedence == OFF
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="precedence", daemon=True)

    def start(self) -> None:
        """Begin."""
        if not self._off:
            self._thread.start()

    def stop(self) -> None:
        """End; nobody makes way for anybody any more."""
        self._stopping.set()
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def wake(self) -> None:
        """A slice was made."""
        self._woken.set()

    def measure(self) -> None:
        """Bring the gauge of slices that make way up to date."""
        metrics.yielding.set(self._watcher.yields)

    def _run(self) -> None:
        watcher = self._watcher
        while not self._stopping.is_set():
            looks = watcher.looks
            pause = watcher.look()
            metrics.looks.add(amount=watcher.looks - looks)
            if self._woken.wait(pause if watcher.slices else None):
                self._woken.clear()
                watcher.refresh()
        watcher.close()


def _slice(data: bytes) -> Slice:
    return wire.decode(data, PodSlice).held
