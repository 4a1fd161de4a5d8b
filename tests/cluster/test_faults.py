"""An API server that stalls, refuses, forgets or hangs up: nothing is lost, and nothing is placed twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cluster.manifests import limits, machine, pod
from tests.cluster.proxy import NO_ANSWER, Proxy
from tests.cluster.stage import Stage

BIND = {"method": "POST", "path_contains": "/binding"}


def refused_binds(proxy: Proxy) -> None:
    """Bindings that the server does not carry out, for reasons that pass and for one that does not."""
    for status in (409, 429, 500, 503):
        proxy.fail(status, times=2, retry_after=1 if status == 429 else None, **BIND)


def lost_answers(proxy: Proxy) -> None:
    """Bindings that are carried out, and nobody hears of it."""
    proxy.fail(500, times=3, after=True, **BIND)
    proxy.fail(NO_ANSWER, times=3, after=True, **BIND)


def silence(proxy: Proxy) -> None:
    """Bindings that take longer than anybody waits, and connections that end before anything was sent."""
    proxy.stall(12, times=2, **BIND)
    proxy.fail(NO_ANSWER, times=3, **BIND)


def lost_history(proxy: Proxy) -> None:
    """Watches that end, whose versions are too old, and lists that fail."""
    proxy.drop_watches()
    proxy.fail(500, method="GET", path_contains="limit=", times=2)
    proxy.fail(429, method="GET", path_contains="limit=", times=1, retry_after=1)
    proxy.compact()


FAULTS = (refused_binds, lost_answers, silence, lost_history)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_nothing_is_lost_and_nothing_placed_twice(stage: Stage, fault: Callable[[Proxy], None]) -> None:
    """A cluster is filled to the last device through it all; what went in between is free again."""
    scheduler = stage.scheduler(faulty=True)
    stage.kube_scheduler(scheduler)
    stage.add(*(machine(f"node-{index}", 2) for index in range(6)))
    first = stage.submit(*(pod(f"first-{index}", limits(memory=8192)) for index in range(8)))
    stage.until_bound(first)
    fault(stage.proxy)
    second = stage.submit(*(pod(f"second-{index}", limits(memory=8192)) for index in range(16)))
    stage.until_bound(second, seconds=120)
    stage.check()
    for name in first:
        stage.delete(name)
    fault(stage.proxy)
    third = stage.submit(*(pod(f"third-{index}", limits(memory=8192)) for index in range(8)))
    stage.until_bound(third, seconds=120)
    books = stage.check()
    assert sum(amounts["memory"] for devices in books.values() for amounts in devices.values()) == 24 * 8192


def test_a_device_that_was_freed_unseen_is_free(stage: Stage) -> None:
    """Pods that go while the scheduler hears nothing are gone for it when it hears again.

    kube-scheduler looks again at a pod that was refused when something in the cluster changes, and every five minutes.
    """
    scheduler = stage.scheduler(faulty=True)
    stage.kube_scheduler(scheduler)
    stage.add(machine("node", 1))
    stage.until_bound(stage.submit(pod("old", limits())))
    stage.proxy.fail(503, method="GET", times=6)
    stage.proxy.drop_watches()
    stage.delete("old")
    stage.submit(pod("new", limits()))
    assert stage.check() == {} or stage.bound(["new"])
    stage.submit(pod("change", {"cpu": "1"}))
    assert stage.until_bound(["new"]) == {"new": "node"}
    stage.check()
