"""One node for each chip and one with two vendors' devices: pods of all vendors find theirs on one control plane."""

from __future__ import annotations

from pathlib import Path

import pytest

from hetero.cli.cluster_file import inventory
from hetero.cli.context import read_yaml
from tests.cluster.manifests import VENDORS, pod
from tests.cluster.stage import Stage

CLUSTER = Path(__file__).parents[2] / "examples/clusters/mixed.yaml"

BY_SOFTWARE = {"nvidia.com/vgpu-mode": "hami-core"}

WISHES = {
    "gpu": ({"nvidia.com/gpu": "2"}, {"rack-0", "rack-1"}, 2),
    "instance": ({"nvidia.com/mig-1g.5gb": "2"}, {"mig"}, 2),
    "mlu370": ({"cambricon.com/vmlu": "1", "cambricon.com/mlu370.smlu.vmemory": "20"}, {"mlu"}, 1),
    "mlu590": ({"cambricon.com/vmlu": "1", "cambricon.com/mlu590.smlu.vmemory": "20"}, {"two-vendors"}, 1),
    "dcu": ({"hygon.com/dcunum": "1", "hygon.com/dcumem": "2000", "hygon.com/dcucores": "60"}, {"dcu"}, 1),
    "910a": ({"huawei.com/Ascend910A": "4"}, {"npu-910a"}, 4),
    "910b4": ({"huawei.com/Ascend910B4": "1", "huawei.com/Ascend910B4-memory": "8000"}, {"npu-910b4"}, 1),
    "910b4-1": ({"huawei.com/Ascend910B4-1": "1", "huawei.com/Ascend910B4-1-memory": "8000"}, {"npu-910b4-1"}, 1),
    "310p": ({"huawei.com/Ascend310P": "1", "huawei.com/Ascend310P-memory": "3072"}, {"npu-310p"}, 1),
    "910c": ({"huawei.com/Ascend910C": "1"}, {"npu-910c"}, 2),
    "widget": ({"toy.example/widget": "1", "toy.example/widget-memory": "1000"}, {"widgets"}, 1),
}
"""Pods by name: limits, the nodes that may serve, and how many shares of devices they come to."""


@pytest.fixture
def mixed(stage: Stage) -> Stage:
    """A cluster of all chips, with the scheduler behind its kube-scheduler."""
    stage.kube_scheduler(stage.scheduler())
    stage.add(*inventory(read_yaml(CLUSTER), CLUSTER, VENDORS).nodes)
    return stage


def test_pods_of_all_vendors_land_where_they_should(mixed: Stage) -> None:
    """Each on its chip, with as many devices as it asks; a name that another begins with is another chip."""
    names = mixed.submit(*(pod(name, limits, annotations=BY_SOFTWARE) for name, (limits, _, _) in WISHES.items()))
    where = mixed.until_bound(names, seconds=120)
    assert {name: where[name] in nodes for name, (_, nodes, _) in WISHES.items()} == dict.fromkeys(WISHES, True)
    shares = {one.pod: len(one.containers[0].devices) for one in mixed.placements()}
    assert shares == {name: count for name, (_, _, count) in WISHES.items()}
    mixed.check()


def test_a_pod_may_ask_devices_of_two_vendors(mixed: Stage) -> None:
    """Only the node that has both serves, whichever of its containers asks which."""
    gpu = {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "1024"}
    mlu = {"cambricon.com/vmlu": "1", "cambricon.com/mlu.smlu.vmemory": "4", "cambricon.com/mlu.smlu.vcore": "5"}
    mixed.submit(pod("apart", gpu, mlu), pod("together", {**gpu, **mlu}))
    assert mixed.until_bound(["apart", "together"]) == {"apart": "two-vendors", "together": "two-vendors"}
    mixed.check()


def test_a_set_that_a_chip_cannot_form_waits(mixed: Stage) -> None:
    """Three NPUs of a ring of four are nobody's: the pod is told so, and takes nothing."""
    mixed.submit(pod("three", {"huawei.com/Ascend910A": "3"}))
    assert "3" in mixed.until_refused("three")
    assert mixed.check() == {}
