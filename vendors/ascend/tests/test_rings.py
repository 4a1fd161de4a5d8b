"""Which sets of chips may serve: rings of 910A, boxes of 910B, modules of 910C."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import msgspec
import pytest
from hetero_ascend.chips import CHIPS, FAMILIES
from hetero_ascend.rings import complaint, place, rounded, sets
from hetero_ascend.splitting import NpuSplitting
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.ask import Ask
from hetero.model.device import Device
from hetero.model.share import Refusal

splitting = NpuSplitting()


def node(family: str, places: Iterable[int], *, files: bool = True) -> list[Device]:
    """Chips at these places of a board; their indices are their order, as a driver lists them."""
    chip = FAMILIES[family]
    model = splitting.model(chip.products[0], chip.memory)
    return [
        Device(uuid=f"npu-{number}", index=index, model=model, paths=(f"/dev/davinci{number}",) if files else ())
        for index, number in enumerate(places)
    ]


def chosen(family: str, places: Iterable[int], count: int, **ask: object) -> list[tuple[int, ...]]:
    """The places of each set, in the order in which they are tried; the ask is for whole chips."""
    asked = Ask(vendor="ascend", family=family, count=count, cores=100, **ask)  # type: ignore[arg-type]
    found = sets(node(family, places), asked)
    assert found is not None
    return [tuple(place(device) for device in devices) for devices in found]


@pytest.mark.parametrize(("count", "number"), [(1, 8), (2, 12), (3, 0), (4, 2), (5, 0), (6, 0), (7, 0), (8, 1)])
def test_sets_of_a_910a_server(count: int, number: int) -> None:
    """1, 2, 4 or 8: up to four in one ring, and no other number."""
    found = chosen("Ascend910A", range(8), count)
    assert len(found) == number
    if count <= 4:
        assert all(len({one // 4 for one in places}) == 1 for places in found)


@pytest.mark.parametrize(
    ("free", "count", "ring"),
    [
        ((0, 4, 5, 6), 1, 0),  # the ring with 1
        ((0, 1, 4, 5, 6), 1, 1),  # 3 before 2
        ((0, 1, 2, 3, 4, 5), 1, 1),  # 2 before 4
        ((0, 1, 4, 5, 6), 2, 0),  # 2 before 3
        ((0, 1, 2, 3, 4, 5, 6), 2, 0),  # 4 before 3
        ((0, 1, 2, 4, 5, 6, 7), 4, 1),  # only a whole ring has 4
    ],
)
def test_the_most_welcome_ring_is_tried_first(free: tuple[int, ...], count: int, ring: int) -> None:
    """The order of the vendor's own scheduler, which keeps rings of use for those who need more."""
    assert chosen("Ascend910A", free, count)[0][0] // 4 == ring


def test_three_free_in_each_ring_serve_no_four() -> None:
    """Six chips are free and a request of four waits: it would be torn over two rings."""
    assert chosen("Ascend910A", (0, 1, 2, 4, 5, 6), 4) == []


def test_eight_take_both_rings_whole() -> None:
    """A server in which one chip is taken has no eight."""
    assert chosen("Ascend910A", range(8), 8) == [tuple(range(8))]
    assert chosen("Ascend910A", range(7), 8) == []


@pytest.mark.parametrize("family", ["Ascend910B2", "Ascend910B3", "Ascend910B4", "Ascend910B4-1"])
@pytest.mark.parametrize(
    ("count", "one_box", "two_boxes"),
    [
        *((2, 28, 56), (3, 56, 112), (4, 70, 140), (5, 56, 112), (6, 28, 56), (7, 8, 16), (8, 1, 2)),
        *((9, 0, 0), (10, 0, 56), (11, 0, 0), (12, 0, 28), (13, 0, 0), (14, 0, 8), (15, 0, 0), (16, 0, 1)),
    ],
)
def test_sets_of_910b_servers(family: str, count: int, one_box: int, two_boxes: int) -> None:
    """Any of a box of eight; of two boxes up to eight in one, more of both evenly and in the same positions."""
    assert len(chosen(family, range(8), count)) == one_box
    found = chosen(family, range(16), count)
    assert len(found) == two_boxes
    for places in found:
        low, high = ({one % 8 for one in places if one // 8 == box} for box in (0, 1))
        assert low == high or not low or not high


def test_the_fuller_box_is_used_up_first() -> None:
    """Two chips come from the box that has three left, and the other stays whole."""
    first = chosen("Ascend910B3", [*range(8), 9, 12, 15], 2)[0]
    assert first == (9, 12)


def test_a_single_chip_needs_no_set() -> None:
    """Any chip of a box serves one; any share of a chip does on every board."""
    assert sets([], Ask(vendor="ascend", family="Ascend910B3", count=1, cores=100)) is None
    for chip in CHIPS:
        assert sets([], Ask(vendor="ascend", family=chip.family, count=1, memory=1)) is None


@pytest.mark.parametrize("count", range(1, 17))
def test_sets_of_910c_are_whole_modules(count: int) -> None:
    """Both dies of each module, so even numbers alone."""
    modules = [(2 * one, 2 * one + 1) for one in range(8)]
    if count == 1:
        return  # a part of a die, or two: see the words that pods may write
    found = chosen("Ascend910C", range(16), count)
    if count % 2:
        assert found == []
        return
    assert [_pairs(places) for places in found] == [*itertools.combinations(modules, count // 2)]


def _pairs(places: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(places[at : at + 2]) for at in range(0, len(places), 2))


def test_a_module_with_a_taken_die_serves_no_pair() -> None:
    """Dies 1 and 2 are neighbours by number and of two modules."""
    assert chosen("Ascend910C", (1, 2), 2) == []
    assert chosen("Ascend910C", (1, 2, 3), 2) == [(2, 3)]


@pytest.mark.parametrize("family", ["Ascend310P", "Ascend950"])
def test_other_boards_have_no_rule(family: str) -> None:
    """Any chips of the node serve."""
    assert all(sets([], Ask(vendor="ascend", family=family, count=count)) is None for count in range(1, 9))


def test_places_hold_when_a_chip_is_missing() -> None:
    """The driver no longer lists chip 2: those behind it keep their rings, though their indices moved."""
    devices = node("Ascend910A", [0, 1, 3, 4, 5, 6, 7])
    assert [place(device) for device in devices] == [0, 1, 3, 4, 5, 6, 7]
    [found] = sets(devices, Ask(vendor="ascend", family="Ascend910A", count=4, cores=100)) or ()
    assert [place(device) for device in found] == [4, 5, 6, 7]


def test_the_index_is_the_place_where_there_are_no_files() -> None:
    """A described cluster has the same rings."""
    devices = node("Ascend910A", range(8), files=False)
    found = list(sets(devices, Ask(vendor="ascend", family="Ascend910A", count=4, cores=100)) or ())
    assert [[device.index for device in one] for one in found] == [[0, 1, 2, 3], [4, 5, 6, 7]]


@pytest.mark.parametrize(
    ("family", "bad"),
    [("Ascend910A", {3, 5, 6, 7, 9, 16}), ("Ascend910B3", {9, 11, 17}), ("Ascend910C", {1, 3, 15, 17})],
)
def test_numbers_that_no_board_gives_are_refused_with_those_that_it_does(family: str, bad: set[int]) -> None:
    """The planner hears it from splitting as well, with a sentence."""
    chip = FAMILIES[family]
    model = splitting.model(chip.products[0], chip.memory)
    for count in bad:
        assert "write" in complaint(family, count)
        found = splitting.split(model, Ask(vendor="ascend", family=family, count=count, cores=100))
        assert isinstance(found, Refusal)
        assert complaint(family, count) in found.message
    assert not any(complaint(family, count) for count in (2, 4, 8))


def test_a_single_die_takes_its_neighbour_along() -> None:
    """Only on modules of two."""
    assert [rounded("Ascend910C", count) for count in (1, 2, 3, 4)] == [2, 2, 3, 4]
    assert [rounded("Ascend910A", count) for count in (1, 2, 3)] == [1, 2, 3]


@given(
    st.sampled_from(["Ascend910A", "Ascend910B3", "Ascend910C"]),
    st.sets(st.integers(0, 15)),
    st.integers(2, 8),
    st.randoms(use_true_random=False),
)
def test_sets_of_few_are_those_of_all_that_lie_within(family: str, free: set[int], count: int, random: object) -> None:
    """Whether a set may serve hangs on the set alone, whatever the order in which chips are offered."""
    full = 8 if family == "Ascend910A" else 16
    places = [one for one in sorted(free) if one < full]
    random.shuffle(places)  # type: ignore[attr-defined]
    few = {frozenset(one) for one in chosen(family, places, count)}
    everything = {frozenset(one) for one in chosen(family, range(full), count)}
    assert few == {one for one in everything if one <= set(places)}


def test_links_and_order_of_the_devices_are_left_alone() -> None:
    """Asking changes nothing of what was given."""
    devices = node("Ascend910B3", range(8))
    before = [msgspec.structs.replace(device) for device in devices]
    list(sets(devices, Ask(vendor="ascend", family="Ascend910B3", count=4, cores=100)) or ())
    assert devices == before
