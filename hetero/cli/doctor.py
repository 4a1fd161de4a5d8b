"""``hetero doctor``: looks at everything that a slice needs, and says what to fix."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import click

from hetero.cli import doctor_node, output
from hetero.cli.context import Context
from hetero.cli.finding import ABSENT, OK, PROBLEM, finding
from hetero.driver import ABSENT as ABSENT_CODE
from hetero.driver import NONSENSE, host
from hetero.errors import DriverError, DriverFailed, DriverMissing, DriverTimeout, EnforcementError
from hetero.model.device import Device
from hetero.monitoring.inventory import Inventory, Machine
from hetero.vendor import Finding, Vendor


@click.command("doctor")
@output.option
@click.pass_obj
def command(context: Context, form: str) -> int:
    """Check drivers, native library, permissions and plugins; say what to fix. Exit code 1 if anything is wrong."""
    node = doctor_node.node(os.environ)
    rows = [*_settings(context), *_plugins(context), *_place(context, node)]
    machine = _machine(context, node)
    for vendor in context.vendors.values():
        rows += [*_driver(vendor, machine), *_enforcement(vendor)]
    if form == "json":
        output.emit_json(findings=rows)
    else:
        output.emit_table(rows, COLUMNS)
    return 1 if any(row["state"] == PROBLEM for row in rows) else 0


def _settings(context: Context) -> Iterator[dict[str, Any]]:
    _ = context.settings
    path = context.config_path
    yield finding("configuration", OK, str(path) if path else "no file: everything has its default")


def _plugins(context: Context) -> Iterator[dict[str, Any]]:
    plugins = context.plugins
    if not plugins.vendors:
        yield finding("plugins", PROBLEM, "no vendor is installed", "pip install a vendor's package")
    for name in plugins.vendors:
        yield finding("plugins", OK, f"vendor {name} from {plugins.origins.get(name) or 'this process'}")
    for failure in plugins.failures.values():
        yield finding(f"plugin {failure.plugin}", PROBLEM, failure.reason, failure.advice or "reinstall or remove it")


def _runtime(context: Context) -> Iterator[dict[str, Any]]:
    """Whether slices can be kept, by doing what ``hetero run`` does first."""
    from hetero.enforcement.slices import SliceStore

    directory = context.runtime_directory()
    advice = "set HETERO_RUNTIME_DIR to a directory of your own"
    try:
        with SliceStore(directory).locked():
            pass
    except (EnforcementError, OSError) as error:
        # The sentence of ``hetero run`` ends with the advice, which has a column of its own here.
        yield finding("slices", PROBLEM, str(error).partition("; set HETERO_RUNTIME_DIR")[0], advice)
    else:
        yield finding("slices", OK, f"kept in {directory}")


def _place(context: Context, node: str) -> Iterator[dict[str, Any]]:
    """Where slices are kept: the agent's folders in its container, this user's anywhere else."""
    if node:
        yield from doctor_node.folders(context.settings.agent)
        yield doctor_node.changes()
        yield from doctor_node.container_runtime(node)
    else:
        yield from _runtime(context)


def _machine(context: Context, node: str) -> Machine:
    """What the drivers list, and what slices hold where one does not."""
    inventory = Inventory(context.vendors, quiet=True)
    machine = inventory.look()
    if machine.failures:
        with contextlib.suppress(EnforcementError):  # told already
            held = doctor_node.held(context.settings.agent) if node else _held(context)
            machine = inventory.remember(held)
    return machine


def _held(context: Context) -> Iterable[Device]:
    from hetero.allocation import local
    from hetero.monitoring import usage

    return usage.devices(local.store(context.runtime_directory(), context.vendors).live())


def _enforcement(vendor: Vendor) -> Iterator[dict[str, Any]]:
    try:
        yield from (_found(vendor, found) for found in vendor.enforcement.check())
    except Exception as error:
        advice = "see its driver, above" if isinstance(error, DriverError) else "report it to the vendor"
        yield finding(f"{vendor.name} enforcement", PROBLEM, f"the check failed: {error}", advice)


def _found(vendor: Vendor, found: Finding) -> dict[str, Any]:
    return finding(f"{vendor.name} {found.subject}", OK if found.ok else PROBLEM, found.detail, found.advice)


def _driver(vendor: Vendor, machine: Machine) -> Iterator[dict[str, Any]]:
    """The driver itself, what keeps it from listing devices, and each device that is known."""
    part = f"{vendor.name} driver"
    failure = machine.failures.get(vendor.name)
    try:
        driver = vendor.discovery.driver()
        yield finding(part, OK, f"{driver.version}, {driver.library}" + (f", API {driver.api}" if driver.api else ""))
    except Exception as error:
        failure = error
    devices = machine.of(vendor.name)
    if isinstance(failure, DriverMissing) and not devices:
        yield finding(part, ABSENT, f"{failure.library} was not found", f"to use its devices, {failure.advice}")
    elif failure is not None:
        yield finding(part, PROBLEM, str(failure), _advice(vendor, failure))
    elif not devices:
        yield finding(f"{vendor.name} devices", PROBLEM, "the driver shows none", "check that the device is plugged in")
    yield from (_device(vendor, device, failure) for device in devices)


def _device(vendor: Vendor, device: Device, failure: Exception | None) -> dict[str, Any]:
    part = f"{vendor.name} device {device.index}"
    if not device.health.ok:
        advice = "see its driver, above" if failure else "restart or replace it"
        return finding(part, PROBLEM, f"{device.model.name}: {device.health.reason}", advice)
    # A device names its files as they are on the machine, which may be mounted somewhere else.
    files = [host(vendor.name, path) for path in device.paths]
    closed = [str(path) for path in files if path.exists() and not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        return finding(part, PROBLEM, f"no permission for {', '.join(closed)}", "join the group that owns them")
    return finding(part, OK, f"{device.model.name}, {device.uuid}")


def _advice(vendor: Vendor, failure: Exception) -> str:
    """What to do about a driver that is there and fails."""
    loaded = f"check that the {vendor.title} driver is loaded and that you may use its devices"
    if isinstance(failure, DriverTimeout):
        return (
            f"it hangs: look into the kernel's log, and load the {vendor.title} driver anew or restart the machine; "
            "if it is only slow, raise drivers.deadline_s"
        )
    if isinstance(failure, DriverMissing):
        return f"devices were here before: {failure.advice}"
    if not isinstance(failure, DriverFailed):
        return f"{loaded}; if they are, report it to the package of vendor {vendor.name}"
    if failure.code == ABSENT_CODE:
        return f"check that library and {vendor.title} driver are whole and of a version that the package knows"
    if failure.code == NONSENSE:
        return f"check that library and {vendor.title} driver are of one version; {loaded}"
    return loaded


COLUMNS = (
    output.column("", "state"),
    output.column("part", "part"),
    output.column("found", "detail"),
    output.column("what to do", "advice"),
)
