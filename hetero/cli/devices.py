"""``hetero devices``: what this machine has, and what is sliced off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from hetero.cli import missing, output
from hetero.cli.context import Context
from hetero.cli.failures import say
from hetero.model.device import CORES, MEMORY, Device, Quantities, Sample
from hetero.model.quantity import format_mib
from hetero.monitoring.inventory import Inventory


@click.command("devices")
@output.option
@click.pass_obj
def command(context: Context, form: str) -> None:
    """What this machine has, and what is sliced off."""
    from hetero.allocation import local
    from hetero.monitoring import usage

    vendors = context.vendors
    inventory = Inventory(vendors, quiet=True)
    inventory.look()
    live = local.store(context.runtime_directory(), vendors).live()
    inventory.remember(usage.devices(live))
    taken, samples, machine = usage.allocated(live), inventory.sample(), inventory.machine
    rows = [
        _row(index, device, taken.get(device.uuid, {}), samples.get(device.uuid))
        for index, device in enumerate(machine.devices)
    ]
    if form == "json":
        output.emit_json(devices=rows, failures=missing.rows(machine))
        return
    if rows:
        output.emit_table(rows, COLUMNS)
    for sentence in missing.reasons(list(vendors), machine):
        say(sentence)


def _row(index: int, device: Device, taken: Quantities, sample: Sample | None) -> dict[str, Any]:
    return {
        "index": index,
        "vendor": device.model.vendor,
        "model": device.model.name,
        "mode": device.model.mode,
        "uuid": device.uuid,
        "memory_mib": device.model.capacity.get(MEMORY, 0),
        "cores_percent": device.model.capacity.get(CORES, 0),
        "numa": device.numa if device.numa >= 0 else None,
        "bus": device.bus,
        "healthy": device.health.ok,
        "health": "ok" if device.health.ok else device.health.reason,
        "temperature_celsius": sample.temperature if sample else None,
        "power_watts": sample.power if sample else None,
        "slices": taken.get("slices", 0),
        "sliced_memory_mib": taken.get(MEMORY, 0),
        "sliced_cores_percent": taken.get(CORES, 0),
    }


def _sliced_off(row: Mapping[str, Any]) -> str:
    if not row["slices"]:
        return "-"
    plural = "s" if row["slices"] > 1 else ""
    compute = f", {row['sliced_cores_percent']} %" if row["sliced_cores_percent"] else ""
    return f"{format_mib(row['sliced_memory_mib'])}{compute} in {row['slices']} slice{plural}"


def _figure(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: "-" if row[key] is None else f"{row[key]:.0f}"


COLUMNS = (
    output.column("#", "index", number=True),
    output.column("vendor", "vendor"),
    output.column("model", "model"),
    output.column("UUID", "uuid", spare=True),
    output.Column("memory", lambda row: format_mib(row["memory_mib"]), number=True),
    output.Column("compute", lambda row: f"{row['cores_percent']} %", number=True),
    output.Column("NUMA", lambda row: "-" if row["numa"] is None else str(row["numa"]), number=True, spare=True),
    output.Column("°C", _figure("temperature_celsius"), number=True, spare=True),
    output.Column("W", _figure("power_watts"), number=True, spare=True),
    output.column("health", "health"),
    output.Column("sliced off", _sliced_off),
)
