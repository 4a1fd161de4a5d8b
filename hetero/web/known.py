"""What the agents of the nodes have said, in columns beside those of the ledger.

A report is taken for what is there as long as it is young enough; what has not been heard of is not known, which is not
a number. For several threads: those that ask agents put reports in, and the one that makes pages takes them out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from sys import intern

import msgspec
import numpy as np
import numpy.typing as npt

from hetero.monitoring.report import NodeReport, SliceReport
from hetero.placement.standing import Shape

Column = npt.NDArray[np.float64]

LINES = ("memory", "compute", "temperature", "power")
"""What is known of a device: bytes, ratio, degrees, watts."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One node's report, as it is kept.

    Attributes:
        time: When it was read, seconds since 1970 by our clock.
        uuids: Identities of its devices.
        table: What is known of each, line by line of :data:`LINES`; not a number where it is not.
        slices: Pod's identity, container and device to its slices, in the order of their positions.
    """

    time: float
    uuids: tuple[str, ...]
    table: Column
    slices: dict[tuple[str, str, str], tuple[SliceReport, ...]]


@dataclass(frozen=True)
class Known:
    """What is known at one moment.

    Attributes:
        shape: The devices.
        table: What is known of each row, line by line of :data:`LINES`.
        times: Place of a node to when it was heard of.
        seen: Node to its report, where that is young enough.
        problems: Node to why its use is not known.
    """

    shape: Shape
    table: Column
    times: Column
    seen: Mapping[str, Seen] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def memory(self) -> Column:
        """Row to bytes in use."""
        return self._line(0)

    @property
    def compute(self) -> Column:
        """Row to the ratio of time with work on it."""
        return self._line(1)

    @property
    def temperature(self) -> Column:
        """Row to degrees Celsius."""
        return self._line(2)

    @property
    def power(self) -> Column:
        """Row to watts."""
        return self._line(3)

    def _line(self, number: int) -> Column:
        line: Column = self.table[number]
        return line

    def slice(self, node: str, key: tuple[str, str, str], turn: int) -> SliceReport | None:
        """What the node's agent says of one device of a slice; None when it says nothing."""
        seen = self.seen.get(node)
        there = seen.slices.get(key, ()) if seen is not None else ()
        return there[turn] if turn < len(there) else None


class Reports:
    """The newest report of each node.

    Attributes:
        revision: Grows with every change.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._lock = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._problems: dict[str, str] = {}
        self._changed: set[str] = set()
        self._before: Known | None = None

    def put(self, node: str, report: NodeReport, time: float) -> None:
        """A node's agents have answered.

        Args:
            node: Its name.
            report: What they say together.
            time: When, seconds since 1970.
        """
        seen = _lean(report, time)
        with self._lock:
            self._seen[node] = seen
            self._problems.pop(node, None)
            self._mark(node)

    def fail(self, node: str, problem: str) -> None:
        """They have not, and why. What was known before is shown until it is too old."""
        with self._lock:
            if self._problems.get(node) != problem:
                self._problems[node] = problem
                self._mark(node)

    def only(self, nodes: Iterable[str]) -> None:
        """Forget all other nodes."""
        kept = set(nodes)
        with self._lock:
            for node in [node for node in {*self._seen, *self._problems} if node not in kept]:
                self._seen.pop(node, None)
                self._problems.pop(node, None)
                self._mark(node)

    def expire(self, before: float) -> None:
        """Forget what was read before a time, seconds since 1970."""
        with self._lock:
            for node in [node for node, seen in self._seen.items() if seen.time < before]:
                del self._seen[node]
                self._mark(node)

    def oldest(self, now: float) -> float:
        """Seconds since the oldest that is shown was read; 0 where there is none."""
        with self._lock:
            return now - min((seen.time for seen in self._seen.values()), default=now)

    def known(self, shape: Shape) -> Known:
        """Everything, beside these devices. O(what has changed), or O(devices) where devices have."""
        with self._lock:
            before = self._before
            if before is not None and before.shape is shape and not self._changed:
                return before
            if before is None or before.shape is not shape:
                table, times, nodes = *_empty(shape), set(self._seen)
            else:
                table, times, nodes = before.table.copy(), before.times.copy(), self._changed
            for node in nodes:
                _fill(table, times, shape, (node, self._seen.get(node)))
            self._changed = set()
            self._before = Known(shape, table, times, dict(self._seen), dict(self._problems))
            return self._before

    def _mark(self, node: str) -> None:
        self._changed.add(node)
        self.revision += 1


def _empty(shape: Shape) -> tuple[Column, Column]:
    return np.full((len(LINES), len(shape.devices)), np.nan), np.full(len(shape.names), np.nan)


def _fill(table: Column, times: Column, shape: Shape, said: tuple[str, Seen | None]) -> None:
    node, seen = said
    place = shape.places.get(node)
    if place is None:
        return
    times[place] = np.nan if seen is None else seen.time
    rows = shape.of(place)
    there = table[:, rows.start : rows.stop]
    uuids = tuple(shape.devices[row].uuid for row in rows)
    if seen is not None and seen.uuids == uuids:  # agents and the ledger have devices in the same order
        there[:] = seen.table
        return
    there[:] = np.nan
    if seen is not None:
        known = {uuid: number for number, uuid in enumerate(seen.uuids)}
        for number, uuid in enumerate(uuids):
            if uuid in known:
                there[:, number] = seen.table[:, known[uuid]]


def _lean(report: NodeReport, time: float) -> Seen:
    slices: dict[tuple[str, str, str], tuple[SliceReport, ...]] = {}
    for one in sorted(report.slices, key=lambda one: one.position):
        key = one.pod_uid, intern(one.container), intern(one.device)
        slices[key] = (*slices.get(key, ()), one)
    devices = {intern(one.uuid): one for one in report.devices}
    lines = [[one.memory_used, one.utilization, one.temperature, one.power] for one in devices.values()]
    table = np.array([[_number(value) for value in line] for line in lines], dtype=np.float64)
    return Seen(time=time, uuids=tuple(devices), table=table.reshape(-1, len(LINES)).T.copy(), slices=slices)


def _number(value: float | None) -> float:
    """What is shown: nothing that JSON cannot say."""
    return float(value) if value is not None and isfinite(value) else np.nan
