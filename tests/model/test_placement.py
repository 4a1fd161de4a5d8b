"""Placements: what an annotation keeps of a decision, and why a pod has none."""

from __future__ import annotations

from hetero.model import wire
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement, Unplaced
from hetero.model.share import Reason, Refusal, Share

SHARE = DeviceShare(vendor="acme", device="acme-0", share=Share(quantities={"slots": 1, "memory": 1024}))


def test_a_placement_is_stored_so() -> None:
    """The scheduler writes it, the node reads it: two releases must agree on every name."""
    placement = Placement(
        namespace="team",
        pod="train",
        node="n1",
        containers=(ContainerPlacement(container="main", devices=(SHARE,)),),
        init_containers=(ContainerPlacement(container="load"),),
    )
    text = (
        '{"placement":{"namespace":"team","pod":"train","node":"n1","containers":[{"container":"main","devices":'
        '[{"vendor":"acme","device":"acme-0","share":{"quantities":{"memory":1024,"slots":1},"template":""},"family":""}]}],'
        '"init_containers":[{"container":"load","devices":[]}],"uid":""},"v":1}'
    )
    assert wire.encode(placement) == text
    assert wire.decode(text, Placement) == placement


def test_a_container_may_get_nothing() -> None:
    """A container without devices has a place in the list: lists of a pod and of its placement go side by side."""
    assert ContainerPlacement(container="idle").devices == ()
    assert Placement(namespace="team", pod="train", node="n1").containers == ()


def test_devices_stay_in_their_order() -> None:
    """A program's first device is the first of the list."""
    second = DeviceShare(vendor="acme", device="acme-1", share=SHARE.share)
    one = ContainerPlacement(container="main", devices=(second, SHARE))
    read = wire.decode(wire.encode(one), ContainerPlacement)
    assert [share.device for share in read.devices] == ["acme-1", "acme-0"]


def test_an_unplaced_pod_has_a_reason_for_every_node() -> None:
    """By the node's name, in one text whatever order the nodes came in."""
    busy = Refusal(reason=Reason.SLOTS_EXHAUSTED, message="10 of 10 slots are taken")
    small = Refusal(reason=Reason.INSUFFICIENT_MEMORY, message="has 8192 MiB, asked 16384 MiB")
    one = Unplaced(namespace="team", pod="train", refusals={"n2": busy, "n1": small})
    two = Unplaced(namespace="team", pod="train", refusals={"n1": small, "n2": busy})
    assert wire.encode(one) == wire.encode(two)
    assert wire.decode(wire.encode(one), Unplaced).refusals["n2"] == busy
