"""One at a time on a machine, for those who make and remove what all slices of a vendor share.

The kernel lets go of these locks when a process dies. One that hangs in the driver keeps its lock, so nobody waits for
it longer than :data:`PATIENCE`: a container that is refused says why, one that waits for good says nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from hetero.driver import host
from hetero.errors import EnforcementError

PATIENCE = 30.0
"""Seconds to wait for another process; drivers make and remove an instance in far less."""

_PAUSE = 0.02


@contextlib.contextmanager
def taken(vendor: str, made: str) -> Iterator[Path]:
    """Keep all other threads and processes of this machine out that ask for the turn of the same vendor.

    Args:
        vendor: Name of the vendor.
        made: What is made under it, in the plural, for errors (``"instances"``).

    Yields:
        The vendor's own directory, ``/run/hetero/<vendor>`` as this process finds it: made when missing, for its user
        alone, and empty after a restart of the machine.

    Raises:
        EnforcementError: The directory cannot be used, or somebody has held the turn for :data:`PATIENCE` seconds.
    """
    directory = host(vendor, f"/run/hetero/{vendor}")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise EnforcementError(f"{directory} cannot be used ({error.strerror}); {made} are made by root") from error
    try:
        wait(descriptor, directory / "lock", made)
        yield directory
    finally:
        os.close(descriptor)


def wait(descriptor: int, path: Path, made: str) -> None:
    """Lock an open file or directory; it is let go when the descriptor is closed.

    Args:
        descriptor: Of the file.
        path: Where it is, for the error.
        made: As for :func:`taken`.

    Raises:
        EnforcementError: Somebody has held it for :data:`PATIENCE` seconds.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise EnforcementError(
                    f"{path} has been held for {PATIENCE:g} s: a process that makes or removes {made} does not come "
                    f"back; see which (fuser {path}) and what the driver tells (dmesg)"
                ) from None
            time.sleep(_PAUSE)
