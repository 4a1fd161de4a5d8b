"""From the kubelet's slots to what a placement gives: or a sentence, which the user reads in the pod's events."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.agent.shares import Shares
from hetero.errors import Unbound
from hetero.model import wire
from hetero.model.allocation import Grant
from hetero.model.device import CORES, MEMORY, SLOTS, Health
from hetero.model.placement import ContainerPlacement, Placement
from hetero.testing.fake import fake_device, fake_vendor

DEVICES = {device.uuid: device for device in [fake_device(0), fake_device(1), fake_device(0, vendor="other")]}
VENDORS = {name: fake_vendor(name) for name in ("fake", "other")}
SHARES = Shares("desk", VENDORS)


def _refused(pod: Any, held: Any, devices: Any = DEVICES, shares: Shares = SHARES) -> str:
    with pytest.raises(Unbound) as refusal:
        shares.wanted(pod, held, devices)
    return str(refusal.value)


def test_a_container_is_given_what_its_pods_placement_says(scene: Any) -> None:
    """The device as it is now, the share as it was placed, the container's name and its vendor."""
    wanted = SHARES.wanted(scene.pod(scene.placement()), scene.held(), DEVICES)
    assert wanted.grants == (Grant(device=DEVICES["fake-0"], share=scene.share().share),)
    assert (wanted.vendor, wanted.container, wanted.pod.metadata.uid) == ("fake", "main", scene.uid)
    assert (wanted.priority, wanted.policy) == (None, "cap")


def test_devices_come_in_the_order_of_the_placement(scene: Any) -> None:
    """The program counts them in that order; the kubelet's ids have none."""
    placed = scene.placement(scene.share("fake-1"), scene.share("fake-0"))
    pod = scene.pod(placed, limits={"fake.example/npu": 2, "fake.example/npumem": 1024, "fake.example/npucores": 30})
    wanted = SHARES.wanted(pod, scene.held("slot-0007", "slot-0003"), DEVICES)
    assert [grant.device.uuid for grant in wanted.grants] == ["fake-1", "fake-0"]


def test_priority_and_policy_are_what_the_pod_asks(scene: Any) -> None:
    """Those are no part of a placement: the scheduler does not need them, the limits do."""
    limits = {"fake.example/npu": 1, "fake.example/npumem": 1024, "fake.example/npu-priority": 0}
    made = scene.manifest(scene.placement(), limits=limits)
    made["metadata"]["annotations"]["hetero.io/compute-policy"] = "conserve"
    wanted = SHARES.wanted(msgspec.convert(made, type(scene.pod())), scene.held(), DEVICES)
    assert (wanted.priority, wanted.policy) == (0, "conserve")


def test_init_containers_and_sidecars_are_found_where_the_planner_put_them(scene: Any) -> None:
    """The one among the init containers, the other among those that run side by side."""
    part = (scene.share("fake-1"),)
    placed = scene.placement(
        containers=(ContainerPlacement(container="proxy", devices=part), *scene.placement().containers),
        init_containers=(ContainerPlacement(container="fetch", devices=part),),
    )
    asked = {"resources": {"limits": {"fake.example/npu": 1, "fake.example/npumem": 1024}}}
    first = [{"name": "fetch", **asked}, {"name": "proxy", "restartPolicy": "Always", **asked}]
    pod = scene.pod(placed, initContainers=first)
    for name in ("fetch", "proxy"):
        [grant] = SHARES.wanted(pod, scene.held(container=name), DEVICES).grants
        assert grant.device.uuid == "fake-1"


def test_a_pod_that_somebody_else_bound_has_no_placement(scene: Any) -> None:
    """The sentence names who bound it, and what to do."""
    text = _refused(scene.pod(schedulerName="default-scheduler"), scene.held())
    assert text.startswith("pod lab/train has no placement: default-scheduler bound it")
    assert "delete the pod" in text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"uid": "another"}, "is stale: it is of pod another"),
        ({"uid": ""}, "is stale: it is of pod ?"),
        ({"node": "elsewhere"}, "is stale: it is for node elsewhere"),
        ({"containers": ()}, "is malformed: it has no container main"),
    ],
)
def test_a_placement_of_something_else_is_refused(scene: Any, changed: dict[str, Any], said: str) -> None:
    """A copied annotation, a pod that was made anew, a node that was renamed."""
    assert said in _refused(scene.pod(scene.placement(**changed)), scene.held())


NO_PLACEMENT = ["", "{}", "no JSON", '{"v": 9, "placement": {}}', '{"v": 1, "placement": {"pod": 1}}']


@pytest.mark.parametrize("text", NO_PLACEMENT)
def test_a_malformed_placement_is_refused(scene: Any, text: str) -> None:
    """Whatever an annotation holds, the answer is a sentence."""
    assert "the placement of pod lab/train is malformed" in _refused(scene.pod(text), scene.held())


@given(text=st.text(max_size=200) | st.from_type(Placement).map(wire.encode))
def test_any_annotation_gives_a_sentence_and_no_trace(text: str) -> None:
    """Nothing that somebody writes there gets past, or ends the agent."""
    made = {"metadata": {"name": "a", "uid": "u", "annotations": {"hetero.io/placement": text}}}
    from hetero.agent.pods import Pod
    from hetero.allocation.held import Held

    held = Held(pod_uid="u", container="main", resource="fake.example/npu", ids=("a",), cdi_names=())
    with pytest.raises(Unbound):
        SHARES.wanted(msgspec.convert(made, Pod), held, DEVICES)


def test_another_number_of_devices_than_asked_is_refused(scene: Any) -> None:
    """A placement of two for a pod that asks one, and slots of which the pod asked fewer."""
    two = scene.placement(scene.share("fake-0"), scene.share("fake-1"))
    assert "asks 1 and holds 1 of fake.example/npu, and is given 2" in _refused(scene.pod(two), scene.held())
    assert "asks 1 and holds 2" in _refused(scene.pod(scene.placement()), scene.held("a", "b"))


def test_a_device_that_is_gone_or_of_another_vendor_is_refused(scene: Any) -> None:
    """Also one whose identity another vendor's device has."""
    pod = scene.pod(scene.placement(scene.share("fake-9")))
    assert "placed on fake-9, which this node does not have" in _refused(pod, scene.held())
    other = scene.pod(scene.placement(scene.share("other-0")))
    assert "placed on other-0, which this node does not have" in _refused(other, scene.held())


def test_a_device_that_is_not_well_is_waited_for(scene: Any) -> None:
    """The driver's reason is in the sentence; the kubelet asks again until the device has recovered."""
    ill = {"fake-0": fake_device(0, health=Health(ok=False, reason="fell off the bus"))}
    assert "is not well: fell off the bus" in _refused(scene.pod(scene.placement()), scene.held(), ill)


@pytest.mark.parametrize("quantities", [{MEMORY: 16385}, {MEMORY: -1}, {SLOTS: 1, "magic": 1}, {CORES: 101}])
def test_more_than_a_device_has_is_refused(scene: Any, quantities: dict[str, int]) -> None:
    """Whoever made that placement did not look at this device."""
    wrong = msgspec.structs.replace(
        scene.share(), share=msgspec.structs.replace(scene.share().share, quantities=quantities)
    )
    assert "is malformed" in _refused(scene.pod(scene.placement(wrong)), scene.held())


def test_a_resource_of_no_vendor_is_refused(scene: Any) -> None:
    """An agent of another image may have registered it before."""
    assert "belongs to no vendor" in _refused(scene.pod(scene.placement()), scene.held(resource="acme.com/x"))


def test_limits_of_two_vendors_cannot_be_kept_in_one_container(scene: Any) -> None:
    """One limits file, one vendor's devices; where one of the two needs none, both are given."""
    both = scene.placement(scene.share(), scene.share("other-0", vendor="other"))
    pod = scene.pod(both, limits={"fake.example/npu": 1, "fake.example/npumem": 1024, "other.example/npu": 1})
    kept = {name: fake_vendor(name, region=True) for name in ("fake", "other")}
    assert "devices of fake and other" in _refused(pod, scene.held(), shares=Shares("desk", kept))
    one = Shares("desk", {**kept, "other": fake_vendor("other")})
    assert [grant.device.uuid for grant in one.wanted(pod, scene.held(), DEVICES).grants] == ["fake-0"]
    second = scene.held(resource="other.example/npu")
    assert [grant.device.uuid for grant in one.wanted(pod, second, DEVICES).grants] == ["other-0"]


def test_asks_that_cannot_be_read_are_told(scene: Any) -> None:
    """A pod past the webhook with nonsense in it: the sentence is admission's own."""
    pod = scene.pod(scene.placement(), limits={"fake.example/npu": "many"})
    assert "what pod lab/train asks cannot be read" in _refused(pod, scene.held())
