"""Whether several asks fit on one node together, exactly: a search that never looks at the same situation twice.

The asks of a pod that run side by side may get in each other's way, and which device the first one takes decides
whether the last one fits. Taking the tightest devices first mostly works; where it fails this search says whether
anything does. Devices in equal state are interchangeable, so a node of equal cards costs little, and what failed once
is remembered. Where a vendor allows only some sets of devices, no two of them are alike. It gives up after
:data:`LIMIT` of work, which no pod of sensible size needs: then the pod counts as one that does not fit. Whoever
searches many nodes has a :class:`Budget` for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement
from typing import NamedTuple

from hetero.model.device import Device
from hetero.placement.fit import OPEN, Mask, Need
from hetero.placement.ledger import Amounts, Rows
from hetero.placement.packing import Free, Packing, less, within

LIMIT = 20_000
"""Work of one search: devices looked at, each about a microsecond."""

MOST_ASKS = 64
"""Of a pod: one that asks more often for devices is not placed."""

_ASKED = 20
"""Work of asking a vendor for its sets."""


class Taken(NamedTuple):
    """A device that an ask gets.

    Attributes:
        place: Among the devices.
        way: Number of the share that it gives.
    """

    place: int
    way: int = 0


class Seat(NamedTuple):
    """A device as the search sees it: seats that are equal are interchangeable.

    Attributes:
        serves: A bit for each ask that may go there as far as other pods are concerned.
        model: Number of its model.
        numa: Its NUMA node; 0 where no ask heeds it.
        free: What is free, line by line.
        number: Which of the node's devices it is; 0 where no ask is bound to a vendor's sets.
    """

    serves: int
    model: int
    numa: int
    free: Free
    number: int = 0


Situation = tuple[Seat, ...]
"""The seats of a node in order: nodes in equal situations are interchangeable too."""


def seats(needs: Sequence[Need], serve: Sequence[Mask], models: Rows, numa: Rows, free: Amounts) -> list[Seat]:
    """The devices of a node.

    Args:
        needs: The asks.
        serve: For each ask whether each device may serve it, as far as other pods are concerned.
        models: The model of each device.
        numa: Its NUMA node.
        free: What is free of it, line by line.
    """
    bits = sum(mask.astype(int) << ask for ask, mask in enumerate(serve))
    heeded = numa.tolist() if any(need.ask.selection.same_numa for need in needs) else [0] * len(models)
    assert not isinstance(bits, int)  # noqa: S101 — there is an ask
    numbers = range(len(models)) if bound(needs) else [0] * len(models)
    return list(map(Seat, bits.tolist(), models.tolist(), heeded, map(tuple, free.T.tolist()), numbers))


def bound(needs: Sequence[Need]) -> bool:
    """Whether a vendor allows only some sets for any of the asks: which device it is matters then."""
    return any(need.rule is not None for need in needs)


class Budget:
    """Work for several searches: when it is spent, the rest is left undone and must be looked at another time.

    Attributes:
        left: Work that may still be done.
    """

    def __init__(self, work: int) -> None:
        self.left = work


class Search:
    """One search over the devices of one node.

    Args:
        needs: The asks.
        devices: The seats of the node.
        records: Its devices; needed where a vendor allows only some sets of them.

    Attributes:
        work: What it has cost, as :data:`LIMIT` counts.
    """

    def __init__(self, needs: Sequence[Need], devices: Sequence[Seat], records: Sequence[Device] = ()) -> None:
        self.work = 0
        self._records = records
        self._rules = [need.rule for need in needs]
        self._counts = [need.ask.count for need in needs]
        self._together = [need.ask.selection.same_numa for need in needs]
        self._ways = [_by_model(need) for need in needs]
        # What others took is in the seats, so that a percent of compute need not be left by the pod itself.
        self._floors = [
            _idle_by_model(need) if need.idle else ways for need, ways in zip(needs, self._ways, strict=True)
        ]
        self._packings = {id(need): Packing(ways, need.idle) for need, ways in zip(needs, self._ways, strict=True)}
        self._needs = [id(need) for need in needs]  # equal asks are one need
        # In order, so that equal nodes are searched by equal steps.
        self._order = sorted(range(len(devices)), key=lambda place: (devices[place], place))
        self._seats = [devices[place] for place in self._order]
        self._kinds = [(seat.serves, seat.model, seat.numa, seat.number) for seat in self._seats]
        self._free: list[Free] = [seat.free for seat in self._seats]
        self._asks = sorted(range(len(needs)), key=self._ease)
        self._failed: set[tuple[object, ...]] = set()
        self._chosen: dict[int, list[Taken]] = {}

    def run(self) -> list[list[Taken]] | None:
        """For each ask the devices that it gets; None when there is no way, or none was found in time."""
        if not (self._hopeful(0) and self._place(0)):
            return None
        return [[Taken(self._order[seat], way) for seat, way in self._chosen[ask]] for ask in range(len(self._asks))]

    def _ease(self, ask: int) -> tuple[int, int]:
        """Sorts the asks that have the least choice first."""
        largest = max((max(ways[0]) for ways in self._ways[ask].values()), default=0)
        return len(self._candidates(ask)) - self._counts[ask], -largest

    def _candidates(self, ask: int) -> list[int]:
        self.work += len(self._seats)
        return [seat for seat in range(len(self._seats)) if self._has_room(ask, seat)]

    def _has_room(self, ask: int, seat: int) -> bool:
        device = self._seats[seat]
        if not device.serves >> ask & 1:
            return False
        free = self._free[seat]
        return any(within(floor, free) for floor in self._floors[ask][device.model])

    def _place(self, depth: int) -> bool:
        if depth == len(self._asks):
            return True
        situation = (depth, *sorted(zip(self._kinds, self._free, strict=True)))
        self.work += len(self._seats)
        if situation in self._failed:
            return False
        for chosen in self._choices(self._asks[depth]):
            if self.work > LIMIT:
                return False
            if self._try(depth, chosen):
                return True
        self._failed.add(situation)
        return False

    def _try(self, depth: int, chosen: list[Taken]) -> bool:
        ask = self._asks[depth]
        before = [self._free[seat] for seat, _ in chosen]
        for seat, way in chosen:
            amounts = self._ways[ask][self._seats[seat].model][way]
            self._free[seat] = less(self._free[seat], amounts)
        self._chosen[ask] = chosen
        if self._hopeful(depth + 1) and self._place(depth + 1):
            return True
        for (seat, _), free in zip(chosen, before, strict=True):
            self._free[seat] = free
        return False

    def _hopeful(self, depth: int) -> bool:
        """Whether what is left of the devices may do for the asks from here on, looking at equal ones together."""
        equal: dict[int, list[int]] = {}
        for ask in self._asks[depth:]:
            equal.setdefault(self._needs[ask], []).append(ask)
        return all(map(self._enough, equal.values()))

    def _enough(self, asks: Sequence[int]) -> bool:
        """Whether equal asks find devices, were there no others; none of them takes two shares of one device."""
        candidates, packing = self._candidates(asks[0]), self._packings[self._needs[asks[0]]]
        if len(asks) == 1 or len(candidates) < self._counts[asks[0]]:
            return len(candidates) >= self._counts[asks[0]]
        most = (packing.most(self._seats[seat].model, self._free[seat], len(asks)) for seat in candidates)
        return sum(most) >= sum(self._counts[ask] for ask in asks)

    def _choices(self, ask: int) -> Iterator[list[Taken]]:
        """Every set of devices for an ask, one of those that are alike, each in every way; the tightest first."""
        candidates = sorted(self._candidates(ask), key=lambda seat: self._free[seat])
        for groups in self._allowed(ask, candidates) if self._rules[ask] else self._sets(ask, candidates):
            yield from self._in_ways(ask, [group for group in groups if group])

    def _sets(self, ask: int, candidates: list[int]) -> Iterator[list[list[int]]]:
        """Sets where any will do, as groups of devices that are alike."""
        for some in self._by_numa(candidates) if self._together[ask] else [candidates]:
            alike: dict[tuple[tuple[int, ...], Free], list[int]] = {}
            for seat in some:
                alike.setdefault((self._kinds[seat], self._free[seat]), []).append(seat)
            yield from _sets(list(alike.values()), self._counts[ask])

    def _allowed(self, ask: int, candidates: list[int]) -> Iterator[list[list[int]]]:
        """Sets that the vendor allows, each device a group of its own."""
        rule = self._rules[ask]
        assert rule is not None  # noqa: S101 — asked where there is one
        self.work += _ASKED
        for found in rule.sets([self._records[self._order[seat]] for seat in candidates]):
            self.work += 1
            yield [[candidates[place]] for place in found]

    def _in_ways(self, ask: int, groups: Sequence[list[int]]) -> Iterator[list[Taken]]:
        """These devices in every way that fits: of those that are alike, it does not matter which gives which."""
        if not groups:
            yield []
            return
        first, *rest = groups
        model, free = self._seats[first[0]].model, self._free[first[0]]
        fitting = [way for way, amounts in enumerate(self._ways[ask][model]) if within(amounts, free)]
        for ways in combinations_with_replacement(fitting, len(first)):
            taken = list(map(Taken, first, ways))
            for others in self._in_ways(ask, rest):
                yield [*taken, *others]

    def _by_numa(self, candidates: list[int]) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for seat in candidates:
            groups.setdefault(self._seats[seat].numa, []).append(seat)
        return list(groups.values())


def _by_model(need: Need) -> dict[int, list[Free]]:
    """For each model that serves what each of its shares takes."""
    return {model: need.columns(model) for model, code in enumerate(need.codes.tolist()) if code == OPEN}


def _idle_by_model(need: Need) -> dict[int, list[Free]]:
    table = need.floor.T.tolist()
    return {model: [tuple(table[model])] for model, code in enumerate(need.codes.tolist()) if code == OPEN}


def _sets(classes: Sequence[list[int]], count: int) -> Iterator[list[list[int]]]:
    """So many of each class as make ``count``, class by class, as many as can be of the first ones first."""
    behind = [0]  # how many there are from each class on
    for members in reversed(classes):
        behind.append(behind[-1] + len(members))
    behind.reverse()
    taken = [0] * len(classes)
    if behind[0] < count:
        return
    _fill(taken, classes, 0, count)
    while True:
        yield [members[:some] for members, some in zip(classes, taken, strict=True)]
        if not _shift(taken, classes, behind):
            return


def _fill(taken: list[int], classes: Sequence[list[int]], first: int, count: int) -> None:
    """Take so many of the classes from ``first`` on, as many as can be of each in turn."""
    for place in range(first, len(classes)):
        taken[place] = min(len(classes[place]), count)
        count -= taken[place]


def _shift(taken: list[int], classes: Sequence[list[int]], behind: Sequence[int]) -> bool:
    """One fewer of the last class whose place others can take; False when there is none."""
    moved = 0
    for place in range(len(taken) - 1, -1, -1):
        if taken[place] and behind[place + 1] > moved:
            taken[place] -= 1
            _fill(taken, classes, place + 1, moved + 1)
            return True
        moved += taken[place]
    return False
