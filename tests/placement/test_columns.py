"""Arrays that grow, rows that are given out and taken back, and charges that stand on nothing."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.placement.columns import Blocks, among, distinct, grown
from hetero.placement.strays import Strays

NUMBERS = st.lists(st.integers(-5, 5), max_size=20)


def test_growing_keeps_what_was_there_and_is_rarely_needed() -> None:
    """One by one costs a constant time each: the array at least doubles."""
    array, made = np.zeros((2, 0), dtype=np.int64), 0
    for size in range(1, 1000):
        larger = grown(array, size)
        made += larger is not array
        array = larger
        array[:, size - 1] = size
    assert array[0, :999].tolist() == list(range(1, 1000))
    assert not array[:, 999:].any()
    assert made <= 8


@given(NUMBERS)
def test_distinct_values_in_order(numbers: list[int]) -> None:
    """Each once."""
    assert distinct(np.array(numbers, dtype=np.int64)) == sorted(set(numbers))


@given(NUMBERS, NUMBERS)
def test_membership(numbers: list[int], some: list[int]) -> None:
    """As ``in`` has it, for every value."""
    found = among(np.array(numbers, dtype=np.int64), np.array(sorted(some), dtype=np.int64))
    assert found.tolist() == [number in some for number in numbers]


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), max_size=60))
def test_no_row_is_given_to_two(steps: list[tuple[bool, int]]) -> None:
    """Rows that are taken back are given out again, and the idle ones are counted."""
    blocks = Blocks()
    held: list[tuple[int, int]] = []
    for take, size in steps:
        if take or not held:
            held.append((blocks.take(size), size))
        else:
            blocks.give(*held.pop(size % len(held)))
        rows = [row for start, length in held for row in range(start, start + length)]
        assert len(rows) == len(set(rows)) == blocks.extent - blocks.idle
        assert all(row < blocks.extent for row in rows)


def test_a_stray_charge_is_found_by_whoever_comes() -> None:
    """By node and device, or by dimension; and then it is no stray any more."""
    strays = Strays()
    for node, uuid, name, amount in (("a", "x", "memory", 5), ("a", "y", "memory", 7), ("b", "x", "rings", 2)):
        strays.add(node, uuid, name, amount)
    assert len(strays) == 3
    assert list(strays.pop_devices("a", {"x", "z"})) == [("x", {"memory": 5})]
    assert list(strays.pop_dimensions({"rings"})) == [("b", "x", "rings", 2)]
    assert list(strays.pop_devices("b", {"x"})) == []
    assert len(strays) == 1


def test_what_is_given_back_leaves_no_trace() -> None:
    """Pods come and go on nodes that nobody knows, for as long as the scheduler runs."""
    strays = Strays()
    for sign in (1, -1):
        strays.add("a", "x", "memory", sign * 5)
        strays.add("a", "x", "cores", 0)
    assert (len(strays), strays._held) == (0, {})
