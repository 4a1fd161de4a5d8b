"""Places on a device: which alternative is taken, and that a vendor's are taken only where they are such."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hetero.model.ask import Ask
from hetero.model.device import MEMORY, SLOTS, Device, DeviceModel, Inventory, Node, Quantities
from hetero.model.placement import Placement
from hetero.model.share import Share
from hetero.placement.fit import Fit, Need
from hetero.placement.ledger import Ledger
from hetero.placement.ways import MOST_WAYS, alternatives
from hetero.testing.fake import FakeSplitting, fake_vendor
from tests.placement.chips import Placed

MANY = settings(max_examples=150, deadline=None)
PLACED = Placed("fake")
VENDORS = {"fake": fake_vendor(splitting=PLACED)}


def _device(index: int = 0, memory: int = 800) -> Device:
    return Device(uuid=f"d{index}", index=index, model=PLACED.model("P", memory))


def _shares(places: Sequence[Sequence[int]], **same: int) -> list[Share]:
    return [Share(quantities={**same, **{f"place-{place}": 1 for place in some}}) for some in places]


# Holding a vendor to its word

MODEL = DeviceModel(
    vendor="fake", name="P", capacity={SLOTS: 4, MEMORY: 800, **{f"place-{place}": 1 for place in range(4)}, "wide": 9}
)


def test_alternatives_are_taken_in_their_order_and_once() -> None:
    """The share itself comes first, whether it is among them or not."""
    one, two, three = _shares([[0], [1], [2]], memory=100)
    assert alternatives(MODEL, one, [two, one, three, two]) == (one, two, three)
    assert alternatives(MODEL, one, []) == (one,)


@pytest.mark.parametrize(
    ("quantities", "told"),
    [
        ({MEMORY: 200, "place-1": 1}, "differs in memory"),
        ({MEMORY: 100, "place-1": 1, "place-2": 1}, "takes 102 in all instead of 101"),
        ({MEMORY: 100}, "takes 100 in all instead of 101"),
        ({MEMORY: 100, "wide": 1}, "differs in wide"),
        ({MEMORY: 100, "unknown": 1}, "differs in unknown"),
        ({MEMORY: 100, "place-0": 2, "place-1": -1}, "differs in place-0, place-1"),
        ({MEMORY: 101}, "differs in memory"),
    ],
)
def test_an_alternative_that_differs_in_more_than_places_is_refused(quantities: Quantities, told: str) -> None:
    """The same of everything else, and as many places: else it is another share."""
    with pytest.raises(ValueError, match=told):
        alternatives(MODEL, *_shares([[0]], memory=100), [Share(quantities=quantities)])


def test_a_vendor_with_too_many_alternatives_is_refused() -> None:
    """It may yield without an end."""
    wide = DeviceModel(vendor="fake", name="W", capacity={f"place-{place}": 1 for place in range(2 * MOST_WAYS)})
    first, *others = _shares([[place] for place in range(2 * MOST_WAYS)])
    with pytest.raises(ValueError, match=f"more than {MOST_WAYS} alternatives"):
        alternatives(wide, first, iter(others))


def test_a_vendor_that_breaks_its_word_has_no_alternatives(ask: Any) -> None:
    """That is logged, and the share itself still serves."""

    class Broken(Placed):
        def alternatives(self, model: DeviceModel, ask: Ask) -> Sequence[Share]:
            return [Share(quantities={MEMORY: 1})]

    class Failing(Placed):
        def alternatives(self, model: DeviceModel, ask: Ask) -> Sequence[Share]:
            raise KeyError(model.name)

    for splitting in (Broken("fake"), Failing("fake")):
        with capture_logs() as logs:
            need = _need([_device()], ask(memory=100), splitting)
        assert need.ways is None
        assert need.share(0).quantities["place-0"] == 1
        (line,) = logs
        assert (line["event"], line["vendor"], line["model"]) == ("alternatives failed", "fake", "P")


# Which one


def _need(devices: Sequence[Device], ask: Ask, splitting: FakeSplitting = PLACED) -> Need:
    ledger = Ledger(Inventory(nodes=(Node(name="n", devices=tuple(devices)),)))
    return Fit(ledger, {"fake": fake_vendor(splitting=splitting)}).need(ask)


def _columns(*free: str, memory: int = 800) -> Any:
    """What is free of devices of which these places are, as a line of characters such as ``11001111``."""
    lines = [[len(one) - 1 for one in free], [memory for _ in free]]
    return np.array([*lines, *([int(one[place]) for one in free] for place in range(8))])


@pytest.mark.parametrize(
    ("memory", "free", "taken"),
    [
        (100, "11111111", "10000000"),
        (100, "01111111", "00000010"),
        (100, "00000001", None),  # the last is of no use to the smallest
        (200, "01111111", "00000011"),
        (200, "01011010", None),
        (400, "11110000", "11110000"),
        (400, "01111111", "00001111"),
        (400, "01111110", None),
        (800, "11111111", "11111111"),
        (800, "11111110", None),
    ],
)
def test_the_first_way_that_fits_is_taken(ask: Any, memory: int, free: str, taken: str | None) -> None:
    """In the vendor's order, where just those places are free."""
    need, models = _need([_device()], ask(memory=memory)), np.zeros(1, dtype=np.intp)
    columns = _columns(free)
    assert need.room(models, columns).tolist() == [taken is not None]
    if taken is not None:
        ways, amounts = need.taken(models, columns)
        assert "".join(map(str, amounts[2:, 0].tolist())) == taken
        assert amounts[:2, 0].tolist() == [1, memory]
        share = need.share(0, int(ways[0]))
        assert [share.quantities.get(f"place-{place}", 0) for place in range(8)] == amounts[2:, 0].tolist()


def test_what_is_lacking_in_all_ways_is_lacking(ask: Any) -> None:
    """Places do not help where there is no memory, and the other way round."""
    need, models = _need([_device()], ask(memory=200)), np.zeros(1, dtype=np.intp)
    assert need.room(models, _columns("11111111", memory=199)).tolist() == [False]
    assert need.room(models, _columns("00000000", memory=800)).tolist() == [False]


def test_of_ways_that_fit_the_one_that_takes_least_beside_what_is_given(ask: Any) -> None:
    """An init container sits where its successors do, and keeps no other place from anybody."""
    need, models = _need([_device()], ask(memory=200)), np.zeros(1, dtype=np.intp)
    for given_places, taken in (("00001100", "00001100"), ("00010000", "00110000"), ("00000000", "11000000")):
        _, amounts = need.taken(models, _columns("11111111"), _columns(given_places))
        assert "".join(map(str, amounts[2:, 0].tolist())) == taken


@MANY
@given(
    st.lists(st.tuples(st.integers(0, 255), st.booleans()), min_size=1, max_size=6),
    st.sampled_from([100, 150, 300, 700]),
)
def test_columns_say_what_plain_loops_say(devices: list[tuple[int, bool]], memory: int) -> None:
    """On devices of two models, of which one has fewer places and so other ways."""
    few = Placed("fake", 4)

    class Both(Placed):
        def split(self, model: DeviceModel, ask: Ask) -> Any:
            return (few if model.name == "few" else PLACED).split(model, ask)

        def alternatives(self, model: DeviceModel, ask: Ask) -> Sequence[Share]:
            return (few if model.name == "few" else PLACED).alternatives(model, ask)

    models = [PLACED.model("P", 800), few.model("few", 800)]
    known = [Device(uuid=f"m{index}", index=index, model=model) for index, model in enumerate(models)]
    ask, both = Ask(vendor="fake", memory=memory), Both("fake")
    need = _need(known, ask, both)
    free = _columns(*(f"{bits:08b}" for bits, _ in devices))
    numbers = np.array([int(second) for _, second in devices], dtype=np.intp)
    ways, amounts = need.taken(numbers, free)
    for place, (bits, second) in enumerate(devices):
        first = both.split(models[second], ask)
        shares = [first, *both.alternatives(models[second], ask)]
        names = [SLOTS, MEMORY, *(f"place-{index}" for index in range(8))]
        left = dict(zip(names, free[:, place].tolist(), strict=True))
        fitting = [one for one in shares if all(amount <= left[name] for name, amount in one.quantities.items())]
        assert bool(need.room(numbers, free)[place]) is bool(fitting), f"{bits:08b}"
        if fitting:
            assert need.share(int(second), int(ways[place])) == fitting[0]
            assert amounts[:, place].tolist() == [fitting[0].quantities.get(name, 0) for name in names]


# Whole pods


def _starts(placement: Placement) -> list[tuple[str, int]]:
    """For each share its device and its first place."""
    return [
        (share.device, min(int(name[6:]) for name in share.share.quantities if name.startswith("place-")))
        for container in placement.containers
        for share in container.devices
    ]


def test_several_asks_of_one_container_share_a_device(planner: Any, pod: Any, ask: Any) -> None:
    """Each at a place of its own, all of them together just what the device has."""
    one = planner(Node(name="n", devices=(_device(),)), vendors=VENDORS)
    placed = one.place(pod([ask(memory=100), ask(memory=100), ask(memory=200), ask(memory=400)]))
    assert isinstance(placed, Placement)
    starts = _starts(placed)
    assert len(set(starts)) == 4
    assert one.overcommitted() == {}
    left = one.free_quantities()["n"]["d0"]
    assert sum(left.values()) - left[SLOTS] == 0


def test_asks_that_get_in_each_others_way_are_settled(planner: Any, pod: Any, ask: Any) -> None:
    """Two that come first in an order that spoils the third: the places are moved, not the pod refused."""
    one = planner(Node(name="n", devices=(_device(),)), vendors=VENDORS)
    asked = pod([ask(memory=100), ask(memory=100), ask(memory=200), ask(memory=200), ask(memory=200)])
    assert one.options(asked).best() == "n"
    assert isinstance(one.place(asked), Placement)


def test_an_init_container_takes_the_place_of_its_successor(planner: Any, pod: Any, ask: Any) -> None:
    """So the pod is charged one place, and another pod gets the other half."""
    one = planner(Node(name="n", devices=(_device(),)), vendors=VENDORS)
    other = one.place(pod(ask(memory=400), name="other"))
    assert isinstance(one.place(pod(ask(memory=400), init=[ask(memory=400), ask(memory=200)])), Placement)
    one.free(other)
    assert isinstance(one.place(pod(ask(memory=400), name="late")), Placement)


def test_a_device_is_filled_to_what_its_places_hold(planner: Any, pod: Any, ask: Any) -> None:
    """Seven of the smallest, four pairs, two halves, and no more."""
    for memory, most in ((100, 7), (200, 4), (400, 2), (800, 1)):
        one = planner(Node(name="n", devices=(_device(), _device(1))), vendors=VENDORS)
        placed = [one.place(pod(ask(memory=memory), name=f"{index}")) for index in range(2 * most + 1)]
        assert [isinstance(decision, Placement) for decision in placed] == [True] * (2 * most) + [False]
        for decision in placed[:-1]:
            one.free(decision)
        assert one.free_quantities() == planner(*one.inventory.nodes, vendors=VENDORS).free_quantities()


def test_who_sits_on_the_place_that_is_needed_must_go(planner: Any, pod: Any, ask: Any) -> None:
    """And whoever sits elsewhere is spared, the more important first."""
    one = planner(Node(name="n", devices=(_device(),)), vendors=VENDORS)
    for name in ("first", "last", "middle"):  # at the places 0, 6 and 4, two each
        assert isinstance(one.place(pod(ask(memory=200), name=name)), Placement)
    late, keys = pod(ask(memory=400), name="late"), [f"default/{name}" for name in ("last", "middle", "first")]
    assert one.options(late).split(["n"])[1], "not now, but it would if others went"
    assert one.victims(late, "n", keys) == ["default/first"]
    assert one.victims(late, "n", ["default/first", *keys]) == ["default/last", "default/middle"]


def test_a_policy_of_idle_devices_heeds_every_place(planner: Any, pod: Any, ask: Any) -> None:
    """A device of which one place is taken is not idle, wherever the place."""
    one = planner(Node(name="n", devices=(_device(),)), vendors=VENDORS)
    first = one.place(pod(ask(memory=100)))
    assert not isinstance(one.place(pod(ask(memory=100), name="late", device_policy="mutex")), Placement)
    one.free(first)
    assert isinstance(one.place(pod(ask(memory=100), name="late", device_policy="mutex")), Placement)
