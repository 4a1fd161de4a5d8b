"""Several schedulers: each keeps books of all that is placed, and whoever leads can go on where the other stopped."""

from __future__ import annotations

from tests.cluster.manifests import limits, machine, pod
from tests.cluster.playing import LEASE
from tests.cluster.stage import Stage


def test_another_one_goes_on(stage: Stage) -> None:
    """The first kube-scheduler and its extender die; the second fills what is left, to the last device."""
    first, second = stage.scheduler("first"), stage.scheduler("second")
    leader = stage.kube_scheduler(first, "leader", lease=LEASE)
    stage.add(*(machine(f"node-{index}", 2) for index in range(5)))
    stage.until_bound(stage.submit(*(pod(f"first-{index}", limits(memory=8192)) for index in range(12))))
    stage.check(first, second)
    stage.kube_scheduler(second, "follower", lease=LEASE)
    asked = [pod(f"second-{index}", limits(memory=8192)) for index in range(8)]
    first.kill()
    leader.kill()
    stage.until_bound(stage.submit(*asked), seconds=90)
    stage.check(second)
    first.start()
    books = stage.check(first, second)
    assert sum(amounts["memory"] for devices in books.values() for amounts in devices.values()) == 20 * 8192
