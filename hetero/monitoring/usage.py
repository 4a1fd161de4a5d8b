"""Who uses what on this machine: live slices and their regions, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from hetero import log
from hetero.enforcement import region
from hetero.enforcement.reading import DeviceUse, RegionState
from hetero.enforcement.slices import LocalSlice
from hetero.errors import RegionError
from hetero.model.device import Device, Quantities
from hetero.model.quantity import MIB

_log = log.logger("monitoring")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A slice and its region at one moment.

    Attributes:
        slice: The slice.
        state: Its region; None when it has none, or when it cannot be read.
    """

    slice: LocalSlice
    state: RegionState | None = None


class ProcessRow(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a slice on one device; memory in MiB, compute in percent of the device, -1 when not known."""

    pid: int
    name: str
    memory: int
    compute: float


class SliceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One device of one slice.

    Attributes:
        id: The slice.
        vendor: Its vendor.
        device: The device's identity.
        command: What was started in the slice.
        memory_limit: MiB.
        memory_used: MiB; -1 when the vendor keeps no region.
        compute_limit: Percent of the device; 0 when there is none.
        compute_lent: Percent of the device on top of the limit, for now.
        yields: It makes way for a slice of a higher priority, for now.
        compute_used: Percent of the device between the two readings; -1 when not known.
        refused: Allocations refused since the slice began.
        processes: Those that use the device, by process id.
    """

    id: str
    vendor: str
    device: str
    command: tuple[str, ...]
    memory_limit: int
    memory_used: int = -1
    compute_limit: int = 0
    compute_lent: int = 0
    yields: bool = False
    compute_used: float = -1.0
    refused: int = 0
    processes: tuple[ProcessRow, ...] = ()


def readings(slices: Iterable[LocalSlice]) -> tuple[Reading, ...]:
    """Read the regions of slices; one that cannot be read is logged and has no state."""
    return tuple(Reading(slice=one, state=_state(one)) for one in slices)


def rows(before: Sequence[Reading], after: Sequence[Reading]) -> list[SliceRow]:
    """What each slice of ``after`` uses; compute is what was used since ``before``. Pure."""
    earlier = {reading.slice.held.id: reading for reading in before}
    return [
        _row(reading, earlier.get(reading.slice.held.id), position)
        for reading in after
        for position in range(len(reading.slice.held.grants))
    ]


def allocated(slices: Iterable[LocalSlice]) -> Mapping[str, Quantities]:
    """What is sliced off of each device, in every dimension, and how many slices there are (``slices``). Pure."""
    total: dict[str, Quantities] = {}
    for grant in (grant for one in slices for grant in one.held.grants):
        taken = total.setdefault(grant.device.uuid, {"slices": 0})
        for name, amount in {**grant.share.quantities, "slices": 1}.items():
            taken[name] = taken.get(name, 0) + amount
    return total


def devices(slices: Iterable[LocalSlice]) -> Iterator[Device]:
    """The devices that slices hold, as their drivers described them then. Pure."""
    return (grant.device for one in slices for grant in one.held.grants)


def _state(one: LocalSlice) -> RegionState | None:
    if not one.held.region:
        return None
    try:
        return region.read(Path(one.held.region))
    except RegionError as error:
        _log.warning("region unreadable", slice=one.held.id, reason=str(error))
        return None


def _row(now: Reading, before: Reading | None, position: int) -> SliceRow:
    grant = now.slice.held.grants[position]
    row = SliceRow(
        id=now.slice.held.id,
        vendor=now.slice.vendor,
        device=grant.device.uuid,
        command=now.slice.command,
        memory_limit=grant.share.memory,
        compute_limit=grant.share.cores,
    )
    use = _use(now.state, position)
    if now.state is None or use is None:
        return row
    earlier = before.state if before else None
    return msgspec.structs.replace(
        row,
        memory_used=_mib(use.memory_used),
        compute_used=_share(now.state, earlier, use.busy_ns, _busy(earlier, position)),
        compute_lent=use.lent,
        yields=use.yielding,
        refused=use.refused,
        processes=_processes(now.state, earlier, position),
    )


def _processes(now: RegionState, before: RegionState | None, position: int) -> tuple[ProcessRow, ...]:
    # A program may have damaged its region between the readings: what is not there was nothing.
    known = [one for one in (before.processes if before else ()) if position < len(one.busy_ns)]
    earlier = {process.pid: process.busy_ns[position] for process in known}
    found = (
        ProcessRow(
            pid=process.pid,
            name=process.name,
            memory=_mib(process.memory[position]),
            compute=_share(now, before, process.busy_ns[position], earlier.get(process.pid, 0)),
        )
        for process in now.processes
        if region.alive(process)
    )
    return tuple(sorted(found, key=lambda row: row.pid))


def _share(now: RegionState, before: RegionState | None, busy_now: int, busy_before: int) -> float:
    """Percent of the time between two readings; -1 when there is only one."""
    if before is None or now.read_ns <= before.read_ns:
        return -1.0
    # At most all of the time: where there is no limit, one measured launch stands for many.
    return min(100.0, max(0.0, 100.0 * (busy_now - busy_before) / (now.read_ns - before.read_ns)))


def _use(state: RegionState | None, position: int) -> DeviceUse | None:
    return state.devices[position] if state and position < len(state.devices) else None


def _busy(state: RegionState | None, position: int) -> int:
    use = _use(state, position)
    return use.busy_ns if use else 0


def _mib(size: int) -> int:
    """Whole MiB, rounded up: what is in use is never shown as nothing."""
    return -(-size // MIB)
