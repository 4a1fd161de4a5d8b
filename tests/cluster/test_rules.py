"""kube-scheduler's own rules hold for pods with devices as for any others."""

from __future__ import annotations

from tests.cluster.manifests import limits, machine, pod
from tests.cluster.stage import Stage


def _in_zones(zones: list[str]) -> dict[str, object]:
    """Required affinity to those zones."""
    expression = {"key": "zone", "operator": "In", "values": zones}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def test_affinity_chooses_among_nodes_with_devices(stage: Stage) -> None:
    """Pods go to the zones that they name, though other nodes have as much room; a full zone is a reason."""
    stage.kube_scheduler(stage.scheduler())
    for zone in ("a", "b", "c"):
        stage.add(*(machine(f"{zone}{index}", 1) for index in range(3)), labels={"zone": zone})
    half = limits(memory=8192)
    either = stage.submit(*(pod(f"either-{index}", half, affinity=_in_zones(["a", "b"])) for index in range(8)))
    only = stage.submit(*(pod(f"only-{index}", half, nodeSelector={"zone": "c"}) for index in range(6)))
    where = stage.until_bound([*either, *only])
    assert {where[name][0] for name in either} <= {"a", "b"}
    assert {where[name][0] for name in only} == {"c"}
    [late] = stage.submit(pod("late", half, nodeSelector={"zone": "c"}))
    assert "didn't match Pod's node affinity/selector" in stage.until_refused(late)
    stage.check()


def test_taints_keep_pods_off_devices(stage: Stage) -> None:
    """Only a pod that tolerates the taint gets a device of a tainted node."""
    stage.kube_scheduler(stage.scheduler())
    taint = {"key": "only", "value": "devices", "effect": "NoSchedule"}
    stage.add(machine("tainted", 1), taints=[taint])
    whole = limits()
    stage.submit(pod("plain", whole), pod("tolerant", whole, tolerations=[{"key": "only", "operator": "Exists"}]))
    assert stage.until_bound(["tolerant"]) == {"tolerant": "tainted"}
    assert "untolerated taint" in stage.until_refused("plain")
    stage.add(machine("open", 1))
    assert stage.until_bound(["plain"]) == {"plain": "open"}
    stage.check()


def test_a_pod_without_devices_is_none_of_our_business(stage: Stage) -> None:
    """It is bound with no annotation, and takes nothing of any device."""
    stage.kube_scheduler(stage.scheduler())
    stage.add(machine("node", 1))
    stage.submit(pod("plain", {"cpu": "1"}), pod("device", limits(memory=1024)))
    stage.until_bound(["plain", "device"])
    assert "hetero.io/placement" not in (stage.raw("plain")["metadata"].get("annotations") or {})
    assert stage.check() == {"node": {"nvidia-node-0": {"slots": 1, "memory": 1024}}}
