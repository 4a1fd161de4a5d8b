"""Placements and refusals as rows and sentences: what ``hetero plan`` and ``hetero explain`` show of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hetero.cli import output
from hetero.model.placement import Placement
from hetero.model.share import Refusal

MOST = 8
"""Reasons that are told to people."""


def rows(placed: Iterable[Placement]) -> Iterable[dict[str, Any]]:
    """A row for each container, those without devices included; init containers come first."""
    for pod in placed:
        for kind, containers in (("init", pod.init_containers), ("container", pod.containers)):
            for container in containers:
                row = {"namespace": pod.namespace, "pod": pod.pod, "kind": kind, "container": container.container}
                shares = [
                    {
                        "vendor": one.vendor,
                        "device": one.device,
                        "memory_mib": one.share.memory,
                        "cores_percent": one.share.cores,
                        "template": one.share.template,
                    }
                    for one in container.devices
                ]
                yield {**row, "node": pod.node, "devices": shares}


def reasons(refusals: Mapping[str, Refusal], total: int) -> list[str]:
    """A sentence for each reason, with how many of all nodes have it and the first of them; the most frequent first.

    Of many reasons only the first :data:`MOST` are told: nodes that are filled differently lack different amounts.
    """
    grouped: dict[str, list[str]] = {}
    for node, refusal in sorted(refusals.items()):
        grouped.setdefault(f"{refusal.message} [{refusal.reason}]", []).append(node)
    ordered = sorted(grouped.items(), key=lambda group: -len(group[1]))
    told = [f"{len(nodes)}/{total} nodes ({_some(nodes)}): {sentence}" for sentence, nodes in ordered[:MOST]]
    rest = ordered[MOST:]
    if rest:
        nodes = sum(len(names) for _, names in rest)
        told.append(f"{nodes}/{total} nodes: {len(rest)} more reasons, which --output json has")
    return told


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _on_devices(of: str, unit: str) -> output.Column:
    def shown(amount: object) -> str:
        return f"{amount}{unit}" if amount else "no limit"

    def text(row: output.Row) -> str:
        return "\n".join(shown(one[of]) for one in row["devices"]) or "-"

    return output.Column(of.split("_", maxsplit=1)[0], text, number=bool(unit))


COLUMNS = (
    output.column("pod", "pod"),
    output.column("container", "container"),
    output.column("node", "node"),
    _on_devices("device", ""),
    _on_devices("memory_mib", " MiB"),
    _on_devices("cores_percent", " %"),
)
