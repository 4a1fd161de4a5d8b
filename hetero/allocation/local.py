"""Makes a slice of this machine real: its directory, its region, and what the vendor adds."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hetero.enforcement import region
from hetero.enforcement.limits import limits_of
from hetero.enforcement.slices import REGION, Hold, LocalSlice, SliceStore
from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits, Grant, Slice
from hetero.model.device import Device
from hetero.model.placement import DeviceShare
from hetero.vendor import Vendor


@dataclass(frozen=True)
class Prepared:
    """A slice that a program can start in.

    Attributes:
        slices: What is stored; one for each vendor.
        holds: The locks that the program inherits, in the order of :attr:`slices`.
        edits: What each vendor adds, in the same order.
    """

    slices: tuple[LocalSlice, ...]
    holds: tuple[Hold, ...]
    edits: tuple[ContainerEdits, ...]

    def close(self) -> None:
        """Let go of the locks; the slices live on while a program that inherited them does."""
        for hold in self.holds:
            hold.close()


@dataclass(frozen=True)
class Program:
    """What will run in a slice.

    Attributes:
        command: Its words.
        priority: See :attr:`Slice.priority`.
        policy: See :attr:`Slice.policy`.
    """

    command: tuple[str, ...]
    priority: int | None = None
    policy: str = "cap"


def store(directory: Path, vendors: Mapping[str, Vendor]) -> SliceStore:
    """The slices of this machine; those that are over are released by their vendor."""

    def release(record: LocalSlice) -> None:
        if record.vendor not in vendors:
            raise EnforcementError(f"vendor {record.vendor!r} is not installed any more")
        vendors[record.vendor].enforcement.release(record.held)

    return SliceStore(directory, release)


def prepare(
    slices: SliceStore,
    vendors: Mapping[str, Vendor],
    shares: Sequence[DeviceShare],
    devices: Mapping[str, Device],
    program: Program,
) -> Prepared:
    """Make slices for the shares of one container or command. Call it inside the store's lock.

    Args:
        slices: Where slices are kept.
        vendors: By name.
        shares: From the placement.
        devices: By identity.
        program: What will run.

    Raises:
        EnforcementError: A vendor or the file system refused. What was made is removed by the next look at the store.
    """
    # Who holds a slice that was never finished would keep it alive.
    with contextlib.ExitStack() as undo:
        prepared = []
        for name in dict.fromkeys(share.vendor for share in shares):
            grants = tuple(Grant(device=devices[s.device], share=s.share) for s in shares if s.vendor == name)
            prepared.append(_prepare_one(slices, vendors[name], grants, program, undo))
        undo.pop_all()
    records, holds, edits = zip(*prepared, strict=True) if prepared else ((), (), ())
    return Prepared(tuple(records), tuple(holds), tuple(edits))


def _prepare_one(
    slices: SliceStore, vendor: Vendor, grants: tuple[Grant, ...], program: Program, undo: contextlib.ExitStack
) -> tuple[LocalSlice, Hold, ContainerEdits]:
    identity = f"{vendor.name}-{secrets.token_hex(6)}"
    directory = slices.make_directory(identity)
    path = directory / REGION if vendor.enforcement.region else None
    held = Slice(
        id=identity,
        grants=grants,
        directory=str(directory),
        region=str(path) if path else "",
        priority=program.priority,
        policy=program.policy,
    )
    record = LocalSlice(vendor=vendor.name, held=held, command=_shown(program.command), created_ns=time.time_ns())
    # Stored first: a death between here and the start leaves a record by which the vendor can release.
    hold = slices.create(record)
    undo.callback(hold.close)
    if path is not None:
        region.create(path, limits_of(held))
    return record, hold, vendor.enforcement.prepare(held)


def _shown(words: tuple[str, ...]) -> tuple[str, ...]:
    # A word may be any bytes; the record is JSON, which has only text. The program itself gets them unchanged.
    return tuple(word.encode(errors="backslashreplace").decode() for word in words)
