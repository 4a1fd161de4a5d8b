"""Which vNPUs are ours, written down before they are made.

A vNPU outlives whoever made it, and the driver does not say whose it is. So its number is chosen here, written down
with the slice that it is for, and only then made: whoever comes after a crash finds in the book what may have been
made, and takes it over or destroys it. What is not in the book is somebody else's, and is not touched.

The book and its lock are files of the machine, below ``/run``, as vNPUs made by hand last no longer than it runs.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hetero import turn
from hetero.driver import host
from hetero.errors import EnforcementError
from hetero_ascend.names import VENDOR

PLACE = f"/run/hetero/{VENDOR}"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One vNPU.

    Attributes:
        slice: Id of the slice that it is for.
        position: Of the grant in the slice.
        uuid: The chip.
        template: What it is made by.
        number: What it is, or is to be, numbered.
        before: Numbers of those that were on the chip when it was to be made.
        made: True once the driver has said so.
    """

    slice: str
    position: int
    uuid: str
    template: str
    number: int
    before: tuple[int, ...] = ()
    made: bool = False


class Journal:
    """The book, while its lock is held: see :func:`opened`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = _read(path)

    def entry(self, held: str, position: int) -> Entry | None:
        """What is written of a grant of a slice."""
        return self._entries.get((held, position))

    def of(self, held: str) -> list[Entry]:
        """What is written of a slice."""
        return [entry for entry in self._entries.values() if entry.slice == held]

    def numbers(self, uuid: str) -> set[int]:
        """What is spoken for on a chip."""
        return {entry.number for entry in self._entries.values() if entry.uuid == uuid}

    def write(self, entry: Entry) -> None:
        """It is on the disk when this returns."""
        self._entries[entry.slice, entry.position] = entry
        self._save()

    def strike(self, entry: Entry) -> None:
        """It is out of the book when this returns."""
        self._entries.pop((entry.slice, entry.position), None)
        self._save()

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(msgspec.json.encode(list(self._entries.values())))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        _sync(self._path.parent)


@contextlib.contextmanager
def opened() -> Iterator[Journal]:
    """The book, held against all other threads and processes; a process that dies lets go of it.

    Raises:
        EnforcementError: The book cannot be had.
    """
    with turn.taken(VENDOR, "vNPUs") as directory:
        try:
            yield Journal(directory / "vnpus.json")
        except OSError as error:
            raise EnforcementError(f"{directory}: {error.strerror or error}; vNPUs are made by root alone") from error


def numbers() -> set[int]:
    """Numbers of all vNPUs in the book as it is now, without waiting for anybody; none where there is no book."""
    return {entry.number for entry in _read(host(VENDOR, f"{PLACE}/vnpus.json")).values()}


def _read(path: Path) -> dict[tuple[str, int], Entry]:
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[Entry])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        reason = f"{path} cannot be read ({error}); destroy the vNPUs that no container has, and remove it"
        raise EnforcementError(reason) from error
    return {(entry.slice, entry.position): entry for entry in entries}


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
