"""What this node's devices and slices do, read when somebody asks: one reading serves all who ask within a second.

It is put together from the records of slices, their regions, and the last sample of the drivers; no driver is asked for
it. The records say who has what, and are root's; a region says what is used of it, and is the container's own.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from hetero import log, metrics
from hetero.agent.measured import Drawn, Given, drawn, given, used
from hetero.agent.records import RECORD, REGION, PodSlice, Records
from hetero.enforcement import region
from hetero.enforcement.reading import RegionState
from hetero.errors import EnforcementError, RegionError
from hetero.model.device import MEMORY, SLOTS, Device, Sample
from hetero.model.quantity import MIB
from hetero.monitoring.inventory import Machine
from hetero.monitoring.report import DeviceReport, NodeReport, SliceReport

_log = log.logger("agent")

FRESH = 1.0
"""Seconds for which a reading is used again."""

Place = tuple[str, int]
"""A slice, and the position of a device in it."""

_Stamp = tuple[int, int, int]


class Devices(Protocol):
    """As much of the devices as is read (:class:`hetero.agent.watching.Watching`)."""

    @property
    def machine(self) -> Machine | None:
        """As of the last look."""

    @property
    def samples(self) -> Mapping[str, Sample]:
        """What they did at the last sample."""


class _Known(msgspec.Struct, frozen=True):
    """A record, as far as it is needed, and which writing of it that was."""

    stamp: _Stamp
    pod_uid: str
    container: str
    regional: bool
    given: tuple[Given, ...]


class Usage:
    """Reads the node. For any number of threads.

    Args:
        node: The node's name.
        records: The slices.
        devices: The devices.
        over: True for a container of a pod (its identity) that is known to be over, and only waits to be cleared up.
        served: Vendors whose devices this agent gives out; those of others have no slices of ours.
        elsewhere: Identities of devices of which another agent tells.
        clock: Seconds, rising.
    """

    def __init__(  # noqa: PLR0913 — each is another part of the agent
        self,
        node: str,
        records: Records,
        devices: Devices,
        *,
        over: Callable[[str, str], bool],
        served: Collection[str],
        elsewhere: Callable[[], Container[str]] = frozenset,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._records = records
        self._devices = devices
        self._over = over
        self._served = served
        self._elsewhere = elsewhere
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._drawn: dict[Place, Drawn] = {}
        self._looked: float | None = None
        self._report: NodeReport | None = None

    def report(self) -> NodeReport:
        """The node as it was within the last second. Never raises; what cannot be read is not in it."""
        with self._lock:
            now = self._clock()
            if self._report is None or self._looked is None or now - self._looked >= FRESH:
                began = time.perf_counter()
                self._report = self._read(now)
                self._looked = now
                metrics.reading_seconds.observe(time.perf_counter() - began)
            return self._report

    def _read(self, now: float) -> NodeReport:
        known = self._remember()
        slices = [one for slice_id, record in known for one in self._slice(slice_id, record, now)]
        self._forget({(one.id, one.position) for one in slices})
        grants = [one for _, record in known for one in record.given]
        return NodeReport(
            node=self._node, time=time.time(), devices=tuple(self._device_reports(grants)), slices=tuple(slices)
        )

    # Records

    def _remember(self) -> list[tuple[str, _Known]]:
        """The records that count, the oldest first: of two pods of one name, the one that is there comes last."""
        try:
            ids = self._records.ids()
        except EnforcementError as error:
            _log.debug("slices not read", reason=str(error))
            ids = []
        before, self._known = self._known, {}
        for slice_id in ids:
            found = self._record(slice_id, before.get(slice_id))
            if found is not None:
                self._known[slice_id] = found
        shown = [item for item in self._known.items() if not self._over(item[1].pod_uid, item[1].container)]
        return sorted(shown, key=lambda item: item[1].stamp)

    def _record(self, slice_id: str, before: _Known | None) -> _Known | None:
        """A record is read once for each time that it was written."""
        stamp = _stamp(self._records.file(slice_id, RECORD))
        if stamp is None or (before is not None and before.stamp == stamp):
            return before if stamp else None
        record = self._records.read(slice_id)
        return None if record is None or record.vendor not in self._served else _known(record, stamp)

    def _forget(self, there: Collection[Place]) -> None:
        for place in [place for place in self._drawn if place not in there]:
            del self._drawn[place]

    # Slices

    def _slice(self, slice_id: str, record: _Known, now: float) -> Iterator[SliceReport]:
        state = _state(self._records.file(slice_id, REGION)) if record.regional else None
        for position, one in enumerate(record.given):
            if state is None or position >= len(state.devices):
                yield one.report
                continue
            use, place = state.devices[position], (slice_id, position)
            shown = self._drawn[place] = drawn(use, now, self._drawn.get(place), self._looked)
            yield used(one, use, shown, state.taken)

    # Devices

    def _device_reports(self, grants: Iterable[Given]) -> Iterator[DeviceReport]:
        machine, samples = self._devices.machine, self._devices.samples
        taken: dict[str, list[Given]] = {}
        for one in grants:
            taken.setdefault(one.report.device, []).append(one)
        elsewhere = self._elsewhere()
        for device in machine.devices if machine else ():
            if device.uuid in elsewhere:
                continue
            ours = taken.get(device.uuid, []) if device.model.vendor in self._served else None
            yield _device(device, samples.get(device.uuid), ours)


def _device(device: Device, sample: Sample | None, taken: list[Given] | None) -> DeviceReport:
    has = device.model.capacity
    report = DeviceReport(
        uuid=device.uuid,
        vendor=device.model.vendor,
        model=device.model.name,
        index=device.index,
        healthy=device.health.ok,
        health=device.health.reason,
        memory_capacity=has.get(MEMORY, 0) * MIB,
        slots=has.get(SLOTS, 0),
    )
    if taken is not None:
        report = msgspec.structs.replace(
            report,
            memory_allocated=sum(one.memory for one in taken),
            compute_allocated=sum(one.report.compute_limit for one in taken),
            slots_allocated=sum(one.slots for one in taken),
        )
    return report if sample is None else _sampled(report, sample)


def _sampled(report: DeviceReport, sample: Sample) -> DeviceReport:
    return msgspec.structs.replace(
        report,
        memory_used=sample.memory_used * MIB if sample.memory_used >= 0 else None,
        utilization=sample.utilization / 100 if sample.utilization >= 0 else None,
        temperature=sample.temperature,
        power=sample.power,
    )


def _known(record: PodSlice, stamp: _Stamp) -> _Known:
    return _Known(stamp, record.pod_uid, record.container, bool(record.held.region), tuple(given(record)))


def _stamp(path: str) -> _Stamp | None:
    """When a file was written, and which file it is: a record is replaced, not changed."""
    with contextlib.suppress(OSError):
        found = os.stat(path)  # noqa: PTH116 — a hundred at a time: a path object costs as much again
        return found.st_mtime_ns, found.st_ino, found.st_size
    return None


def _state(path: str) -> RegionState | None:
    try:
        return region.read(path, processes=False)
    except RegionError as error:
        # A slice that is just being made or removed has none.
        if not isinstance(error.__cause__, FileNotFoundError):
            metrics.unreadable_regions.add()
            _log.debug("region not read", reason=str(error))
        return None
