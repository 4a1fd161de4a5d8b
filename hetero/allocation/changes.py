"""Waiting for something to happen in a folder that may come and go."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from pathlib import Path

from hetero.allocation import inotify
from hetero.log import logger

_log = logger("allocation")

WITHOUT = 1.0
"""Seconds between looks where the kernel cannot tell of changes: no folder yet, or no inotify left for this user."""

_MASK = inotify.CREATE | inotify.DELETE | inotify.MOVED_TO | inotify.MOVED_FROM | inotify.DELETE_SELF


class Changes:
    """One waits; anybody may wake.

    Args:
        folder: What is looked at.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inotify: inotify.Inotify | None = None
        self._blind = False
        self._lock = threading.Lock()
        self._woken = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._watch()

    def close(self) -> None:
        """Give everything back to the kernel; nobody waits any more, and waking does nothing."""
        self._unwatch()
        with self._lock:
            if self._woken >= 0:
                os.close(self._woken)
            self._woken = -1

    def wake(self) -> None:
        """End the wait that is on, or the next one."""
        with self._lock:
            if self._woken >= 0:
                os.eventfd_write(self._woken, 1)

    def wait(self, seconds: float) -> None:
        """Return when a file came or went, when somebody woke, or after ``seconds``; now and then for no reason."""
        self._watch()
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        if self._inotify is not None:
            poll.register(self._inotify, select.POLLIN)
        elif seconds > WITHOUT:
            seconds = WITHOUT
        poll.poll(seconds * 1000)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._woken)
        self._drain()

    def _drain(self) -> None:
        events = self._inotify.wait(0) if self._inotify is not None else []
        if any(event.mask & (inotify.DELETE_SELF | inotify.IGNORED) for event in events):
            self._unwatch()

    def _watch(self) -> None:
        if self._inotify is None:
            try:
                self._inotify = inotify.Inotify()
                self._inotify.watch(self._folder, _MASK)
                self._blind = False
            except FileNotFoundError:  # not yet, or not now
                self._unwatch()
            except OSError as error:
                self._unwatch()
                self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._blind:  # once for each time that it begins
            _log.warning("a folder is looked at once a second, for the kernel cannot tell of changes now",
                         folder=str(self._folder), reason=error.strerror)  # fmt: skip
        self._blind = True

    def _unwatch(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
        self._inotify = None
