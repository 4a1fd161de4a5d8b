"""Who holds what: what the cluster shows, what is promised, and in whatever order they come."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import shown

from hetero import metrics
from hetero.model.ask import Traits
from hetero.model.device import MEMORY
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.grants import Kind
from hetero.testing.fake import MEMORY_MIB, fake_node

ANY = Traits()


@pytest.fixture
def cluster(vendors, clock) -> Cluster:
    """Two nodes with two devices each."""
    cluster = Cluster(vendors, clock=clock, grant_seconds=10)
    cluster.nodes.replace([shown(fake_node("a", 2)), shown(fake_node("b", 2))])
    return cluster


def taken(cluster: Cluster, node: str = "a", device: str = "fake-0") -> int:
    """MiB of a device that are charged."""
    return MEMORY_MIB - cluster.planner.free_quantities()[node][device][MEMORY]


def test_a_bound_pod_is_charged(cluster: Cluster, pod, placed) -> None:
    """With what its annotation says, once, however often it is shown."""
    for _ in range(3):
        cluster.pods.put(pod("x", node="a", placed=placed("x", "a", memory=700)))
    assert taken(cluster) == 700
    assert (len(cluster.books), cluster.books.node_of("uid-x")) == (1, "a")


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_gives_back(cluster: Cluster, pod, placed, phase: str) -> None:
    """Its devices are free before it is deleted."""
    cluster.pods.put(pod("x", node="a", placed=placed("x", "a")))
    cluster.pods.put(pod("x", node="a", placed=placed("x", "a"), phase=phase))
    assert (taken(cluster), len(cluster.books)) == (0, 0)


def test_a_deleted_pod_gives_back(cluster: Cluster, pod, placed) -> None:
    """A pod that is being deleted holds its devices to the end."""
    one = pod("x", node="a", placed=placed("x", "a"))
    cluster.pods.put(one)
    assert taken(cluster) == 1000
    cluster.pods.remove(one)
    assert taken(cluster) == 0
    cluster.pods.remove(one)
    assert taken(cluster) == 0


def test_a_list_is_all_there_is(cluster: Cluster, pod, placed) -> None:
    """Pods that vanished unseen give back; promises to pods that are not in it stay, for those may be younger."""
    cluster.pods.replace([pod(name, node="a", placed=placed(name, "a")) for name in "xy"])
    cluster.books.grant(placed("z", "b"), Kind.BINDING, ANY)
    cluster.pods.replace([pod("y", node="a", placed=placed("y", "a"))])
    assert (taken(cluster, "a"), taken(cluster, "b")) == (1000, 1000)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "unreadable"),
        ("another", "another pod"),
        ("elsewhere", "another node"),
        ("negative", "unreadable"),
    ],
)
def test_a_placement_that_does_not_count_is_told_once(cluster: Cluster, pod, placed, text: str, reason: str) -> None:
    """And charges nothing, whoever wrote it."""
    before = metrics.unusable_placements.value(reason)
    forged = {
        "another": placed("x", "a", uid="other"),
        "elsewhere": placed("x", "b"),
        "negative": placed("x", "a", memory=-5),
    }.get(text, text)
    for _ in range(2):
        cluster.pods.put(pod("x", node="a", placed=forged))
    assert metrics.unusable_placements.value(reason) == before + 1
    assert (taken(cluster, "a"), taken(cluster, "b"), len(cluster.books)) == (0, 0, 0)


def _ignored(cluster: Cluster) -> dict[str, float]:
    cluster.measure()
    lines = (line.split('"') for line in metrics.ignored_placements.lines())
    return {reason: float(rest[1:]) for _, reason, rest in lines if float(rest[1:])}


def test_placements_that_do_not_count_are_told_as_long_as_their_pods_are_there(cluster: Cluster, pod, placed) -> None:
    """Until the pod is over, deleted, missing from a list, or its placement is put right or taken away."""
    ends = {
        "over": lambda: cluster.pods.put(pod("over", node="a", placed="{", phase="Succeeded")),
        "deleted": lambda: cluster.pods.remove(pod("deleted", node="a", placed="{")),
        "right": lambda: cluster.pods.put(pod("right", node="a", placed=placed("right", "a"))),
        "bare": lambda: cluster.pods.put(pod("bare", node="a")),
        "missing": lambda: cluster.pods.replace([pod("stays", node="a", placed=placed("stays", "a", uid="other"))]),
    }
    for name in ends:
        cluster.pods.put(pod(name, node="a", placed="{"))
    cluster.pods.put(pod("stays", node="a", placed=placed("stays", "a", uid="other")))
    for left, end in zip(range(len(ends), 0, -1), ends.values(), strict=True):
        assert _ignored(cluster) == {"unreadable": left, "another pod": 1}
        end()
    assert _ignored(cluster) == {"another pod": 1}


def test_whoever_changes_a_placement_later_changes_no_device(cluster: Cluster, pod, placed) -> None:
    """The first that was seen holds for the pod's life."""
    cluster.pods.put(pod("x", node="a", placed=placed("x", "a", memory=700)))
    cluster.pods.put(pod("x", node="a", placed=placed("x", "a", memory=1)))
    cluster.pods.put(pod("x", node="a", placed="{"))
    cluster.pods.put(pod("x", node="a"))
    assert taken(cluster) == 700


def test_a_pod_that_others_placed_holds_nothing(cluster: Cluster, pod, placed) -> None:
    """What it was promised is free again."""
    cluster.books.grant(placed("x", "a"), Kind.TENTATIVE, ANY)
    cluster.pods.put(pod("x", node="b"))
    assert (taken(cluster), cluster.books.grants.get("uid-x")) == (0, None)


def test_what_is_shown_replaces_what_was_promised(cluster: Cluster, pod, placed) -> None:
    """Another replica, or an earlier process, may have bound it with other devices."""
    cluster.books.grant(placed("x", "a"), Kind.BINDING, ANY)
    cluster.pods.put(pod("x", node="b", placed=placed("x", "b", memory=300)))
    assert (taken(cluster, "a"), taken(cluster, "b")) == (0, 300)
    assert cluster.books.grants.get("uid-x") is None
    assert cluster.books.grant(placed("x", "a"), Kind.TENTATIVE, ANY) is None
    cluster.books.release("uid-x")
    assert (taken(cluster, "a"), taken(cluster, "b")) == (0, 300)


def test_a_promise_expires(cluster: Cluster, clock, placed) -> None:
    """A predicted one; it is counted."""
    before = metrics.expired_grants.value()
    cluster.books.grant(placed("x", "a"), Kind.TENTATIVE, ANY)
    clock.now += 9
    cluster.books.expire()
    assert taken(cluster) == 1000
    clock.now += 1
    cluster.books.expire()
    assert taken(cluster) == 0
    assert metrics.expired_grants.value() == before + 1


def test_a_promise_is_doubted_when_its_node_changes(cluster: Cluster, clock, placed) -> None:
    """The device may be cordoned now, or gone; what was sent to the API server stays, and so do other nodes'."""
    cluster.books.grant(placed("x", "a"), Kind.TENTATIVE, ANY)
    cluster.books.grant(placed("y", "a"), Kind.BINDING, ANY)
    cluster.books.grant(placed("z", "b"), Kind.TENTATIVE, ANY)
    cluster.nodes.put(shown(fake_node("a", 2)))
    assert taken(cluster, "a") == 2000
    cluster.nodes.put(shown(fake_node("a", 2), {"hetero.io/device-cordon": "fake-1"}))
    assert (taken(cluster, "a"), taken(cluster, "b")) == (1000, 1000)
    cluster.nodes.remove(shown(fake_node("b", 2)))
    assert [one.placement.pod for one in cluster.books.grants.all()] == ["y"]


def test_more_than_a_device_has_is_told_once(cluster: Cluster, pod, placed, capsys) -> None:
    """Somebody places pods past us; it is counted until it is over."""
    for name in "xyz":
        cluster.pods.put(pod(name, node="a", placed=placed(name, "a", memory=9000)))
    assert capsys.readouterr().err.count("more is placed on a device than it has") == 1
    cluster.measure()
    assert metrics.overcommitted.value() == 1
    cluster.pods.replace([])
    cluster.measure()
    assert metrics.overcommitted.value() == 0


def test_a_pod_created_again_is_another(cluster: Cluster, pod, placed) -> None:
    """Of the same name, with its own UID: the old one's end takes nothing from it."""
    old = pod("x", uid="1", node="a", placed=placed("x", "a", uid="1"))
    new = pod("x", uid="2", node="a", placed=placed("x", "a", uid="2", device="fake-1"))
    cluster.pods.put(old)
    cluster.pods.put(new)
    cluster.pods.remove(old)
    assert (taken(cluster), taken(cluster, device="fake-1")) == (0, 1000)


def test_charges_wait_for_their_node(cluster: Cluster, pod, placed) -> None:
    """A pod may be listed before its node is, or its node leave and return."""
    cluster.pods.put(pod("x", node="late", placed=placed("x", "late")))
    cluster.nodes.put(shown(fake_node("late", 1)))
    assert taken(cluster, "late") == 1000
    cluster.nodes.remove(shown(fake_node("late", 1)))
    cluster.nodes.put(shown(fake_node("late", 1)))
    assert taken(cluster, "late") == 1000


def test_those_that_may_go_are_of_lower_priority(cluster: Cluster, pod, placed) -> None:
    """On that node alone, the most important first."""
    for name, node, priority in [("low", "a", 1), ("mid", "a", 2), ("high", "a", 9), ("far", "b", 0)]:
        cluster.pods.put(pod(name, node=node, placed=placed(name, node), priority=priority))
    assert cluster.books.removable("a", 5) == ["uid-mid", "uid-low"]
    assert cluster.books.removable("a", 1) == []
    assert cluster.books.removable("nowhere", 5) == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grant", "bind", "show", "over", "delete", "release", "wait", "relist"]),
        st.sampled_from("xyz"),
        st.sampled_from("ab"),
        st.integers(1, 900),
    ),
    max_size=30,
)


class Histories:
    """The books, and beside them what they should come to: what is shown, else what is promised."""

    def __init__(self, vendors, pod, placed) -> None:
        self.now = 0.0
        self.cluster = Cluster(vendors, clock=lambda: self.now, grant_seconds=10)
        self.cluster.nodes.replace([shown(fake_node("a", 1)), shown(fake_node("b", 1))])
        self.seen: dict[str, tuple[str, int]] = {}
        self.promised: dict[str, tuple[str, int, float]] = {}
        self._pod = pod
        self._placed = placed

    def grant(self, name: str, node: str, memory: int, kind: Kind = Kind.TENTATIVE) -> None:
        self.cluster.books.grant(self._placed(name, node, memory=memory), kind, ANY)
        if name not in self.seen:
            self.promised[name] = node, memory, self.now if kind is Kind.TENTATIVE else float("inf")

    def bind(self, name: str, node: str, memory: int) -> None:
        self.grant(name, node, memory, Kind.BINDING)

    def show(self, name: str, node: str, memory: int) -> None:
        self.cluster.pods.put(self._pod(name, node=node, placed=self._placed(name, node, memory=memory)))
        self.promised.pop(name, None)
        self.seen.setdefault(name, (node, memory))

    def over(self, name: str, node: str, memory: int) -> None:
        self.cluster.pods.put(self._pod(name, node=node, phase="Failed"))
        self.seen.pop(name, None)
        self.promised.pop(name, None)

    def delete(self, name: str, node: str, memory: int) -> None:
        self.cluster.pods.remove(self._pod(name, node=node))
        self.seen.pop(name, None)
        self.promised.pop(name, None)

    def release(self, name: str, node: str, memory: int) -> None:
        self.cluster.books.release(f"uid-{name}")
        self.promised.pop(name, None)

    def wait(self, name: str, node: str, memory: int) -> None:
        self.now += 6
        self.cluster.books.expire()
        self.promised = {key: one for key, one in self.promised.items() if self.now - one[2] < 10}

    def relist(self, name: str, node: str, memory: int) -> None:
        self.cluster.pods.replace([self._pod(name)])
        self.seen = {key: one for key, one in self.seen.items() if key == name}


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_charges_are_those_of_the_last_word(steps, vendors, pod, placed) -> None:
    """After any history: what is shown, else what is promised, and nothing else."""
    books = Histories(vendors, pod, placed)
    for step, name, node, memory in steps:
        getattr(books, step)(name, node, memory)
        expected = {"a": 0, "b": 0}
        for where, amount, *_ in (*books.seen.values(), *books.promised.values()):
            expected[where] += amount
        assert {node: taken(books.cluster, node) for node in "ab"} == expected
