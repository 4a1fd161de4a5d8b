"""A namespace's quotas on memory and compute of devices, all of them together."""

from __future__ import annotations

import msgspec

from hetero.kube import paths
from tests.cluster.manifests import limits, machine, pod
from tests.cluster.stage import Stage


def _quota(stage: Stage, namespace: str, name: str, **hard: str) -> None:
    body = {"metadata": {"name": name}, "spec": {"hard": {f"limits.{key}": value for key, value in hard.items()}}}
    stage.api.post(paths.quotas(namespace), msgspec.json.encode(body))


def test_no_more_is_placed_than_a_namespace_may_have(stage: Stage) -> None:
    """Memory by one quota and compute by another; what a pod gives back another one gets."""
    stage.kube_scheduler(stage.scheduler())
    team = stage.namespace("team")
    _quota(stage, team, "memory", **{"nvidia.com/gpumem": "20000"})
    _quota(stage, team, "compute", **{"nvidia.com/gpucores": "50"})
    stage.add(*(machine(f"node-{index}", 2) for index in range(3)))
    stage.until_bound(
        stage.submit(*(pod(f"in-{index}", limits(memory=8192, cores=10), namespace=team) for index in range(2)))
    )
    stage.submit(
        pod("memory", limits(memory=4000, cores=5), namespace=team),
        pod("compute", limits(memory=100, cores=35), namespace=team),
        pod("elsewhere", limits(memory=16000, cores=90)),
    )
    stage.until_bound(["elsewhere"])
    assert stage.until_refused("memory", team)
    assert stage.until_refused("compute", team)
    told = " ".join(stage.events("FilteringFailed", team))
    assert "quota" in told.lower(), told
    stage.delete("in-0", team)
    stage.until_bound(["memory", "compute"])
    stage.check()
