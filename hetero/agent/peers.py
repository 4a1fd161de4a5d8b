"""A reading of the node under the names of :mod:`hetero.peer_metrics`. Pure."""

from __future__ import annotations

from hetero import peer_metrics as peers
from hetero.agent.exposing import kinds
from hetero.instruments import Samples
from hetero.monitoring.report import NodeReport, SliceReport
from hetero.peer_metrics import Names


def samples(names: Names, report: NodeReport, found: Samples) -> None:
    """Add what a report has for those names."""
    for device in report.devices:
        labels = (report.node, str(device.index), device.uuid, device.model)
        names.add(found, peers.host_memory, labels, device.memory_used)
        names.add(found, peers.host_utilization, labels, _percent(device.utilization))
    for one in report.slices:
        _slice(names, one, found)


def _slice(names: Names, one: SliceReport, found: Samples) -> None:
    labels = (one.namespace, one.pod, one.container, str(one.position), one.device)
    by_kind = kinds(one)
    names.add(found, peers.used, labels, one.memory_used)
    names.add(found, peers.limit, labels, one.memory_limit or None)
    names.add(found, peers.utilization, labels, _percent(one.compute_used))
    names.add(found, peers.device_memory, labels, one.memory_used)
    for pair, kind in ((peers.context, "context"), (peers.module, "module"), (peers.buffer, "data")):
        names.add(found, pair, labels, by_kind.get(kind))
    if names.legacy and by_kind:
        sizes = (str(by_kind["context"]), str(by_kind["module"]), str(by_kind["data"]))
        found.add(peers.described, (*labels, *sizes, "0"), one.memory_used)


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio
