"""Which devices of a node: policies, NUMA nodes, a vendor's own sets, and pods of several containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from hetero.model.ask import Selection
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health, Node, Quantities
from hetero.model.placement import Placement, Unplaced
from hetero.model.share import Reason
from hetero.testing.fake import FakeSplitting, fake_device, fake_devices, fake_node, fake_vendor

TOGETHER = Selection(same_numa=True)

Combinations = Callable[[Sequence[Device], int], Any]


def _node(*devices: Device, name: str = "node") -> Node:
    return Node(name=name, devices=devices)


def _on(decision: Placement | Unplaced, container: int = 0) -> list[str]:
    """The devices of a container, by the number in their identity."""
    assert isinstance(decision, Placement), decision
    return [share.device.removeprefix("fake-") for share in decision.containers[container].devices]


def _init_on(decision: Placement | Unplaced, container: int = 0) -> list[str]:
    assert isinstance(decision, Placement), decision
    return [share.device.removeprefix("fake-") for share in decision.init_containers[container].devices]


# Policies over the devices of a node


def test_devices_are_spread_when_nobody_says(planner: Any, pod: Any, ask: Any) -> None:
    """Programs disturb each other least on devices of their own."""
    one = planner(fake_node(count=3))
    assert [_on(one.place(pod(ask(), name=str(index)))) for index in range(4)] == [["0"], ["1"], ["2"], ["0"]]


def test_binpack_fills_a_device_before_the_next(planner: Any, pod: Any, ask: Any) -> None:
    """Empty devices stay free for what needs them whole."""
    one = planner(fake_node(count=2, memory=2000), device_policy="binpack")
    assert [_on(one.place(pod(ask(), name=str(index)))) for index in range(4)] == [["0"], ["0"], ["1"], ["1"]]


def test_a_pod_chooses_its_own_policy(planner: Any, pod: Any, ask: Any) -> None:
    """What the pod says goes before what the planner was told."""
    one = planner(fake_node(count=3), device_policy="binpack")
    one.place(pod(ask(), name="first"))
    assert _on(one.place(pod(ask(), name="b", device_policy="spread"))) == ["1"]
    assert _on(one.place(pod(ask(), name="c", device_policy="binpack"))) == ["0"]


def test_fullness_is_that_after_placing(planner: Any, pod: Any, ask: Any) -> None:
    """An empty small device would be fuller than a used large one: spread takes the large."""
    node = _node(fake_device(0, memory=1000), fake_device(1, memory=16000))
    one = planner(node)
    one.place(pod(ask(memory=100, selection=Selection(use_devices=("fake-1",))), name="first"))
    assert _on(one.place(pod(ask(memory=900)))) == ["1"]


def test_ties_go_to_the_lower_index(planner: Any, pod: Any, ask: Any) -> None:
    """Not to the one that happens to be listed first."""
    node = _node(*reversed(fake_devices(4)))
    for policy in ("binpack", "spread"):
        assert _on(planner(node).place(pod(ask(count=2), device_policy=policy))) == ["0", "1"]


def test_a_pod_gets_as_many_devices_as_it_asks_each_with_the_same_share(planner: Any, pod: Any, ask: Any) -> None:
    """Different devices, one share each."""
    placed = planner(fake_node(count=4)).place(pod(ask(count=3, memory=700, cores=20)))
    assert _on(placed) == ["0", "1", "2"]
    for share in placed.containers[0].devices:
        assert share.vendor == "fake"
        assert share.share.quantities == {SLOTS: 1, MEMORY: 700, CORES: 20}


def test_a_share_is_that_of_the_device_it_is_on(planner: Any, pod: Any, ask: Any) -> None:
    """Half of each device is another amount on each model."""
    node = _node(fake_device(0, memory=1000), fake_device(1, memory=3000))
    placed = planner(node).place(pod(ask(memory=None, memory_percentage=50, count=2)))
    assert {share.device: share.share.memory for share in placed.containers[0].devices} == {
        "fake-0": 500,
        "fake-1": 1500,
    }


# What never happens


def test_exclusive_use_is_alone(planner: Any, pod: Any, ask: Any) -> None:
    """Nothing goes beside a whole device, and a whole device goes beside nothing."""
    one = planner(fake_node(count=2))
    assert _on(one.place(pod(ask(memory=1), name="small"))) == ["0"]
    assert _on(one.place(pod(ask(memory=1, cores=100), name="whole"))) == ["1"]
    for policy in ("binpack", "spread"):
        assert _on(one.place(pod(ask(memory=1), name=policy, device_policy=policy))) == ["0"]
    assert isinstance(one.place(pod(ask(memory=1, cores=100), name="second")), Unplaced)


def test_unlimited_compute_never_goes_where_all_is_promised(planner: Any, pod: Any, ask: Any) -> None:
    """It would take what others were promised; it goes where a percent is left, even when that is not preferred."""
    one = planner(fake_node(count=2), device_policy="binpack")
    one.place(pod(ask(cores=60), name="a"))
    one.place(pod(ask(cores=40), name="b"))
    assert _on(one.place(pod(ask(cores=0), name="c"))) == ["1"]


def test_unhealthy_devices_are_left_out(planner: Any, pod: Any, ask: Any) -> None:
    """Even the best one by policy."""
    node = _node(fake_device(0, health=Health(ok=False, reason="lost")), fake_device(1))
    assert _on(planner(node).place(pod(ask()))) == ["1"]


@pytest.mark.parametrize(
    ("selection", "device"),
    [
        (Selection(use_devices=("fake-2",)), "2"),
        (Selection(avoid_devices=("fake-0",)), "1"),
        (Selection(use_models=("f2",)), "2"),
        (Selection(avoid_models=("F1",)), "2"),
    ],
)
def test_selected_devices_only(planner: Any, pod: Any, ask: Any, selection: Selection, device: str) -> None:
    """A selection goes before every preference."""
    node = _node(fake_device(0), fake_device(1), fake_device(2, model="Fake F2", memory=2000))
    assert _on(planner(node).place(pod(ask(selection=selection)))) == [device]


# NUMA nodes


def _numa(*numas: int) -> Node:
    return _node(*(fake_device(index, numa=numa) for index, numa in enumerate(numas)))


def test_devices_of_one_numa_node_when_asked(planner: Any, pod: Any, ask: Any) -> None:
    """The best group that is large enough."""
    assert _on(planner(_numa(0, 1, 0, 1, 1)).place(pod(ask(count=3, selection=TOGETHER)))) == ["1", "3", "4"]


def test_numa_does_not_matter_when_not_asked(planner: Any, pod: Any, ask: Any) -> None:
    """Most programs do not care, and more would wait."""
    assert _on(planner(_numa(0, 1, 0)).place(pod(ask(count=2)))) == ["0", "1"]


def test_only_devices_with_room_count_for_a_numa_node(planner: Any, pod: Any, ask: Any) -> None:
    """A group is as large as what is free of it."""
    one = planner(_numa(0, 0, 1, 1))
    one.place(pod(ask(cores=100), name="first"))
    assert _on(one.place(pod(ask(count=2, selection=TOGETHER)))) == ["2", "3"]


def test_the_numa_node_with_the_best_device_is_taken(planner: Any, pod: Any, ask: Any) -> None:
    """Among groups that are large enough the policy decides."""
    one = planner(_numa(0, 0, 1, 1))
    one.place(pod(ask(selection=Selection(use_devices=("fake-3",))), name="first"))
    assert _on(one.place(pod(ask(count=2, selection=TOGETHER), device_policy="binpack"))) == ["3", "2"]


def test_a_platform_without_numa_is_one_group(planner: Any, pod: Any, ask: Any) -> None:
    """Devices whose NUMA node is not known are not apart for all that anyone can say."""
    assert _on(planner(_numa(-1, -1)).place(pod(ask(count=2, selection=TOGETHER)))) == ["0", "1"]


def test_a_node_without_such_a_group_is_passed_over(planner: Any, pod: Any, ask: Any) -> None:
    """The next node is tried, though the first has enough devices."""
    apart, close = _numa(0, 1), _node(*(fake_device(index, numa=0) for index in range(2)), name="with-group")
    placed = planner(apart, close).place(pod(ask(count=2, selection=TOGETHER)))
    assert placed.node == "with-group"


# A vendor's own sets of devices


class Wired(FakeSplitting):
    """A chip whose sets of devices matter."""

    def __init__(self, combinations: Combinations) -> None:
        super().__init__("fake")
        self._combinations = combinations
        self.offered: list[list[str]] = []

    def combinations(self, devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
        self.offered.append([device.uuid for device in devices])
        return self._combinations(devices, count)  # type: ignore[no-any-return]


def _pairs(devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
    """Devices 2k and 2k+1 are wired together; pairs that are whole, the last first."""
    by_index = {device.index: device for device in devices}
    for low in sorted(by_index, reverse=True):
        if count == 2 and low % 2 == 0 and low + 1 in by_index:
            yield by_index[low], by_index[low + 1]


def test_the_vendors_best_set_is_taken(planner: Any, pod: Any, ask: Any) -> None:
    """Wiring is the vendor's business, in the order in which the program shall see the devices."""
    vendors = {"fake": fake_vendor(splitting=Wired(_pairs))}
    assert _on(planner(fake_node(count=4), vendors=vendors).place(pod(ask(count=2)))) == ["2", "3"]


def test_a_vendor_is_offered_only_devices_with_room_best_first(planner: Any, pod: Any, ask: Any) -> None:
    """Whatever it answers of these can be given; all of them are offered where links are asked for."""
    wired = Wired(_pairs)
    one = planner(fake_node(count=5), vendors={"fake": fake_vendor(splitting=wired)}, device_policy="topology-aware")
    one.place(pod(ask(cores=100, selection=Selection(use_devices=("fake-2",))), name="whole"))
    one.place(pod(ask(selection=Selection(use_devices=("fake-0",))), name="small"))
    assert _on(one.place(pod(ask(count=2)))) == ["0", "1"]
    assert wired.offered[-1] == ["fake-1", "fake-3", "fake-4", "fake-0"]


def test_without_a_word_of_links_the_vendor_chooses_among_equals(planner: Any, pod: Any, ask: Any) -> None:
    """The policy comes first: a device that it likes less is not offered."""
    wired = Wired(_pairs)
    one = planner(fake_node(count=4), vendors={"fake": fake_vendor(splitting=wired)})
    one.place(pod(ask(selection=Selection(use_devices=("fake-2",))), name="small"))
    assert _on(one.place(pod(ask(count=2)))) == ["0", "1"]
    assert wired.offered == [["fake-0", "fake-1", "fake-3"]]


def test_preferences_never_cost_a_fit(planner: Any, pod: Any, ask: Any) -> None:
    """A set that would leave nothing for the other container is given up for one that does."""
    vendors = {"fake": fake_vendor(splitting=Wired(_pairs))}
    first, second = ask(count=2, memory=1000), ask(cores=100, selection=Selection(use_devices=("fake-2", "fake-3")))
    for policy in ("topology-aware", "numa", "numa,topology-aware", "mutex"):
        placed = planner(fake_node(count=3), vendors=vendors, device_policy=policy).place(pod(first, second))
        assert sorted(_on(placed, 0)) == ["0", "1"]
        assert _on(placed, 1) == ["2"]


def test_a_set_lies_on_one_numa_node_when_asked(planner: Any, pod: Any, ask: Any) -> None:
    """The vendor is offered the devices of the group alone."""
    wired = Wired(lambda devices, count: [tuple(devices)[-count:]])
    one = planner(_numa(0, 1, 0, 1, 0), vendors={"fake": fake_vendor(splitting=wired)})
    assert _on(one.place(pod(ask(count=2, selection=TOGETHER)))) == ["2", "4"]


def test_without_sets_the_planners_own_order_holds(planner: Any, pod: Any, ask: Any) -> None:
    """Nothing yielded means that any set is as good."""
    vendors = {"fake": fake_vendor(splitting=Wired(lambda devices, count: iter(())))}
    with capture_logs() as lines:
        assert _on(planner(fake_node(count=3), vendors=vendors).place(pod(ask(count=2)))) == ["0", "1"]
    assert lines == []


def test_one_device_is_no_set(planner: Any, pod: Any, ask: Any) -> None:
    """The vendor has no say in a single device: the policy has."""
    wired = Wired(_pairs)
    planner(fake_node(count=3), vendors={"fake": fake_vendor(splitting=wired)}).place(pod(ask()))
    assert wired.offered == []


def _broken(devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
    raise ArithmeticError("crossed wires")


def _broken_late(devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
    yield from _broken(devices, count)


BAD_SETS = {
    "raises": _broken,
    "raises late": _broken_late,
    "too few": lambda devices, count: [tuple(devices)[: count - 1]],
    "too many": lambda devices, count: [tuple(devices)[: count + 1]],
    "one twice": lambda devices, count: [(devices[0],) * count],
    "one twice besides": lambda devices, count: [(*tuple(devices)[:count], devices[0])],
    "not offered": lambda devices, count: [tuple(fake_devices(9)[-count:])],
    "no devices": lambda devices, count: [("fake-0", "fake-1")],
    "nothing": lambda devices, count: None,
}


@pytest.mark.parametrize("combinations", BAD_SETS.values(), ids=BAD_SETS)
def test_a_bad_set_is_ignored_and_logged(planner: Any, pod: Any, ask: Any, combinations: Combinations) -> None:
    """A vendor's mistake costs its preference, not the placement."""
    vendors = {"fake": fake_vendor(splitting=Wired(combinations))}
    with capture_logs() as lines:
        placed = planner(fake_node(count=4), vendors=vendors).place(pod(ask(count=2)))
    assert _on(placed) == ["0", "1"]
    assert [(line["event"], line["vendor"], line["node"], line["log_level"]) for line in lines] == [
        ("combinations failed", "fake", "node", "error")
    ]


# Several asks


def test_containers_of_one_pod_do_not_share_what_one_of_them_took(planner: Any, pod: Any, ask: Any) -> None:
    """They run side by side, so the second finds what the first left."""
    placed = planner(fake_node(count=2, memory=1000)).place(pod(ask(memory=600), ask(memory=600)))
    assert (_on(placed, 0), _on(placed, 1)) == (["0"], ["1"])


def test_containers_stand_in_the_order_of_the_pod(planner: Any, pod: Any, ask: Any) -> None:
    """Whichever was placed first; one that asks nothing has its place too."""
    placed = planner(fake_node(count=2)).place(pod(ask(memory=1), (), ask(cores=100)))
    assert [one.container for one in placed.containers] == ["c0", "c1", "c2"]
    assert [len(one.devices) for one in placed.containers] == [1, 0, 1]


def test_one_container_may_ask_two_vendors(planner: Any, pod: Any, ask: Any) -> None:
    """Its devices come in the order of its asks."""
    node = _node(*fake_devices(2), *fake_devices(2, vendor="other"))
    placed = planner(node).place(pod([ask(vendor="other", memory=1), ask(count=2)]))
    assert [share.device for share in placed.containers[0].devices] == ["other-0", "fake-0", "fake-1"]
    assert [share.vendor for share in placed.containers[0].devices] == ["other", "fake", "fake"]


def test_two_equal_asks_of_one_container_are_two_shares(planner: Any, pod: Any, ask: Any) -> None:
    """Each is charged where it is."""
    one = planner(fake_node(count=2, memory=1000))
    placed = one.place(pod([ask(memory=600), ask(memory=600)]))
    assert _on(placed) == ["0", "1"]
    assert [left[MEMORY] for left in one.free_quantities()["node"].values()] == [400, 400]


def test_all_of_a_pod_goes_to_one_node(planner: Any, pod: Any, ask: Any) -> None:
    """Containers of a pod are never apart, even when each would fit somewhere."""
    one = planner(fake_node("a"), fake_node("b", vendor="other"))
    refused = one.place(pod(ask(), ask(vendor="other")))
    assert isinstance(refused, Unplaced)
    assert refused.refusals["a"].message == "container c1: the node has no other device"
    assert refused.refusals["b"].message == "container c0: the node has no fake device"


def test_a_whole_device_is_found_beside_small_shares(planner: Any, pod: Any, ask: Any) -> None:
    """The hardest ask is placed first, wherever it stands in the pod."""
    placed = planner(fake_node(count=2)).place(pod(ask(memory=1), ask(memory=1), ask(cores=100)))
    assert _on(placed, 2) not in (_on(placed, 0), _on(placed, 1))


@pytest.mark.parametrize("percentage", [None, 70])
def test_a_share_without_a_size_is_a_large_one(planner: Any, pod: Any, ask: Any, percentage: int | None) -> None:
    """Whole memories and percentages are large asks though no MiB are written."""
    large = ask(memory=None, memory_percentage=percentage)
    one = planner(fake_node(count=2, memory=1000), device_policy="binpack")
    assert isinstance(one.place(pod(ask(memory=200), ask(memory=600), ask(memory=200), large)), Placement)


@pytest.mark.parametrize("order", [1, -1])
def test_an_ask_with_one_choice_goes_before_one_with_several(planner: Any, pod: Any, ask: Any, order: int) -> None:
    """A container that may go anywhere must not take the only device of another."""
    asks = [ask(cores=100), ask(cores=100, selection=Selection(use_devices=("fake-0",)))][::order]
    placed = planner(fake_node(count=2)).place(pod(*asks))
    assert sorted([*_on(placed, 0), *_on(placed, 1)]) == ["0", "1"]


def test_when_spreading_spoils_a_fit_packing_is_tried(planner: Any, pod: Any, ask: Any) -> None:
    """A preference must not keep a pod waiting: spread out, none of the three devices has 800 MiB left."""
    asked = pod(ask(count=2, memory=500), ask(memory=800), ask(memory=500, cores=50), device_policy="spread")
    placed = planner(fake_node(count=3, memory=1000)).place(asked)
    assert [len(_on(placed, container)) for container in range(3)] == [2, 1, 1]


def test_reasons_are_those_of_the_policy_that_holds(planner: Any, pod: Any, ask: Any) -> None:
    """A node on which only spreading serves is not refused because packing would fail."""
    one = planner(fake_node(count=3, memory=1000))
    assert one.refusals(pod(*[ask(count=2, memory=500, cores=cores) for cores in (10, 0, 0)])) == {}


def test_the_figures_are_those_of_the_pods_policy(planner: Any, pod: Any, ask: Any) -> None:
    """The second attempt is our own affair: what the user reads is about the policy that was chosen."""
    asks = [ask(count=2, memory=300, cores=50), ask(count=2, memory=600), ask(count=2, memory=600, cores=50)]
    for policy, free in (("spread", 400), ("binpack", 100)):
        refusal = planner(fake_node(count=3, memory=1000)).refusals(pod(*asks, device_policy=policy))["node"]
        assert refusal.message.endswith(f"not enough memory on 2 devices (largest free {free} MiB, asked 600 MiB)")


# Init containers


def test_an_init_container_takes_the_device_that_its_successor_gets(planner: Any, pod: Any, ask: Any) -> None:
    """What the pod has anyway costs nothing, whatever the policy would prefer."""
    for policy in ("binpack", "spread"):
        one = planner(fake_node(count=3), device_policy=policy)
        one.place(pod(ask(selection=Selection(use_devices=("fake-0",))), name="other"))
        placed = one.place(pod(ask(selection=Selection(use_devices=("fake-2",))), init=[ask(), ask()]))
        assert (_init_on(placed, 0), _init_on(placed, 1)) == (["2"], ["2"])


def test_an_init_container_finds_free_what_the_pod_takes_later(planner: Any, pod: Any, ask: Any) -> None:
    """It runs before the containers, so a device that they fill is open to it."""
    one = planner(fake_node(memory=1000))
    placed = one.place(pod(ask(memory=900), init=[ask(memory=1000), ask(memory=None)]))
    assert _init_on(placed) == ["0"]
    assert one.free_quantities()["node"]["fake-0"][MEMORY] == 0


def test_an_init_container_does_not_get_what_other_pods_hold(planner: Any, pod: Any, ask: Any) -> None:
    """Only its own pod makes way for it."""
    one = planner(fake_node(memory=1000))
    one.place(pod(ask(memory=300), name="other"))
    refused = one.place(pod(ask(memory=100), init=[ask(memory=800)]))
    assert refused.refusals["node"].reason is Reason.INSUFFICIENT_MEMORY


def test_asks_of_one_init_container_are_side_by_side(planner: Any, pod: Any, ask: Any) -> None:
    """They run at the same time, so they add up."""
    one = planner(fake_node(memory=1000))
    assert isinstance(one.place(pod(init=[[ask(memory=600), ask(memory=500)]])), Unplaced)
    assert isinstance(one.place(pod(init=[[ask(memory=600), ask(memory=400)]])), Placement)


def test_a_later_init_container_reuses_what_an_earlier_one_had(planner: Any, pod: Any, ask: Any) -> None:
    """The pod is charged for the earlier one's device anyway."""
    one = planner(fake_node(count=2, memory=1000))
    placed = one.place(pod(init=[ask(memory=800, selection=Selection(use_devices=("fake-1",))), ask(memory=500)]))
    assert (_init_on(placed, 0), _init_on(placed, 1)) == (["1"], ["1"])
    assert [left[MEMORY] for left in one.free_quantities()["node"].values()] == [1000, 200]


def test_what_init_containers_had_in_turn_is_not_added_up(planner: Any, pod: Any, ask: Any) -> None:
    """Twice 400 MiB on a device are 400: the other device, of which the pod has 600, costs less for 700."""
    first, second = (Selection(use_devices=(device,)) for device in ("fake-0", "fake-1"))
    early = ask(memory=400, selection=first)
    one = planner(fake_node(count=2, memory=1000))
    placed = one.place(pod(ask(memory=600, selection=second), init=[early, early, ask(memory=700)]))
    assert _init_on(placed, 2) == ["1"]
    assert [left[MEMORY] for left in one.free_quantities()["node"].values()] == [600, 300]


# The plugins' say


class Likes:
    """Likes one device, by so much, and remembers all that it was told."""

    def __init__(self, device: str, much: float = 10.0) -> None:
        self.name = "likes"
        self._device = device
        self._much = much
        self.told: dict[str, list[Quantities]] = {}

    def score(self, node: str, device: Device, left: Quantities) -> float:
        self.told.setdefault(device.uuid, []).append(left)
        return self._much if device.uuid == self._device else 0.0


def test_a_scorer_sways_the_choice_of_devices(planner: Any, pod: Any, ask: Any) -> None:
    """For or against."""
    assert _on(planner(fake_node(count=3), scorers=[Likes("fake-2")]).place(pod(ask()))) == ["2"]
    assert _on(planner(fake_node(count=3), scorers=[Likes("fake-0", -1)]).place(pod(ask(count=2)))) == ["1", "2"]


def test_a_small_opinion_decides_only_between_equals(planner: Any, pod: Any, ask: Any) -> None:
    """It is added to the planner's own score, and does not replace it."""
    one = planner(fake_node(count=2), scorers=[Likes("fake-1", 0.001)])
    assert _on(one.place(pod(ask(), name="a"))) == ["1"]
    assert _on(one.place(pod(ask(), name="b"))) == ["0"]


def test_a_scorer_is_told_what_would_be_left(planner: Any, pod: Any, ask: Any) -> None:
    """After placing, on devices with room only, in the dimensions that the device has: once for nodes, once here."""
    ring = DeviceModel(vendor="other", name="Ring R1", capacity={SLOTS: 1, "rings": 2})
    likes = Likes("")
    devices = (fake_device(0, memory=1000), fake_device(1, memory=200), Device(uuid="ring", index=0, model=ring))
    one = planner(_node(*devices), scorers=[likes])
    one.place(pod(ask(memory=300, cores=20), name="a"))
    assert likes.told == {"fake-0": [{SLOTS: 9, MEMORY: 700, CORES: 80}] * 2}
    likes.told.clear()
    one.place(pod(ask(memory=300, cores=20), name="b"))
    assert likes.told == {"fake-0": [{SLOTS: 8, MEMORY: 400, CORES: 60}] * 2}


def test_a_scorer_cannot_put_a_share_where_there_is_no_room(planner: Any, pod: Any, ask: Any) -> None:
    """Fit comes before every opinion."""
    node = _node(fake_device(0), fake_device(1, memory=10))
    assert _on(planner(node, scorers=[Likes("fake-1", 1e9)]).place(pod(ask()))) == ["0"]


@pytest.mark.parametrize("much", [float("nan"), float("inf")])
def test_a_scorer_without_a_number_changes_nothing(planner: Any, pod: Any, ask: Any, much: float) -> None:
    """As if it had not been asked, and it is in the log."""
    with capture_logs() as lines:
        placed = planner(fake_node(count=2), scorers=[Likes("fake-1", much), Likes("fake-0", 0.1)]).place(pod(ask()))
    assert _on(placed) == ["0"]
    assert {line["scorer"] for line in lines} == {"likes"}
