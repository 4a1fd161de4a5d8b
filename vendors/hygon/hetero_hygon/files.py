"""Files that survive whoever writes them, and the lock over what all slices of the machine share."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from hetero.driver import host
from hetero.errors import EnforcementError
from hetero_hygon.names import RUN, VENDOR

PATIENCE = 30.0
"""Seconds to wait for another process that makes or removes a vDCU; the driver takes well under one."""

_PAUSE = 0.02


def shared() -> Path:
    """The directory of what all slices share, made when missing, for root alone.

    Raises:
        EnforcementError: It cannot be made.
    """
    directory = host(VENDOR, RUN)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EnforcementError(f"{directory} cannot be made ({error.strerror}); vDCUs are made by root") from error
    return directory


@contextlib.contextmanager
def locked() -> Iterator[Path]:
    """Keep all others of this machine from making and removing vDCUs. The kernel lets go when a process dies.

    Yields:
        The directory of what all slices share.

    Raises:
        EnforcementError: The lock cannot be had: somebody has held it for :data:`PATIENCE` seconds.
    """
    directory = shared()
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EnforcementError(f"{directory}/lock cannot be opened ({error.strerror})") from error
    try:
        _wait(descriptor, directory)
        yield directory
    finally:
        os.close(descriptor)


def _wait(descriptor: int, directory: Path) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise EnforcementError(
                    f"{directory}/lock has been held for {PATIENCE:.0f} s: a process that makes or removes a vDCU "
                    "does not come back; see which (fuser) and what the driver tells (dmesg)"
                ) from None
            time.sleep(_PAUSE)


def put(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, also after a power cut."""
    partial = path.with_name(f"{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    _sync(path.parent)


def drop(path: Path) -> None:
    """Remove a file for good; it may be gone already."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.partial").unlink(missing_ok=True)
    if path.parent.exists():
        _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
