"""``hetero vendors``: what is installed, what it can do, and why it cannot do the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from hetero.cli import output
from hetero.cli.context import Context
from hetero.vendor import Vendor

SHOWN = 8
"""Resources of a vendor that the table has; a chip cut into many sizes has dozens."""


def _resources(row: Mapping[str, Any]) -> str:
    names = [one["name"] for one in row["resources"]]
    if len(names) <= SHOWN:
        return "\n".join(names)
    return "\n".join([*names[:SHOWN], f"and {len(names) - SHOWN} more: --output json"])


COLUMNS = (
    output.column("vendor", "name"),
    output.column("version", "version", spare=True),
    output.column("package", "package", spare=True),
    output.Column("driver", lambda row: row["driver"]["version"] if row["driver"] else "-"),
    output.Column("resources", _resources),
    output.Column("features", lambda row: "\n".join(row["features"])),
)


@click.command("vendors")
@output.option
@click.pass_obj
def command(context: Context, form: str) -> None:
    """Installed vendors, what they can do, and why they cannot do the rest."""
    plugins = context.plugins
    rows = [_row(vendor, plugins.origins.get(name, "")) for name, vendor in context.vendors.items()]
    skipped = [{"plugin": name, "reason": str(error)} for name, error in plugins.failures.items()]
    _show(rows, skipped, form)


def _show(rows: list[dict[str, Any]], skipped: list[dict[str, str]], form: str) -> None:
    if form == "json":
        output.emit_json(vendors=rows, skipped=skipped)
        return
    output.emit_table(rows, COLUMNS)
    for row in rows:
        for sentence in _lacks(row):
            click.echo(f"{row['name']}: {sentence}")
    for one in skipped:
        click.echo(f"skipped: {one['reason']}")


def _row(vendor: Vendor, origin: str) -> dict[str, Any]:
    driver, problem = _driver(vendor)
    return {
        "name": vendor.name,
        "title": vendor.title,
        "version": vendor.version,
        "package": origin,
        "driver": driver,
        "driver_problem": problem,
        "resources": [
            {"name": name.name, "meaning": name.meaning} for family in vendor.resources for name in family.names()
        ],
        "features": [str(feature) for feature in vendor.features],
        "missing": {str(feature): reason for feature, reason in vendor.missing.items()},
    }


def _driver(vendor: Vendor) -> tuple[dict[str, str] | None, str]:
    try:
        driver = vendor.discovery.driver()
    except Exception as error:
        return None, str(error)
    return {"version": driver.version, "library": driver.library, "api": driver.api}, ""


def _lacks(row: Mapping[str, Any]) -> list[str]:
    lacking = [f"no {feature}: {reason}" for feature, reason in row["missing"].items()]
    return [f"no driver: {row['driver_problem']}", *lacking] if row["driver_problem"] else lacking
