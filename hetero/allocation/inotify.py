"""What happens to files, as the kernel tells it: inotify(7), of which Python's library knows nothing."""

from __future__ import annotations

import ctypes
import functools
import os
import select
import struct
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Source: Linux, include/uapi/linux/inotify.h.
MODIFY = 0x002
OPEN = 0x020
MOVED_FROM = 0x040
MOVED_TO = 0x080
CREATE = 0x100
DELETE = 0x200
DELETE_SELF = 0x400
IGNORED = 0x8000
OVERFLOW = -1
"""What stands for a watch where more happened than the queue keeps. Source: inotify(7), ``IN_Q_OVERFLOW``."""

_NONBLOCK = os.O_NONBLOCK
_CLOEXEC = os.O_CLOEXEC
_EVENT = struct.Struct("iIII")
_BUFFER = 65536


class Event(NamedTuple):
    """One thing that happened.

    Attributes:
        watch: The number that :meth:`Inotify.watch` gave.
        mask: What happened, as bits.
        name: The file in a watched directory; empty for the watched file itself.
    """

    watch: int
    mask: int
    name: str


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


class Inotify:
    """A queue of events. A user has 128 by default: one that nobody has any more is closed, as a file is.

    Raises:
        OSError: The kernel has no more of them for this user (``EMFILE``), or none at all.
    """

    def __init__(self) -> None:
        self._file = _checked(_libc().inotify_init1(_NONBLOCK | _CLOEXEC))
        self._closing = weakref.finalize(self, os.close, self._file)
        self._poll = select.poll()
        self._poll.register(self._file, select.POLLIN)

    def __enter__(self) -> Inotify:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """For ``select``: readable when something happened."""
        return self._file

    def close(self) -> None:
        """Give the queue back to the kernel."""
        self._file = -1
        self._closing()

    def watch(self, path: Path, mask: int) -> int:
        """Follow a file or directory; the number is in its events.

        Raises:
            OSError: It is not there, or the user's limit of watches is reached (``ENOSPC``).
        """
        return _checked(_libc().inotify_add_watch(self._file, os.fsencode(path), ctypes.c_uint32(mask)), path)

    def forget(self, watch: int) -> None:
        """Follow a file no more. One that is gone is followed by nobody, which is no error."""
        _libc().inotify_rm_watch(self._file, watch)

    def wait(self, seconds: float) -> list[Event]:
        """What happened since the last call; waits for something at most so long, and answers nothing then."""
        if not self._poll.poll(max(0, seconds) * 1000):
            return []
        try:
            return list(_events(os.read(self._file, _BUFFER)))
        except BlockingIOError:
            return []

    def touched(self) -> frozenset[int]:
        """The watches of which something happened since the last call, some of them where that is much.

        For a queue that watches files alone: their events have no names, and thousands are told apart in one step.
        """
        try:
            words = memoryview(os.read(self._file, _BUFFER)).cast("i")
        except BlockingIOError:
            return frozenset()
        return frozenset(words[:: _EVENT.size // 4].tolist())

    def until(self, deadline: float) -> Iterator[Event]:
        """Events as they happen, until ``time.monotonic()`` is ``deadline``."""
        while (left := deadline - time.monotonic()) > 0:
            yield from self.wait(left)


def _checked(result: int, path: Path | None = None) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(path) if path else None)
    return result


def _events(data: bytes) -> Iterator[Event]:
    place = 0
    while place < len(data):
        watch, mask, _, length = _EVENT.unpack_from(data, place)
        place += _EVENT.size
        name = data[place : place + length].rstrip(b"\0")
        place += length
        yield Event(watch, mask, os.fsdecode(name))
