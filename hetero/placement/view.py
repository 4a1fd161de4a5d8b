"""Some or all nodes of a ledger as stretches of rows, so that one computation serves many nodes and one alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hetero.placement.columns import distinct
from hetero.placement.fit import Mask, Which
from hetero.placement.ledger import Amounts, Ledger, Rows

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class View:
    """Nodes and their devices.

    Attributes:
        ledger: Of which.
        numbers: The nodes.
        rows: Their rows, one node after another; with rows in between that nobody has when it is a slice.
        starts: Where each node's rows begin within :attr:`rows`.
        ends: Where they end.
    """

    ledger: Ledger
    numbers: Which
    rows: Which
    starts: Rows
    ends: Rows

    @classmethod
    def all(cls, ledger: Ledger) -> View:
        """Every number that a node has or had."""
        count = len(ledger.names)
        starts = ledger.starts[:count]
        return cls(ledger, slice(0, count), slice(0, ledger.extent), starts, starts + ledger.sizes[:count])

    @classmethod
    def of(cls, ledger: Ledger, numbers: Rows) -> View:
        """These nodes."""
        if numbers.size == 1:
            rows = ledger.rows(int(numbers[0]))
            return cls(ledger, numbers, rows, np.zeros(1, dtype=np.intp), np.array([rows.stop - rows.start]))
        return cls.all(ledger).part(numbers)[0]

    @cached_property
    def models(self) -> Rows:
        """The model of each row."""
        return self.ledger.model_of[self.rows]

    @cached_property
    def free(self) -> Amounts:
        """What is free of each row, line by line; less than 0 of a device that shrank."""
        return self.capacity - self.ledger.used[:, self.rows]

    @cached_property
    def capacity(self) -> Amounts:
        """What each row has, line by line."""
        return self.ledger.capacity[:, self.rows]

    @cached_property
    def numa(self) -> Rows:
        """The NUMA node of each row."""
        return self.ledger.numa[self.rows]

    @cached_property
    def node_capacity(self) -> Amounts:
        """The sums over the devices of each node, line by line."""
        return self.ledger.node_capacity[:, self.numbers]

    @cached_property
    def node_used(self) -> Amounts:
        """The sums of what is taken."""
        return self.ledger.node_used[:, self.numbers]

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return self.starts.size

    def row(self, place: int) -> int:
        """The ledger's row at a place among the rows of this view."""
        return place + self.rows.start if isinstance(self.rows, slice) else int(self.rows[place])

    def number(self, node: int) -> int:
        """The ledger's number of the node at a place in this view."""
        return node + self.numbers.start if isinstance(self.numbers, slice) else int(self.numbers[node])

    def part(self, nodes: Rows) -> tuple[View, Rows]:
        """Some of the nodes, by their place in this view, and the places of their rows in it."""
        numbers = nodes + self.numbers.start if isinstance(self.numbers, slice) else self.numbers[nodes]
        sizes = self.ends[nodes] - self.starts[nodes]
        ends = np.cumsum(sizes)
        places = np.repeat(self.starts[nodes] - ends + sizes, sizes) + np.arange(sizes.sum())
        rows = places + self.rows.start if isinstance(self.rows, slice) else self.rows[places]
        return View(self.ledger, numbers, rows, ends - sizes, ends), places

    def count(self, mask: Mask) -> Counts:
        """How many rows of each node the mask has."""
        return self.counts(mask)[0]

    def counts(self, mask: Mask) -> tuple[Counts, Counts]:
        """How many rows of each node the mask has, and how many before each node's first row."""
        running = np.zeros(mask.size + 1, dtype=np.int64)
        np.cumsum(mask, out=running[1:])
        before = running[self.starts]
        return running[self.ends] - before, before

    def nearest(self, mask: Mask) -> Counts:
        """How many rows the mask has on that NUMA node of each node that has most."""
        numa = self.numa
        most = np.zeros(self.size, dtype=np.int64)
        for number in distinct(numa[mask]):
            np.maximum(most, self.count(mask & (numa == number)), out=most)
        return most
