"""Refused pods that fit now are looked at again: late, few at once, and ever more seldom."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sent import Events, args, shown

from hetero import metrics
from hetero.errors import ApiError
from hetero.kube import objects
from hetero.kube.objects import Metadata, QuotaSpec, ResourceQuota
from hetero.model.ask import PodAsk, Traits
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.extender import Extender
from hetero.scheduler.grants import Kind
from hetero.scheduler.recent import Recent
from hetero.scheduler.refused import LONGEST, MOST, Refused
from hetero.scheduler.telling import Telling
from hetero.scheduler.waking import AT_ONCE, KINDS, Waking
from hetero.testing.fake import MEMORY_MIB, fake_node

WHOLE = MEMORY_MIB

Change = Callable[[], None]


class Server:
    """Notes patches; fails when it is told to."""

    def __init__(self) -> None:
        self.patches: list[tuple[str, Any]] = []
        self.error: ApiError | None = None

    def patch(self, path: str, body: bytes) -> bytes:
        if self.error is not None:
            raise self.error
        self.patches.append((path, json.loads(body)))
        return b"{}"


class Desk:
    """One node with one device, which a pod holds."""

    def __init__(self, vendors, clock, pod, placed) -> None:
        self.clock, self.server, self.placed = clock, Server(), placed
        self.cluster = Cluster(vendors, clock=clock, grant_seconds=10)
        self.cluster.nodes.replace([shown(fake_node("a", 1))])
        self.holder = pod("holder", node="a", placed=placed("holder", "a", memory=WHOLE))
        self.cluster.pods.put(self.holder)
        self.extender = Extender(self.cluster, Recent(), Telling(Events()), lambda: True)
        self.waking = Waking(self.cluster, self.server, now=lambda: int(clock() * 1000))

    def filter(self, pod: objects.Pod) -> list[str]:
        return json.loads(self.extender.filter(args(pod, ["a"])))["NodeNames"]

    def woken(self, seconds: float = 1.0) -> list[str]:
        """Whom a look after so many seconds wakes."""
        self.clock.now += seconds
        self.server.patches.clear()
        self.waking.look()
        return [path.rsplit("/", 1)[1] for path, _ in self.server.patches]


@pytest.fixture
def desk(vendors, clock, pod, placed) -> Desk:
    """Full."""
    return Desk(vendors, clock, pod, placed)


def test_a_refused_pod_is_woken_when_there_is_room(desk: Desk, pod) -> None:
    """By a patch of itself, and of no other pod of its name."""
    before = metrics.woken.value("woken")
    assert desk.filter(pod("x")) == []
    assert desk.woken() == []
    desk.cluster.pods.remove(desk.holder)
    assert desk.woken() == ["x"]
    [(path, body)] = desk.server.patches
    assert path == "/api/v1/namespaces/default/pods/x"
    assert body == {"metadata": {"uid": "uid-x", "annotations": {"hetero.io/retry": str(int(desk.clock() * 1000))}}}
    assert metrics.woken.value("woken") == before + 1
    assert desk.woken(100) == []


def test_kube_scheduler_has_its_turn_first(desk: Desk, pod) -> None:
    """A pod that was asked for again is not woken, nor is one right after it was refused."""
    desk.filter(pod("x"))
    desk.cluster.pods.remove(desk.holder)
    assert desk.woken(0.4) == []
    assert desk.filter(pod("x")) == ["a"]
    assert desk.woken() == []
    assert len(desk.cluster.refused) == 0


def test_a_pod_that_still_does_not_fit_is_not_woken(desk: Desk, pod, placed) -> None:
    """Room was made, and it is not enough."""
    desk.cluster.pods.put(pod("small", node="a", placed=placed("small", "a", memory=1)))
    desk.filter(pod("x", WHOLE))
    desk.cluster.pods.remove(desk.holder)
    assert desk.woken() == []
    desk.cluster.pods.remove(pod("small"))
    assert desk.woken() == ["x"]


def cordoned(desk: Desk, *_: Any) -> Change:
    """The device is free, and closed."""
    desk.cluster.pods.remove(desk.holder)
    desk.cluster.nodes.put(shown(fake_node("a", 1), {"hetero.io/device-cordon": "fake-0"}))
    return lambda: desk.cluster.nodes.put(shown(fake_node("a", 1)))


def expired(desk: Desk, _: Any, placed: Any) -> Change:
    """It is promised to a pod that is never bound."""
    desk.cluster.pods.remove(desk.holder)
    desk.cluster.books.grant(placed("y", "a", memory=WHOLE), Kind.TENTATIVE, Traits())
    return lambda: None


def released(desk: Desk, _: Any, placed: Any) -> Change:
    """A Binding fails."""
    desk.cluster.pods.remove(desk.holder)
    desk.cluster.books.grant(placed("y", "a", memory=WHOLE), Kind.BINDING, Traits())
    return lambda: desk.cluster.books.release("uid-y")


def limited(desk: Desk, *_: Any) -> Change:
    """The namespace has a quota, and then none."""
    desk.cluster.pods.remove(desk.holder)
    quota = ResourceQuota(Metadata(name="q", namespace="default"), QuotaSpec(hard={"limits.fake.example/npumem": 1}))
    desk.cluster.quotas.put(quota)
    return lambda: desk.cluster.quotas.remove(quota)


def nominated(desk: Desk, pod: Any, _: Any) -> Change:
    """It is kept for a preemptor, whose nomination is withdrawn."""
    desk.cluster.pods.put(pod("first", WHOLE, priority=9, nominated="a"))
    desk.cluster.pods.remove(desk.holder)
    return lambda: desk.cluster.pods.put(pod("first", WHOLE, priority=9))


def joined(desk: Desk, *_: Any) -> Change:
    """Another node comes."""
    return lambda: desk.cluster.nodes.put(shown(fake_node("b", 1)))


def over(desk: Desk, pod: Any, _: Any) -> Change:
    """The holder has done its work."""
    return lambda: desk.cluster.pods.put(pod("holder", node="a", phase="Succeeded"))


@pytest.mark.parametrize("story", [cordoned, expired, released, limited, nominated, joined, over])
def test_whatever_makes_room_wakes(desk: Desk, pod, placed, story) -> None:
    """Nodes and their devices, promises that end, quotas, and pods that are over."""
    change = story(desk, pod, placed)
    assert desk.filter(pod("x")) == []
    assert desk.woken(2) == []
    change()
    assert desk.woken(10) == ["x"]


def test_pods_are_woken_in_their_order_and_few_at_once(desk: Desk, pod) -> None:
    """The most important first, then who waits longest; the others have their turn when there is room again."""
    for number in range(AT_ONCE + 4):
        desk.filter(pod(f"p{number:02}", priority=5 if number == 19 else 1))
        desk.clock.now += 0.01
    desk.cluster.pods.remove(desk.holder)
    first = desk.woken()
    assert first == ["p19", *(f"p{number:02}" for number in range(AT_ONCE - 1))]
    assert desk.woken() == [f"p{number:02}" for number in range(AT_ONCE - 1, 19)]
    assert desk.woken() == []


def test_few_kinds_are_judged_at_once(desk: Desk, pod) -> None:
    """The others come next time, also when the first do not fit; who fits is found in the end."""
    for number in range(3 * KINDS):
        desk.filter(pod(f"p{number:02}", WHOLE - number, priority=1))
        desk.clock.now += 0.01
    desk.filter(pod("small", 500, priority=0))
    desk.cluster.pods.put(pod("holder", node="a", phase="Failed"))
    desk.cluster.pods.put(pod("other", node="a", placed=desk.placed("other", "a", memory=WHOLE - 600)))
    assert [desk.woken() for _ in range(4)] == [[], [], [], ["small"]]


def test_who_was_asked_for_meanwhile_is_not_woken(desk: Desk, pod) -> None:
    """The lock is not held from the look to the waking."""
    desk.filter(pod("x"))
    desk.cluster.pods.remove(desk.holder)
    desk.clock.now += 1
    [one] = desk.cluster.refused.due(desk.cluster.books.loosened)
    assert desk.cluster.refused.waits(one)
    desk.filter(pod("x"))
    assert not desk.cluster.refused.waits(one)
    assert not desk.waking._judge(one, (one.ask, 0), {}, 99)
    assert desk.server.patches == []


def test_a_pod_is_woken_ever_more_seldom(desk: Desk, pod) -> None:
    """What keeps it may be no device: kube-scheduler refuses it without asking us, and room is made all the time."""
    desk.filter(pod("x"))
    desk.cluster.pods.remove(desk.holder)
    times = []
    for _ in range(600):
        if desk.woken(0.5):
            times.append(desk.clock())
        desk.cluster.loosen()
    pauses = [round(later - before) for before, later in pairwise(times)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 32]
    assert set(pauses[6:]) <= {60, 61}


def test_a_pod_that_is_bound_or_gone_is_not_woken(desk: Desk, pod, placed) -> None:
    """Nor is one that cannot be read."""
    for name in ("bound", "gone", "over"):
        desk.filter(pod(name))
    assert desk.filter(pod("wrong", cores=101)) == []
    desk.cluster.pods.put(pod("bound", node="b"))
    desk.cluster.pods.remove(pod("gone"))
    desk.cluster.pods.put(pod("over", phase="Failed"))
    desk.cluster.pods.remove(desk.holder)
    assert desk.woken() == []


@pytest.mark.parametrize(("status", "again"), [(404, False), (409, False), (403, True), (500, True), (0, True)])
def test_a_patch_that_fails_is_tried_when_there_is_room_again(desk: Desk, pod, status: int, again: bool) -> None:
    """Unless the pod is gone."""
    before = metrics.woken.value("failed")
    desk.filter(pod("x"))
    desk.cluster.pods.remove(desk.holder)
    desk.server.error = ApiError(status, "Reason", "no")
    assert desk.woken() == []
    assert metrics.woken.value("failed") == before + 1
    desk.server.error = None
    desk.cluster.loosen()
    assert desk.woken(2) == (["x"] if again else [])


def test_what_is_written_is_no_part_of_the_asking(desk: Desk, pod) -> None:
    """A woken pod asks what it asked, and is of the same kind as its like."""
    plain, woken = pod("x"), pod("y", notes={"hetero.io/retry": "1"})
    assert desk.cluster.asks.read(plain).containers is desk.cluster.asks.read(woken).containers


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["note", "drop", "wake", "wait"])), max_size=40))
def test_a_pod_is_due_when_room_came_after_its_refusal(history) -> None:
    """Against a plain list of what happened."""
    now = [0.0]
    refused = Refused(lambda: now[0])
    at, since = {}, {}
    for number, (key, step) in enumerate(history):
        if step == "note":
            refused.note(Metadata(name=str(key)), PodAsk(name="x", uid=str(key)), 0, number)
            at[str(key)], since[str(key)] = number, now[0]
        elif step == "drop":
            refused.drop(str(key))
            at.pop(str(key), None)
        elif step == "wait":
            now[0] += 0.3
        for one in refused.due(number):
            assert at[one.ask.key] < number
            assert now[0] - since[one.ask.key] >= 0.5 - 1e-9
    assert len(refused) == len(at)


def test_the_last_refused_pods_are_remembered() -> None:
    """A bounded number of them."""
    refused = Refused(lambda: 0.0)
    for number in range(MOST + 5):
        refused.note(Metadata(), PodAsk(name="x", uid=str(number)), 0, 0)
    assert len(refused) == MOST
    assert LONGEST >= 1
