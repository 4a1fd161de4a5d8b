"""``hetero top``: who uses what, now."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from hetero.cli import cluster_rows, live, missing, output
from hetero.cli.context import Context
from hetero.cli.failures import visible
from hetero.errors import InvalidValue

if TYPE_CHECKING:
    from hetero.enforcement.slices import SliceStore
    from hetero.model.device import Device, Sample
    from hetero.monitoring.inventory import Inventory
    from hetero.monitoring.usage import SliceRow

WIDTH = 12
"""Characters of a bar."""


def _finite(_: click.Context, parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise InvalidValue(parameter.opts[0], value, "is no time; write seconds from 0.1 to 60")
    return value


@click.command("top")
@click.option("--once", is_flag=True, help="Print one table and end.")
@click.option(
    "--interval", default=1.0, show_default=True, type=click.FloatRange(0.1, 60), callback=_finite, help="Seconds."
)
@click.option("--cluster", is_flag=True, help="The cards and slices of a whole cluster instead of this machine's.")
@click.option("--node", default="", help="With --cluster: only this node.")
@click.option("-n", "--namespace", default="", help="With --cluster: only slices of this namespace.")
@click.option("--vendor", default="", help="With --cluster: only cards of this vendor.")
@click.option(
    "--sort",
    type=click.Choice(cluster_rows.SORTS),
    default="node",
    show_default=True,
    help="With --cluster: by name, by what is used, or those with most left first.",
)
@click.option(
    "--agents", default="", help="With --cluster: namespace of hetero's agents (default: the only one that has any)."
)
@live.options
@output.option
@click.pass_obj
def command(  # noqa: PLR0913  one for each option
    context: Context, /, *, once: bool, interval: float, form: str, cluster: bool, access: live.Access, **chosen: str
) -> int:
    """Slices and their processes: memory and compute, used and allowed.

    Compute is what was used during one interval; "30+40" are 30 percent of its own and 40 that are lent for now. A
    slice that "yields" makes way for one of a higher priority.
    With --cluster: what is promised, by the pods' placements, and what is used, as the agents of the nodes say.
    """
    agents = chosen.pop("agents")
    if cluster:
        from hetero.cli import cluster_top

        again = 0.0 if once or not sys.stdout.isatty() else interval
        shown = cluster_rows.Chosen(**chosen)
        cluster_top.run(context, access, shown, namespace=agents, interval=again, form=form)
        return 0
    _refuse_without_cluster(access, agents, chosen)
    _here(context, once=once, interval=interval, form=form)
    return 0


def _refuse_without_cluster(access: live.Access, agents: str, chosen: Mapping[str, str]) -> None:
    """Options that mean nothing on one machine are not passed over in silence."""
    given = {**chosen, "agents": agents, "kubeconfig": access.kubeconfig, "context": access.context}
    for name, value in given.items():
        if value and (name, value) != ("sort", "node"):
            raise InvalidValue(f"--{name}", value, "is about a cluster; say --cluster as well")


def _here(context: Context, *, once: bool, interval: float, form: str) -> None:
    from hetero.allocation import local
    from hetero.monitoring.inventory import Inventory

    vendors = context.vendors
    store = local.store(context.runtime_directory(), vendors)
    inventory = Inventory(vendors, quiet=True)
    inventory.look()
    samples = _samples(store, inventory, interval)
    if form == "json":
        slices = next(samples)
        devices = _devices(inventory)
        output.emit_json(slices=slices, devices=devices, failures=missing.rows(inventory.machine))
    elif once or not sys.stdout.isatty():  # a file or a pipe cannot be drawn over
        output.emit_table(list(_lines(next(samples))), COLUMNS)
        missing.tell(inventory.machine)
    else:
        _watch(samples, inventory)


def _samples(store: SliceStore, inventory: Inventory, interval: float) -> Iterator[list[dict[str, Any]]]:
    from hetero.monitoring import usage

    before = usage.readings(store.live())
    while True:
        time.sleep(interval)
        live = store.live()
        after = usage.readings(live)
        machine = inventory.remember(usage.devices(live))
        numbers = {device.uuid: index for index, device in enumerate(machine.devices)}
        yield [_row(row, numbers) for row in usage.rows(before, after)]
        before = after


def _watch(samples: Iterable[list[dict[str, Any]]], inventory: Inventory) -> None:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console()
    with Live(output.table([], COLUMNS), console=console, screen=True, auto_refresh=False) as live:
        for rows in samples:
            shown, _ = output.narrowed(list(_lines(rows)), COLUMNS, console.width)
            told = (Text(visible(sentence)) for sentence in missing.broken(inventory.machine))
            live.update(Group(shown, *told), refresh=True)


def _devices(inventory: Inventory) -> list[dict[str, Any]]:
    """What the drivers say of whole devices, slices and whatever else runs there together."""
    samples = inventory.sample()
    return [_device(index, device, samples.get(device.uuid)) for index, device in enumerate(inventory.machine.devices)]


def _device(index: int, device: Device, sample: Sample | None) -> dict[str, Any]:
    return {
        "device": index,
        "vendor": device.model.vendor,
        "uuid": device.uuid,
        "healthy": device.health.ok,
        "health": "ok" if device.health.ok else device.health.reason,
        "memory_used_mib": sample.memory_used if sample else None,
        "utilization_percent": _known(sample.utilization) if sample else None,
        "temperature_celsius": sample.temperature if sample else None,
        "power_watts": sample.power if sample else None,
    }


def _row(row: SliceRow, numbers: Mapping[str, int]) -> dict[str, Any]:
    return {
        "slice": row.id,
        "vendor": row.vendor,
        "device": numbers.get(row.device),
        "uuid": row.device,
        "command": list(row.command),
        "memory_used_mib": _known(row.memory_used),
        "memory_limit_mib": row.memory_limit,
        "compute_used_percent": _known(round(row.compute_used, 1)),
        "compute_limit_percent": row.compute_limit or None,
        "compute_lent_percent": row.compute_lent,
        "yielding": row.yields,
        "refused_allocations": row.refused,
        "processes": [
            {
                "pid": one.pid,
                "name": one.name,
                "memory_used_mib": _known(one.memory),
                "compute_used_percent": _known(round(one.compute, 1)),
            }
            for one in row.processes
        ],
    }


def _known(value: float) -> float | None:
    return None if value < 0 else value


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """A line for each slice, and one below it for each process."""
    for row in rows:
        yield {**row, "what": " ".join(row["command"])}
        for process in row["processes"]:
            yield {
                **dict.fromkeys(
                    ("slice", "device", "memory_limit_mib", "compute_limit_percent", "compute_lent_percent", "yielding")
                ),
                **process,
                "what": f"  {process['pid']} {process['name']}",
            }


def bar(used: float | None, limit: float | None) -> str:
    """How full, in characters; nothing when either is not known."""
    if used is None or not limit:
        return ""
    full = min(WIDTH, round(WIDTH * used / limit))
    return "█" * full + "░" * (WIDTH - full)


def _memory(row: Mapping[str, Any]) -> str:
    used, limit = row["memory_used_mib"], row["memory_limit_mib"]
    return _of("-" if used is None else f"{used}", limit, "MiB")


def _compute(row: Mapping[str, Any]) -> str:
    used, limit, lent = row["compute_used_percent"], row["compute_limit_percent"], row["compute_lent_percent"]
    shown = _of("-" if used is None else f"{used:.0f}", f"{limit}+{lent}" if limit and lent else limit, "%")
    return f"{shown} yields" if row["yielding"] else shown


def _of(used: str, limit: float | str | None, unit: str) -> str:
    return f"{used} / {limit} {unit}" if limit else f"{used} {unit}"


def _memory_bar(row: Mapping[str, Any]) -> str:
    return bar(row["memory_used_mib"], row["memory_limit_mib"])


def _compute_bar(row: Mapping[str, Any]) -> str:
    limit = (row["compute_limit_percent"] or 100) + (row["compute_lent_percent"] or 0)
    return bar(row["compute_used_percent"], limit) if row["slice"] else ""


COLUMNS = (
    output.column("slice", "slice"),
    output.column("#", "device", number=True),
    output.Column("memory", _memory, number=True),
    output.Column("", _memory_bar, spare=True),
    output.Column("compute", _compute, number=True),
    output.Column("", _compute_bar, spare=True),
    output.column("command, processes", "what"),
)
