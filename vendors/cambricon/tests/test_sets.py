"""Which sets of cards serve: rings, boards and policies, for 1 to 8 devices."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import pytest
from hetero_cambricon.sets import preferred, ruled
from hetero_cambricon.splitting import MluSplitting, mlu_model
from hetero_cambricon.wiring import wiring
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.ask import Ask
from hetero.model.device import Device, Link, LinkKind

SPLITTING = MluSplitting()
Pairs = dict[tuple[int, int], int]


def cards(count: int, lanes: Pairs, *, model: str = "MLU590-M9", boards: bool = False) -> list[Device]:
    """Devices with these lanes between them; of boards, 2n and 2n + 1 are on one."""
    both = {**lanes, **{(b, a): number for (a, b), number in lanes.items()}}

    def link(one: int, other: int) -> Link:
        if boards and one // 2 == other // 2:
            return Link(peer=f"MLU-{other}", kind=LinkKind.BOARD)
        number = both.get((one, other), 0)
        return Link(peer=f"MLU-{other}", kind=LinkKind.DIRECT if number else LinkKind.NUMA, lanes=number)

    return [
        Device(
            uuid=f"MLU-{one}",
            index=one,
            model=mlu_model(model, 32768),
            links=tuple(link(one, other) for other in range(count) if other != one),
        )
        for one in range(count)
    ]


def spider() -> list[Device]:
    """Two groups of four, in which each is joined to each other by two lanes; opposite cards by one."""
    within = {(a, b): 2 for group in (range(4), range(4, 8)) for a, b in itertools.combinations(group, 2)}
    return cards(8, {**within, **{(a, a + 4): 1 for a in range(4)}}, model="MLU290-M5")


def boards(count: int = 8) -> list[Device]:
    """Boards of two chips, one after the other in a ring."""
    half = count // 2
    along = {(2 * n + side, (2 * n + 2) % count + side): 1 for n in range(half) for side in (0, 1)} if half > 2 else {}
    return cards(count, along or {(0, 2): 1, (1, 3): 1}, model="MLU370-X8", boards=True)


def bare(count: int, model: str = "MLU590-M9") -> list[Device]:
    """Devices of a described cluster, which say nothing of their ports."""
    return [Device(uuid=f"MLU-{one}", index=one, model=mlu_model(model, 32768)) for one in range(count)]


def numbers(sets: Sequence[Sequence[Device]]) -> list[tuple[int, ...]]:
    """The devices' numbers."""
    return [tuple(device.index for device in one) for one in sets]


def allowed(devices: list[Device], count: int, policy: str) -> list[tuple[int, ...]]:
    """What the rule gives for an ask of a pod."""
    sets = SPLITTING.sets(devices, Ask(vendor="cambricon", count=count, sets=policy))
    assert sets is not None
    return numbers(list(sets))


def test_a_rule_hangs_on_the_policy_alone() -> None:
    """Without one any set may serve; with one it is a rule even where there is no device."""
    assert SPLITTING.sets(spider(), Ask(vendor="cambricon", count=2)) is None
    for policy in ("restricted", "guaranteed"):
        assert allowed([], 2, policy) == []


@pytest.mark.parametrize(
    ("count", "guaranteed", "restricted"),
    [(1, 8, 8), (2, 16, 12), (3, 0, 0), (4, 8, 2), (5, 0, 0), (6, 0, 0), (7, 0, 0), (8, 1, 1)],
)
def test_rings_of_a_spider(count: int, guaranteed: int, restricted: int) -> None:
    """Restricted wants two lanes between two cards, and four rings through four, which only a group has."""
    assert len(allowed(spider(), count, "guaranteed")) == guaranteed
    assert len(allowed(spider(), count, "restricted")) == restricted
    if count == 4:
        assert sorted(allowed(spider(), 4, "restricted")) == [(0, 1, 2, 3), (4, 5, 6, 7)]
        assert set(allowed(spider(), 4, "guaranteed")[:2]) == {(0, 1, 2, 3), (4, 5, 6, 7)}


@pytest.mark.parametrize(
    ("count", "guaranteed", "restricted"),
    [(1, 8, 8), (2, 12, 4), (3, 0, 0), (4, 6, 4), (5, 0, 0), (6, 0, 0), (7, 0, 0), (8, 1, 1)],
)
def test_rings_of_boards(count: int, guaranteed: int, restricted: int) -> None:
    """Restricted takes whole boards: two chips of one, two or four boards that are neighbours."""
    found = allowed(boards(), count, "guaranteed")
    assert len(allowed(boards(), count, "restricted")) == restricted
    assert len(found) == guaranteed
    if count == 2:
        assert found[:4] == [(0, 1), (2, 3), (4, 5), (6, 7)]
    if count == 4:
        assert (0, 1, 2, 3) in found
        assert (0, 1, 4, 5) not in found


@pytest.mark.parametrize("policy", ["restricted", "guaranteed"])
@pytest.mark.parametrize("model", ["MLU590-M9", "MLU290-M5", "MLU370-X8"])
@pytest.mark.parametrize("count", range(1, 9))
def test_without_ports_aligned_numbers_are_rings(policy: str, model: str, count: int) -> None:
    """In a described cluster: blocks of 2, 4 and 8 as servers are built, and none of another size."""
    expected = [tuple(range(start, start + count)) for start in range(0, 8, count)] if count in (1, 2, 4, 8) else []
    assert sorted(allowed(bare(8, model), count, policy)) == expected


def test_cards_without_mlulink_have_no_rings() -> None:
    """They say how they reach each other, and it is not by MLULink."""
    assert allowed(cards(4, {}), 2, "guaranteed") == []
    assert len(allowed(cards(4, {}), 1, "guaranteed")) == 4


def test_devices_that_can_be_in_a_ring_are_those_with_enough_lanes() -> None:
    """An end of a chain is in none of three or more, and then neither is the one before it."""
    chain, ring = {(0, 1): 1, (1, 2): 1, (2, 3): 1}, {(0, 1): 1, (1, 2): 1, (0, 2): 1}
    assert [wiring(cards(4, chain)).ringed(count) for count in (1, 2, 4)] == [4, 4, 0]
    assert [wiring(cards(5, {**ring, (2, 3): 1})).ringed(count) for count in (1, 2, 4)] == [5, 4, 3]
    assert wiring(bare(4)).ringed(4) == 4
    assert allowed(cards(16, {}), 8, "guaranteed") == []


def test_a_link_that_is_down_at_one_end_is_none() -> None:
    """The other end has not noticed yet."""
    first, second = cards(2, {(0, 1): 2})
    cut = msgspec.structs.replace(second, links=(Link(peer="MLU-0", kind=LinkKind.NUMA),))
    assert allowed([first, second], 2, "guaranteed") == [(0, 1)]
    assert allowed([first, cut], 2, "guaranteed") == []


@given(
    st.sets(st.integers(0, 7), max_size=8), st.sampled_from([1, 2, 4, 8]), st.sampled_from(["restricted", "guaranteed"])
)
def test_a_set_is_allowed_by_itself(offered: set[int], count: int, policy: str) -> None:
    """What else is free changes neither whether a set may serve nor that it is given."""
    for whole in (spider(), boards(), bare(8, "MLU370-X8")):
        some = [device for device in whole if device.index in offered]
        inside = {one for one in map(frozenset, allowed(whole, count, policy)) if one <= offered}
        given_ = allowed(some, count, policy)
        assert set(map(frozenset, given_)) == inside
        assert len(given_) == len(inside)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_sixteen_chips_are_answered_soon(count: int) -> None:
    """8 of 16 are 12870 sets: those of whole boards come first, and all others follow."""
    devices = boards(16)
    sets = SPLITTING.sets(devices, Ask(vendor="cambricon", count=count, sets="guaranteed"))
    assert sets is not None
    [first] = numbers(list(itertools.islice(sets, 1)))
    assert first == tuple(range(count))
    assert numbers(SPLITTING.combinations(devices, count)) == [first]


def test_best_effort_prefers_rings_and_whole_boards() -> None:
    """A preference: the best one, and nothing where all are alike."""
    assert numbers(preferred(spider(), 4)) == [(0, 1, 2, 3)]
    assert numbers(preferred(spider()[2:], 4)) == [(4, 5, 6, 7)]
    assert numbers(preferred(boards(), 2)) == [(0, 1)]
    assert numbers(preferred(boards()[1:], 2)) == [(2, 3)]
    assert numbers(preferred(boards()[::2], 2)) != []
    assert preferred(cards(4, {}), 2) == ()
    assert preferred(cards(4, {}), 4) == ()


def test_a_single_card_leaves_boards_whole() -> None:
    """It is taken from a board whose other chip is taken already."""
    assert numbers(preferred([*boards()[:2], *boards()[3:]], 1)) == [(3,)]
    assert numbers(preferred(bare(8, "MLU370-X8")[1:], 1)) == [(1,)]


@pytest.mark.parametrize("count", [1, 3, 5, 6, 7])
def test_any_number_is_served_as_well_as_can_be(count: int) -> None:
    """A preference has no sizes."""
    for devices in (spider(), boards(), bare(8)):
        for chosen in SPLITTING.combinations(devices, count):
            assert len({device.uuid for device in chosen}) == count


def test_rings_are_counted_by_lanes_and_directions() -> None:
    """Two cards: their lanes. More: twice the rings that share no lane, as each is run both ways."""
    pair, square = cards(2, {(0, 1): 3}), cards(4, {(0, 1): 1, (1, 2): 1, (2, 3): 1, (0, 3): 1})
    assert wiring(pair).rings((0, 1)) == 3
    assert wiring(square).rings((0, 1, 2, 3)) == 2
    assert wiring(square).rings((0, 2)) == 0
    assert wiring(spider()).rings((0, 1, 2, 3)) == 6
    assert wiring(cards(4, {(0, 1): 9, (1, 2): 9, (2, 3): 9})).rings((0, 1, 2, 3)) == 0


def test_nodes_that_are_built_alike_are_thought_about_once() -> None:
    """A wiring has no identities in it."""
    other = [msgspec.structs.replace(one, uuid=f"other-{one.uuid}", links=_renamed(one)) for one in spider()]
    assert wiring(other) == wiring(spider())


def _renamed(device: Device) -> tuple[Link, ...]:
    return tuple(msgspec.structs.replace(link, peer=f"other-{link.peer}") for link in device.links)


@given(st.lists(st.sampled_from(["MLU590-H8", "MLU290-M5", "MLU370-S4"]), min_size=2, max_size=8))
def test_mixed_models_are_sets_like_others(models: list[str]) -> None:
    """Nobody builds such a node; if there is one, sets are of what is offered and distinct."""
    devices = [
        msgspec.structs.replace(one, model=mlu_model(name, 1024)) for one, name in zip(spider(), models, strict=False)
    ]
    for count, policy in itertools.product((1, 2, 4), ("restricted", "guaranteed")):
        for chosen in ruled(devices, count, policy):
            assert len({one.uuid for one in chosen}) == count
            assert all(one in devices for one in chosen)
