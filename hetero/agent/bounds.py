"""Keeps the regions of slices as large as they were made.

A region is mounted into its container, whose programs may write it, so they may make it longer, or have room set aside
behind its end; what that takes is of the machine's ``/run``, a few hundred megabytes that every service of the machine
needs. The kernel keeps no file of a tmpfs from growing: seals are for memory files, which cannot be mounted. But it
tells at once of each call that makes one grow, and to cut it is one call. Source: inotify(7), fcntl(2), fallocate(2);
tried on Linux 6.18, whose tmpfs also gives back what lies behind the end of a file that is cut to the length it has.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable, Collection, Iterable

from hetero import log, metrics
from hetero.agent.bounded import Bounded
from hetero.agent.records import REGION, Records, vendor_of
from hetero.allocation import inotify
from hetero.errors import EnforcementError

_log = log.logger("agent")

PAUSE = 0.02
"""Seconds between two looks: what a program can take meanwhile is bounded by how fast it writes."""

REST = 10.0
"""Seconds after which all regions are looked at although the kernel told nothing."""

BLIND = 1.0
"""The same where the kernel cannot tell, or a region cannot be opened."""

TOLD = 60.0
"""Seconds between two times that somebody is told of one slice."""


class Bounds:
    """A thread that cuts regions which have grown, and sleeps while none changes.

    Args:
        records: The slices of this node.
        vendors: Whose slices are looked at; another agent of the node looks at others.
        grown: Told of a slice whose region was cut, once a minute at most; by the thread.
    """

    def __init__(self, records: Records, vendors: Collection[str], grown: Callable[[str], None]) -> None:
        self._records = records
        self._vendors = vendors
        self._grown = grown
        self._queue: inotify.Inotify | None = None
        self._blind = False
        self._watched: dict[int, str] = {}
        self._regions: dict[str, Bounded] = {}
        self._told: dict[str, float] = {}
        self._rest = REST
        self._woken = _Bell()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bounds", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._woken.ring()
        if self._thread.is_alive():
            self._thread.join(2.0)

    def wake(self) -> None:
        """A slice was made."""
        self._woken.ring()

    def _run(self) -> None:
        with self._woken:
            followed, names = 0.0, None
            while not self._stopping.is_set():
                now = time.monotonic()
                if names is None or now - followed >= self._rest:
                    followed, names = now, None
                self._guarded(names, now)
                self._stopping.wait(PAUSE)
                names = self._wait()
            self._keep(())
            if self._queue is not None:
                self._queue.close()

    def _guarded(self, names: Iterable[str] | None, now: float) -> None:
        try:
            self._look(self._follow() if names is None else names, now)
        except Exception:  # a defect must not end the thread: regions would grow
            _log.exception("an unexpected error while regions were looked at")

    def _follow(self) -> list[str]:
        """All slices, the region of each watched from now on."""
        try:
            names = [name for name in self._records.ids() if vendor_of(name) in self._vendors]
        except EnforcementError as error:
            _log.debug("slices not listed", reason=str(error))
            return []
        self._keep(names)
        seen = self._watch(names)
        refused = any(region.refused for region in self._regions.values())
        self._rest = REST if seen and not refused else BLIND
        self._told = {name: at for name, at in self._told.items() if name in self._regions}
        return names

    def _keep(self, names: Iterable[str]) -> None:
        kept = {name: self._regions.get(name) or Bounded(self._records.file(name, REGION)) for name in names}
        gone = [region for name, region in self._regions.items() if name not in kept]
        self._regions = kept
        for region in gone:
            region.close()
        for region in kept.values():
            region.hold()

    def _open(self) -> inotify.Inotify | None:
        """A queue, tried for until there is one: others who are root, in containers too, may have taken all."""
        if self._queue is None:
            try:
                self._queue = inotify.Inotify()
            except OSError as error:
                if not self._blind:
                    _log.warning("regions are looked at once a second, for the kernel cannot tell of them now",
                                 reason=error.strerror)  # fmt: skip
                self._blind = True
        return self._queue

    def _watch(self, names: Collection[str]) -> bool:
        """Watch their regions, and no others; false where the kernel refuses."""
        self._watched = {}
        queue = self._open()
        if queue is None:
            return not names
        seen = True
        for name in names:
            try:
                # Of one that is watched the kernel gives the same number again; one that is gone is watched no more.
                self._watched[queue.watch(self._records.path(name) / REGION, inotify.MODIFY)] = name
            except FileNotFoundError:  # a slice without one, or not yet: whoever makes it rings
                continue
            except OSError:
                seen = False
        return seen

    def _wait(self) -> list[str] | None:
        """The slices whose regions were written; None where there may be others."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        if self._queue is not None:
            poll.register(self._queue, select.POLLIN)
        woken = poll.poll(self._rest * 1000)
        if self._woken.rung() or not woken or self._queue is None:
            return None
        found = self._queue.touched()
        if inotify.OVERFLOW in found:  # there were too many to keep
            return list(self._regions)
        return sorted(self._watched[watch] for watch in found if watch in self._watched)

    def _look(self, names: Iterable[str], now: float) -> None:
        for name in names:
            taken = self._regions[name].cut()
            if not taken:
                continue
            metrics.cut_regions.add()
            if now - self._told.get(name, -TOLD) >= TOLD:
                self._told[name] = now
                _log.warning("a region was cut that its container had made grow", slice=name, bytes=taken)
                self._grown(name)


class _Bell:
    """Ends a wait of one thread; others ring, also after it has gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._file = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __enter__(self) -> _Bell:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            os.close(self._file)
            self._file = -1

    def fileno(self) -> int:
        return self._file

    def ring(self) -> None:
        with self._lock:
            if self._file >= 0:
                os.eventfd_write(self._file, 1)

    def rung(self) -> bool:
        """True when somebody rang since this was asked last."""
        with contextlib.suppress(BlockingIOError):
            return os.eventfd_read(self._file) > 0
        return False
