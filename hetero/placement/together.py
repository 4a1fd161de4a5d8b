"""Several asks on many nodes at once, by the rule that mostly works: the hardest ask first, on the tightest devices.

What it finds is a fit. Where it finds none there may still be one, which :mod:`hetero.placement.search` settles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hetero.placement.columns import distinct
from hetero.placement.fit import OPEN, Mask, Need
from hetero.placement.ledger import Amounts, Rows
from hetero.placement.score import Scores

_NEVER = np.inf
_MOST = 2**31


@dataclass(frozen=True)
class Table:
    """Nodes as lines of equally many places, some of which may stand for no device.

    Attributes:
        models: The model of each device.
        numa: Its NUMA node.
        free: What is free of it, dimension by dimension.
        capacity: What it has.
    """

    models: Rows
    numa: Rows
    free: Amounts
    capacity: Amounts

    @property
    def tightness(self) -> Scores:
        """How much is free of each device in all: less is tighter."""
        parts = np.divide(self.free, self.capacity, out=np.zeros(self.free.shape), where=self.capacity > 0)
        return parts.sum(axis=0)  # type: ignore[no-any-return]


def possible(table: Table, needs: Sequence[Need], serve: Sequence[Mask]) -> Mask:
    """Which nodes have as much free in all, dimension by dimension, as the asks come to at least.

    Args:
        table: The nodes.
        needs: The asks.
        serve: For each ask whether each device may serve it.
    """
    least = sum(need.least[:, need.codes == OPEN].min(axis=1, initial=_MOST) * need.ask.count for need in needs)
    free = (np.maximum(table.free, 0) * np.logical_or.reduce(serve)).sum(axis=2)
    return (free >= np.reshape(least, (-1, 1))).all(axis=0)  # type: ignore[no-any-return]


class Given(NamedTuple):
    """What one ask gets.

    Attributes:
        devices: Which devices of each node.
        ways: Which of its shares each of them gives.
    """

    devices: Mask
    ways: Rows


def greedy(table: Table, needs: Sequence[Need], serve: Sequence[Mask]) -> list[Given]:
    """For each ask the devices that it gets on each node; on nodes where the rule fails, one has too few.

    Args:
        table: The nodes; :attr:`Table.free` is changed.
        needs: The asks, for which any set of devices will do.
        serve: For each ask whether each device may serve it, as far as other pods are concerned.
    """
    chosen: dict[int, Given] = {}
    for ask in sorted(range(len(needs)), key=lambda ask: _ease(needs[ask], serve[ask])):
        need = needs[ask]
        room = serve[ask] & _room(table, need)
        if need.ask.selection.same_numa:
            room = _on_one(table.numa, room, need.ask.count)
        devices = _tightest(table, room, need.ask.count)
        ways, amounts = need.taken(table.models, table.free)
        table.free[:] -= amounts * devices
        chosen[ask] = Given(devices, ways)
    return [chosen[ask] for ask in range(len(needs))]


def _ease(need: Need, serve: Mask) -> tuple[int, int]:
    """Sorts the asks that have the least choice first, then the largest."""
    slack = int(np.count_nonzero(serve)) - need.ask.count * serve.shape[0]
    return slack, -int(need.amounts.max(initial=0))


def _room(table: Table, need: Need) -> Mask:
    """As the search has it: what others took is in ``serve``, so only the amounts themselves must be free."""
    asked = (need.floor if need.idle else need.least)[:, table.models]
    room: Mask = np.logical_and.reduce((table.free >= asked) | (asked <= 0), axis=0)
    return room if need.ways is None else room & need.ways.fit(table.models, table.free)


def _on_one(numa: Rows, room: Mask, count: int) -> Mask:
    """Only the devices of one NUMA node that has enough of them, node by node; none where there is no such."""
    kept, left = np.zeros_like(room), np.ones((room.shape[0], 1), dtype=bool)
    for number in distinct(numa[room]):
        here = room & (numa == number)
        enough = left & (here.sum(axis=1, keepdims=True) >= count)
        kept = np.where(enough, here, kept)
        left &= ~enough
    return kept


def _tightest(table: Table, room: Mask, count: int) -> Mask:
    order = np.argsort(np.where(room, table.tightness, _NEVER), axis=1, kind="stable")[:, :count]
    first = np.zeros(room.shape, dtype=bool)
    np.put_along_axis(first, order, values=True, axis=1)
    return first & room
