"""Sets of devices that must be: a vendor's rule goes before every policy, and is held to its word."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from structlog.testing import capture_logs

from hetero.model.ask import Ask, Selection
from hetero.model.device import Device, Health, Inventory, Link, LinkKind, Node
from hetero.model.placement import Placement
from hetero.model.share import Reason
from hetero.placement import Planner
from hetero.placement.ledger import Ledger
from hetero.placement.rule import MOST_SETS, Rule
from hetero.testing.fake import FakeSplitting, fake_device, fake_node, fake_vendor
from tests.placement.chips import Paired, Placed

PAIRED = {"fake": fake_vendor(splitting=Paired("fake"))}


class Says(FakeSplitting):
    """A chip whose rule is what the test says, which counts how often it was asked about a node."""

    def __init__(self, answer: Callable[[Sequence[Device], Ask], Any]) -> None:
        super().__init__("fake")
        self._answer = answer
        self.asked: list[list[int]] = []

    def sets(self, devices: Sequence[Device], ask: Ask) -> Iterable[tuple[Device, ...]] | None:
        if devices:
            self.asked.append([device.index for device in devices])
        return self._answer(devices, ask)  # type: ignore[no-any-return]


def _first(devices: Sequence[Device], ask: Ask) -> Iterator[tuple[Device, ...]]:
    """The first ones as they are offered, and no others."""
    if len(devices) >= ask.count:
        yield tuple(devices[: ask.count])


def _devices(decision: Any) -> list[str]:
    assert isinstance(decision, Placement), decision
    return [share.device for container in decision.containers for share in container.devices]


# The rule itself


def _rule(answer: Callable[[Sequence[Device], Ask], Any], **fields: Any) -> Rule:
    rule = Rule.of(fake_vendor(splitting=Says(answer)), Ask(vendor="fake", memory=1, **fields))
    assert rule is not None
    return rule


def test_no_rule_without_an_answer() -> None:
    """As for chips whose every set will do, and for a vendor that is not installed."""
    ask = Ask(vendor="fake", memory=1)
    assert Rule.of(fake_vendor(), ask) is None
    assert Rule.of(fake_vendor(splitting=Says(lambda devices, ask: None)), ask) is None
    assert Rule.of(None, ask) is None


def test_a_vendor_that_fails_to_say_is_taken_to_have_a_rule() -> None:
    """Rather no device than one that may not be given; it is logged whose fault that is."""

    def fails(devices: Sequence[Device], ask: Ask) -> Any:
        raise RuntimeError("no idea")

    with capture_logs() as logs:
        rule = _rule(fails)
        assert list(rule.sets([fake_device()], "n")) == []
    assert [(line["event"], line["vendor"], line["node"], line["reason"]) for line in logs] == [
        ("sets failed", "fake", "", "RuntimeError: no idea"),
        ("sets failed", "fake", "n", "RuntimeError: no idea"),
    ]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda devices, ask: [tuple(devices[:1])], "a set of 1 different devices, asked 2"),
        (lambda devices, ask: [tuple(devices[:1]) * 2], "a set of 1 different devices, asked 2"),
        (lambda devices, ask: [(*devices, fake_device(9))[1:]], "'fake-9'"),
        (lambda devices, ask: None if devices else (), "after there was a rule for the ask"),
        (lambda devices, ask: 7 if devices else (), "not iterable"),
    ],
    ids=["too few", "twice", "not offered", "none", "no sets"],
)
def test_a_vendor_is_held_to_its_word(answer: Any, told: str) -> None:
    """So many different devices of those that were offered; whatever else it says is logged and no set."""
    with capture_logs() as logs:
        assert list(_rule(answer, count=2).sets([fake_device(0), fake_device(1)], "n")) == []
    assert [told in line["reason"] for line in logs] == [True]


def test_what_was_right_before_a_fault_stays_right() -> None:
    """The sets before it are sets."""

    def answer(devices: Sequence[Device], ask: Ask) -> Iterator[tuple[Device, ...]]:
        yield from ((device,) for device in devices)
        raise RuntimeError("and no further")

    with capture_logs() as logs:
        assert list(_rule(answer).sets([fake_device(0), fake_device(1)])) == [[0], [1]]
    assert len(logs) == 1


def test_a_vendor_that_never_ends_is_cut_short() -> None:
    """After more sets than any node has."""

    def answer(devices: Sequence[Device], ask: Ask) -> Iterator[tuple[Device, ...]]:
        while True:
            yield tuple(devices[:1])

    assert sum(1 for _ in _rule(answer).sets([fake_device()])) == MOST_SETS


def test_sets_of_one_numa_node_where_that_is_asked() -> None:
    """The vendor need not know of it: those of several are passed over."""
    devices = [fake_device(index, numa=index // 2) for index in range(4)]
    neighbours = _rule(lambda devices, ask: pairwise(devices), count=2, selection=Selection(same_numa=True))
    assert list(neighbours.sets(devices)) == [[0, 1], [2, 3]]


def test_fewer_devices_than_asked_are_not_asked_about() -> None:
    """There is nothing to say."""
    says = Says(lambda devices, ask: ())
    rule = Rule.of(fake_vendor(splitting=says), Ask(vendor="fake", count=3))
    assert rule is not None
    assert list(rule.sets([fake_device(0), fake_device(1)])) == []
    assert says.asked == []


def test_a_node_is_asked_about_once_for_each_situation_until_it_changes() -> None:
    """A cluster is looked at again and again, and a vendor's answer may take its time."""
    says = Says(_first)
    ledger = Ledger(Inventory(nodes=(fake_node("a", 3), fake_node("b", 3))))
    rule = Rule.of(fake_vendor(splitting=says), Ask(vendor="fake", count=2))
    assert rule is not None
    some, all_of_them = np.array([True, False, True]), np.ones(3, dtype=bool)
    for _ in range(3):
        assert rule.allows(ledger, 0, some)
        assert rule.allows(ledger, 0, all_of_them)
        assert rule.allows(ledger, 1, all_of_them)
        assert not rule.allows(ledger, 1, ~some)
    assert says.asked == [[0, 2], [0, 1, 2], [0, 1, 2]]
    ledger.put(fake_node("a", 4))
    assert rule.allows(ledger, 0, np.array([False, False, True, True]))
    assert rule.allows(ledger, 0, np.array([True, False, True, False]))
    assert says.asked[3:] == [[2, 3], [0, 2]]


# Whole pods


@pytest.mark.parametrize("policy", ["", "binpack", "spread", "numa,binpack", "topology-aware", "mutex"])
def test_the_rule_goes_before_every_policy(planner: Any, pod: Any, ask: Any, policy: str) -> None:
    """Two devices of different pairs are never given, however much better they look."""
    one: Planner = planner(fake_node(count=4), vendors=PAIRED)
    for index in (0, 3):
        busy = ask(cores=10, memory_percentage=50, memory=None, selection=Selection(use_devices=(f"fake-{index}",)))
        one.place(pod(busy, name=f"busy-{index}"))
    decision = one.place(pod(ask(count=2, cores=10), device_policy=policy))
    if policy == "mutex":
        assert not isinstance(decision, Placement), "1 and 2 are idle, and no pair"
    else:
        assert _devices(decision) in (["fake-0", "fake-1"], ["fake-2", "fake-3"])


def test_the_planners_order_of_preference_is_what_the_vendor_chooses_by(planner: Any, pod: Any, ask: Any) -> None:
    """A rule that has no preference of its own leaves it to the policy."""
    for policy, chosen in (("binpack", "fake-2"), ("spread", "fake-0")):
        one = planner(fake_node(count=4), vendors=PAIRED)
        one.place(pod(ask(memory_percentage=50, memory=None, selection=Selection(use_devices=("fake-2",))), name="b"))
        assert _devices(one.place(pod(ask(), device_policy=policy))) == [chosen]


def test_one_device_may_be_bound_too(planner: Any, pod: Any, ask: Any) -> None:
    """Here only the first of a pair serves alone: with both firsts in use for good, nothing does."""
    one = planner(fake_node(count=4), vendors=PAIRED)
    for name in ("first", "second"):
        placed = one.place(pod(ask(memory=None, cores=100), name=name))
        assert _devices(placed)[0] in ("fake-0", "fake-2")
    options = one.options(pod(ask(), name="late"))
    assert options.split(["node"])[1] == {"node": f"{Reason.TOPOLOGY}: no set of devices that may be given together"}
    one.free("default/first")
    assert isinstance(one.place(pod(ask(), name="late")), Placement)


def test_a_node_that_never_has_such_a_set_is_told_from_one_that_may(planner: Any, pod: Any, ask: Any) -> None:
    """Preemption helps only where there would be a set if nothing were taken."""
    lone = Node(name="lone", devices=(fake_device(1), fake_device(2)))
    sick = Node(
        name="sick", devices=(fake_device(0, health=Health(ok=False, reason="lost")), *map(fake_device, (1, 2)))
    )
    one = planner(lone, sick, fake_node("pair", 2), vendors=PAIRED)
    held = one.place(pod(ask(count=2, cores=100, memory=None), name="held"))
    fits, now, never = one.options(pod(ask(count=2))).split(["lone", "sick", "pair"])
    assert (fits, list(now), list(never)) == ([], ["pair"], ["lone", "sick"])
    assert one.victims(pod(ask(count=2)), "pair", [held.key]) == [held.key]
    assert one.victims(pod(ask(count=2)), "lone", [held.key]) is None


def test_several_asks_with_a_bound_one_are_searched(planner: Any, pod: Any, ask: Any) -> None:
    """The free ask must not take half of the only pair, in whichever order the containers stand."""
    whole = ask(cores=100, memory=None, count=2)
    any_one = ask(memory_percentage=100, memory=None, cores=10)
    devices = (fake_device(0), fake_device(1), fake_device(2))
    for asks in ((whole, any_one), (any_one, whole)):
        one = planner(Node(name="n", devices=devices), vendors=PAIRED)
        assert one.options(pod(*asks)).best() == "n"
        assert sorted(_devices(one.place(pod(*asks)))) == ["fake-0", "fake-1", "fake-2"]
    one = planner(fake_node(count=2), vendors=PAIRED)
    assert one.options(pod(whole, any_one)).best() is None


def test_equal_devices_are_not_alike_where_one_of_a_pair_is_needed(planner: Any, pod: Any, ask: Any) -> None:
    """The first ask may have either of two equal cards, and only one of them leaves the pair whole."""
    either = Selection(use_devices=("fake-0", "fake-2"))
    asks = (ask(memory_percentage=100, memory=None, cores=100, selection=either), ask(count=2, cores=100, memory=None))
    one = planner(fake_node(count=3), vendors=PAIRED)
    assert one.options(pod(*asks)).best() == "node"
    assert _devices(one.place(pod(*asks))) == ["fake-2", "fake-0", "fake-1"]


class Linked(FakeSplitting):
    """A chip of which only two devices with a link between them may be given together."""

    def sets(self, devices: Sequence[Device], ask: Ask) -> Iterable[tuple[Device, ...]] | None:
        return [(one, other) for one in devices for other in devices if other.uuid in {link.peer for link in one.links}]


def _linked(name: str, *pairs: tuple[int, int]) -> Node:
    links: dict[int, tuple[Link, ...]] = {}
    for one, other in pairs:
        links[one] = (Link(peer=f"fake-{other}", kind=LinkKind.DIRECT),)
        links[other] = (Link(peer=f"fake-{one}", kind=LinkKind.DIRECT),)
    devices = (msgspec.structs.replace(fake_device(index), links=links.get(index, ())) for index in range(4))
    return Node(name=name, devices=(*devices, fake_device(9, vendor="other")))


def test_nodes_that_differ_in_wiring_alone_are_told_apart(planner: Any, pod: Any, ask: Any) -> None:
    """Each is settled for itself, and again when it is wired anew."""
    whole = ask(count=2, cores=100, memory=None)
    free_ask = ask(count=1, cores=100, memory=None, vendor="other")
    asked = pod([whole, whole], free_ask)
    vendors = {"fake": fake_vendor(splitting=Linked("fake")), "other": fake_vendor("other")}
    one = planner(_linked("a", (0, 1)), _linked("b", (0, 1), (2, 3)), _linked("c", (0, 2), (1, 3)), vendors=vendors)
    assert one.options(asked).split(["a", "b", "c"])[0] == ["b", "c"]
    decision = one.place_on(asked, "c")
    assert {frozenset(_devices(decision)[:2]), frozenset(_devices(decision)[2:4])} == {
        frozenset({"fake-0", "fake-2"}),
        frozenset({"fake-1", "fake-3"}),
    }
    one.put_node(_linked("b", (0, 3)))
    assert one.options(asked).split(["a", "b", "c"])[0] == ["c"]
    one.put_node(_linked("a", (0, 3), (1, 2)))
    assert one.options(asked).split(["a", "b", "c"])[0] == ["a", "c"]


def test_an_init_container_may_be_bound(planner: Any, pod: Any, ask: Any) -> None:
    """It has the node for itself, and its own set of it."""
    one = planner(fake_node(count=2), vendors=PAIRED)
    placed = one.place(pod(ask(memory_percentage=50, memory=None), init=[ask(count=2, cores=100, memory=None)]))
    assert isinstance(placed, Placement)
    assert [share.device for share in placed.init_containers[0].devices] == ["fake-0", "fake-1"]


def test_sets_and_places_at_once(planner: Any, pod: Any, ask: Any) -> None:
    """A chip may have both: pairs of devices that each give a share at a place of its own."""

    class Both(Placed):
        def sets(self, devices: Sequence[Device], ask: Ask) -> Iterable[tuple[Device, ...]] | None:
            return Paired("fake").sets(devices, ask)

    both = Both("fake", 4)
    devices = tuple(Device(uuid=f"d{index}", index=index, model=both.model("P", 400)) for index in range(4))
    one = planner(Node(name="n", devices=devices), vendors={"fake": fake_vendor(splitting=both)})
    asked = [ask(count=2, memory=200), ask(count=2, memory=100), ask(count=2, memory=100), ask(count=2, memory=400)]
    placed = one.place(pod(*asked))
    assert isinstance(placed, Placement)
    for container in placed.containers:
        assert {int(share.device[1:]) // 2 for share in container.devices} in ({0}, {1})
    assert one.overcommitted() == {}
    assert not isinstance(one.place(pod(ask(count=2, memory=200), name="late")), Placement)


def test_a_thousand_nodes_are_asked_about_once_and_then_only_what_changed(planner: Any, pod: Any, ask: Any) -> None:
    """The rule costs one question for each node, and one for each that changed since."""
    says = Says(_first)
    one = planner(*(fake_node(f"n{index}", 2) for index in range(1000)), vendors={"fake": fake_vendor(splitting=says)})
    whole = ask(count=2, cores=100, memory=None)
    for index in range(5):
        assert isinstance(one.place(pod(whole, name=f"{index}")), Placement)
    # One for each node, and with each pod one to choose its devices; a node that is full has too few to ask about.
    assert len(says.asked) == 1000 + 5
