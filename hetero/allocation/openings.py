"""Whether files that were written now have been opened since, by anybody.

The kernel tells by a queue for each who waits. To close one takes it some ten milliseconds, in a burst thirty, since it
waits for all that may still be using it; a container would wait for that. So queues are used again, and nearly all are
closed by somebody whom nobody waits for.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from hetero import metrics
from hetero.allocation import inotify
from hetero.allocation.inotify import Inotify
from hetero.log import logger

_log = logger("allocation")

_IDLE = 32
"""Queues that are kept for the next burst. A user of the machine has 128 by default, and its kubelet, its container
runtime and whoever else is root there need theirs."""


class Openings:
    """The queues, for any number of threads."""

    def __init__(self) -> None:
        self._idle: deque[Inotify] = deque()
        self._giving = threading.Lock()

    @contextlib.contextmanager
    def expected(self) -> Iterator[Opened]:
        """Files to look out for, as long as this is entered."""
        opened = Opened(self._taken())
        try:
            yield opened
        finally:
            self._give_back(opened.end())

    def trim(self) -> None:
        """Close what a burst has left; one is kept. Of those that rest the kernel waits for nobody."""
        for _ in range(len(self._idle) - 1):
            queue = self._taken()
            if queue is not None:
                queue.close()

    def close(self) -> None:
        """Close all that rest; whoever comes later gets a new one."""
        while (queue := self._taken()) is not None:
            queue.close()

    def _give_back(self, queue: Inotify | None) -> None:
        if queue is None:
            return
        with self._giving:
            kept = len(self._idle) < _IDLE
            if kept:
                self._idle.append(queue)
        if not kept:
            queue.close()

    def _taken(self) -> Inotify | None:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        return None


class Opened:
    """Which of the files that were written now have been opened since. For one thread.

    Args:
        queue: One that nobody uses any more; None: a new one.
    """

    def __init__(self, queue: Inotify | None) -> None:
        self._watches: set[int] = set()
        self._pending: set[int] = set()
        self._queue: Inotify | None = queue
        if queue is None:
            try:
                self._queue = Inotify()
            except OSError as error:
                self._unwatched(error)

    def expect(self, file: Path) -> None:
        """Look out for this one, whatever it is called later.

        Raises:
            FileNotFoundError: It is gone.
        """
        if self._queue is not None:
            try:
                watch = self._queue.watch(file, inotify.OPEN | inotify.DELETE_SELF)
            except FileNotFoundError:
                raise
            except OSError as error:
                self._unwatched(error)
            else:
                self._watches.add(watch)
                self._pending.add(watch)

    def wait(self, patience: float) -> bool:
        """Wait for all, at most so many seconds; True when each was opened in time."""
        if self._queue is None:
            return False
        for event in self._events(self._queue, time.monotonic() + patience):
            self._pending.discard(event.watch)
            if not self._pending:
                break
        metrics.cdi_files.add("late" if self._pending else "seen")
        return not self._pending

    def end(self) -> Inotify | None:
        """Look out for nothing any more. The queue, empty, for the next one; None where there is none."""
        queue, self._queue = self._queue, None
        if queue is not None:
            for watch in self._watches:
                queue.forget(watch)
            queue.wait(0)
        return queue

    def _events(self, source: Inotify, deadline: float) -> Iterator[inotify.Event]:
        return source.until(deadline) if self._pending else iter(())

    def _unwatched(self, error: OSError) -> None:
        # The wait is what makes the runtime's look certain; without it the kubelet's next try does.
        if self._queue is not None:
            self._queue.close()
        self._queue = None
        metrics.cdi_files.add("unwatched")
        _log.warning("CDI files are written without waiting for the runtime", error=str(error))
