"""Names that dashboards of another project read: exactly those, and only where they are asked for."""

from __future__ import annotations

import pytest

from hetero import metrics, peer_metrics
from hetero.instruments import Samples
from hetero.peer_metrics import Names

DEVICE = "node device_uuid device_index device_type"
HELD = "namespace node pod container_index device_uuid"
CONTAINER = "namespace pod container vdevice_index device_uuid"
OLD = "nodeid deviceuuid deviceidx devicetype"
OLD_HELD = "podnamespace nodename podname containeridx deviceuuid"
OLD_CONTAINER = "podnamespace podname ctrname vdeviceid deviceuuid"

NAMES = {
    "scheduler": {
        "hami_gpu_memory_limit_bytes": DEVICE,
        "hami_gpu_core_limit_ratio": DEVICE,
        "hami_gpu_memory_allocated_bytes": "node device_uuid device_index device_cores device_type",
        "hami_gpu_shared_count": DEVICE,
        "hami_gpu_core_allocated_ratio": DEVICE,
        "hami_node_gpu_overview": "node device_uuid device_index device_cores device_memory_limit device_type",
        "hami_node_gpu_memory_allocated_ratio": "node device_uuid device_index",
        "hami_vgpu_memory_allocated_bytes": HELD,
        "hami_vgpu_core_allocated_ratio": HELD,
        "hami_resource_quota_used": "namespace quota_name limit",
        "hami_resource_quota_limit": "namespace quota_name",
    },
    "agent": {
        "hami_host_gpu_memory_used_bytes": "node device_index device_uuid device_type",
        "hami_host_gpu_utilization_ratio": "node device_index device_uuid device_type",
        "hami_vgpu_memory_used_bytes": CONTAINER,
        "hami_vgpu_memory_limit_bytes": CONTAINER,
        "hami_container_device_utilization_ratio": CONTAINER,
        "hami_container_device_memory_bytes": CONTAINER,
        "hami_vgpu_memory_context_bytes": CONTAINER,
        "hami_vgpu_memory_module_bytes": CONTAINER,
        "hami_vgpu_memory_buffer_bytes": CONTAINER,
    },
}

LEGACY = {
    "scheduler": {
        "GPUDeviceMemoryLimit": OLD,
        "GPUDeviceCoreLimit": OLD,
        "GPUDeviceMemoryAllocated": "nodeid deviceuuid deviceidx devicecores devicetype",
        "GPUDeviceSharedNum": OLD,
        "GPUDeviceCoreAllocated": OLD,
        "nodeGPUOverview": "nodeid deviceuuid deviceidx devicecores devicememorylimit devicetype",
        "nodeGPUMemoryPercentage": "nodeid deviceuuid deviceidx",
        "vGPUMemoryAllocated": OLD_HELD,
        "vGPUCoreAllocated": OLD_HELD,
        "QuotaUsed": "quotanamespace quotaName limit",
    },
    "agent": {
        "HostGPUMemoryUsage": "nodeid deviceidx deviceuuid devicetype",
        "HostCoreUtilization": "nodeid deviceidx deviceuuid devicetype",
        "vGPU_device_memory_usage_in_bytes": OLD_CONTAINER,
        "vGPU_device_memory_limit_in_bytes": OLD_CONTAINER,
        "Device_utilization_desc_of_container": OLD_CONTAINER,
        "Device_memory_desc_of_container": f"{OLD_CONTAINER} context module data offset",
    },
}


def _told(names: Names, process: str) -> dict[str, str]:
    return {one.name: " ".join(one.labels) for one in names.of(process)}


@pytest.mark.parametrize("process", ["scheduler", "agent"])
def test_names_and_labels_are_those_that_dashboards_read(process: str) -> None:
    """Each generation by its own switch."""
    assert _told(Names(current=True, legacy=False), process) == NAMES[process]
    assert _told(Names(current=False, legacy=True), process) == LEGACY[process]
    assert _told(Names(current=True, legacy=True), process) == {**NAMES[process], **LEGACY[process]}


def test_without_a_switch_nothing_is_told() -> None:
    """Every family is a series for each device or container of the cluster."""
    names = Names(current=False, legacy=False)
    assert not names
    assert names.of("agent") == names.of("scheduler") == ()


def test_no_name_is_one_of_ours() -> None:
    """One process tells both."""
    ours = {one.name for one in metrics.ALL}
    theirs = {one.name for pair in peer_metrics.ALL for one in pair if one}
    assert not ours & theirs


def test_a_figure_is_told_under_each_name_that_is_asked_for() -> None:
    """With the same values of its labels."""
    found = Samples()
    Names(current=True, legacy=True).add(found, peer_metrics.host_memory, ("n", "0", "x", "F1"), 5)
    assert list(found.lines(peer_metrics.host_memory.current)) == [
        'hami_host_gpu_memory_used_bytes{node="n",device_index="0",device_uuid="x",device_type="F1"} 5'
    ]
    assert peer_metrics.host_memory.legacy is not None
    assert list(found.lines(peer_metrics.host_memory.legacy)) == [
        'HostGPUMemoryUsage{nodeid="n",deviceidx="0",deviceuuid="x",devicetype="F1"} 5'
    ]
