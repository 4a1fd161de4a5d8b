"""Which sets of chips of a node may work together: rings of four, boxes of eight, modules of two. Pure.

A chip has its place on the board, the number of its device file (``/dev/davinci5``): the vendor states its rules in
those numbers, and a chip that is broken or missing moves no other. In a described cluster there are no device files,
and the index is the place.

Source: Huawei mind-cluster, ascend-for-volcano, the rules of each board (Atlas 800 training server for 910A, Atlas 800T
A2 and the box of sixteen for 910B, A3 for 910C).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

from hetero.model.ask import Ask
from hetero.model.device import Device

RING = 4
"""Chips of a 910A ring; a server has two."""

BOX = 8
"""Chips of 910B that are all linked with each other; a server has one or two."""

MODULE = 2
"""Dies of a 910C module."""

Sets = Iterable[tuple[Device, ...]]

_NODE = re.compile(r"/dev/davinci(\d+)")

# By how many are asked: the numbers of free chips in a ring, the most welcome first.
_WELCOME = {1: (1, 3, 2, 4), 2: (2, 4, 3), 4: (4,)}


def place(device: Device) -> int:
    """Number of the chip on its board."""
    numbers = (match[1] for match in map(_NODE.fullmatch, device.paths) if match)
    return int(next(numbers, device.index))


def rounded(family: str, count: int) -> int:
    """How many whole chips serve an ask for ``count``: a single die of a module takes its neighbour along."""
    return MODULE if family == "Ascend910C" and count == 1 else count


def complaint(family: str, count: int) -> str:
    """Why no set of so many chips may be had, in words that follow the number; empty when one may."""
    counts = _COUNTS.get(family)
    if counts is None or count in counts:
        return ""
    listed = ", ".join(map(str, counts[:-1]))
    return f"is no number of chips that {family} may be given in; write {listed} or {counts[-1]}"


def sets(devices: Sequence[Device], ask: Ask) -> Sets | None:
    """See :meth:`hetero.vendor.Splitting.sets`."""
    if ask.count == 1 and not (ask.exclusive and ask.family == "Ascend910A"):
        return None
    rule = _RULES.get(ask.family)
    return None if rule is None else rule(devices, ask.count)


def _of_rings(devices: Sequence[Device], count: int) -> Iterator[tuple[Device, ...]]:
    """Up to four chips of one ring, or all of two; rings are taken so that the others stay of use."""
    rings = _grouped(devices, RING)
    if count == 2 * RING:
        whole = [ring for ring in rings if len(ring) == RING]
        yield from ((*one, *other) for one, other in combinations(whole, 2))
    welcome = _WELCOME.get(count, ())
    for free in welcome:
        for ring in rings:
            if len(ring) == free:
                yield from combinations(ring, count)


def _of_boxes(devices: Sequence[Device], count: int) -> Iterator[tuple[Device, ...]]:
    """Up to eight chips of one box; more are spread evenly over two, in the same positions of both."""
    boxes = sorted(_grouped(devices, BOX), key=len)
    for box in boxes:
        yield from combinations(box, count)
    if count > BOX and count % 2 == 0:
        for one, other in combinations(boxes, 2):
            partners = {place(device) % BOX: device for device in other}
            pairs = [(device, partners[place(device) % BOX]) for device in one if place(device) % BOX in partners]
            yield from _joined(pairs, count // 2)


def _of_modules(devices: Sequence[Device], count: int) -> Iterator[tuple[Device, ...]]:
    """Whole modules."""
    whole = [module for module in _grouped(devices, MODULE) if len(module) == MODULE]
    if count % MODULE == 0:
        yield from _joined(whole, count // MODULE)


def _grouped(devices: Sequence[Device], size: int) -> list[tuple[Device, ...]]:
    """The chips by group of that size, in their order; groups in the order of the first chip of each."""
    groups: dict[int, list[Device]] = {}
    for device in devices:
        groups.setdefault(place(device) // size, []).append(device)
    return [tuple(group) for group in groups.values()]


def _joined(groups: Sequence[tuple[Device, ...]], number: int) -> Iterator[tuple[Device, ...]]:
    for chosen in combinations(groups, number):
        yield tuple(device for group in chosen for device in group)


_BOXED = ("Ascend910B2", "Ascend910B3", "Ascend910B4", "Ascend910B4-1")

_RULES: dict[str, Callable[[Sequence[Device], int], Sets]] = {
    "Ascend910A": _of_rings,
    "Ascend910C": _of_modules,
    **dict.fromkeys(_BOXED, _of_boxes),
}

_COUNTS: dict[str, tuple[int, ...]] = {
    "Ascend910A": (1, 2, 4, 8),
    "Ascend910C": tuple(range(MODULE, 17, MODULE)),
    **dict.fromkeys(_BOXED, (*range(1, 9), 10, 12, 14, 16)),
}
