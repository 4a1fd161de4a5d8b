"""Metrics under the names that dashboards of HAMi read, for clusters that come from there; off unless asked for.

Two generations of names, each with a switch of its own: ``hami_…`` and, older, without a common beginning. Names,
labels and their order, and what the values mean, are that project's; ratios of compute are 0 to 100 there. Source:
Project-HAMi/HAMi, cmd/scheduler/metrics.go and cmd/vGPUmonitor/metrics.go. Not told, because nothing here knows it:
build information, use of the memory controller, time since the last kernel, and instances of hardware.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hetero.instruments import Family, Samples

AGENT, SCHEDULER = ("agent",), ("scheduler",)


class Pair(NamedTuple):
    """One figure under its names, whose labels have the same values in the same order.

    Attributes:
        current: The name that begins with ``hami_``.
        legacy: The older one; None where there was none.
    """

    current: Family
    legacy: Family | None


_OLD = {
    "node": "nodeid",
    "device_uuid": "deviceuuid",
    "device_index": "deviceidx",
    "device_type": "devicetype",
    "device_cores": "devicecores",
    "device_memory_limit": "devicememorylimit",
}
_OLD_POD = {
    "namespace": "podnamespace",
    "node": "nodename",
    "pod": "podname",
    "container_index": "containeridx",
    "device_uuid": "deviceuuid",
    "container": "ctrname",
    "vdevice_index": "vdeviceid",
}
_OLD_QUOTA = {"namespace": "quotanamespace", "quota_name": "quotaName", "limit": "limit"}


def _pair(name: str, legacy: str, help_text: str, labels: Sequence[str], by: tuple[str, ...]) -> Pair:
    old = _OLD_QUOTA if "quota_name" in labels else _OLD_POD if "namespace" in labels else _OLD
    older = Family(legacy, help_text, [old[label] for label in labels], by=by) if legacy else None
    return Pair(Family(f"hami_{name}", help_text, labels, by=by), older)


# The scheduler's, of devices and nodes.
_DEVICE = ("node", "device_uuid", "device_index", "device_type")
_CORES = ("node", "device_uuid", "device_index", "device_cores", "device_type")
_OVERVIEW = ("node", "device_uuid", "device_index", "device_cores", "device_memory_limit", "device_type")
memory_limit = _pair("gpu_memory_limit_bytes", "GPUDeviceMemoryLimit", "Memory of a device.", _DEVICE, SCHEDULER)
core_limit = _pair("gpu_core_limit_ratio", "GPUDeviceCoreLimit", "Compute of a device, 100.", _DEVICE, SCHEDULER)
memory_allocated = _pair(
    "gpu_memory_allocated_bytes", "GPUDeviceMemoryAllocated", "Memory promised of a device.", _CORES, SCHEDULER
)
shared = _pair("gpu_shared_count", "GPUDeviceSharedNum", "Containers that share a device.", _DEVICE, SCHEDULER)
core_allocated = _pair(
    "gpu_core_allocated_ratio", "GPUDeviceCoreAllocated", "Compute promised of a device, 0 to 100.", _DEVICE, SCHEDULER
)
overview = _pair("node_gpu_overview", "nodeGPUOverview", "Memory promised of a device, in bytes.", _OVERVIEW, SCHEDULER)
memory_ratio = _pair(
    "node_gpu_memory_allocated_ratio", "nodeGPUMemoryPercentage", "Memory promised of a device, 0 to 1.", _DEVICE[:3],
    SCHEDULER,
)  # fmt: skip

# Of containers, which are told by their position in the pod; init containers as init-0 and so on.
_HELD = ("namespace", "node", "pod", "container_index", "device_uuid")
held_memory = _pair(
    "vgpu_memory_allocated_bytes", "vGPUMemoryAllocated", "Memory promised to a container.", _HELD, SCHEDULER
)
held_cores = _pair(
    "vgpu_core_allocated_ratio", "vGPUCoreAllocated", "Compute promised to a container, 0 to 100.", _HELD, SCHEDULER
)

# Of quotas; a limit is told in the unit of its resource.
_QUOTA = ("namespace", "quota_name", "limit")
quota_used = _pair("resource_quota_used", "QuotaUsed", "What is taken of a quota.", _QUOTA, SCHEDULER)
quota_limit = _pair("resource_quota_limit", "", "What a quota allows.", _QUOTA[:2], SCHEDULER)

# The monitor's, which is part of the agent here: of devices.
_HOST = ("node", "device_index", "device_uuid", "device_type")
host_memory = _pair("host_gpu_memory_used_bytes", "HostGPUMemoryUsage", "Memory in use of a device.", _HOST, AGENT)
host_utilization = _pair(
    "host_gpu_utilization_ratio", "HostCoreUtilization", "Use of a device's compute, 0 to 100.", _HOST, AGENT
)

# Of containers.
_CONTAINER = ("namespace", "pod", "container", "vdevice_index", "device_uuid")
used = _pair(
    "vgpu_memory_used_bytes", "vGPU_device_memory_usage_in_bytes", "Memory that a container uses.", _CONTAINER, AGENT
)
limit = _pair(
    "vgpu_memory_limit_bytes",
    "vGPU_device_memory_limit_in_bytes",
    "Memory that a container may use.",
    _CONTAINER,
    AGENT,
)
utilization = _pair(
    "container_device_utilization_ratio", "Device_utilization_desc_of_container",
    "Compute that a container uses, 0 to 100.", _CONTAINER, AGENT,
)  # fmt: skip
device_memory = _pair("container_device_memory_bytes", "", "Memory that a container uses.", _CONTAINER, AGENT)
context = _pair("vgpu_memory_context_bytes", "", "Of it, for contexts.", _CONTAINER, AGENT)
module = _pair("vgpu_memory_module_bytes", "", "Of it, for loaded code.", _CONTAINER, AGENT)
buffer = _pair("vgpu_memory_buffer_bytes", "", "Of it, for data.", _CONTAINER, AGENT)
described = Family(
    "Device_memory_desc_of_container",
    "Memory that a container uses, with its kinds in labels.",
    ("podnamespace", "podname", "ctrname", "vdeviceid", "deviceuuid", "context", "module", "data", "offset"),
    by=AGENT,
)

ALL: tuple[Pair, ...] = tuple(one for one in list(globals().values()) if isinstance(one, Pair))


class Names:
    """Which generations are told.

    Args:
        current: The names that begin with ``hami_``.
        legacy: The older ones.
    """

    def __init__(self, *, current: bool, legacy: bool) -> None:
        self.current = current
        self.legacy = legacy

    def __bool__(self) -> bool:
        """True when there is anything to tell."""
        return self.current or self.legacy

    def of(self, process: str) -> tuple[Family, ...]:
        """The families that a process exports."""
        pairs = [one for one in ALL if process in one.current.by]
        families = [family for pair in pairs for family in self._of(pair)]
        return (*families, *([described] if self.legacy and process in described.by else []))

    def add(self, found: Samples, pair: Pair, values: tuple[str, ...], value: float | None) -> None:
        """Take in a figure under each of its names that is told."""
        for family in self._of(pair):
            found.add(family, values, value)

    def _of(self, pair: Pair) -> Iterator[Family]:
        if self.current:
            yield pair.current
        if self.legacy and pair.legacy is not None:
            yield pair.legacy
