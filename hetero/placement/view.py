"""Some or all nodes of a ledger as stretches of rows, so that one computation serves many nodes and one alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hetero.model.device import Device
from hetero.placement.columns import distinct
from hetero.placement.fit import Mask, Which
from hetero.placement.ledger import Amounts, Ledger, Rows

Counts = npt.NDArray[np.int64]


class View:
    """Nodes and their devices, as they stand when the view is made.

    Args:
        ledger: Of which.
        numbers: The nodes.
        rows: Their rows, one node after another; with rows in between that nobody has when it is a slice.
        starts: Where each node's rows begin within ``rows``.
        sizes: How many each has.

    Attributes:
        models: The model of each row.
        capacity: What each row has, line by line.
        free: What is free of it; less than 0 of a device that shrank.
        size: How many nodes there are.
    """

    __slots__ = ("_width", "capacity", "free", "ledger", "models", "numbers", "rows", "size", "sizes", "starts")

    def __init__(self, ledger: Ledger, numbers: Which, rows: Which, starts: Rows, sizes: Rows) -> None:
        self.ledger, self.numbers, self.rows, self.starts, self.sizes = ledger, numbers, rows, starts, sizes
        self.size = starts.size
        self.models: Rows = ledger.model_of[rows]
        self.capacity: Amounts = ledger.capacity[:, rows]
        self.free: Amounts = self.capacity - ledger.used[:, rows]
        self._width = 0

    @classmethod
    def all(cls, ledger: Ledger) -> View:
        """Every number that a node has or had."""
        count = len(ledger.names)
        return cls(ledger, slice(0, count), slice(0, ledger.extent), ledger.starts[:count], ledger.sizes[:count])

    @classmethod
    def of(cls, ledger: Ledger, numbers: Rows) -> View:
        """These nodes. O(their devices)."""
        return cls._packed(ledger, numbers, ledger.starts[numbers], ledger.sizes[numbers])

    @classmethod
    def _packed(cls, ledger: Ledger, numbers: Rows, starts: Rows, sizes: Rows) -> View:
        if numbers.size == 1:
            start, size = int(starts[0]), int(sizes[0])
            view = cls(ledger, numbers, slice(start, start + size), np.zeros(1, dtype=np.intp), sizes)
            view._width = size
            return view
        width = int(sizes[0]) if sizes.size else 0
        if width and (sizes == width).all():
            rows = (starts[:, np.newaxis] + np.arange(width)).ravel()
            view = cls(ledger, numbers, rows, np.arange(0, rows.size, width), sizes)
            view._width = width
            return view
        ends = sizes.cumsum()
        rows = np.repeat(starts - ends + sizes, sizes) + np.arange(int(sizes.sum()))
        return cls(ledger, numbers, rows, ends - sizes, sizes)

    @property
    def numa(self) -> Rows:
        """The NUMA node of each row."""
        return self.ledger.numa[self.rows]

    @property
    def node_used(self) -> Amounts:
        """The sums of what is taken of each node's devices, line by line."""
        return self.ledger.node_used[:, self.numbers]

    def row(self, place: int) -> int:
        """The ledger's row at a place among the rows of this view."""
        return place + self.rows.start if isinstance(self.rows, slice) else int(self.rows[place])

    def number(self, node: int) -> int:
        """The ledger's number of the node at a place in this view."""
        return node + self.numbers.start if isinstance(self.numbers, slice) else int(self.numbers[node])

    def devices(self, node: int) -> list[Device]:
        """The devices of the node at a place in this view."""
        return [device for device in self.ledger.devices[self.ledger.rows(self.number(node))] if device is not None]

    def part(self, nodes: Rows) -> View:
        """Some of the nodes, by their place in this view."""
        numbers = nodes + self.numbers.start if isinstance(self.numbers, slice) else self.numbers[nodes]
        return View.of(self.ledger, numbers)

    def table(self, nodes: Rows) -> tuple[Rows, Mask]:
        """Some of the nodes as lines of equally many places among this view's rows, and which of them are devices."""
        sizes = self.sizes[nodes][:, np.newaxis]
        places = np.arange(int(sizes.max(initial=0)))
        there = places < sizes
        return np.where(there, self.starts[nodes][:, np.newaxis] + places, 0), there

    def count(self, mask: Mask) -> Counts:
        """How many rows of each node the mask has."""
        if self._width and self.size == 1:
            return np.array([np.count_nonzero(mask)])
        if self._width:
            return mask.reshape(-1, self._width).sum(axis=1)  # type: ignore[no-any-return]
        return self.counts(mask)[0]

    def counts(self, mask: Mask) -> tuple[Counts, Counts]:
        """How many rows of each node the mask has, and how many before each node's first row."""
        running = np.zeros(mask.size + 1, dtype=np.int64)
        mask.cumsum(out=running[1:])
        before = running[self.starts]
        return running[self.starts + self.sizes] - before, before

    def nearest(self, mask: Mask) -> Counts:
        """How many rows the mask has on that NUMA node of each node that has most."""
        numa = self.numa
        most = np.zeros(self.size, dtype=np.int64)
        for number in distinct(numa[mask]):
            np.maximum(most, self.count(mask & (numa == number)), out=most)
        return most
