"""What a plan leaves: the devices that it takes something of one by one, and all of a cluster by model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hetero.cli import output
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.placement import Placement

if TYPE_CHECKING:
    from hetero.placement import Planner


def rows(planner: Planner) -> Iterator[dict[str, Any]]:
    """A row for each device of the cluster."""
    free = planner.free_quantities()
    for node in sorted(planner.inventory.nodes, key=lambda one: one.name):
        for device in node.devices:
            yield {
                "node": node.name,
                "device": device.uuid,
                "model": device.model.name,
                "left": free[node.name][device.uuid],
                "capacity": device.model.capacity,
            }


def show(found: Sequence[Mapping[str, Any]], placed: Iterable[Placement], *, every: bool) -> None:
    """Print every device; or those that the plan takes something of, which is what it changes, and the sums."""
    if every:
        output.emit_table(list(found), DEVICES, title="left on each device")
        return
    taken = taken_by(placed)
    chosen = [row for row in found if (row["node"], row["device"]) in taken]
    if chosen:
        output.emit_table(chosen, DEVICES, title="left on the devices of this plan")
        click.echo()
    output.emit_table(list(sums(found)), MODELS, title="left on all devices (--all lists each)")


def taken_by(placed: Iterable[Placement]) -> set[tuple[str, str]]:
    """Node and device of all that was placed; what only an init container holds included."""
    return {
        (one.node, share.device)
        for one in placed
        for container in (*one.init_containers, *one.containers)
        for share in container.devices
    }


def sums(found: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each model: what is left in all, and the most that a single slice could have of it."""
    of: dict[str, list[Mapping[str, Any]]] = {}
    for row in found:
        of.setdefault(row["model"], []).append(row)
    for model, devices in sorted(of.items()):
        yield {
            "model": model,
            "nodes": len({row["node"] for row in devices}),
            "devices": len(devices),
            "whole": sum(row["left"] == row["capacity"] for row in devices),
            "left": _sum(row["left"] for row in devices),
            "capacity": _sum(row["capacity"] for row in devices),
            "most": max(row["left"].get(MEMORY, 0) for row in devices),
        }


def _sum(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0) + amount
    return total


def _of_capacity(heading: str, name: str, unit: str) -> output.Column:
    def text(row: output.Row) -> str:
        return f"{row['left'].get(name, 0)} of {row['capacity'][name]}{unit}" if name in row["capacity"] else "-"

    return output.Column(heading, text, number=True)


def _most(row: output.Row) -> str:
    return f"{row['most']} MiB" if MEMORY in row["capacity"] else "-"


AMOUNTS = (
    _of_capacity("memory", MEMORY, " MiB"),
    _of_capacity("compute", CORES, " %"),
    _of_capacity("slots", SLOTS, ""),
)
DEVICES = (output.column("node", "node"), output.column("device", "device"), output.column("model", "model"), *AMOUNTS)
MODELS = (
    output.column("model", "model"),
    output.column("nodes", "nodes", number=True),
    output.column("devices", "devices", number=True),
    output.column("untouched", "whole", number=True),
    *AMOUNTS,
    output.Column("most on one", _most, number=True),
)
