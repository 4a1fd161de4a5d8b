"""Which GPUs of a node are taken together: machines as people have them, and any wiring against all its sets."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import pytest
from hetero_nvidia.sets import EXACT, Nearness, alike, best_set, nearness, sets_of
from hetero_nvidia.splitting import GpuSplitting, gpu_model
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.model.device import Device, Link, LinkKind

Path = Callable[[int, int], tuple[LinkKind, int]]

MODEL = gpu_model("NVIDIA X", 1000)

# NVLinks between the eight GPUs of a machine whose cards are wired as a cube, each with six.
CUBE = {
    frozenset(pair): lanes
    for lanes, pairs in {
        1: [(0, 1), (0, 2), (1, 3), (2, 3), (4, 5), (4, 6), (5, 7), (6, 7)],
        2: [(0, 3), (0, 4), (1, 2), (1, 5), (2, 6), (3, 7), (4, 7), (5, 6)],
    }.items()
    for pair in pairs
}


def cube(one: int, other: int) -> tuple[LinkKind, int]:
    """Two squares of four, whose corners are linked."""
    lanes = CUBE.get(frozenset((one, other)), 0)
    return (LinkKind.DIRECT, lanes) if lanes else (LinkKind.SYSTEM, 0)


def pairs(one: int, other: int) -> tuple[LinkKind, int]:
    """Cards bridged in pairs, four pairs on each of two processors."""
    if one // 2 == other // 2:
        return LinkKind.DIRECT, 4
    return (LinkKind.NUMA if one // 8 == other // 8 else LinkKind.SYSTEM), 0


def tree(one: int, other: int) -> tuple[LinkKind, int]:
    """Two cards on a board, four behind a bridge, eight on a processor."""
    kinds = ((2, LinkKind.BOARD), (4, LinkKind.BRIDGE), (8, LinkKind.NUMA), (16, LinkKind.SYSTEM))
    return next(kind for size, kind in kinds if one // size == other // size), 0


def switched(one: int, other: int) -> tuple[LinkKind, int]:
    """All behind one switch."""
    return LinkKind.SWITCH, 0


def machine(count: int, path: Path) -> list[Device]:
    """GPUs ``0`` to ``count`` - 1 with a path between each two."""

    def links(one: int) -> tuple[Link, ...]:
        found = ((str(other), *path(one, other)) for other in range(count) if other != one)
        return tuple(Link(peer=peer, kind=kind, lanes=lanes) for peer, kind, lanes in found)

    return [Device(uuid=str(one), index=one, model=MODEL, links=links(one)) for one in range(count)]


def chosen(devices: Sequence[Device], count: int) -> list[int]:
    """The indexes of the best set."""
    return [device.index for device in best_set(devices, count)]


@pytest.mark.parametrize(
    ("path", "size", "count", "best"),
    [
        (pairs, 16, 2, [0, 1]),
        (pairs, 16, 4, [0, 1, 2, 3]),
        (pairs, 16, 8, list(range(8))),
        (tree, 16, 2, [0, 1]),
        (tree, 16, 3, [0, 1, 2]),
        (tree, 16, 8, list(range(8))),
        (cube, 8, 2, [0, 3]),
        (cube, 8, 4, [0, 3, 4, 7]),
    ],
)
def test_islands_are_found(path: Path, size: int, count: int, best: list[int]) -> None:
    """On an idle machine the set is an island or a part of one, the first of those that are equal."""
    assert chosen(machine(size, path), count) == best


def test_two_direct_links_are_nearer_than_one() -> None:
    """And one is nearer than any path without."""
    order = [
        (LinkKind.DIRECT, 2),
        (LinkKind.DIRECT, 1),
        (LinkKind.SWITCH, 0),
        (LinkKind.BOARD, 0),
        (LinkKind.BRIDGE, 0),
        (LinkKind.NUMA, 0),
        (LinkKind.SYSTEM, 0),
    ]
    for better, worse in itertools.pairwise(order):
        devices = machine(4, lambda one, other, b=better, w=worse: b if {one, other} == {2, 3} else w)  # type: ignore[misc]
        assert chosen(devices, 2) == [2, 3], (better, worse)


def test_a_single_gpu_comes_from_the_remains_of_an_island() -> None:
    """Whole pairs are left for those who need them."""
    assert chosen(machine(16, pairs)[1:], 1) == [1]
    assert chosen(machine(16, tree)[3:], 1) == [3]


def test_a_pair_comes_from_the_remains_of_a_larger_island() -> None:
    """Of equal pairs the one whose neighbours are taken anyway."""
    devices = machine(16, tree)
    assert chosen([*devices[4:], *devices[2:4]], 2) == [2, 3]


def test_of_equal_sets_the_planners_order_decides() -> None:
    """The devices that it likes best stand first, and the set is in their order."""
    devices = machine(4, pairs)
    assert chosen(devices[::-1], 2) == [3, 2]
    assert chosen([devices[3], devices[0], devices[1], devices[2]], 2) == [3, 2]


@pytest.mark.parametrize("count", [1, 2, 8])
def test_where_all_are_linked_alike_the_planner_decides(count: int) -> None:
    """Behind a switch any set is as good as another."""
    assert list(GpuSplitting().combinations(machine(8, switched), count)) == []


def test_all_of_the_devices_are_one_set() -> None:
    """Nothing is to be chosen."""
    assert best_set(machine(8, cube), 8) == ()
    assert best_set(machine(1, cube), 1) == ()


def test_the_vendor_offers_the_best_set() -> None:
    """One, for nothing would be gained by a worse one."""
    [found] = GpuSplitting().combinations(machine(4, pairs), 2)
    assert [device.index for device in found] == [0, 1]


def test_a_described_cluster_has_numa_nodes_only() -> None:
    """Without any link two on one NUMA node are nearer; without NUMA nodes all are alike."""
    numas = (0, 1, 1, 0)
    devices = [Device(uuid=str(index), index=index, model=MODEL, numa=numa) for index, numa in enumerate(numas)]
    assert chosen(devices[1:], 2) == [1, 2]
    assert best_set([Device(uuid=str(index), index=index, model=MODEL) for index in range(4)], 2) == ()


def test_a_link_that_is_down_at_one_end_is_none() -> None:
    """The worse of two words holds; a device that says nothing leaves it to its peer."""
    near = Device(uuid="a", index=0, model=MODEL, links=(Link(peer="b", kind=LinkKind.DIRECT, lanes=4),))
    far = Device(uuid="b", index=1, model=MODEL, links=(Link(peer="a", kind=LinkKind.SYSTEM),))
    mute = Device(uuid="b", index=1, model=MODEL)
    assert nearness([near, far]) == nearness([far, near]) == [[0, 10], [10, 0]]
    assert nearness([near, mute]) == nearness([mute, near]) == [[0, 400], [400, 0]]


def test_gpus_that_are_wired_alike_are_one_kind() -> None:
    """So there are few sets to compare on machines that are built in a pattern."""
    assert alike(nearness(machine(16, pairs))) == [[first, first + 1] for first in range(0, 16, 2)]
    assert [sets_of([[0] * 8, [0] * 8], count) for count in (1, 2, 8, 16, 17)] == [2, 3, 9, 1, 0]
    assert sets_of([[one] for one in range(8)], 4) == 70


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(1, 8))
def test_sets_by_kind_are_counted(sizes: list[int], count: int) -> None:
    """As many as there are ways to take so many of each kind."""
    kinds = [[0] * size for size in sizes]
    ways = itertools.product(*(range(size + 1) for size in sizes))
    assert sets_of(kinds, count) == sum(sum(way) == count for way in ways)


def _random(size: int, seed: int, values: Sequence[tuple[LinkKind, int]]) -> list[Device]:
    chance = random.Random(seed)
    paths = {frozenset(pair): chance.choice(values) for pair in itertools.combinations(range(size), 2)}
    return machine(size, lambda one, other: paths[frozenset((one, other))])


def _worth(near: Nearness, positions: Sequence[int]) -> tuple[int, float, int]:
    """How good a set is, said plainly."""
    between = [near[one][other] for one, other in itertools.combinations(positions, 2)]
    return sum(between), min(between, default=float("inf")), -sum(sum(near[one]) for one in positions)


_PATHS = st.sampled_from(
    [
        [(LinkKind.DIRECT, 1), (LinkKind.SYSTEM, 0)],
        [(LinkKind.DIRECT, 2), (LinkKind.DIRECT, 1), (LinkKind.BRIDGE, 0), (LinkKind.SYSTEM, 0)],
        [(LinkKind.SWITCH, 0), (LinkKind.BOARD, 0), (LinkKind.NUMA, 0)],
        [(LinkKind.NUMA, 0)],
    ]
)


@settings(deadline=None, max_examples=200)
@given(st.integers(2, 8), st.integers(0, 2**32), _PATHS, st.data())
def test_the_best_of_all_sets_is_found(
    size: int, seed: int, paths: list[tuple[LinkKind, int]], data: st.DataObject
) -> None:
    """However eight GPUs are wired, no set of any size is better than the one that is named."""
    devices = _random(size, seed, paths)
    count = data.draw(st.integers(1, size))
    near = nearness(devices)
    worths = [_worth(near, positions) for positions in itertools.combinations(range(size), count)]
    found = chosen(devices, count)
    if found:
        assert _worth(near, found) == max(worths)
        assert found == sorted(set(found))
        assert len(found) == count
    else:
        assert len(set(worths)) == 1


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32))
def test_a_good_set_is_found_where_not_all_can_be_compared(seed: int) -> None:
    """Fourteen GPUs wired at random have more sets than are compared: what is taken is within a tenth of the best."""
    paths = [(LinkKind.DIRECT, 2), (LinkKind.DIRECT, 1), (LinkKind.BRIDGE, 0), (LinkKind.SYSTEM, 0)]
    devices = _random(14, seed, paths)
    near = nearness(devices)
    assert sets_of(alike(near), 7) > EXACT
    found = chosen(devices, 7)
    assert len(set(found)) == 7
    best = max(_worth(near, positions) for positions in itertools.combinations(range(14), 7))
    assert _worth(near, found)[0] >= 0.9 * best[0]


def test_many_gpus_without_a_pattern_are_answered() -> None:
    """A machine that nobody has yet is no reason to stand still."""
    devices = _random(32, 1, [(LinkKind.DIRECT, 1), (LinkKind.NUMA, 0), (LinkKind.SYSTEM, 0)])
    assert sets_of(alike(nearness(devices)), 16) > EXACT
    assert len(set(chosen(devices, 16))) == 16
