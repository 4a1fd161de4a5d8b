"""The folder in which a runtime finds CDI specifications: written so that it has seen them when the call returns.

containerd opens a file while it holds the lock that injection needs, so once it was opened injection cannot miss it.
It looks again only when something in the folder is renamed away, removed or written; hence the temporary file lies in
the folder itself. Both tried and read in ``tags.cncf.io/container-device-interface`` 1.1.0, ``pkg/cdi/cache.go``.
"""

from __future__ import annotations

import contextlib
import fcntl
import secrets
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from hetero.allocation import cdi
from hetero.allocation.held import Held
from hetero.allocation.openings import Opened, Openings
from hetero.errors import EnforcementError

FOLDER = "/var/run/cdi"
"""Where containerd and CRI-O look by default, for what does not outlive a reboot."""

PATIENCE = 2.0
"""Seconds for the runtime's look at a file. It takes milliseconds, tenths of a second in a burst; after that the
ordinary race is on, which fails closed: the kubelet tries again."""

FIRST = 0.25
"""The same in a folder that was made just now: a runtime that has not noticed it yet reads all of it when it is asked
for the first device, and not before."""

_TRIES = 3


def removed(folder: Path) -> bool:
    """True when a folder, or one above it, is mounted here and its own entry is gone: nothing can ever be made in it.

    A directory has two links, or one that stands for all (btrfs, overlay), and none when it was removed.
    """
    for path in (folder, *folder.parents):
        with contextlib.suppress(OSError):
            found = path.stat()
            return stat.S_ISDIR(found.st_mode) and found.st_nlink == 0
    return False


class CdiFolder:
    """The specifications in one folder, for any number of threads.

    Args:
        folder: It may come and go; what is mounted here and was removed where it came from (:func:`removed`) does not
            come back.
        patience: See :data:`PATIENCE`.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE) -> None:
        self.folder = folder
        self._patience = patience
        self._new = False
        self._openings = Openings()

    def prepare(self) -> None:
        """Make the folder, and remove what a killed process has left half-written.

        Raises:
            OSError: The folder cannot be made or looked at.
        """
        self._make()
        for path in self.folder.glob(f".{cdi.file_name('*')}.*.tmp"):
            with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                # Who is writing it holds the lock: another agent of this node may be.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()

    def close(self) -> None:
        """Give the kernel back what the folder was watched with; it may be written again."""
        self._openings.close()

    def write(self, specs: Mapping[str, bytes]) -> None:
        """Put specifications in place and wait until the runtime has opened each; those that are there are left alone.

        Args:
            specs: By device.

        Raises:
            EnforcementError: A file cannot be written.
        """
        new = {name: text for name, text in specs.items() if not self._has(name, text)}
        if new:
            with self._openings.expected() as opened:
                for name, text in new.items():
                    self._place(name, text, opened)
                if opened.wait(FIRST if self._new else self._patience):
                    self._new = False

    def devices(self) -> frozenset[str]:
        """Those that have a specification here."""
        try:
            return frozenset(filter(None, (cdi.device_of(path.name) for path in self.folder.iterdir())))
        except FileNotFoundError:
            return frozenset()

    def remove(self, names: Iterable[str]) -> None:
        """Remove devices' specifications; one that is not there is gone already."""
        for name in names:
            (self.folder / cdi.file_name(name)).unlink(missing_ok=True)

    def sweep(self, held: Callable[[], Iterable[Held]]) -> frozenset[str]:
        """Remove the specifications that nobody holds, and tell of which devices.

        Args:
            held: Called after the folder was read: what is written meanwhile, by another agent too, is held by then.

        Raises:
            OSError: The folder cannot be read.
            Exception: Whatever ``held`` raises; nothing is removed then.
        """
        self._openings.trim()
        present = self.devices()
        kept = {name for one in held() for name in cdi.devices(one)} if present else set()
        self.remove(present - kept)
        return present - kept

    def _make(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._new = True

    def _has(self, name: str, text: bytes) -> bool:
        try:
            return (self.folder / cdi.file_name(name)).read_bytes() == text
        except OSError:
            return False

    def _place(self, name: str, text: bytes, opened: Opened) -> None:
        for left in reversed(range(_TRIES)):
            try:
                self._make()
                self._place_once(name, text, opened)
                break
            except FileNotFoundError as error:  # the folder went, or was cleaned, under our hands
                if not left or removed(self.folder):
                    raise EnforcementError(self._gone(error)) from error
            except OSError as error:
                raise EnforcementError(f"{self.folder} cannot be written: {error.strerror}") from error

    def _gone(self, error: OSError) -> str:
        if removed(self.folder):
            return f"{self.folder} was removed on the machine and is mounted here as it was; the agent starts anew"
        return f"{self.folder} is removed again and again: {error}"

    def _place_once(self, name: str, text: bytes, opened: Opened) -> None:
        # Not *.json until it is whole: the runtime reads every file of that name.
        temporary = self.folder / f".{cdi.file_name(name)}.{secrets.token_hex(4)}.tmp"
        try:
            with temporary.open("xb") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.write(text)
                file.flush()
                opened.expect(temporary)
                temporary.rename(self.folder / cdi.file_name(name))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
