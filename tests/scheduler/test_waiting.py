"""Which pods wait, and for what reason: told as long as they wait, from the informer and the last refusal."""

from __future__ import annotations

import pytest
from sent import Events, args, shown

from hetero import metrics
from hetero.model.share import Reason
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.extender import Extender
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.scheduler.verdicts import UNDER_WAY, Verdict
from hetero.testing.fake import fake_node


@pytest.fixture
def cluster(vendors, clock) -> Cluster:
    """One node of one device."""
    made = Cluster(vendors, clock=clock)
    made.nodes.replace([shown(fake_node("a", 1))])
    return made


def _refuse(cluster: Cluster, pod) -> None:
    """Kube-scheduler asks where it fits."""
    Extender(cluster, Recent(), Telling(Events()), lambda: True).filter(args(pod, ["a"]))


def _waiting(cluster: Cluster) -> dict[str, float]:
    cluster.measure()
    lines = (line.removeprefix("hetero_scheduler_waiting_pods{").split('"') for line in metrics.waiting_pods.lines())
    return {reason: float(rest[1:]) for _, reason, rest in lines if float(rest[1:])}


def test_a_pod_waits_until_it_is_bound_or_gone(cluster: Cluster, pod, placed) -> None:
    """By the reason of its last refusal; before the first one, and after a restart, it is not known."""
    cluster.pods.put(pod("x", 99999))
    cluster.pods.put(pod("y", 1))
    assert _waiting(cluster) == {"unknown": 2}
    _refuse(cluster, pod("x", 99999))
    assert _waiting(cluster) == {"CardInsufficientMemory": 1, "unknown": 1}
    cluster.pods.put(pod("y", 1, node="a", placed=placed("y")))
    assert _waiting(cluster) == {"CardInsufficientMemory": 1}
    cluster.pods.remove(pod("x", 99999))
    assert _waiting(cluster) == {}


def test_whoever_knows_all_reasons_says_that_none_is_unknown(cluster: Cluster) -> None:
    """A scheduler that does not lead knows none: where both are asked, the least that is unknown is right."""
    cluster.measure()
    assert 'hetero_scheduler_waiting_pods{reason="unknown"} 0' in list(metrics.waiting_pods.lines())


def test_a_pod_that_vanished_while_nobody_watched_waits_no_more(cluster: Cluster, pod) -> None:
    """The next list does not have it."""
    for name in "xy":
        cluster.pods.put(pod(name, 99999))
        _refuse(cluster, pod(name, 99999))
    cluster.pods.replace([pod("y", 99999)])
    assert _waiting(cluster) == {"CardInsufficientMemory": 1}


def test_after_a_restart_the_same_pods_wait(vendors, cluster: Cluster, pod, placed) -> None:
    """The next scheduler has them from its first list, as the pods that hold devices; why they wait is told anew."""
    held = pod("held", node="a", placed=placed("held"))
    for one in (pod("x", 99999), pod("y", 99999), held):
        cluster.pods.put(one)
    _refuse(cluster, pod("x", 99999))
    assert sum(_waiting(cluster).values()) == 2
    told = metrics.pods.value(), metrics.nodes.value(), metrics.overcommitted.value()
    again = Cluster(vendors)
    again.nodes.replace([shown(fake_node("a", 1))])
    again.pods.replace([pod("x", 99999), pod("y", 99999), held])
    assert _waiting(again) == {"unknown": 2}
    assert (metrics.pods.value(), metrics.nodes.value(), metrics.overcommitted.value()) == told == (1, 1, 0)


def test_a_pod_without_devices_waits_for_others(cluster: Cluster, pod) -> None:
    """It is none of this queue."""
    cluster.pods.put(pod("x", None))
    assert _waiting(cluster) == {}


def test_each_refusal_is_counted_by_its_reason(cluster: Cluster, pod) -> None:
    """Again each time that the pod was asked for; a request that nobody can read has another reason."""
    before = metrics.refusals.value("CardInsufficientMemory"), metrics.refusals.value("other")
    _refuse(cluster, pod("x", 99999))
    _refuse(cluster, pod("x", 99999))
    _refuse(cluster, pod("y", notes={"hetero.io/node-policy": "nonsense"}))
    after = metrics.refusals.value("CardInsufficientMemory"), metrics.refusals.value("other")
    assert after == (before[0] + 2, before[1] + 1)


NONE, MEMORY, ILL = (f"{one}: in words" for one in (Reason.NO_DEVICES, Reason.INSUFFICIENT_MEMORY, Reason.UNHEALTHY))


@pytest.mark.parametrize(
    ("failed", "unresolvable", "reason"),
    [
        ([MEMORY, MEMORY, ILL], [NONE, NONE, NONE, NONE], Reason.INSUFFICIENT_MEMORY),
        ([], [NONE, NONE, MEMORY], Reason.INSUFFICIENT_MEMORY),
        ([], [NONE], Reason.NO_DEVICES),
        ([], [], Reason.NO_DEVICES),
        ([UNDER_WAY], [], "other"),
    ],
)
def test_the_reason_is_that_of_most_nodes_that_could_serve(
    failed: list[str], unresolvable: list[str], reason: str
) -> None:
    """In a mixed cluster most nodes have other chips, which is why nobody waits."""
    of = [{str(number): said for number, said in enumerate(one)} for one in (failed, unresolvable)]
    assert Verdict([], *of).reason == reason
