"""The planner over a cluster: where pods go, what is charged, and what an unplaced pod is told."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from structlog.testing import capture_logs

from hetero.errors import InvalidValue
from hetero.model.ask import Ask, PodAsk, Selection
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health, Inventory, Node, Quantities
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement, Unplaced
from hetero.model.share import Reason, Refusal, Share
from hetero.model.wire import decode, encode
from hetero.placement import Planner
from hetero.testing.fake import FakeSplitting, fake_device, fake_devices, fake_node, fake_vendor


def _memory(planner: Planner) -> dict[str, list[int]]:
    """MiB free, node by node, device by device."""
    return {node: [left[MEMORY] for left in devices.values()] for node, devices in planner.free_quantities().items()}


def _nodes(planner: Planner, *pods: PodAsk) -> list[str]:
    """Where the pods go, one after another."""
    placed = [planner.place(one) for one in pods]
    assert all(isinstance(one, Placement) for one in placed), placed
    return [one.node for one in placed if isinstance(one, Placement)]


@pytest.fixture
def pods(pod: Any, ask: Any) -> Any:
    """So many pods of one container and one ask each."""

    def make(count: int, **fields: Any) -> list[PodAsk]:
        return [pod(ask(**fields), name=f"pod-{index}") for index in range(count)]

    return make


# Nodes


def test_a_placement_says_where_and_how_much(planner: Any, pod: Any, ask: Any) -> None:
    """Everything that the node needs to know, in one record."""
    placed = planner(fake_node("n")).place(pod(ask(memory=700, cores=20), init=[()], namespace="team"))
    share = Share(quantities={SLOTS: 1, MEMORY: 700, CORES: 20})
    assert placed == Placement(
        namespace="team",
        pod="pod",
        node="n",
        containers=(
            ContainerPlacement(container="c0", devices=(DeviceShare(vendor="fake", device="fake-0", share=share),)),
        ),
        init_containers=(ContainerPlacement(container="i0"),),
    )


def test_a_placement_can_be_stored(planner: Any, pod: Any, ask: Any) -> None:
    """No number of numpy's is left in it, so that it becomes an annotation and comes back the same."""
    one = planner(fake_node(count=2))
    placed = one.place(pod(ask(count=2), init=[ask()]))
    assert decode(encode(placed), Placement) == placed
    unplaced = one.place(pod(ask(memory=10**6), name="other"))
    assert decode(encode(unplaced), Unplaced) == unplaced


def test_nodes_are_packed_when_nobody_says(planner: Any, pods: Any) -> None:
    """Empty nodes stay free for what needs them whole."""
    one = planner(*(fake_node(name, memory=2000) for name in "ab"))
    assert _nodes(one, *pods(4)) == ["a", "a", "b", "b"]


def test_spread_takes_the_emptiest_node(planner: Any, pods: Any) -> None:
    """One node each, then the next round."""
    one = planner(*(fake_node(name) for name in "abc"), node_policy="spread")
    assert _nodes(one, *pods(6)) == ["a", "b", "c", "a", "b", "c"]


def test_a_pod_chooses_its_own_policy_over_nodes(planner: Any, pod: Any, ask: Any) -> None:
    """What the pod says goes before what the planner was told."""
    one = planner(fake_node("a"), fake_node("b"), node_policy="spread")
    asked = [pod(ask(), name=str(index), node_policy=word) for index, word in enumerate(["", "binpack", "spread"])]
    assert _nodes(one, *asked) == ["a", "a", "b"]


def test_the_two_policies_do_not_mix(planner: Any, pod: Any, ask: Any) -> None:
    """Nodes packed and devices spread, or the other way round: each word is for its own level."""
    for node_policy, device_policy, nodes, free in [
        ("binpack", "spread", ["a", "a"], {"a": [9000, 9000], "b": [10000, 10000]}),
        ("binpack", "binpack", ["a", "a"], {"a": [8000, 10000], "b": [10000, 10000]}),
        ("spread", "binpack", ["a", "b"], {"a": [9000, 10000], "b": [9000, 10000]}),
    ]:
        one = planner(*(fake_node(name, 2, memory=10000) for name in "ab"))
        policies = {"node_policy": node_policy, "device_policy": device_policy}
        assert _nodes(one, *(pod(ask(), name=name, **policies) for name in "xy")) == nodes
        assert _memory(one) == free


def test_equal_nodes_go_by_name(planner: Any, pod: Any, ask: Any) -> None:
    """Not by the order in which they are listed, nor by that in which a sort happens to leave equals."""
    many = [fake_node(f"node-{index:03}", memory=4000 - 2000 * (index % 2)) for index in range(200)]
    for policy, best in (("binpack", "node-001"), ("spread", "node-000")):
        assert _nodes(planner(*map(fake_node, "cab")), pod(ask(), node_policy=policy)) == ["a"]
        assert _nodes(planner(*reversed(many)), pod(ask(), node_policy=policy)) == [best]


def test_a_full_node_is_passed_over(planner: Any, pods: Any) -> None:
    """However much it is preferred."""
    one = planner(fake_node("a", memory=1000), fake_node("b"))
    assert _nodes(one, *pods(2)) == ["a", "b"]


def test_fullness_of_a_node_is_that_after_placing(planner: Any, pod: Any, ask: Any) -> None:
    """On a small node the same pod weighs more."""
    small, large = fake_node("small", memory=2000), fake_node("large", memory=4000)
    assert _nodes(planner(small, large), pod(ask(), node_policy="binpack")) == ["small"]
    assert _nodes(planner(small, large), pod(ask(), node_policy="spread")) == ["large"]


def test_all_devices_of_an_ask_weigh_on_the_node(planner: Any, pod: Any, ask: Any) -> None:
    """Four of eight devices make a node fuller than four of sixteen of which two are taken."""
    one = planner(fake_node("few", 8), fake_node("many", 16))
    last = Selection(use_devices=("fake-14", "fake-15"))
    assert _nodes(one, pod(ask(count=2, memory=None, selection=last), name="first")) == ["many"]
    assert _nodes(one, pod(ask(count=4, memory=None))) == ["few"]


def test_init_containers_do_not_add_to_the_fullness_of_a_node(planner: Any, pod: Any, ask: Any) -> None:
    """They reuse what the pod has; ten of them weigh like one."""
    one = planner(fake_node("used", 2, memory=4000), fake_node("small", 1, memory=4000))
    _nodes(one, pod(ask(memory=4000, selection=Selection(use_devices=("fake-1",))), name="first"))
    asked = ask(memory=400, selection=Selection(use_devices=("fake-0",)))
    assert _nodes(one, pod(asked, init=[asked] * 10)) == ["used"]


def test_a_pod_without_devices_goes_anywhere(planner: Any, pod: Any) -> None:
    """Placing it charges nothing; a node without devices serves too."""
    one = planner(Node(name="bare"))
    assert _nodes(one, pod((), init=[()])) == ["bare"]
    assert one.free_quantities() == {"bare": {}}


def test_no_nodes_no_place(planner: Any, pod: Any, ask: Any) -> None:
    """And no reasons, for there is no node to give one."""
    assert planner().place(pod(ask())) == Unplaced(namespace="default", pod="pod", refusals={})


def test_the_planner_keeps_the_inventory_it_was_given(planner: Any) -> None:
    """For those who print it."""
    node = fake_node()
    assert planner(node).inventory == Inventory(nodes=(node,))


def test_a_node_that_serves_each_container_but_not_all_is_passed_over(planner: Any, pod: Any, ask: Any) -> None:
    """Nodes are looked at in turn until the whole pod fits."""
    one = planner(fake_node("a", memory=1000), fake_node("b", 2, memory=1000))
    assert _nodes(one, pod(ask(memory=600), ask(memory=600))) == ["b"]


# Vendors


def test_vendors_share_nodes_and_not_devices(planner: Any, pod: Any, ask: Any) -> None:
    """One planner for all of them; each ask gets devices of its own vendor."""
    mixed = Node(name="mixed", devices=(*fake_devices(1), *fake_devices(1, vendor="other")))
    one = planner(mixed, fake_node("plain"))
    assert _nodes(one, pod([ask(memory=5), ask(vendor="other", memory=7)])) == ["mixed"]
    assert _memory(one)["mixed"] == [16379, 16377]


def test_an_unknown_vendor_is_told_node_by_node(planner: Any, pod: Any, ask: Any) -> None:
    """Nobody's devices: each node says that it has none."""
    unplaced = planner(fake_node("a"), fake_node("b")).place(pod(ask(vendor="nobody")))
    assert {node: refusal.reason for node, refusal in unplaced.refusals.items()} == {
        "a": Reason.NO_DEVICES,
        "b": Reason.NO_DEVICES,
    }


def test_a_vendor_that_is_not_installed_is_told_where_its_devices_are(planner: Any, pod: Any, ask: Any) -> None:
    """The other vendors go on."""
    one = planner(fake_node("a"), fake_node("b", vendor="other"), vendors={"other": fake_vendor("other")})
    refused = one.place(pod(ask()))
    assert refused.refusals["a"].message == "container c0: vendor 'fake' is not installed"
    assert refused.refusals["b"].message == "container c0: the node has no fake device"
    assert _nodes(one, pod(ask(vendor="other"))) == ["b"]


class Broken(FakeSplitting):
    """Fails, or promises more than there is."""

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        if ask.memory is None:
            raise LookupError("no table")
        return Share(quantities={MEMORY: ask.memory})


def test_a_broken_vendor_refuses_and_the_others_work(planner: Any, pod: Any, ask: Any) -> None:
    """Whether it raises or answers nonsense."""
    vendors = {"fake": fake_vendor(splitting=Broken("fake")), "other": fake_vendor("other")}
    one = planner(Node(name="n", devices=(fake_device(), fake_device(vendor="other"))), vendors=vendors)
    with capture_logs() as lines:
        raised = one.place(pod(ask(memory=None)))
        beyond = one.place(pod(ask(memory=99999)))
        assert _nodes(one, pod(ask(vendor="other"))) == ["n"]
    assert raised.refusals["n"].message == "container c0: vendor 'fake' failed on Fake F1: no table"
    assert beyond.refusals["n"].message == (
        "container c0: vendor 'fake' failed on Fake F1: a share of 99999 memory is outside what the model has"
    )
    assert {line["event"] for line in lines} == {"split failed"}
    assert _memory(one) == {"n": [16384, 15384]}


# The account


def test_a_placed_pod_is_charged(planner: Any, pod: Any, ask: Any) -> None:
    """In every dimension, on each of its devices."""
    one = planner(fake_node(count=3))
    one.place(pod(ask(count=2, memory=384, cores=25)))
    taken = {SLOTS: 9, MEMORY: 16000, CORES: 75}
    assert one.free_quantities() == {
        "node": {"fake-0": taken, "fake-1": taken, "fake-2": {SLOTS: 10, MEMORY: 16384, CORES: 100}}
    }


def test_an_unplaced_pod_changes_nothing(planner: Any, pod: Any, ask: Any) -> None:
    """Even when some of its containers would fit."""
    one = planner(fake_node("a", memory=1000), fake_node("b", memory=1000))
    one.place(pod(ask(memory=300), name="other"))
    before = one.free_quantities()
    assert isinstance(one.place(pod(ask(memory=600), ask(memory=600))), Unplaced)
    assert one.free_quantities() == before


def test_asking_for_reasons_changes_nothing(planner: Any, pod: Any, ask: Any) -> None:
    """The reasons are worked out without charging."""
    one = planner(fake_node("a"), fake_node("b", memory=10))
    before = one.free_quantities()
    assert list(one.refusals(pod(ask()))) == ["b"]
    assert one.free_quantities() == before


def test_a_freed_pod_leaves_what_was_before(planner: Any, pods: Any) -> None:
    """Whatever happened in between."""
    one = planner(fake_node(count=2))
    before = one.free_quantities()
    placed = [one.place(asked) for asked in pods(5, cores=20)]
    for placement in (placed[3], placed[0], placed[4], placed[1], placed[2]):
        one.free(placement)
    assert one.free_quantities() == before


def test_freeing_what_is_not_charged_changes_nothing(planner: Any, pod: Any, ask: Any) -> None:
    """A pod may be gone twice, or never have come; a cluster's events repeat."""
    one = planner(fake_node())
    placed = one.place(pod(ask()))
    one.place(pod(ask(), name="stays"))
    for _ in range(2):
        one.free(placed)
    assert _memory(one) == {"node": [15384]}


def test_a_pod_is_known_by_namespace_and_name(planner: Any, pod: Any, ask: Any) -> None:
    """The same name in another namespace is another pod."""
    one = planner(fake_node())
    first = one.place(pod(ask(), namespace="a"))
    one.place(pod(ask(), namespace="b"))
    one.free(first)
    assert _memory(one) == {"node": [15384]}


def test_a_placement_charged_again_is_charged_once(planner: Any, pod: Any, ask: Any) -> None:
    """The scheduler charges what it decides and then hears of it from the cluster."""
    one = planner(fake_node(count=2))
    placed = one.place(pod(ask(count=2)))
    before = one.free_quantities()
    one.charge(placed)
    one.charge(decode(encode(placed), Placement))
    assert one.free_quantities() == before


def test_a_pod_charged_elsewhere_has_moved(planner: Any, pod: Any, ask: Any) -> None:
    """What the cluster says replaces what was decided."""
    one = planner(fake_node("a"), fake_node("b"))
    placed = one.place(pod(ask()))
    one.charge(_moved(placed, "b"))
    assert _memory(one) == {"a": [16384], "b": [15384]}


def _moved(placement: Placement, node: str, **fields: Any) -> Placement:
    return Placement(
        namespace=placement.namespace, pod=placement.pod, node=node, **{"containers": placement.containers, **fields}
    )


def test_a_restarted_planner_learns_from_placements(planner: Any, pods: Any) -> None:
    """Charging what is stored gives the account that was lost."""
    first, second = planner(fake_node(count=3)), planner(fake_node(count=3))
    for placed in reversed([first.place(asked) for asked in pods(4, cores=30)]):
        second.charge(placed)
    assert second.free_quantities() == first.free_quantities()


def test_a_pod_placed_again_does_not_stand_in_its_own_way(planner: Any, pod: Any, ask: Any) -> None:
    """What it holds counts as free for it."""
    one = planner(fake_node(memory=1000))
    assert _nodes(one, pod(ask(memory=800))) == ["node"]
    assert _nodes(one, pod(ask(memory=900))) == ["node"]
    assert _memory(one) == {"node": [100]}


def test_a_pod_that_cannot_be_placed_again_keeps_what_it_held(planner: Any, pod: Any, ask: Any) -> None:
    """It runs on: what it has must not be given to another."""
    one = planner(fake_node(memory=1000))
    one.place(pod(ask(memory=800)))
    refused = one.place(pod(ask(memory=1001)))
    assert isinstance(refused, Unplaced)
    assert _memory(one) == {"node": [200]}


@pytest.mark.parametrize("amount", [-1000, 2**31])
def test_a_placement_with_a_wrong_amount_is_refused_and_changes_nothing(
    planner: Any, pod: Any, ask: Any, amount: int
) -> None:
    """People can edit annotations; the pod's earlier charge stays as well."""
    one = planner(fake_node())
    placed = one.place(pod(ask()))
    before = one.free_quantities()
    with pytest.raises(InvalidValue, match=f"device fake-0: {amount} is no amount of memory"):
        one.charge(_wrong(placed, containers=("fake-0", {MEMORY: amount})))
    assert one.free_quantities() == before
    one.free(placed)
    assert _memory(one) == {"node": [16384]}


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"node": "gone"},
        {"containers": ("fake-9", {MEMORY: 1})},
        {"containers": ("fake-0", {"rings": 1})},
    ],
)
def test_a_placement_on_what_is_not_there_is_booked(
    planner: Any, pod: Any, ask: Any, elsewhere: dict[str, Any]
) -> None:
    """The node may come later; until then the pod takes nothing here, and it is given back like any other."""
    one = planner(fake_node())
    placed = one.place(pod(ask()))
    moved = _wrong(placed, **elsewhere)
    one.charge(moved)
    assert one.charged(moved.key) == moved
    assert _memory(one) == {"node": [16384]}
    one.free(moved.key)
    assert one.charged(moved.key) is None


def _wrong(
    placement: Placement, *, node: str = "node", containers: tuple[str, Quantities] = ("fake-0", {})
) -> Placement:
    device, quantities = containers
    share = DeviceShare(vendor="fake", device=device, share=Share(quantities=quantities))
    return _moved(placement, node, containers=(ContainerPlacement(container="c0", devices=(share,)),))


def test_a_pod_without_devices_is_accounted_for_too(planner: Any, pod: Any, ask: Any) -> None:
    """It replaces what a pod of its name held before."""
    one = planner(fake_node())
    one.place(pod(ask()))
    one.charge(one.place(pod(())))
    assert _memory(one) == {"node": [16384]}


def test_init_containers_are_charged_the_greatest(planner: Any, pod: Any, ask: Any) -> None:
    """Not the sum, and not beside the containers."""
    one = planner(fake_node(memory=1000))
    one.place(pod(ask(memory=300), init=[ask(memory=500), ask(memory=700), ask(memory=200)]))
    assert one.free_quantities()["node"]["fake-0"] == {SLOTS: 9, MEMORY: 300, CORES: 100}


def test_what_is_free_is_a_copy(planner: Any) -> None:
    """Whoever gets it may do with it what they like."""
    one = planner(fake_node())
    one.free_quantities()["node"]["fake-0"][MEMORY] = 0
    assert _memory(one) == {"node": [16384]}


# Policies that there are none of


@pytest.mark.parametrize("level", ["node_policy", "device_policy"])
def test_a_planner_knows_its_policies(planner: Any, level: str) -> None:
    """Refused when it is made, not when a pod comes."""
    with pytest.raises(InvalidValue, match="policy: 'random' is no policy; write "):
        planner(fake_node(), **{level: "random"})


@pytest.mark.parametrize("level", ["node_policy", "device_policy"])
def test_a_pod_with_another_policy_is_refused_and_changes_nothing(planner: Any, pod: Any, ask: Any, level: str) -> None:
    """What the pod held before stays charged."""
    one = planner(fake_node())
    one.place(pod(ask()))
    with pytest.raises(InvalidValue, match="'random' is no policy"):
        one.place(pod(ask(memory=5), **{level: "random"}))
    assert _memory(one) == {"node": [15384]}


# The plugins' say


class Likes:
    """Likes or dislikes nodes, or devices by identity."""

    def __init__(self, **values: Any) -> None:
        self.name = "likes"
        self._values = {name.replace("_", "-"): value for name, value in values.items()}

    def score(self, node: str, device: Device, left: Quantities) -> float:
        value = self._values.get(node, self._values.get(device.uuid, 0.0))
        if isinstance(value, Exception):
            raise value
        return value  # type: ignore[no-any-return]


def test_a_scorer_sways_the_choice_of_nodes(planner: Any, pod: Any, ask: Any) -> None:
    """For and against, over both policies."""
    nodes = [fake_node(name) for name in "abc"]
    for policy in ("binpack", "spread"):
        for scorer, chosen in ((Likes(c=5), "c"), (Likes(a=-5), "b")):
            assert _nodes(planner(*nodes, scorers=[scorer]), pod(ask(), node_policy=policy)) == [chosen]


def test_a_node_is_as_good_as_the_best_of_its_devices(planner: Any, pod: Any, ask: Any) -> None:
    """One liked device is enough, and it is the one that is given."""
    one = planner(fake_node("a"), fake_node("b", 3), scorers=[Likes(fake_1=5)])
    placed = one.place(pod(ask()))
    assert (placed.node, placed.containers[0].devices[0].device) == ("b", "fake-1")


def test_a_disliked_device_does_not_spoil_its_node(planner: Any, pod: Any, ask: Any) -> None:
    """There are others on it."""
    one = planner(fake_node("a", 2), fake_node("b", 2), scorers=[Likes(fake_0=-5)])
    placed = one.place(pod(ask()))
    assert (placed.node, placed.containers[0].devices[0].device) == ("a", "fake-1")


def test_scorers_cannot_move_a_pod_to_where_it_does_not_fit(planner: Any, pod: Any, ask: Any) -> None:
    """Fit comes before every opinion."""
    one = planner(fake_node("a"), fake_node("b", memory=10), scorers=[Likes(b=1e9)])
    assert _nodes(one, pod(ask())) == ["a"]


@pytest.mark.parametrize("bad", [ValueError("broke"), float("nan"), float("-inf")])
def test_a_scorer_that_fails_on_one_node_has_no_opinion_of_it(planner: Any, pod: Any, ask: Any, bad: Any) -> None:
    """The pod is placed as if nothing had been said of that node."""
    with capture_logs() as lines:
        assert _nodes(planner(fake_node("a"), fake_node("b"), scorers=[Likes(a=bad, b=-1)]), pod(ask())) == ["a"]
    assert {(line["scorer"], line["node"]) for line in lines} == {("likes", "a")}


# Every node has its reason


def test_each_node_of_an_unplaced_pod_has_its_own_reason(planner: Any, pod: Any, ask: Any) -> None:
    """So that it is seen which of them could be made to serve."""
    lost = Health(ok=False, reason="fell off the bus")
    one = planner(
        fake_node("small", memory=10),
        Node(name="sick", devices=(fake_device(health=lost),)),
        Node(name="bare"),
        Node(name="model", devices=(fake_device(model="F2"),)),
        fake_node("busy", memory=1500),
    )
    one.charge(one.place(pod(ask(selection=Selection(use_models=("Fake F1",))), name="first")))
    unplaced = one.place(pod(ask(selection=Selection(use_models=("Fake F1",)))))
    assert isinstance(unplaced, Unplaced)
    assert {node: refusal.reason for node, refusal in unplaced.refusals.items()} == {
        "small": Reason.INSUFFICIENT_MEMORY,
        "sick": Reason.UNHEALTHY,
        "bare": Reason.NO_DEVICES,
        "model": Reason.MODEL_MISMATCH,
        "busy": Reason.INSUFFICIENT_MEMORY,
    }


def test_twins_are_refused_when_the_planner_is_made(planner: Any) -> None:
    """A cluster in which a name means two things cannot be planned."""
    with pytest.raises(InvalidValue, match="occurs twice"):
        planner(fake_node("a"), fake_node("a"))


# Purity

NO_DOORS = """
import builtins, io, os, random, socket, subprocess, sys, time

import logging, msgspec, numpy, structlog  # other people's imports may look around; ours may not

def closed(*_, **__):
    raise AssertionError("placement opened something")

for module, name in [
    (builtins, "open"), (io, "open"), (os, "open"), (os, "listdir"), (os, "getenv"), (socket, "socket"),
    (subprocess, "Popen"), (time, "time"), (time, "monotonic"), (time, "sleep"), (random, "random"),
]:
    setattr(module, name, closed)

from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.model.device import Inventory
from hetero.placement import Planner
from hetero.testing.fake import fake_node, fake_vendor

WATCHED = ("open", "os.", "socket.", "subprocess.", "ctypes.", "shutil.", "glob.", "tempfile.", "import")

def watch(event, arguments):
    if event.startswith(WATCHED):
        raise AssertionError(f"placement caused {event} {arguments}")

sys.addaudithook(watch)

def pod(name, **fields):
    container = ContainerAsk(name="c", asks=(Ask(vendor="fake", **fields),))
    return PodAsk(name=name, containers=(container,), init_containers=(container,))

planner = Planner(Inventory(nodes=(fake_node("a", 4), fake_node("b", 2))), {"fake": fake_vendor()})
placed = planner.place(pod("one", count=2, memory=1000, cores=30, selection=Selection(same_numa=True)))
unplaced = planner.place(pod("two", memory=10**6))
planner.free(placed)
planner.charge(placed)
print(placed.node, sorted(unplaced.refusals), len(planner.free_quantities()))
"""


def test_placement_does_no_input_or_output() -> None:
    """Importing and planning open no file, socket or process, ask no clock and no dice, and import nothing late.

    In a process of its own, for an audit hook cannot be taken away again.
    """
    done = subprocess.run([sys.executable, "-c", NO_DOORS], capture_output=True, text=True, timeout=600, check=False)
    assert (done.stdout, done.returncode) == ("b ['a', 'b'] 2\n", 0), done.stderr
