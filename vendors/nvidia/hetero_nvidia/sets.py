"""Which GPUs of a node talk to each other best: sets of so many by NVLink, switches, the PCI tree and NUMA. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import itemgetter

from hetero.model.device import Device, Link, LinkKind

Nearness = list[list[int]]
"""For each two GPUs how near they are; larger is nearer."""

Worth = tuple[int, float, int]
"""Of a set: the sum over its pairs, how near its farthest pair is, and minus the sum of nearness to all GPUs."""

EXACT = 1000
"""Kinds of sets up to which all are compared, in milliseconds: any 8 GPUs have fewer, and 16 wired in a pattern mostly.
Where there are more, a good set is taken."""

# Each kind goes before the next, and each direct link counts on its own, so that the sum over a set's pairs ranks sets.
_NEARNESS = {
    LinkKind.DIRECT: 100,
    LinkKind.SWITCH: 80,
    LinkKind.BOARD: 60,
    LinkKind.BRIDGE: 40,
    LinkKind.NUMA: 20,
    LinkKind.SYSTEM: 10,
}


def best_set(devices: Sequence[Device], count: int) -> tuple[Device, ...]:
    """The ``count`` GPUs that are nearest to each other, in the order in which they were given.

    The sum over all pairs decides; then the farthest pair; then what is left: the set that is the least near to the
    other GPUs leaves islands whole, so a single GPU comes from the remains of one. Of equal sets the one of the GPUs
    that were given first is taken. GPUs that are wired alike are one kind, so few sets have to be compared: 9 for 8 of
    16 in two islands.

    Args:
        devices: GPUs of one node, in the planner's order of preference.
        count: How many, 1 to as many as there are.

    Returns:
        The set, or nothing when any set is as good as another.
    """
    near = nearness(devices)
    kinds = alike(near)
    if len(kinds) <= 1 or count >= len(devices):
        return ()
    known, chosen = _grown(near, count)
    if sets_of(kinds, count) <= EXACT:
        chosen = _Search(near, kinds, known[0]).best(count)
    return tuple(devices[position] for position in sorted(chosen))


def nearness(devices: Sequence[Device]) -> Nearness:
    """How near each two are, by what both say of their path: a link that is down at one end is no link.

    Where neither says anything, as in a cluster's description, two on one NUMA node are nearer than others.
    """
    paths = [{link.peer: _near(link) for link in device.links} for device in devices]
    size = range(len(devices))
    near = [[0] * len(devices) for _ in size]
    for one in size:
        for other in range(one):
            said = [paths[a][devices[b].uuid] for a, b in ((one, other), (other, one)) if devices[b].uuid in paths[a]]
            near[one][other] = near[other][one] = min(said) if said else _by_numa(devices[one], devices[other])
    return near


def alike(near: Nearness) -> list[list[int]]:
    """The GPUs by kind: two of one kind are equally near to every other GPU, so that either serves in any set."""
    kinds: list[list[int]] = []
    for position, row in enumerate(near):
        for kind in kinds:
            other = near[kind[0]]
            if all(row[peer] == other[peer] for peer in range(len(near)) if peer not in (position, kind[0])):
                kind.append(position)
                break
        else:
            kinds.append([position])
    return kinds


def sets_of(kinds: Sequence[Sequence[int]], count: int) -> int:
    """How many sets of ``count`` there are when those of one kind are not told apart."""
    ways = [1] + [0] * count
    for kind in kinds:
        ways = [sum(ways[size - taken] for taken in range(min(len(kind), size) + 1)) for size in range(count + 1)]
    return ways[count]


def _near(link: Link) -> int:
    return _NEARNESS[link.kind] * max(link.lanes, 1) if link.kind is LinkKind.DIRECT else _NEARNESS[link.kind]


def _by_numa(one: Device, other: Device) -> int:
    return _NEARNESS[LinkKind.NUMA if one.numa == other.numa >= 0 else LinkKind.SYSTEM]


class _Search:
    """Compares all sets, as numbers taken of each kind; those that cannot become the best are not built.

    Args:
        near: How near each two are.
        kinds: The positions of each kind.
        known: The sum over the pairs of a set that is known already.
    """

    def __init__(self, near: Nearness, kinds: Sequence[Sequence[int]], known: int) -> None:
        self._kinds = kinds
        firsts = [kind[0] for kind in kinds]
        self._between = [[near[one][other] for other in firsts] for one in firsts]
        self._within = [near[kind[0]][kind[1]] if len(kind) > 1 else 0 for kind in kinds]
        self._sums = [sum(near[one]) for one in firsts]
        self._nearest = [max(near[one]) for one in firsts]
        self._left = [sum(len(kind) for kind in kinds[index:]) for index in range(len(kinds) + 1)]
        self._best: Worth = (known - 1, 0, 0)
        self._taken: tuple[int, ...] = ()

    def best(self, count: int) -> list[int]:
        """The positions of the best set."""
        nothing = [0] * len(self._kinds)
        self._go_on((), count, (0, math.inf, 0), nothing, [math.inf] * len(nothing))
        return [position for kind, number in zip(self._kinds, self._taken, strict=False) for position in kind[:number]]

    def _go_on(
        self,
        taken: tuple[int, ...],
        missing: int,
        worth: Worth,
        gains: Sequence[int],
        farthest: Sequence[float],
    ) -> None:
        """Take of the next kind, most first, so that of equal sets the first found has those that were given first.

        Args:
            taken: How many of each kind so far.
            missing: How many more are needed.
            worth: Of those.
            gains: For each kind what one of it would add to the sum.
            farthest: For each kind how near it is to the farthest that was taken.
        """
        if not missing:
            if worth > self._best:
                self._best, self._taken = worth, taken
            return
        index = len(taken)
        if self._left[index] < missing or worth[0] + self._most(index, missing, gains) < self._best[0]:
            return
        for number in range(min(len(self._kinds[index]), missing), -1, -1):
            between = self._between[index]
            more = [gain + number * near for gain, near in zip(gains, between, strict=True)]
            far = [min(one, near) for one, near in zip(farthest, between, strict=True)] if number else farthest
            self._go_on(
                (*taken, number), missing - number, self._with(worth, index, number, gains, farthest), more, far
            )

    def _most(self, index: int, missing: int, gains: Sequence[int]) -> float:
        """What the kinds that are left could add at most: each its gain, and half of its nearest to all that come."""
        halves = (missing - 1) / 2
        added = [
            gains[kind] + halves * self._nearest[kind]
            for kind in range(index, len(gains))
            for _ in range(min(missing, len(self._kinds[kind])))
        ]
        return sum(sorted(added)[-missing:])

    def _with(self, worth: Worth, index: int, number: int, gains: Sequence[int], farthest: Sequence[float]) -> Worth:
        total, worst, left = worth
        if number:
            worst = min(worst, farthest[index], self._within[index] if number > 1 else math.inf)
        total += number * gains[index] + math.comb(number, 2) * self._within[index]
        return total, worst, left - number * self._sums[index]


def _grown(near: Nearness, count: int) -> tuple[Worth, list[int]]:
    """A good set, quickly found: from each GPU on, the nearest is added again and again."""
    return max((_from(near, start, count) for start in range(len(near))), key=itemgetter(0))


def _from(near: Nearness, start: int, count: int) -> tuple[Worth, list[int]]:
    chosen, gains = [start], list(near[start])
    while len(chosen) < count:
        rest = [position for position in range(len(near)) if position not in chosen]
        nearest = max(rest, key=lambda position: (gains[position], -sum(near[position]), -position))
        chosen.append(nearest)
        gains = [gain + add for gain, add in zip(gains, near[nearest], strict=True)]
    pairs = [near[one][other] for one in chosen for other in chosen if one < other]
    return (sum(pairs), min(pairs, default=0), -sum(sum(near[one]) for one in chosen)), chosen
