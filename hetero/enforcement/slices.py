"""The slices of this machine: a directory for each, alive as long as somebody holds its lock.

``<store>/slices/<id>/`` holds ``slice.json`` (the record), ``region`` (when the vendor uses one) and ``lock``. Whoever
runs the slice's program holds a file lock on ``lock`` and leaves the descriptor to the program, which keeps it for all
its children. So the slice outlives whoever started it, whatever signal ended that. A launcher that closes what it
inherited lets go of the lock; the processes that use a device are then still known by the slice's region.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from hetero import log
from hetero.enforcement import region
from hetero.errors import EnforcementError, RegionError, WireError
from hetero.model import wire
from hetero.model.allocation import Slice

_log = log.logger("slices")

_RECORD = "slice.json"
_LOCK = "lock"
REGION = "region"


class LocalSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A slice of this machine as stored.

    Attributes:
        vendor: Name of the vendor.
        held: The slice.
        command: What runs in it.
        created_ns: CLOCK_REALTIME of its start.
    """

    vendor: str
    held: Slice
    command: tuple[str, ...]
    created_ns: int


class Hold:
    """The lock that keeps a slice alive; :attr:`descriptor` is for the program to inherit."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def close(self) -> None:
        """Let go. The slice lives on while a process that inherited the descriptor does."""
        os.close(self.descriptor)


class SliceStore:
    """The slices below one directory.

    Args:
        directory: Made when missing, for this user alone.
        release: Called with each slice that is found to be over, before its directory is removed.
    """

    def __init__(self, directory: Path, release: Callable[[LocalSlice], None] = lambda _: None) -> None:
        self.directory = directory
        self._slices = directory / "slices"
        self._release = release
        self._locked = False

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other ``hetero run`` of this user out, so that what was found free is still free when it is taken.

        Raises:
            EnforcementError: The directory cannot be used.
        """
        self._prepare()
        with _usable(self.directory):
            lock = os.fdopen(_open_lock(self.directory), "r+")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    def path(self, slice_id: str) -> Path:
        """The directory of a slice."""
        return self._slices / slice_id

    def create(self, record: LocalSlice) -> Hold:
        """Store a slice whose directory exists, and hold it. Call it inside :meth:`locked`.

        Raises:
            EnforcementError: The file system refused; then nobody holds the slice.
        """
        directory = self.path(record.held.id)
        with _usable(self.directory), contextlib.ExitStack() as undo:
            descriptor = _open_lock(directory)
            undo.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # waits only for one who looks whether somebody holds it
            _write(directory, record)
            undo.pop_all()
        return Hold(descriptor)

    def read(self, slice_id: str) -> LocalSlice | None:
        """The record of a slice; None when there is none that can be read."""
        try:
            return _read(self.path(slice_id))
        except (OSError, WireError):
            return None

    def rewrite(self, record: LocalSlice) -> None:
        """Keep another record of a slice that there is. Call it inside :meth:`locked`.

        Raises:
            EnforcementError: The file system refused.
        """
        with _usable(self.directory):
            _write(self.path(record.held.id), record)

    def make_directory(self, slice_id: str) -> Path:
        """The directory for a new slice, for this user alone.

        Raises:
            EnforcementError: The file system refused.
        """
        with _usable(self.directory):
            self.path(slice_id).mkdir(mode=0o700)
        return self.path(slice_id)

    def live(self) -> tuple[LocalSlice, ...]:
        """The slices that somebody holds, by id. Those that are over are released and removed.

        Call it inside :meth:`locked` when something is decided by it.

        Raises:
            EnforcementError: The directory cannot be used.
        """
        with _usable(self.directory):
            if self.directory.exists() and not self.directory.is_dir():
                raise _no_directory(self.directory)
            directories = sorted(self._slices.iterdir()) if self._slices.is_dir() else []
        return tuple(record for directory in directories if (record := self._live(directory)) is not None)

    def _live(self, directory: Path) -> LocalSlice | None:
        try:
            record = _read(directory)
        except (OSError, WireError) as error:
            self._leave(directory, error)
            return None
        if _held(directory / _LOCK) or (record is not None and _used(record)):
            return record
        self._remove(directory, record)
        return None

    def _leave(self, directory: Path, error: Exception) -> None:
        """Only with a slice's record could the vendor undo what it made: one that cannot be read stays as it is."""
        _log.error("slice unreadable; remove its directory", slice=directory.name, reason=str(error))
        if self._locked and directory.is_dir() and _held(directory / _LOCK):
            # What it holds is not known, so what is free is not known either.
            raise EnforcementError(
                f"{directory}: a slice that is in use cannot be read ({error}); end its programs, then remove it"
            ) from error

    def _remove(self, directory: Path, record: LocalSlice | None) -> None:
        if record is None and not self._locked:
            return  # somebody may be making it: makers hold the store's lock
        try:
            if record is not None:
                self._release(record)
        except Exception as error:  # a defect of one vendor must not keep the slices of the others
            _log.error("slice not released; it is tried again later", slice=directory.name, reason=str(error))
            return
        shutil.rmtree(directory, ignore_errors=True)

    def _prepare(self) -> None:
        with _usable(self.directory):
            if not os.path.lexists(self.directory):
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_owner()
            self._slices.mkdir(mode=0o700, exist_ok=True)

    def _check_owner(self) -> None:
        """A directory that others may write to is refused, not closed: it may be theirs, too."""
        found = self.directory.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise _no_directory(self.directory)
        if found.st_uid != os.geteuid() or found.st_mode & 0o022:
            raise EnforcementError(
                f"{self.directory} belongs to another user or can be written by others; "
                "set HETERO_RUNTIME_DIR to a directory of your own"
            )


def _no_directory(path: Path) -> EnforcementError:
    return EnforcementError(f"{path} is no directory; set HETERO_RUNTIME_DIR to one of your own")


def _open_lock(directory: Path) -> int:
    """The lock file of a directory, made when missing; never through a link that somebody put there."""
    return os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _used(record: LocalSlice) -> bool:
    """True when a process in the slice's region lives: it may have closed what it inherited, as launchers do."""
    if not record.held.region:
        return False
    try:
        state = region.read(Path(record.held.region))
    except RegionError:
        return False
    return any(region.alive(process) for process in state.processes)


@contextlib.contextmanager
def _usable(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnforcementError(
            f"{directory}: slices cannot be kept there ({error.strerror}); set HETERO_RUNTIME_DIR to another directory"
        ) from error


def _write(directory: Path, record: LocalSlice) -> None:
    """Whoever looks without the store's lock sees all of it or nothing."""
    partial = directory / f"{_RECORD}.partial"
    partial.write_text(wire.encode(record))
    partial.rename(directory / _RECORD)


def _read(directory: Path) -> LocalSlice | None:
    """The record; None when it is being made, or was left by somebody who died while making it."""
    try:
        data = (directory / _RECORD).read_bytes()
    except FileNotFoundError:
        return None
    return wire.decode(data, LocalSlice)


def _held(lock: Path) -> bool:
    """True when some process holds the lock: this one could not have it."""
    try:
        with lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # held, or not to be asked: then its share is not given to anybody else
    return False
