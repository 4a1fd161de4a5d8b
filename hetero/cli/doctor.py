"""``hetero doctor``: looks at everything that a slice needs, and says what to fix."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from hetero.cli import output
from hetero.cli.context import Context
from hetero.errors import DriverMissing, EnforcementError
from hetero.vendor import Finding, Vendor

OK, ABSENT, PROBLEM = "ok", "absent", "problem"


@click.command("doctor")
@output.option
@click.pass_obj
def command(context: Context, form: str) -> int:
    """Check drivers, native library, permissions and plugins; say what to fix. Exit code 1 if anything is wrong."""
    rows = [*_settings(context), *_plugins(context), *_runtime(context)]
    for vendor in context.plugins.vendors.values():
        rows += _vendor(vendor)
    if form == "json":
        output.emit_json(findings=rows)
    else:
        output.emit_table(rows, COLUMNS)
    return 1 if any(row["state"] == PROBLEM for row in rows) else 0


def _finding(part: str, state: str, detail: str, advice: str = "") -> dict[str, Any]:
    return {"part": part, "state": state, "detail": detail, "advice": advice}


def _settings(context: Context) -> Iterator[dict[str, Any]]:
    _ = context.settings
    path = context.config_path
    yield _finding("configuration", OK, str(path) if path else "no file: everything has its default")


def _plugins(context: Context) -> Iterator[dict[str, Any]]:
    plugins = context.plugins
    if not plugins.vendors:
        yield _finding("plugins", PROBLEM, "no vendor is installed", "pip install a vendor's package")
    for name in plugins.vendors:
        yield _finding("plugins", OK, f"vendor {name} from {plugins.origins.get(name) or 'this process'}")
    for failure in plugins.failures.values():
        yield _finding(f"plugin {failure.plugin}", PROBLEM, failure.reason, failure.advice or "reinstall or remove it")


def _runtime(context: Context) -> Iterator[dict[str, Any]]:
    """Whether slices can be kept, by doing what ``hetero run`` does first."""
    from hetero.enforcement.slices import SliceStore

    directory = context.runtime_directory()
    advice = "set HETERO_RUNTIME_DIR to a directory of your own"
    try:
        with SliceStore(directory).locked():
            pass
    except (EnforcementError, OSError) as error:
        yield _finding("slices", PROBLEM, str(error), advice)
    else:
        yield _finding("slices", OK, f"kept in {directory}")


def _vendor(vendor: Vendor) -> Iterator[dict[str, Any]]:
    yield from _driver(vendor)
    try:
        yield from (_found(vendor, finding) for finding in vendor.enforcement.check())
    except Exception as error:
        yield _finding(f"{vendor.name} enforcement", PROBLEM, f"the check failed: {error}", "report it to the vendor")


def _found(vendor: Vendor, finding: Finding) -> dict[str, Any]:
    state = OK if finding.ok else PROBLEM
    return _finding(f"{vendor.name} {finding.subject}", state, finding.detail, finding.advice)


def _driver(vendor: Vendor) -> Iterator[dict[str, Any]]:
    part = f"{vendor.name} driver"
    try:
        driver = vendor.discovery.driver()
        yield _finding(part, OK, f"{driver.version}, {driver.library}" + (f", API {driver.api}" if driver.api else ""))
        yield from _devices(vendor)
    except DriverMissing as error:
        yield _finding(part, ABSENT, f"{error.library} was not found", f"to use its devices, {error.advice}")
    except Exception as error:
        yield _finding(part, PROBLEM, str(error), _permission_advice(vendor))


def _devices(vendor: Vendor) -> Iterable[dict[str, Any]]:
    devices = vendor.discovery.devices()
    if not devices:
        yield _finding(
            f"{vendor.name} devices", PROBLEM, "the driver shows none", "check that the device is plugged in"
        )
    for device in devices:
        part = f"{vendor.name} device {device.index}"
        if not device.health.ok:
            yield _finding(part, PROBLEM, f"{device.model.name}: {device.health.reason}", "restart or replace it")
            continue
        closed = [path for path in device.paths if Path(path).exists() and not os.access(path, os.R_OK | os.W_OK)]
        if closed:
            yield _finding(part, PROBLEM, f"no permission for {', '.join(closed)}", "join the group that owns them")
        else:
            yield _finding(part, OK, f"{device.model.name}, {device.uuid}")


def _permission_advice(vendor: Vendor) -> str:
    return f"check that the {vendor.title} driver is loaded and that you may use its devices"


COLUMNS = (
    output.column("", "state"),
    output.column("part", "part"),
    output.column("found", "detail"),
    output.column("what to do", "advice"),
)
