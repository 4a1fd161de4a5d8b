"""Which sets of MLUs serve a container together: rings of MLULink, made of whole boards. Pure.

The vendor's own allocator asks a closed library for rings; here they are found in what each card says of its ports.

=============  =========================================================================================
policy         a container of 2, 4 or 8 devices gets
=============  =========================================================================================
best-effort    the set with the most rings where there is one, any set otherwise
guaranteed     only a set with a ring through all of its devices
restricted     only such a set with enough rings: 2 for 2 devices and 4 for 4 on cards of the kind
               *spider*, and whole boards only on cards of the kind *board*
=============  =========================================================================================

Source of kinds, sizes and numbers of rings: the allocators of cambricon-k8s-device-plugin v2.0.23.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from hetero.model.device import Device
from hetero_cambricon.names import RESTRICTED, RING_SIZES
from hetero_cambricon.wiring import BOARD, SPIDER, Places, Wiring, wiring

Set = tuple[Device, ...]

EXACT = 500
"""Sets up to which all are compared. Of more (8 devices of 16 are 12870 sets) those of whole boards go first."""

_SPIDER_RINGS = {2: 2, 4: 4}
_LOOKED_AT = 3000
"""Sets in which a preference is looked for."""


def ruled(devices: Sequence[Device], count: int, policy: str) -> Iterator[Set]:
    """All sets that the policy allows, best first; none where the count is no size of a ring."""
    if count not in RING_SIZES or count > len(devices):
        return
    wires = wiring(devices)
    if wires.ringed(count) < count:  # cards that nobody has joined are many sets to find nothing in
        return
    for chosen in _in_order(wires, count):
        if _allowed(wires, chosen, policy):
            yield tuple(devices[place] for place in chosen)


def preferred(devices: Sequence[Device], count: int) -> tuple[Set, ...]:
    """The set worth trying first: one with rings, of whole boards. A single device is one that leaves most whole.

    Nothing where any is as good as another.
    """
    if count >= len(devices):
        return ()
    chosen = _preferred(wiring(devices), count)
    return (tuple(devices[place] for place in chosen),) if chosen else ()


@lru_cache(maxsize=1024)
def _preferred(wires: Wiring, count: int) -> Places:
    worths = {}
    for chosen in itertools.islice(_in_order(wires, count), _LOOKED_AT):
        worths[chosen] = wires.worth(chosen)
        if math.comb(len(wires.numbers), count) > EXACT and wires.rings(chosen):
            return chosen
    best = min(worths.values())
    return () if all(one == best for one in worths.values()) else next(one for one in worths if worths[one] == best)


def _allowed(wires: Wiring, chosen: Places, policy: str) -> bool:
    if len(chosen) == 1:
        return True
    rings, kind = wires.rings(chosen), wires.kind(chosen)
    if policy == RESTRICTED and kind == BOARD and wires.broken(chosen):
        return False
    wanted = _SPIDER_RINGS.get(len(chosen), 1) if policy == RESTRICTED and kind == SPIDER else 1
    return rings >= wanted


def _in_order(wires: Wiring, count: int) -> Iterable[Places]:
    """All sets, as places in the planner's order: best first where they are few, else whole boards first."""
    if math.comb(len(wires.numbers), count) <= EXACT:
        return _sorted(wires, count)
    return _boards_first(wires, count)


@lru_cache(maxsize=1024)
def _sorted(wires: Wiring, count: int) -> tuple[Places, ...]:
    return tuple(sorted(itertools.combinations(range(len(wires.numbers)), count), key=wires.worth))


def _boards_first(wires: Wiring, count: int) -> Iterator[Places]:
    boards = wires.boards()
    whole: set[Places] = set()
    if all(len(board) == 2 for board in boards) and count % 2 == 0:
        for some in itertools.combinations(boards, count // 2):
            chosen = tuple(sorted(itertools.chain.from_iterable(some)))
            whole.add(chosen)
            yield chosen
    for chosen in itertools.combinations(range(len(wires.numbers)), count):
        if chosen not in whole:
            yield chosen
