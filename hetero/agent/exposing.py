"""What a reading of the node has for the metrics. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hetero import metrics
from hetero.instruments import Family, Samples
from hetero.monitoring.report import DeviceReport, NodeReport, SliceReport


def samples(report: NodeReport, ages: Mapping[str, float]) -> Samples:
    """The samples of the families of devices and slices.

    Args:
        report: The reading.
        ages: Vendor to the seconds since its devices were sampled.
    """
    found = Samples()
    for vendor, age in ages.items():
        found.add(metrics.sample_age, (report.node, vendor), age)
    for device in report.devices:
        _device(found, device, (report.node, device.vendor, device.uuid, device.model))
    for one in report.slices:
        _slice(found, one, _labels(report.node, one))
    return found


def _labels(node: str, one: SliceReport) -> tuple[str, ...]:
    return node, one.namespace, one.pod, one.container, one.vendor, one.device, str(one.position)


def _device(found: Samples, device: DeviceReport, labels: tuple[str, ...]) -> None:
    found.add(metrics.device_info, (*labels, str(device.index)), 1)
    figures: dict[Family, float | None] = {
        metrics.device_healthy: device.healthy,
        metrics.device_memory_capacity: device.memory_capacity,
        metrics.device_memory_allocated: device.memory_allocated,
        metrics.device_memory_used: device.memory_used,
        metrics.device_compute_allocated: device.compute_allocated,
        metrics.device_utilization: device.utilization,
        metrics.device_slots_capacity: device.slots,
        metrics.device_slots_allocated: device.slots_allocated,
        metrics.device_temperature: device.temperature,
        metrics.device_power: device.power,
    }
    for family, value in figures.items():
        found.add(family, labels, value)


def _slice(found: Samples, one: SliceReport, labels: tuple[str, ...]) -> None:
    found.add(metrics.slice_info, (*labels, str(one.priority), one.policy), 1)
    read = one.busy_seconds is not None
    figures: dict[Family, float | None] = {
        metrics.slice_memory_limit: one.memory_limit or None,
        metrics.slice_memory_used: one.memory_used,
        metrics.slice_compute_limit: one.compute_limit or None,
        metrics.slice_compute_used: one.compute_used,
        metrics.slice_compute_lent: one.compute_lent if read else None,
        metrics.slice_yielding: one.yielding if read else None,
        metrics.slice_compute_seconds: one.busy_seconds,
        metrics.slice_throttled_seconds: one.throttled_seconds,
        metrics.slice_launches: one.launches,
        metrics.slice_unmeasured: one.unmeasured,
        metrics.slice_refused: one.refused,
        metrics.slice_exhausted: one.exhausted,
        metrics.slice_processes: one.processes,
    }
    for family, value in figures.items():
        found.add(family, labels, value)
    for kind, size in kinds(one).items():
        found.add(metrics.slice_memory, (*labels, kind), size)


def kinds(one: SliceReport) -> dict[str, int]:
    """Bytes of a slice by what they hold; nothing where that is not known."""
    if one.memory_used is None or one.memory_context is None or one.memory_module is None:
        return {}
    data = one.memory_used - one.memory_context - one.memory_module
    return {"context": one.memory_context, "module": one.memory_module, "data": data}
