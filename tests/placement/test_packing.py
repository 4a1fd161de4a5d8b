"""The bound by which a search gives up early: never less than what truly fits, and just that where it can be told."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.placement.packing import Free, Packing, less, within

MANY = settings(max_examples=150, deadline=None)
AMOUNTS = st.tuples(st.integers(0, 3), st.integers(0, 5))
FREE = st.tuples(st.integers(-2, 9), st.integers(-2, 9))


def _one_by_one(ways: Sequence[Free], free: Free, limit: int) -> int:
    """Shares put on a device until none fits, by what a search would do."""
    if limit == 0:
        return 0
    return max((1 + _one_by_one(ways, less(free, way), limit - 1) for way in ways if within(way, free)), default=0)


@MANY
@given(AMOUNTS, FREE, st.integers(1, 6))
def test_shares_without_a_place_are_divided(amounts: Free, free: Free, limit: int) -> None:
    """By what is scarcest; a share that takes nothing fits as often as is asked."""
    if within(amounts, free):
        assert Packing({0: [amounts]}, idle=False).most(0, free, limit) == _one_by_one([amounts], free, limit)


@pytest.mark.parametrize("count", [2, 4, 11])
@MANY
@given(places=st.lists(st.sets(st.integers(0, 5), min_size=1, max_size=3), min_size=11, max_size=11), bits=st.data())
def test_shares_with_places_are_combined(count: int, places: list[set[int]], bits: st.DataObject) -> None:
    """The greatest set of ways that have no place in common and only free ones."""
    ways = [tuple(int(place in some) for place in range(6)) for some in places[:count]]
    free = tuple(bits.draw(st.lists(st.integers(0, 1), min_size=6, max_size=6)))
    fitting = [way for way in ways if within(way, free)]
    apart = [
        len(some)
        for size in range(1, min(6, len(fitting)) + 1)
        for some in combinations(fitting, size)
        if max(map(sum, zip(*some, strict=True))) <= 1
    ]
    assert Packing({0: ways}, idle=False).most(0, free, 20) == max(apart, default=0)


def test_of_very_many_ways_only_what_all_of_them_take_is_counted() -> None:
    """So that it takes no time; it is still no less than what fits."""
    ways = [(3, *(int(place == one) for place in range(20))) for one in range(20)]
    assert Packing({0: ways}, idle=False).most(0, (31, *[1] * 20), 64) == 10


def test_an_idle_device_gives_one_share() -> None:
    """Of which nothing is taken then."""
    assert Packing({7: [(1,)]}, idle=True).most(7, (9,), 5) == 1


def test_models_are_told_apart_and_no_more_than_the_limit_is_said() -> None:
    """What was found for one is not another's."""
    packing = Packing({0: [(2,)], 1: [(3,)]}, idle=False)
    assert [packing.most(model, (9,), limit) for model in (0, 1) for limit in (2, 9)] == [2, 4, 2, 3]
