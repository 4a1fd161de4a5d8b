"""Which cards of a node go together."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from hetero_hygon.sets import COMPARED, best_first, nearness
from hetero_hygon.splitting import dcu_model
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.device import Device, Link, LinkKind

MODEL = dcu_model("K100_AI", 65520, 120)


def cards(count: int, direct: dict[tuple[int, int], int] | None = None, per_node: int = 4) -> list[Device]:
    """Cards on NUMA nodes of so many each, with direct links between the named pairs."""
    lanes = {**(direct or {}), **{(two, one): number for (one, two), number in (direct or {}).items()}}
    numa = [index // per_node for index in range(count)]

    def link(one: int, two: int) -> Link:
        if (one, two) in lanes:
            return Link(peer=f"DCU-{two}", kind=LinkKind.DIRECT, lanes=lanes[one, two])
        return Link(peer=f"DCU-{two}", kind=LinkKind.NUMA if numa[one] == numa[two] else LinkKind.SYSTEM)

    return [
        Device(
            uuid=f"DCU-{one}",
            index=one,
            model=MODEL,
            numa=numa[one],
            links=tuple(link(one, two) for two in range(count) if two != one),
        )
        for one in range(count)
    ]


def first(devices: list[Device], count: int) -> list[int]:
    """Indices of the best set."""
    return [device.index for device in next(iter(best_first(devices, count)), ())]


def test_linked_cards_go_together() -> None:
    """Two of eight: the pair with a direct link, wherever it is."""
    assert first(cards(8, {(2, 7): 1}), 2) == [2, 7]


def test_more_lanes_are_nearer() -> None:
    """Of two linked pairs the one with more lanes."""
    assert first(cards(4, {(0, 1): 1, (2, 3): 3}), 2) == [2, 3]


def test_without_links_the_numa_node_counts() -> None:
    """Four of eight on two nodes are those of one node, in a described cluster too, which has no links."""
    bare = [msgspec.structs.replace(device, links=()) for device in cards(8)]
    assert first(bare, 4) == [0, 1, 2, 3]
    assert first(bare[2:], 4) == [4, 5, 6, 7]


@pytest.mark.parametrize("count", range(1, 9))
def test_alike_cards_need_no_order(count: int) -> None:
    """Where all are equally near, the planner takes its own order."""
    assert list(best_first(cards(8, per_node=8), count)) == []


def test_one_card_is_the_one_that_leaves_pairs_whole() -> None:
    """The card without a partner goes first to who needs one."""
    assert first(cards(3, {(0, 1): 2}, per_node=3), 1) == [2]


@pytest.mark.parametrize("count", range(1, 9))
def test_all_sets_of_eight_are_compared(count: int) -> None:
    """Eight cards have 70 sets of four at most, so the best is the best."""
    devices = cards(8, {(0, 5): 1, (5, 6): 2, (6, 7): 1, (0, 7): 1})
    found = list(best_first(devices, count))
    near = nearness(devices)
    assert len(found) == math.comb(8, count)

    def sum_of(indices: tuple[int, ...]) -> int:
        return sum(near[one][two] for one, two in itertools.combinations(indices, 2))

    best = max(sum_of(chosen) for chosen in itertools.combinations(range(8), count))
    assert sum_of(tuple(device.index for device in found[0])) == best


def test_a_node_of_many_cards_is_not_searched_for_ever() -> None:
    """Sixteen cards have 12870 sets of eight: they are grown, and the linked ones are found."""
    ring = {(one, (one + 1) % 8): 2 for one in range(8)}
    found = list(best_first(cards(16, ring, per_node=16), 8))
    assert 0 < len(found) <= 16 < COMPARED
    assert [device.index for device in found[0]] == list(range(8))


@given(
    count=st.integers(2, 10),
    pairs=st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1])),
    asked=st.integers(1, 10),
)
def test_sets_are_sets_of_what_is_offered(count: int, pairs: set[tuple[int, int]], asked: int) -> None:
    """Each of the size that was asked, none twice, and in the given order within."""
    devices = cards(count, {pair: 1 for pair in pairs if pair[1] < count})
    found = list(best_first(devices, min(asked, count)))
    assert len({frozenset(device.uuid for device in one) for one in found}) == len(found)
    for one in found:
        assert [device.index for device in one] == sorted({device.index for device in one})
        assert len(one) == min(asked, count)
