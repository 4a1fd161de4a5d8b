"""Words of many mapped files, read or written by one call of the kernel, whatever their owners do to the files.

Whoever touches a page of a mapping whose file was cut short is killed; the kernel that copies from it or to it for
somebody stops there and says so. So words are carried by a piece of memory that is a file as well, and nobody else's:
written to that file from the mappings, or read from it to them. A hundred words take little longer than one.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable, Sequence

MOST = os.sysconf("SC_IOV_MAX")
"""Pieces that one call of the kernel takes."""

SHARED = "/dev/shm"  # noqa: S108 — what is made there has no name
"""A file system in memory."""


class Ferry:
    """The piece of memory. There is none until it is used, and none again when it was closed."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._memory: mmap.mmap | None = None
        self._size = 0

    def close(self) -> None:
        """Give the memory back; the next use takes it anew."""
        if self._memory is not None:
            self._memory.close()
            os.close(self._descriptor)
        self._descriptor, self._memory, self._size = -1, None, 0

    def gather(self, pieces: Sequence[memoryview]) -> tuple[bytes, list[int]]:
        """What stands in pieces of mappings, one behind the other.

        Args:
            pieces: All of one size.

        Returns:
            The bytes, and which of the pieces could not be read: what is said to stand there does not.

        Raises:
            OSError: There is no memory, or the kernel knows nothing of this.
        """
        size = len(pieces) * pieces[0].nbytes
        memory = self._room(size)
        missing = self._carry(os.pwritev, pieces)
        return memory[:size], missing

    def scatter(self, words: bytes, pieces: Sequence[memoryview]) -> list[int]:
        """Write to pieces of mappings what is to stand there, in this order.

        Args:
            words: One for each piece, one behind the other.
            pieces: All of the size of a word.

        Returns:
            Which of the pieces could not be written.

        Raises:
            OSError: As :meth:`gather`.
        """
        self._room(len(words))[: len(words)] = words
        return self._carry(os.preadv, pieces)

    def _carry(self, call: Callable[[int, Sequence[memoryview], int], int], pieces: Sequence[memoryview]) -> list[int]:
        """Which pieces the kernel could not copy; it stops before each of them, and is sent on behind it."""
        size, missing, done = pieces[0].nbytes, [], 0
        while done < len(pieces):
            try:
                whole = call(self._descriptor, pieces[done : done + MOST], done * size) // size
            except OSError as error:
                if error.errno != errno.EFAULT:
                    raise
                whole = 0
            if not whole:
                missing.append(done)
            done += whole or 1
        return missing

    def _room(self, size: int) -> mmap.mmap:
        """The memory, of so many bytes at least."""
        if self._memory is None or size > self._size:
            self.close()
            self._size = max(size, mmap.PAGESIZE)
            self._descriptor = _file()
            os.ftruncate(self._descriptor, self._size)
            self._memory = mmap.mmap(self._descriptor, self._size)
        return self._memory


def _file() -> int:
    """An empty file in memory without a name. Some interpreters are built for C libraries that do not offer it."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("looks", os.MFD_CLOEXEC)
    return os.open(SHARED, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, 0o600)
