"""Which cards of a node are near each other: direct links first, then the NUMA node. Pure.

Cards are given in any number, so this is a preference. Up to :data:`COMPARED` sets are compared with each other; where
there are more, each card is tried as the first of a set that grows by whichever is nearest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from hetero.model.device import Device, Link, LinkKind

COMPARED = 300
"""Sets that are looked at one by one: all of eight cards, and more than are worth the time of a scheduler."""

_NEARNESS = {
    LinkKind.DIRECT: 1000,
    LinkKind.SWITCH: 300,
    LinkKind.BOARD: 100,
    LinkKind.BRIDGE: 30,
    LinkKind.NUMA: 10,
    LinkKind.SYSTEM: 1,
}
"""So far apart that many far links never weigh as much as a near one: a card has 15 peers at most."""

Nearness = list[list[int]]


def best_first(devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
    """Sets of ``count``, best first; of equal ones that which comes first in the given order.

    Returns:
        Nothing where all cards are equally near, so that any set is as good.
    """
    near = nearness(devices)
    if len({near[one][other] for one, other in itertools.combinations(range(len(devices)), 2)}) < 2:
        return ()
    sets = sorted(_candidates(near, count), key=lambda chosen: _worth(near, chosen), reverse=True)
    return [tuple(devices[place] for place in chosen) for chosen in sets]


def nearness(devices: Sequence[Device]) -> Nearness:
    """How near each two are, by their links, or by their NUMA nodes where they have none."""
    paths = [{link.peer: link for link in device.links} for device in devices]
    size = range(len(devices))
    return [[0 if one == other else _near(devices[one], devices[other], paths[one]) for other in size] for one in size]


def _near(one: Device, other: Device, paths: dict[str, Link]) -> int:
    link = paths.get(other.uuid)
    if link is None:
        return _NEARNESS[LinkKind.NUMA if one.numa == other.numa >= 0 else LinkKind.SYSTEM]
    return _NEARNESS[link.kind] * (max(link.lanes, 1) if link.kind is LinkKind.DIRECT else 1)


def _candidates(near: Nearness, count: int) -> list[tuple[int, ...]]:
    places = range(len(near))
    if math.comb(len(near), count) <= COMPARED:
        return list(itertools.combinations(places, count))
    return list(dict.fromkeys(_grown(near, start, count) for start in places))


def _grown(near: Nearness, start: int, count: int) -> tuple[int, ...]:
    chosen = [start]
    while len(chosen) < count:
        rest = [place for place in range(len(near)) if place not in chosen]
        chosen.append(max(rest, key=lambda place: (sum(near[place][one] for one in chosen), -place)))
    return tuple(sorted(chosen))


def _worth(near: Nearness, chosen: tuple[int, ...]) -> tuple[int, int, int]:
    """How near they are to each other, then the worst pair, then how near they are to those that are left to others."""
    pairs = [near[one][other] for one, other in itertools.combinations(chosen, 2)]
    outward = sum(sum(near[one]) for one in chosen) - 2 * sum(pairs)
    return sum(pairs), min(pairs, default=0), -outward
