"""The ledger for reading, and the small parts that remember and tell."""

from __future__ import annotations

import json

import msgspec
import pytest
from sent import Events, shown

from hetero.kube.objects import Metadata, QuotaSpec, ResourceQuota
from hetero.model.ask import PodAsk, Traits
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.grants import Kind
from hetero.scheduler.ledger import ledger
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.testing.fake import MEMORY_MIB, fake_node


@pytest.fixture
def cluster(vendors) -> Cluster:
    """One node of one device."""
    cluster = Cluster(vendors)
    cluster.nodes.replace([shown(fake_node("a", 1))])
    return cluster


def test_the_ledger_tells_what_is_held_promised_and_free(cluster: Cluster, pod, placed) -> None:
    """In records that can be read again."""
    cluster.pods.put(pod("x", node="a", placed=placed("x", "a", memory=100)))
    cluster.books.grant(placed("y", "a", memory=200), Kind.UNKNOWN, Traits())
    found = ledger(cluster)
    assert found.pods == {"uid-x": placed("x", "a", memory=100)}
    assert found.grants == {"uid-y": ("unknown", placed("y", "a", memory=200))}
    assert found.free["a"]["fake-0"]["memory"] == MEMORY_MIB - 300
    assert found.overcommitted == {}
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


def test_the_ledger_tells_what_is_too_much(cluster: Cluster, pod, placed) -> None:
    """By node and device."""
    for name in "xy":
        cluster.pods.put(pod(name, node="a", placed=placed(name, "a", memory=9000)))
    assert json.loads(msgspec.json.encode(ledger(cluster)))["overcommitted"] == {"a": ["fake-0"]}


def test_quotas_are_asked_before_a_pod_has_its_devices(cluster: Cluster, pod) -> None:
    """For the webhook, by the namespace of its request."""
    cluster.quotas.put(
        ResourceQuota(Metadata(name="q", namespace="team"), QuotaSpec(hard={"limits.fake.example/npumem": 500}))
    )
    ask = cluster.asks.read(pod("x", 1000))
    assert cluster.quota_refusal("default", ask) is None
    refusal = cluster.quota_refusal("team", ask)
    assert refusal is not None
    assert "q" in refusal.message


def test_an_expired_promise_fills_no_quota(vendors, clock, pod, placed) -> None:
    """Nothing is filtered when nothing may be created, so nothing else would notice that its time is up."""
    cluster = Cluster(vendors, clock=clock, grant_seconds=10)
    cluster.nodes.replace([shown(fake_node("a", 1))])
    quota = QuotaSpec(hard={"limits.fake.example/npumem": 1000})
    cluster.quotas.put(ResourceQuota(Metadata(name="q", namespace="default"), quota))
    cluster.books.grant(placed("never", "a"), Kind.TENTATIVE, Traits())
    ask = cluster.asks.read(pod("x"))
    assert cluster.quota_refusal("default", ask) is not None
    clock.now += 10
    assert cluster.quota_refusal("default", ask) is None


def test_the_last_pods_are_remembered() -> None:
    """And no more than so many."""
    recent = Recent(most=3)
    for number in range(5):
        recent.note(PodAsk(name=f"p{number}", uid=str(number)))
    assert [recent.get(str(number)) is not None for number in range(5)] == [False, False, True, True, True]


@pytest.mark.parametrize("success", [False, True])
def test_events_have_the_reasons_that_people_know(success: bool) -> None:
    """What went well is told only when that is wanted."""
    events = Events()
    telling = Telling(events, success=success)
    pod = Metadata(name="x")
    telling.fits_nowhere(pod, "full")
    telling.unbound(pod, "gone")
    telling.bound(pod, "a")
    expected = [("x", "Warning", "FilteringFailed", "full"), ("x", "Warning", "BindingFailed", "gone")]
    assert events.posted[:2] == expected
    assert [one[2] for one in events.posted[2:]] == (["BindingSucceed"] if success else [])
