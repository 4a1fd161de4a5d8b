"""The ledger against what pods hold, counted anew: equal whatever happens, and a difference is seen."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sent import shown

from hetero import metrics
from hetero.model.ask import Traits
from hetero.scheduler import drift
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.drift import Drift
from hetero.scheduler.grants import Kind
from hetero.testing.fake import fake_node


@pytest.fixture
def cluster(vendors, clock) -> Cluster:
    """Two nodes of two devices, and a pod on the first."""
    made = Cluster(vendors, clock=clock)
    made.nodes.replace([shown(fake_node("a", 2)), shown(fake_node("b", 2))])
    return made


def _differ(cluster: Cluster) -> float:
    Drift(cluster).look()
    return metrics.drift.value()


HAPPENINGS = ("shown", "gone", "promised", "expired", "node gone", "node back", "changed")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 3), st.sampled_from("abc")), max_size=12))
def test_no_history_leaves_a_difference(vendors, pod, placed, happened: list[tuple[str, int, str]]) -> None:
    """Pods come, are promised and go on nodes that come and go: what is charged is what is held."""
    cluster = Cluster(vendors)
    cluster.nodes.replace([shown(fake_node("a", 2)), shown(fake_node("b", 2))])
    for what, number, node in happened:
        name = f"pod-{number}"
        place = placed(name, node, memory=100 * (number + 1), device=f"fake-{number % 2}")
        if what == "shown":
            cluster.pods.put(pod(name, node=node, placed=place))
        elif what == "gone":
            cluster.pods.remove(pod(name, node=node))
        elif what == "promised":
            cluster.books.grant(place, Kind.TENTATIVE, Traits())
        elif what == "expired":
            cluster.books.release(f"uid-{name}")
        elif what == "node gone":
            cluster.nodes.remove(shown(fake_node(node, 2)))
        else:
            cluster.nodes.put(shown(fake_node(node, 2 if what == "node back" else 1)))
        assert _differ(cluster) == 0, what


def test_a_charge_that_nobody_holds_is_seen(cluster: Cluster, pod, placed) -> None:
    """It would keep a device idle for ever; by device, and until it is right again."""
    cluster.pods.put(pod("x", node="a", placed=placed("x", "a")))
    cluster.planner.charge(placed("leak", "a", device="fake-1"))
    cluster.planner.charge(placed("other", "gone", device="fake-9"))
    assert _differ(cluster) == 2
    cluster.planner.free("uid-leak")
    cluster.planner.free("uid-other")
    assert _differ(cluster) == 0


def test_a_pod_that_is_not_charged_is_seen(cluster: Cluster, pod, placed, capsys: pytest.CaptureFixture[str]) -> None:
    """Its device would be promised twice; the log says so, once."""
    cluster.pods.put(pod("x", node="a", placed=placed("x", "a")))
    cluster.planner.charge(msgspec.structs.replace(placed("x", "a", memory=1), uid="uid-y"))
    cluster.planner.free("uid-x")
    look = Drift(cluster)
    look.look()
    look.look()
    assert metrics.drift.value() == 1
    assert capsys.readouterr().err.count("the ledger is not what pods hold") == 1


def test_nodes_are_looked_at_in_turn(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few at a time, so that nobody waits for the lock; the turn begins again when it is over."""
    monkeypatch.setattr(drift, "AT_ONCE", 1)
    look = Drift(cluster)
    seen: list[str] = []
    compare = look._compare
    monkeypatch.setattr(look, "_compare", lambda node: seen.append(node) or compare(node))
    for _ in range(4):
        look.look()
    assert sorted(seen[:2]) == sorted(seen[2:]) == ["a", "b"]


def test_a_node_that_is_gone_is_wrong_no_more(cluster: Cluster, placed) -> None:
    """What differed there is nobody's any more."""
    look = Drift(cluster)
    cluster.planner.charge(placed("leak", "b"))
    look.look()
    assert metrics.drift.value() == 1
    cluster.planner.free("uid-leak")
    cluster.nodes.remove(shown(fake_node("b", 2)))
    look.look()
    assert metrics.drift.value() == 0
