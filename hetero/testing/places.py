"""What a test takes of a machine on which others are at work too: ports that stay its own, folders with short paths."""

from __future__ import annotations

import os
import socket
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"

SHORT = 16
"""Characters of a folder in which those made for one test leave room for the name of a socket: its path has 107."""


class Port:
    """A port on loopback that is kept as long as this object is there, whether anybody listens at it or not.

    One that was looked for and let go is soon another program's, for a connection that it makes. This one is given to
    nobody who does not ask for it; a program that is told of it listens at it as hetero's do, with ``SO_REUSEADDR``.
    """

    def __init__(self) -> None:
        with socket.socket() as kept:
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kept.bind((HOST, 0))
            self.number: int = kept.getsockname()[1]
            self.release = weakref.finalize(self, os.close, kept.detach())

    def __str__(self) -> str:
        """Its address."""
        return f"{HOST}:{self.number}"


@contextmanager
def folder() -> Iterator[Path]:
    """An empty one for sockets, gone at the end; where ``TMPDIR`` is long it is elsewhere."""
    usual = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(prefix="het", dir=usual if len(usual) <= SHORT else "/tmp") as place:  # noqa: S108
        yield Path(place)
