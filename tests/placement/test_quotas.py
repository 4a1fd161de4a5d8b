"""Quotas at placement: a node on which a pod would take more than its namespace may is none for it."""

from __future__ import annotations

from typing import Any

import pytest

from hetero.model.ask import PodAsk, Traits
from hetero.model.device import MEMORY, Node
from hetero.model.placement import Placement, Unplaced
from hetero.model.share import Reason, Refusal
from hetero.placement import Planner
from hetero.placement.quota import DEVICES, Limit, Quota
from hetero.placement.scopes import Scope
from hetero.testing.fake import fake_device, fake_node


def _quota(dimension: str, amount: int, **fields: Any) -> Quota:
    limit = Limit(resource=f"fake.example/{dimension}", vendor="fake", family="", dimension=dimension, amount=amount)
    return Quota(name="team", limits=(limit,), **fields)


def _limited(planner: Any, *nodes: Node, **limits: int) -> Planner:
    one: Planner = planner(*nodes)
    one.put_quotas("default", [_quota(name, amount) for name, amount in limits.items()])
    return one


def _answers(planner: Planner, pod: PodAsk, names: str) -> tuple[list[str], dict[str, str], dict[str, str]]:
    return planner.options(pod).split(list(names))


def test_a_pod_beyond_the_quota_goes_nowhere(planner: Any, pod: Any, ask: Any) -> None:
    """Though there is room; it is told so in the quota's words, and another namespace is not concerned."""
    one = _limited(planner, fake_node("a"), fake_node("b"), memory=1500)
    assert isinstance(one.place(pod(ask(), name="first")), Placement)
    second = one.place(pod(ask(), name="second"))
    assert isinstance(second, Unplaced)
    assert {refusal.reason for refusal in second.refusals.values()} == {Reason.QUOTA}
    assert second.refusals["a"].message == (
        "quota team allows 1500 MiB of fake.example/memory in all, in use 1000 MiB, asked 1000 MiB"
    )
    assert isinstance(one.place(pod(ask(), name="second", namespace="other")), Placement)


def test_a_quota_is_no_reason_for_good(planner: Any, pod: Any, ask: Any) -> None:
    """When pods of the namespace go there is room again, so evicting some may help."""
    one = _limited(planner, fake_node("a"), fake_node("b"), memory=500)
    fits, now, never = _answers(one, pod(ask()), "ab")
    assert (fits, never) == ([], {})
    assert set(now) == {"a", "b"}
    assert now["a"].startswith("ResourceQuotaNotFit: ")


def test_only_nodes_where_the_pod_takes_too_much_are_closed(planner: Any, pod: Any, ask: Any) -> None:
    """Half a device is more of one model than of another."""
    nodes = [fake_node(name, memory=memory) for name, memory in (("a", 1000), ("b", 3000), ("c", 2000))]
    one = _limited(planner, *nodes, memory=1000)
    fits, now, _ = _answers(one, pod(ask(memory=None, memory_percentage=50)), "abc")
    assert fits == ["a", "c"]
    assert set(now) == {"b"}
    assert one.options(pod(ask(memory=None, memory_percentage=50))).best() in fits


@pytest.mark.parametrize(("policy", "fits"), [("binpack", True), ("spread", False)])
def test_a_node_of_mixed_devices_is_judged_by_the_devices_that_it_would_give(
    planner: Any, pod: Any, ask: Any, policy: str, fits: bool
) -> None:
    """The plan that would be made breaks the quota or does not; no other plan is made for the quota's sake."""
    node = Node(name="a", devices=(fake_device(0, memory=1000), fake_device(1, memory=4000)))
    one = _limited(planner, node, memory=1000)
    percent = pod(ask(memory=None, memory_percentage=40), device_policy=policy)
    one.charge(_on(one.place(pod(ask(memory=100), name="first", namespace="other", device_policy="binpack"))))
    placement = one.place_on(percent, "a")
    assert isinstance(placement, Placement) == bool(one.options(percent).split(["a"])[0])
    assert isinstance(placement, Placement) is fits


def _on(placement: Placement | Unplaced) -> Placement:
    assert isinstance(placement, Placement)
    return placement


def test_devices_are_counted(planner: Any, pod: Any, ask: Any) -> None:
    """Of all containers, the greatest init container not on top."""
    one = _limited(planner, fake_node(count=4), **{DEVICES: 3})
    assert isinstance(one.place_on(pod(ask(count=2), ask(), init=[ask(count=3)]), "node"), Placement)
    refused = one.place_on(pod(ask(count=2), ask(count=2)), "node")
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.QUOTA


def test_what_the_pod_holds_is_not_held_against_it(planner: Any, pod: Any, ask: Any) -> None:
    """Asked again, it takes the place of what it has."""
    one = _limited(planner, fake_node("a"), memory=1500)
    assert isinstance(one.place(pod(ask())), Placement)
    assert _answers(one, pod(ask(memory=1500)), "a")[0] == ["a"]
    assert isinstance(one.place(pod(ask(memory=1500))), Placement)
    assert isinstance(one.place(pod(ask(memory=1501))), Unplaced)


def test_freed_and_removed_quotas_leave_room(planner: Any, pod: Any, ask: Any) -> None:
    """What is given back counts no more, and a quota that is gone limits nobody."""
    one = _limited(planner, fake_node("a"), memory=1000)
    first = _on(one.place(pod(ask(), name="first")))
    assert not _answers(one, pod(ask()), "a")[0]
    one.free(first.key)
    assert _answers(one, pod(ask()), "a")[0] == ["a"]
    one.charge(first)
    one.put_quotas("default", [])
    assert _answers(one, pod(ask()), "a")[0] == ["a"]


def test_scopes_look_at_the_pods_traits(planner: Any, pod: Any, ask: Any) -> None:
    """A quota for some pods counts those and no others, by what was said of them when they were charged."""
    one: Planner = planner(fake_node("a"))
    one.put_quotas("default", [_quota(MEMORY, 1500, scopes=(Scope(name="Terminating"),))])
    job = Traits(terminating=True)
    one.charge(_on(one.place(pod(ask(), name="service"))))
    assert isinstance(one.place(pod(ask(), name="first", traits=job)), Placement)
    assert isinstance(one.place(pod(ask(), name="second", traits=job)), Unplaced)
    assert isinstance(one.place(pod(ask(), name="other")), Placement)


def test_a_pod_that_may_never_be_is_told_before_a_device_is_chosen(planner: Any, pod: Any, ask: Any) -> None:
    """At admission; what hangs on the device is not known there."""
    one = _limited(planner, fake_node("a"), memory=1500)
    refusal = one.quota_refusal(pod(ask(memory=1000, count=2)))
    assert refusal is not None
    assert refusal.reason is Reason.QUOTA
    assert one.quota_refusal(pod(ask(memory=None))) is None


def test_the_event_says_the_quotas_sentence(planner: Any, pod: Any, ask: Any) -> None:
    """With how many nodes it closes."""
    one = _limited(planner, fake_node("a"), fake_node("b"), fake_node("c", memory=10), memory=500)
    assert one.options(pod(ask())).summary() == (
        "2/3 nodes: quota team allows 500 MiB of fake.example/memory in all, in use 0 MiB, asked 1000 MiB "
        "[ResourceQuotaNotFit]; 1/3 nodes: Fake F1 has 10 MiB, asked 1000 MiB [CardInsufficientMemory]"
    )


def test_victims_of_the_namespace_make_room_in_its_quota(planner: Any, pod: Any, ask: Any) -> None:
    """A pod of another namespace does not."""
    one = _limited(planner, fake_node("a"), memory=1000)
    mine = _on(one.place(pod(ask(), name="mine")))
    other = _on(one.place(pod(ask(), name="other", namespace="other")))
    assert one.victims(pod(ask()), "a", [other.key]) is None
    assert one.victims(pod(ask()), "a", [other.key, mine.key]) == [mine.key]
