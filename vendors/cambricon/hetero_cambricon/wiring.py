"""The wires between some MLUs of a node: which are on one board, and how many rings lead through a set. Pure.

A wiring says nothing of identities, so that nodes that are built alike have the same, and are thought about once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hetero.model.device import Device, Link, LinkKind

SPIDER = ("U290", "U370-M8")
"""Parts of the names of products whose chips are each linked to several others."""

BOARD = ("U370-X8", "U590-H8")
"""Parts of the names of products that have two chips on a board."""

INNER = 2
"""Lanes that two chips of one board count as having between them."""

_ASSUMED = 4
"""Rings through devices that are taken for one because of their numbers."""

Places = tuple[int, ...]
Lanes = dict[tuple[int, int], int]


@dataclass(frozen=True)
class Wiring:
    """What devices say of their ports; of one that says nothing, as in a described cluster, its number says it.

    There, devices whose numbers make up an aligned block of 2, 4 or 8 are a ring, as the vendor's servers are built,
    and of products with two chips on a board the numbers 2n and 2n + 1 are on one.

    Attributes:
        numbers: Of each device: its number where it has no links, else -1.
        kinds: Of each device: :data:`SPIDER`, :data:`BOARD`, or nothing for any other product.
        lanes: Between each two, in both directions.
        partners: Of each device: the places of those that are on its board.
        apart: Of each device: how many are on its board that are not here.
    """

    numbers: Places
    kinds: tuple[tuple[str, ...], ...]
    lanes: tuple[Places, ...]
    partners: tuple[Places, ...]
    apart: Places

    def rings(self, chosen: Sequence[int]) -> int:
        """How many rings lead through all of a set, none of which uses a lane in a direction that another uses.

        A lane is used in both directions, so a ring through three or more counts twice and two devices have as many
        as they have lanes. Rings are taken greedily, those with lanes to spare first: there may be more.
        """
        if len(chosen) == 1:
            return 1
        if all(self.numbers[place] >= 0 for place in chosen):
            return _ASSUMED if _aligned([self.numbers[place] for place in chosen]) else 0
        if len(chosen) == 2:
            return self.lanes[chosen[0]][chosen[1]]
        left = {(a, b): self.lanes[a][b] for a in chosen for b in chosen if a != b}
        found = 0
        while ring := _ring(left, chosen):
            found += 2
            for one, other in zip(ring, [*ring[1:], ring[0]], strict=True):
                left[one, other] -= 1
                left[other, one] -= 1
        return found

    def ringed(self, count: int) -> int:
        """How many devices could be in a ring of so many: those with lanes to enough others that could be in one."""
        wanted, left, before = min(count - 1, 2), set(range(len(self.numbers))), -1
        while len(left) != before:
            before = len(left)
            left = {
                place
                for place in left
                if self.numbers[place] >= 0 or sum(self.lanes[place][other] > 0 for other in left) >= wanted
            }
        return len(left)

    def kind(self, chosen: Sequence[int]) -> tuple[str, ...]:
        """The kind of a set's devices, which on one node are the same."""
        return next((self.kinds[place] for place in chosen if self.kinds[place]), ())

    def broken(self, chosen: Sequence[int]) -> int:
        """How many devices of a set are on a board with another that is not in it."""
        return sum(self._alone(place, chosen) for place in chosen)

    def boards(self) -> list[Places]:
        """The places that are on one board, in the order of their firsts."""
        groups = (self._partners(place) | {place} for place in range(len(self.numbers)))
        return list(dict.fromkeys(tuple(sorted(group)) for group in groups))

    def worth(self, chosen: Sequence[int]) -> tuple[int, int, int, int]:
        """Smaller is better: boards kept whole, rings, lanes within, and lanes to the others, which are cut."""
        everything = range(len(self.numbers))
        rest = [place for place in everything if place not in chosen]
        # Those that had lost their partner before are no loss: a single device is best taken from them.
        lost = self.broken(rest) - self.broken(everything)
        if len(chosen) > 1:
            lost = max(0, lost) + self.broken(chosen)
        inside = sum(self.lanes[a][b] for a in chosen for b in chosen) // 2
        outside = sum(self.lanes[a][b] for a in chosen for b in rest)
        return lost, -self.rings(chosen), -inside, outside

    def _alone(self, place: int, chosen: Sequence[int]) -> bool:
        if self.numbers[place] < 0:
            return self.apart[place] > 0 or not self._partners(place) <= set(chosen)
        return self.kinds[place] == BOARD and self.numbers[place] ^ 1 not in [self.numbers[one] for one in chosen]

    def _partners(self, place: int) -> set[int]:
        if self.numbers[place] < 0:
            return set(self.partners[place])
        if self.kinds[place] != BOARD:
            return set()
        return {one for one, number in enumerate(self.numbers) if number == self.numbers[place] ^ 1}


def wiring(devices: Sequence[Device]) -> Wiring:
    """The wiring of devices of one node; a link that only one end knows of counts as that end says."""
    place = {device.uuid: at for at, device in enumerate(devices)}
    said = [{link.peer: link for link in device.links} for device in devices]
    boards = [[peer for peer, link in links.items() if link.kind is LinkKind.BOARD] for links in said]
    return Wiring(
        numbers=tuple(-1 if device.links else device.index for device in devices),
        kinds=tuple(kind_of(device.model.name) for device in devices),
        lanes=tuple(tuple(_between(said, devices, one, other) for other in place.values()) for one in place.values()),
        partners=tuple(tuple(place[peer] for peer in board if peer in place) for board in boards),
        apart=tuple(sum(peer not in place for peer in board) for board in boards),
    )


def kind_of(name: str) -> tuple[str, ...]:
    """The kind of a product."""
    return next((kind for kind in (SPIDER, BOARD) if any(part in name for part in kind)), ())


def _between(said: Sequence[dict[str, Link]], devices: Sequence[Device], one: int, other: int) -> int:
    """Lanes by what both ends say: a link that is down at one end is no link."""
    if one == other:
        return 0
    ends = (said[one].get(devices[other].uuid), said[other].get(devices[one].uuid))
    return min((_lanes(link) for link in ends if link is not None), default=0)


def _lanes(link: Link) -> int:
    if link.kind is LinkKind.BOARD:
        return INNER
    return link.lanes if link.kind is LinkKind.DIRECT else 0


def _aligned(numbers: Sequence[int]) -> bool:
    first, size = min(numbers), len(numbers)
    return size & (size - 1) == 0 and first % size == 0 and sorted(numbers) == list(range(first, first + size))


def _ring(lanes: Lanes, chosen: Sequence[int]) -> list[int]:
    """A ring through all, by lanes that are left; nothing when there is none."""
    if any(sum(lanes[a, b] > 0 for b in chosen if b != a) < 2 for a in chosen):
        return []
    return _extended(lanes, [chosen[0]], set(chosen[1:]))


def _extended(lanes: Lanes, path: list[int], left: set[int]) -> list[int]:
    if not left:
        return path if lanes[path[-1], path[0]] > 0 else []
    for following in sorted(left, key=lambda place: (-lanes[path[-1], place], place)):
        if lanes[path[-1], following] <= 0:
            break
        found = _extended(lanes, [*path, following], left - {following})
        if found:
            return found
    return []
