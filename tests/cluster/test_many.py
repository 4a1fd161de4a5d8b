"""Many pods at once: all that can be placed are, and no device is promised twice, whatever happens to the extender."""

from __future__ import annotations

import threading

from tests.cluster.manifests import limits, machine, pod
from tests.cluster.processes import until
from tests.cluster.stage import Scheduler, Stage

DEVICES = 2
HALF = 8192
"""MiB: two such pods fill a device."""


def _nodes(stage: Stage, count: int) -> list[str]:
    return stage.add(*(machine(f"node-{index:04}", DEVICES) for index in range(count)))


def _filling(stage: Stage, share: float = 1.0) -> list[str]:
    """Pods that take that share of all devices."""
    count = int(len(stage.nodes) * DEVICES * 2 * share)
    return stage.submit(*(pod(f"half-{index:04}", limits(memory=HALF, cores=30)) for index in range(count)))


def test_a_cluster_is_filled_to_the_last_device(stage: Stage) -> None:
    """Exactly as many pods as there is room for all have a place, and those beyond it are told why they have none."""
    stage.kube_scheduler(stage.scheduler())
    _nodes(stage, stage.scale(500, 50))
    names = _filling(stage)
    where = stage.until_bound(names, seconds=stage.scale(400, 120))
    assert set(where.values()) == set(stage.nodes)
    [late, large] = stage.submit(pod("late", limits(memory=HALF)), pod("large", limits(DEVICES + 1, memory=1)))
    assert "Insufficient" in stage.until_refused(late)
    assert stage.until_refused(large)
    books = stage.check()
    assert all(amounts["memory"] == 2 * HALF for devices in books.values() for amounts in devices.values())
    stage.delete(names[0])
    assert stage.until_bound([late]) == {late: where[names[0]]}
    stage.check()


def test_different_pods_at_once_all_find_room(stage: Stage) -> None:
    """Parts of a device, whole ones, several at once, of two vendors: with room for all, all are placed."""
    stage.kube_scheduler(stage.scheduler())
    _nodes(stage, stage.scale(1000, 50))
    widgets = stage.scale(50, 5)
    stage.add(*(machine(f"toy-{index}", 4, vendor="toy", model="Toy W1", memory=4096) for index in range(widgets)))
    kinds = [
        (limits(memory=2048, cores=10),),
        (limits(memory=4000),),
        (limits(percent=25, cores=25),),
        (limits(memory=1024), limits(memory=1024, cores=5)),
        (limits(2, memory=3000),),
        (limits(),),
        (limits(vendor="toy", memory=512),),
    ]
    count = stage.scale(2000, 105)
    asked = (pod(f"pod-{index:04}", *kinds[index % len(kinds)]) for index in range(count))
    names = stage.submit(*asked)
    stage.until_bound(names, seconds=stage.scale(400, 120))
    stage.check()


def test_an_extender_that_is_killed_loses_nothing(stage: Stage) -> None:
    """Killed again and again while pods are placed: all that can be are, and the books of the last one are right."""
    scheduler = stage.scheduler()
    stage.kube_scheduler(scheduler)
    _nodes(stage, stage.scale(1000, 50))
    share = stage.scale(50, 100) / 100
    total = int(len(stage.nodes) * DEVICES * 2 * share)
    submitting = threading.Thread(target=_filling, args=(stage, share))
    submitting.start()
    kills = stage.scale(5, 2)
    for round_ in range(kills):
        reached = total * (round_ + 1) // (kills + 2)
        until(
            lambda least=reached: len(stage.bound()) >= least,
            f"{reached} pods are bound",
            seconds=300,
            every=stage.scale(10, 1) / 10,
        )
        _restart(scheduler)
    submitting.join()
    names = [f"half-{index:04}" for index in range(total)]
    stage.until_bound(names, seconds=stage.scale(400, 120))
    stage.check()


def _restart(scheduler: Scheduler) -> None:
    scheduler.kill()
    scheduler.start()
