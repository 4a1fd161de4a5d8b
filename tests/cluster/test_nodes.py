"""Nodes change under the pods: devices are cordoned, fall ill and come back, and so do the nodes themselves."""

from __future__ import annotations

import msgspec

from hetero.model.device import Health
from tests.cluster.manifests import limits, machine, pod
from tests.cluster.processes import until
from tests.cluster.stage import Stage

CORDON = "hetero.io/device-cordon"


def _devices(stage: Stage, name: str) -> set[str]:
    """The devices of a pod."""
    [placement] = [one for one in stage.placements() if one.pod == name]
    return {share.device for container in placement.containers for share in container.devices}


def test_a_cordoned_device_gets_no_new_pod(stage: Stage) -> None:
    """Who is there stays; when the cordon goes, the device takes pods again."""
    stage.kube_scheduler(stage.scheduler())
    described = machine("node", 2)
    one, other = (device.uuid for device in described.devices)
    stage.add(described)
    stage.until_bound(stage.submit(pod("before", limits(memory=1024), annotations={"nvidia.com/use-gpuuuid": one})))
    stage.annotate("node", **{CORDON: one})
    until(lambda: _refuses(stage, one), "the cordon is seen", seconds=30)
    stage.until_bound(stage.submit(*(pod(f"during-{index}", limits(memory=1024)) for index in range(3))))
    assert all(_devices(stage, f"during-{index}") == {other} for index in range(3))
    [wish] = stage.submit(pod("wish", limits(memory=1024), annotations={"nvidia.com/use-gpuuuid": one}))
    assert stage.until_refused(wish)
    stage.annotate("node", **{CORDON: None})
    stage.until_bound([wish])
    assert _devices(stage, "before") == _devices(stage, wish) == {one}
    stage.check()


def test_an_ill_device_gets_no_new_pod(stage: Stage) -> None:
    """Until the driver has nothing against it any more."""
    stage.kube_scheduler(stage.scheduler())
    well = machine("node", 1)
    ill = msgspec.structs.replace(
        well,
        devices=tuple(
            msgspec.structs.replace(device, health=Health(ok=False, reason="a fault of the test"))
            for device in well.devices
        ),
    )
    stage.add(well)
    stage.until_bound(stage.submit(pod("before", limits(memory=1024))))
    stage.change(ill)
    until(lambda: _refuses(stage), "the illness is seen", seconds=30)
    [late] = stage.submit(pod("late", limits(memory=1024)))
    assert stage.until_refused(late)
    stage.change(well)
    assert stage.until_bound([late]) == {late: "node"}
    stage.check()


def test_a_node_that_comes_back_is_as_full_as_it_was(stage: Stage) -> None:
    """Its pods stayed bound, so what they hold is not given to others."""
    stage.kube_scheduler(stage.scheduler())
    described = machine("node", 1)
    stage.add(described)
    stage.until_bound(stage.submit(pod("half", limits(memory=8192))))
    stage.remove_node("node")
    [late, large] = stage.submit(pod("late", limits(memory=8192)), pod("large", limits(memory=8193)))
    assert stage.until_refused(late)
    stage.add(described)
    assert stage.until_bound([late]) == {late: "node"}
    assert stage.until_refused(large)
    assert stage.check() == {"node": {"nvidia-node-0": {"slots": 2, "memory": 16384}}}


def _refuses(stage: Stage, device: str = "") -> bool:
    """True when the scheduler would not give a device of the node, or that one, to a pod that does not exist."""
    [scheduler] = stage.schedulers
    notes = {"nvidia.com/use-gpuuuid": device} if device else {}
    asked = pod("asked", limits(memory=1), annotations=notes)
    answer = scheduler.ask("filter", {"Pod": asked, "Nodes": None, "NodeNames": ["node"]})
    return not answer.get("NodeNames")
