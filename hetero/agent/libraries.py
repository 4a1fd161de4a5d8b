"""Copies of the libraries that containers load first, where the runtime of the machine finds them.

A library lies in the agent's image, which goes with the agent; the containers stay. So it is copied to the machine,
under a name that follows from its content: a new release stands beside the one that is in use, and never changes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from hetero import log
from hetero.errors import EnforcementError

_log = log.logger("agent")

PRELOAD = "ld.so.preload"
"""Name of the files that say what the loader loads first."""

_LOCK = ".lock"

DIGITS = 16
"""Hexadecimal digits of a content's SHA-256 that name its directory."""


class Libraries:
    """The copies below one directory, of all agents of a node.

    Args:
        directory: Made when missing. Not where programs may not be executed from: the loader maps them as code.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()
        self._known: dict[tuple[str, int, int, int], Path] = {}

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other agents, and other threads, from removing what is copied until it is noted who uses it.

        Raises:
            EnforcementError: The directory cannot be used.
        """
        with self._lock, _usable(self.directory):
            self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            descriptor = os.open(self.directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def copies(self, libraries: Sequence[str]) -> Mapping[str, str]:
        """The copy of each library, made if it is not there. Call it inside :meth:`held`."""
        return {library: str(self._copy(Path(library))) for library in libraries}

    def text(self, text: str) -> Path:
        """A file with that text, readable by all. Call it inside :meth:`held`."""
        return self._place(text.encode(), PRELOAD, 0o444)

    def sweep(self, used: Collection[str]) -> list[str]:
        """Remove the copies that are in no use. Call it inside :meth:`held`.

        Args:
            used: Paths of the files in use.

        Returns:
            Names of the directories that went.
        """
        kept = {Path(path).parent.name for path in used}
        gone = [path for path in self.directory.iterdir() if path.is_dir() and path.name not in kept]
        for path in gone:
            shutil.rmtree(path, ignore_errors=True)
        self._known.clear()
        return sorted(path.name for path in gone)

    def leave(self) -> None:
        """Remove the directory of all copies when there is none any more."""
        if [path.name for path in self.directory.glob("*")] in ([], [_LOCK]):
            shutil.rmtree(self.directory, ignore_errors=True)

    def _copy(self, library: Path) -> Path:
        found = library.stat()
        key = (str(library), found.st_ino, found.st_mtime_ns, found.st_size)
        known = self._known.get(key)
        if known is None or not known.exists():
            known = self._known[key] = self._place(library.read_bytes(), library.name, 0o555)
        return known

    def _place(self, content: bytes, name: str, mode: int) -> Path:
        directory = self.directory / hashlib.sha256(content).hexdigest()[:DIGITS]
        path = directory / name
        # Looked into, not measured: a machine that lost power may have kept its length alone, and a loader goes on
        # without a library that it cannot read.
        if path.exists() and path.read_bytes() == content:
            return path
        directory.mkdir(mode=0o755, exist_ok=True)
        partial = directory / f".{name}.{secrets.token_hex(4)}"
        try:
            with partial.open("xb") as file:
                file.write(content)
                os.fchmod(file.fileno(), mode)
                os.fsync(file.fileno())
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)  # of a disk that is full nothing is kept
        _log.info("a library was copied", path=str(path))
        return path


@contextlib.contextmanager
def _usable(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or directory
        raise EnforcementError(f"{where}: libraries cannot be kept in {directory}: {error.strerror}") from error
