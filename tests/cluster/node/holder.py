"""The first process of a node: makes its root, then holds its namespaces open, as an init does.

It collects the processes whose parents are gone, and gives ``/dev`` the device files of chips that appear while the
node runs, which on a real one the kernel does. When it ends, the kernel ends everything on the node.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from tests.cluster.node import root

READY = Path("/run/node-is-ready")
"""Of the node: there when its root is made."""

_CREATED, _DELETED, _MOVED_TO, _MOVED_FROM = 0x100, 0x200, 0x80, 0x40


def main(arguments: list[str]) -> None:
    """Become the node that a file describes; does not return."""
    layout = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=root.Layout)
    socket.sethostname(layout.name)
    made = root.lay_out(layout)
    root.turn_to(made)
    mirrored = [Path(place) for place in layout.mirrored]
    watch = Watch()
    watch.add(mirrored)
    root.mirror(mirrored)
    READY.touch()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(watch.wake)
    while True:
        watch.wait()
        watch.add(mirrored)  # directories that came with it
        root.mirror(mirrored)
        _collect()


class Watch:
    """Waits for files that appear below directories (inotify(7)), or for a signal."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._handle = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._woken, self.wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def add(self, tops: Iterable[Path]) -> None:
        """Watch the directories and all below them; one that is watched already stays so."""
        for top in tops:
            for place, _, _ in os.walk(top):
                self._library.inotify_add_watch(
                    self._handle, os.fsencode(place), _CREATED | _DELETED | _MOVED_TO | _MOVED_FROM
                )

    def wait(self) -> None:
        """Return when something happened."""
        ready, _, _ = select.select([self._handle, self._woken], [], [])
        for handle in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(handle, 1 << 16)


def _collect() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main(sys.argv[1:])
