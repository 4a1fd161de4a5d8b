"""One region that is kept as large as it was made, and held open for that.

A program may keep others from opening a file: one that owns it takes a lease, and the next who opens it waits, by
default for 45 seconds; one that runs it as a program has whoever would write it refused. Neither is possible while
somebody has the file open for writing. Source: fcntl(2), "Leases"; execve(2), ``ETXTBSY``; both tried on Linux 6.18.
"""

from __future__ import annotations

import os
import stat

from hetero import log
from hetero.enforcement.layout import SIZE

_log = log.logger("agent")

SLACK = 4 * 1024 * 1024
"""Bytes that a file system may have set aside for a region beyond its length: a huge page's rest, or the like."""

_BLOCK = 512
"""Bytes of what ``st_blocks`` counts, whatever the file system. Source: stat(2)."""


class Bounded:
    """A region that is held open. For one thread.

    Args:
        path: The file. It may come, go and be replaced.

    Attributes:
        refused: Why it is there and cannot be opened, so that it could not be cut; empty while it can.
    """

    def __init__(self, path: str) -> None:
        self.refused = ""
        self._path = path
        self._file = (0, 0)
        self._descriptor = -1

    def hold(self) -> None:
        """Hold the file that is there now, and none that was there before."""
        try:
            found = os.lstat(self._path)
        except OSError:  # being made, or removed
            self.close()
            self.refused = ""
            return
        if self._descriptor < 0 or (found.st_dev, found.st_ino) != self._file:
            self.close()
            if stat.S_ISREG(found.st_mode):
                self._open()

    def cut(self) -> int:
        """Cut it to the length that a region has, and give back what was set aside behind that.

        Returns:
            Bytes that it had taken; 0 where it is as it should be, shorter, or not held.
        """
        if self._descriptor < 0:
            return 0
        found = os.fstat(self._descriptor)
        taken = max(found.st_size, found.st_blocks * _BLOCK)
        if found.st_size <= SIZE and taken <= SIZE + SLACK:
            return 0
        try:
            os.ftruncate(self._descriptor, min(found.st_size, SIZE))
        except OSError as error:
            _log.warning("a region cannot be cut", path=self._path, reason=error.strerror)
            return 0
        return taken

    def close(self) -> None:
        """Hold it no more."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _open(self) -> None:
        before, self.refused = self.refused, ""
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        except OSError as error:
            self.refused = error.strerror or str(error)
            if not before:
                _log.warning("a region cannot be opened, nor cut if it grows", path=self._path, reason=self.refused)
            return
        found = os.fstat(self._descriptor)
        self._file = (found.st_dev, found.st_ino)
