"""Why a pod waits: one sentence per node, with the figures that decide."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health, Node
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Reason, Refusal, Share
from hetero.placement import Planner
from hetero.testing.fake import FakeSplitting, fake_device, fake_node, fake_vendor
from tests.placement.chips import Paired, Placed

LOST = Health(ok=False, reason="fell off the bus")


@pytest.fixture(scope="module")
def why(planner: Any, pod: Any) -> Any:
    """The refusal of an ask on a single node, on which some pods were placed before."""

    def refusal(node: Node, ask: Ask, *before: Ask, **settings: Any) -> Refusal:
        one: Planner = planner(node, **settings)
        for index, earlier in enumerate(before):
            assert isinstance(one.place(pod(earlier, name=f"earlier-{index}")), Placement)
        refusals = one.refusals(pod(ask))
        assert list(refusals) == [node.name]
        return refusals[node.name]

    return refusal


def _sentence(refusal: Refusal) -> str:
    assert refusal.message.startswith("container c0: ")
    return refusal.message.removeprefix("container c0: ")


def _of_family(index: int, family: str, name: str) -> Device:
    device = fake_device(index)
    return msgspec.structs.replace(device, model=msgspec.structs.replace(device.model, family=family, name=name))


def test_no_device_of_the_vendor(why: Any, ask: Any) -> None:
    """The vendor is named as the user may know it from ``hetero vendors``."""
    refusal = why(fake_node(vendor="other"), ask())
    assert refusal.reason is Reason.NO_DEVICES
    assert _sentence(refusal) == "the node has no fake device"


def test_no_device_of_the_family(why: Any, ask: Any) -> None:
    """A node with other devices of the vendor is not said to have none: what it has is named beside what was asked."""
    others = (_of_family(0, "b", "B1"), _of_family(1, "", "C1"), _of_family(2, "b", "B2"))
    refusal = why(Node(name="node", devices=others), ask(family="a"))
    assert refusal.reason is Reason.NO_DEVICES
    assert _sentence(refusal) == "the node has no fake device of family a, only C1, b"
    assert _sentence(why(fake_node(vendor="other"), ask(family="a"))) == "the node has no fake device of family a"


def test_fewer_devices_than_asked(why: Any, ask: Any) -> None:
    """Both numbers are said, and no other reason matters then."""
    refusal = why(fake_node(count=2), ask(count=3, memory=10**6))
    assert refusal.reason is Reason.TOO_FEW_DEVICES
    assert _sentence(refusal) == "asked 3 devices, the node has 2"


def test_memory_that_others_took(why: Any, ask: Any) -> None:
    """The largest piece that is free, and what was asked."""
    refusal = why(fake_node(count=2, memory=1000), ask(memory=500), ask(memory=600), ask(memory=700))
    assert refusal.reason is Reason.INSUFFICIENT_MEMORY
    assert _sentence(refusal) == "not enough memory on any device (largest free 400 MiB, asked 500 MiB)"


def test_memory_that_no_empty_device_has(why: Any, ask: Any) -> None:
    """The vendor's own sentence, once, however many devices there are of the model."""
    refusal = why(fake_node(count=4, memory=1000), ask(memory=2000))
    assert refusal == Refusal(
        reason=Reason.INSUFFICIENT_MEMORY, message="container c0: Fake F1 has 1000 MiB, asked 2000 MiB"
    )


def test_a_small_model_does_not_hide_that_the_large_one_is_full(why: Any, ask: Any) -> None:
    """Vendor's refusal and planner's figures stand side by side when both are the reason."""
    node = Node(name="n", devices=(fake_device(0, memory=1000, model="Small"), fake_device(1, memory=4000)))
    refusal = why(node, ask(memory=2000), ask(memory=3000))
    assert refusal.reason is Reason.INSUFFICIENT_MEMORY
    assert _sentence(refusal) == (
        "Small has 1000 MiB, asked 2000 MiB; not enough memory on 1 device (largest free 1000 MiB, asked 2000 MiB)"
    )


def test_compute_that_others_were_promised(why: Any, ask: Any) -> None:
    """Percent of one device's compute, with the unit."""
    refusal = why(fake_node(count=2), ask(cores=50), ask(cores=60), ask(cores=70))
    assert refusal.reason is Reason.INSUFFICIENT_CORES
    assert _sentence(refusal) == "not enough compute on any device (largest free 40 percent, asked 50 percent)"


def test_all_compute_promised_to_programs_with_a_limit(why: Any, ask: Any) -> None:
    """A program without a limit does not go where nothing is left for it."""
    refusal = why(fake_node(count=2), ask(cores=0), ask(cores=60), ask(cores=60), ask(cores=40), ask(cores=40))
    assert refusal.reason is Reason.CORES_EXHAUSTED
    assert _sentence(refusal) == "all compute promised to programs with a limit: 2 devices"


def test_as_many_programs_as_may_be(why: Any, ask: Any) -> None:
    """Slots are counted under their own reason."""
    refusal = why(fake_node(), ask(memory=1), *[ask(memory=1)] * 10)
    assert refusal.reason is Reason.SLOTS_EXHAUSTED
    assert _sentence(refusal) == "shared by as many programs as may be: 1 device"


def test_a_whole_device_where_each_is_in_use(why: Any, ask: Any) -> None:
    """Exclusive use is refused for the use that is there, not for the slot that is missing."""
    refusal = why(fake_node(count=2), ask(cores=100), *[ask(memory=1)] * 2)
    assert refusal.reason is Reason.EXCLUSIVE_CONFLICT
    assert _sentence(refusal) == "a whole device was asked, already in use: 2 devices"


@pytest.mark.parametrize("cores", [0, 30])
def test_a_device_that_lacks_several_things_is_counted_under_the_first(why: Any, ask: Any, cores: int) -> None:
    """Beside a program that has the whole device there is neither slot nor memory nor compute: slots come first."""
    assert why(fake_node(), ask(cores=cores), ask(memory=None, cores=100)).reason is Reason.SLOTS_EXHAUSTED


def test_memory_comes_before_compute(why: Any, ask: Any) -> None:
    """With both lacking, with and without a limit, memory is named."""
    full = ask(memory=16000, cores=90), ask(memory=1, cores=10)
    for cores in (0, 30):
        assert why(fake_node(), ask(cores=cores), *full).reason is Reason.INSUFFICIENT_MEMORY


def test_unhealthy_devices_with_what_the_driver_found(why: Any, ask: Any) -> None:
    """Each finding once; a driver that gives none is quoted as such."""
    devices = (fake_device(0, health=LOST), fake_device(1, health=LOST), fake_device(2, health=Health(ok=False)))
    refusal = why(Node(name="n", devices=devices), ask())
    assert refusal.reason is Reason.UNHEALTHY
    assert _sentence(refusal) == "unhealthy: 3 devices (fell off the bus, no reason given)"


def test_an_unhealthy_device_is_called_that_before_anything_else(why: Any, ask: Any) -> None:
    """Its memory or model does not matter to anyone."""
    node = Node(name="n", devices=(fake_device(0, memory=10, health=LOST),))
    refusal = why(node, ask(memory=1000, selection=Selection(use_models=("x",))))
    assert refusal.message == "container c0: unhealthy: 1 device (fell off the bus)"


def test_other_models_than_asked(why: Any, ask: Any) -> None:
    """The models that are there are listed, so that a slip in the word is seen."""
    node = Node(name="n", devices=(fake_device(0), fake_device(1), fake_device(2, model="Fake F2")))
    refusal = why(node, ask(selection=Selection(use_models=("F3",))))
    assert refusal.reason is Reason.MODEL_MISMATCH
    assert _sentence(refusal) == "not of the models asked: 3 devices (Fake F1, Fake F2)"


def test_other_devices_than_asked(why: Any, ask: Any) -> None:
    """Identities are long and many, so they are counted."""
    refusal = why(fake_node(count=2), ask(selection=Selection(use_devices=("fake-9",))))
    assert refusal.reason is Reason.DEVICE_MISMATCH
    assert _sentence(refusal) == "not among the devices asked: 2 devices"


def test_devices_with_room_on_different_numa_nodes(why: Any, ask: Any) -> None:
    """There are enough devices, only not together."""
    node = Node(name="n", devices=tuple(fake_device(index, numa=index) for index in range(3)))
    refusal = why(node, ask(count=2, selection=Selection(same_numa=True)))
    assert refusal.reason is Reason.NUMA_MISMATCH
    assert _sentence(refusal) == "no NUMA node has 2 devices with room; all of them have 3"


def test_some_devices_have_room_but_not_enough_of_them(why: Any, ask: Any) -> None:
    """How many do, how many were asked, and why the others do not."""
    refusal = why(fake_node(count=3, memory=1000), ask(count=3, memory=800), ask(count=2, memory=300))
    assert refusal.reason is Reason.INSUFFICIENT_MEMORY
    assert _sentence(refusal) == (
        "room on 1 device, asked 3; not enough memory on 2 devices (largest free 700 MiB, asked 800 MiB)"
    )


def test_too_few_on_one_numa_node_is_told_by_what_is_lacking(why: Any, ask: Any) -> None:
    """When there are too few devices with room anyway, where they lie is not the reason."""
    node = Node(name="n", devices=(fake_device(0, numa=0), fake_device(1, numa=1, health=LOST)))
    refusal = why(node, ask(count=2, selection=Selection(same_numa=True)))
    assert refusal.reason is Reason.UNHEALTHY


def test_every_reason_is_said_and_the_most_common_leads(why: Any, ask: Any) -> None:
    """A count under one reason must not hide that other devices fail for another."""
    devices = (fake_device(0, health=LOST), *(fake_device(index, memory=1000) for index in (1, 2)))
    refusal = why(Node(name="n", devices=devices), ask(memory=500), ask(count=2, memory=800))
    assert refusal.reason is Reason.INSUFFICIENT_MEMORY
    assert _sentence(refusal) == (
        "not enough memory on 2 devices (largest free 200 MiB, asked 500 MiB); unhealthy: 1 device (fell off the bus)"
    )


def test_refusals_of_several_models_count_as_one_reason(why: Any, ask: Any) -> None:
    """Two sentences of one reason outweigh another reason of as many devices as each of them."""
    small = [fake_device(index, memory=100 * index, model=f"Small {index}") for index in (1, 2)]
    node = Node(name="n", devices=(fake_device(0, health=LOST), *small))
    refusal = why(node, ask(memory=500))
    assert refusal.reason is Reason.INSUFFICIENT_MEMORY
    assert _sentence(refusal) == (
        "Small 1 has 100 MiB, asked 500 MiB; Small 2 has 200 MiB, asked 500 MiB; unhealthy: 1 device (fell off the bus)"
    )


class Rings(FakeSplitting):
    """A chip that also has a limited number of rings; each share takes two."""

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        if ask.priority is not None:
            return Refusal(reason=Reason.UNHEALTHY, message=f"{model.name} ranks nobody")
        return Share(quantities={SLOTS: 1, "rings": 2})


def test_a_dimension_of_the_vendors_own(why: Any, ask: Any) -> None:
    """What only one chip has is counted as well, under the reason for all such things."""
    model = DeviceModel(vendor="fake", name="Ring", capacity={SLOTS: 9, "rings": 3, MEMORY: 5, CORES: 100})
    node = Node(name="n", devices=(Device(uuid="r", index=0, model=model),))
    refusal = why(node, ask(), ask(), vendors={"fake": fake_vendor(splitting=Rings("fake"))})
    assert refusal.reason is Reason.UNSUPPORTED
    assert _sentence(refusal) == "not enough rings on any device (largest free 1, asked 2)"


def test_no_place_is_left_on_a_device(why: Any, ask: Any) -> None:
    """There is memory enough, and not where the share may be."""
    placed = Placed("fake")
    node = Node(name="n", devices=(Device(uuid="d", index=0, model=placed.model("P", 800)),))
    smalls = [ask(memory=100), ask(memory=100)]  # one at the first place, one at the last but one
    refusal = why(node, ask(memory=400), *smalls, vendors={"fake": fake_vendor(splitting=placed)})
    assert refusal.reason is Reason.UNSUPPORTED
    assert _sentence(refusal) == "no place left for the share: 1 device"


def test_devices_of_which_no_set_may_be_given(why: Any, ask: Any) -> None:
    """Which of them have room is said, for whoever looks how they are wired."""
    vendors = {"fake": fake_vendor(splitting=Paired("fake"))}
    busy = ask(cores=100, memory=None, selection=Selection(use_devices=("fake-0",)))
    refusal = why(fake_node(count=3), ask(count=2, cores=1), busy, vendors=vendors)
    assert refusal.reason is Reason.TOPOLOGY
    assert _sentence(refusal) == "room on 2 devices (index 1, 2), but no 2 of them may be given together"
    second = ask(selection=Selection(use_devices=("fake-1",)))
    assert "(index 1), but none of them may be given alone" in why(fake_node(count=3), second, vendors=vendors).message


def test_a_set_that_is_not_on_one_numa_node(why: Any, ask: Any) -> None:
    """Too few devices on each is one thing, and no set on any another."""
    vendors = {"fake": fake_vendor(splitting=Paired("fake"))}
    devices = tuple(fake_device(index, numa=numa) for index, numa in enumerate((0, 1, 1, 0)))
    bound = ask(count=2, selection=Selection(same_numa=True))
    refusal = why(Node(name="n", devices=devices), bound, vendors=vendors)
    assert refusal.reason is Reason.TOPOLOGY
    assert _sentence(refusal).endswith("but no 2 of them may be given together on one NUMA node")
    refusal = why(Node(name="n", devices=devices[:2]), bound, vendors=vendors)
    assert refusal.reason is Reason.NUMA_MISMATCH


def test_a_whole_device_that_only_lacks_memory(why: Any, ask: Any) -> None:
    """A vendor may let programs without memory run beside a whole device: then use is not what is in the way."""

    class Lenient(FakeSplitting):
        def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
            return Share(quantities={SLOTS: 1, MEMORY: ask.memory or 0})

    vendors = {"fake": fake_vendor(splitting=Lenient("fake"))}
    refusal = why(fake_node(), ask(memory=9000, cores=100), ask(memory=9000), vendors=vendors)
    assert refusal.reason is Reason.INSUFFICIENT_MEMORY


def test_a_vendor_may_give_any_reason_with_its_own_sentence(why: Any, ask: Any) -> None:
    """The vendor's words are for the user, whatever they are counted under."""
    model = DeviceModel(vendor="fake", name="Ring", capacity={SLOTS: 9, "rings": 3})
    node = Node(name="n", devices=(Device(uuid="r", index=0, model=model),))
    refusal = why(node, ask(priority=1), vendors={"fake": fake_vendor(splitting=Rings("fake"))})
    assert refusal == Refusal(reason=Reason.UNHEALTHY, message="container c0: Ring ranks nobody")


def test_a_vendor_that_is_not_installed(why: Any, ask: Any) -> None:
    """A device is there, the package that knows it is not."""
    refusal = why(fake_node(), ask(), vendors={})
    assert refusal == Refusal(reason=Reason.UNSUPPORTED, message="container c0: vendor 'fake' is not installed")


def test_a_device_that_shrank_has_nothing_free(planner: Any, pod: Any, ask: Any) -> None:
    """Less than nothing is not shown to anyone."""
    one = planner(fake_node(memory=1000))
    share = Share(quantities={MEMORY: 1500})
    held = planner(fake_node(memory=2000)).place(pod(ask(), name="earlier"))
    device = held.containers[0].devices[0]
    one.charge(_with_share(held, device.device, share))
    message = one.refusals(pod(ask(memory=10)))["node"].message
    assert message == "container c0: not enough memory on any device (largest free 0 MiB, asked 10 MiB)"


def _with_share(placement: Placement, device: str, share: Share) -> Placement:
    held = ContainerPlacement(container="c0", devices=(DeviceShare(vendor="fake", device=device, share=share),))
    return Placement(namespace=placement.namespace, pod=placement.pod, node=placement.node, containers=(held,))


def test_the_container_that_finds_no_room_is_named(planner: Any, pod: Any, ask: Any) -> None:
    """In a pod of several the reader must know which one; init containers have names too."""
    one = planner(fake_node(memory=1000))
    assert one.refusals(pod(ask(memory=10), ask(memory=2000)))["node"].message.startswith("container c1: Fake F1 has")
    assert one.refusals(pod(ask(memory=10), init=[ask(memory=2000)]))["node"].message.startswith("container i0: ")


def test_what_the_pod_itself_takes_is_not_free(planner: Any, pod: Any, ask: Any) -> None:
    """The figures are those at the moment of the second container's turn."""
    refusal = planner(fake_node(memory=1000)).refusals(pod(ask(memory=700), ask(memory=600)))["node"]
    assert refusal.message == ("container c1: not enough memory on any device (largest free 300 MiB, asked 600 MiB)")


def test_a_request_without_a_name_gets_a_sentence_without_one(planner: Any, ask: Any) -> None:
    """On one machine there are no containers, and none is made up."""
    nameless = PodAsk(name="", containers=(ContainerAsk(name="", asks=(ask(memory=2000),)),))
    refusal = planner(fake_node(memory=1000)).refusals(nameless)["node"]
    assert refusal.message == "Fake F1 has 1000 MiB, asked 2000 MiB"


def test_nodes_that_serve_have_no_refusal(planner: Any, pod: Any, ask: Any) -> None:
    """Only those that do not are explained."""
    one = planner(fake_node("small", memory=10), fake_node("large", memory=1000))
    assert list(one.refusals(pod(ask(memory=500)))) == ["small"]
