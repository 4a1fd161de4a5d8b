"""``hetero run``: a command in a slice of this machine."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hetero import log
from hetero.cli import missing, process
from hetero.cli.asked import CAP, POLICIES, Asked, Options, by_manifest, by_options
from hetero.cli.context import Context
from hetero.errors import HeteroError, InvalidValue, Unplaceable
from hetero.model import wire
from hetero.model.device import Inventory
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement, Unplaced
from hetero.monitoring.inventory import NODE, Machine, discover

if TYPE_CHECKING:
    from hetero.allocation.local import Prepared
    from hetero.enforcement.slices import LocalSlice, SliceStore
    from hetero.model.allocation import Slice
    from hetero.placement import Planner

_log = log.logger("run")

MARK = "HETERO_SLICE"
"""Set in every slice to its id, so that a slice within a slice is noticed."""


def _not_empty(_: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """An option that was given says something: a variable that is not set must not ask for the whole device."""
    if value is not None and not value.strip():
        raise InvalidValue(parameter.opts[0], value, "is empty; leave the option out or write a value")
    return value or ""


@click.command("run", context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@click.option("--device", callback=_not_empty, metavar="I|UUID", help="Which device (default: the one with most room).")
@click.option("--memory", callback=_not_empty, metavar="SIZE|PERCENT", help="Of the device's memory, e.g. 2g or 40%.")
@click.option(
    "--cores", callback=_not_empty, metavar="PERCENT", help="Of the device's compute; 100 takes the device alone."
)
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    help="Of compute: never more than --cores, or what others leave idle on top (default: cap).",
)
@click.option("--priority", callback=_not_empty, metavar="N", help="0 to 100: 0 goes first (default: 1).")
@click.option("--vendor", callback=_not_empty, help="Whose device, where a machine has devices of several vendors.")
@click.option("-f", "manifest", type=click.Path(path_type=Path), help="Take ask and command from a manifest.")
@click.option("--container", default="", help="Which container of the manifest.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--] COMMAND...")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917 — one for each option
    context: Context,
    device: str,
    memory: str,
    cores: str,
    policy: str | None,
    priority: str,
    vendor: str,
    manifest: Path | None,
    container: str,
    words: tuple[str, ...],
) -> int:
    """Run COMMAND in a slice of a device of this machine.

    Without --memory and --cores it gets a whole device for itself.
    """
    options = Options(device=device, memory=memory, cores=cores, vendor=vendor, policy=policy or "", priority=priority)
    _refuse_nonsense(options, manifest, container)
    vendors = context.vendors
    machine = discover(vendors, quiet=True)
    name = f"run-{secrets.token_hex(4)}"
    _need_devices(machine)
    missing.tell(machine)
    if manifest is not None:
        asked = by_manifest(manifest, container, words, vendors, name)
    else:
        asked = by_options(options, words, machine.devices, name)
    return _run(context, machine, asked)


def _refuse_nonsense(options: Options, manifest: Path | None, container: str) -> None:
    if os.environ.get(MARK):
        raise InvalidValue(MARK, os.environ[MARK], "is set: this is a slice already; run the command as it is")
    if manifest is not None and options != Options():
        raise InvalidValue("-f", str(manifest), "cannot be combined with options that describe the slice")
    if manifest is None and container:
        raise InvalidValue("--container", container, "needs a manifest; add -f FILE")


def _need_devices(machine: Machine) -> None:
    """Without any device no ask can be held: the drivers' own words say why."""
    if not machine.devices:
        reasons = "; ".join(_reasons(machine)) or "no driver shows any"
        raise Unplaceable(f"this machine has no device to slice ({reasons}); see 'hetero doctor'")


def _reasons(machine: Machine) -> Iterator[str]:
    """What the drivers say; in one word of those that are not here, for most machines have one vendor's at most."""
    absent = [vendor for vendor in machine.failures if machine.absent(vendor)]
    for vendor, failure in machine.failures.items():
        if vendor not in absent or len(absent) == 1:
            yield f"{vendor}: {failure}"
    if len(absent) > 1:
        yield f"none of the drivers of {', '.join(absent)} is installed"


def _run(context: Context, machine: Machine, asked: Asked) -> int:
    from hetero.allocation import local

    vendors = context.vendors
    store = local.store(context.runtime_directory(), vendors)
    with store.locked():
        prepared = _prepared(context, machine, asked, store)
    try:
        variables = _environment(asked, prepared)
        inherited = [hold.descriptor for hold in prepared.holds]
        with _lending(asked, store) as lending, _precedence(context, store) as precedence:
            return process.run(asked.words, variables, inherited, asked.directory, [*lending, *precedence])
    finally:
        prepared.close()
        _clean(store)


@contextlib.contextmanager
def _lending(asked: Asked, store: SliceStore) -> Iterator[list[process.Chore]]:
    """Whoever may be lent something sees to it, for himself and for the others of this directory."""
    if asked.policy == CAP:
        yield []
        return
    from hetero.monitoring.lending import PERIOD_NS, Lender

    with contextlib.closing(Lender(store.directory)) as lender:

        def look() -> float:
            lender.look()
            return PERIOD_NS / 1e9

        yield [process.Chore(look)]


@contextlib.contextmanager
def _precedence(context: Context, store: SliceStore) -> Iterator[list[process.Chore]]:
    """Whoever runs a slice sees to precedence, if nobody else of this directory does."""
    from hetero.monitoring.precedence import OFF
    from hetero.monitoring.watcher import Watcher

    chosen = context.settings.agent.precedence
    if chosen == OFF:
        yield []
        return
    with contextlib.closing(Watcher(store.directory, _slice, chosen)) as watcher:
        yield [process.Chore(watcher.look)]


def _slice(data: bytes) -> Slice:
    from hetero.enforcement.slices import LocalSlice

    return wire.decode(data, LocalSlice).held


def _clean(store: SliceStore) -> None:
    """Remove the slice, unless a process that was left behind still holds it. The program's exit code matters more."""
    if not store.directory.exists():
        return  # it went with its simulated machine, and must not come back for an empty list
    try:
        with store.locked():
            store.live()
    except HeteroError as error:
        _log.error("slices not cleaned up", reason=str(error))


def _prepared(context: Context, machine: Machine, asked: Asked, store: SliceStore) -> Prepared:
    """Place the ask beside the slices that there are, and make its slice."""
    from hetero.allocation import local
    from hetero.placement import Planner

    plugins, settings = context.plugins, context.settings.placement
    planner = Planner(
        Inventory(nodes=(machine.node,)),
        context.vendors,
        device_policy=settings.device_policy,
        scorers=plugins.scorers.values(),
    )
    for one in store.live():
        _charge(planner, one, machine)
    shares = _placed(planner, asked)
    devices = {device.uuid: device for device in machine.devices}
    program = local.Program(asked.words, asked.priority, asked.policy)
    return local.prepare(store, context.vendors, shares, devices, program)


def _charge(planner: Planner, one: LocalSlice, machine: Machine) -> None:
    """Account for a slice that is there; on a device that is gone there is nothing left to account for."""
    here = {device.uuid for device in machine.devices}
    shares = tuple(
        DeviceShare(vendor=one.vendor, device=grant.device.uuid, share=grant.share)
        for grant in one.held.grants
        if grant.device.uuid in here
    )
    containers = (ContainerPlacement(container="", devices=shares),)
    planner.charge(Placement(namespace="slices", pod=one.held.id, node=NODE, containers=containers))


def _placed(planner: Planner, asked: Asked) -> tuple[DeviceShare, ...]:
    answer = planner.place(asked.pod)
    if isinstance(answer, Unplaced):
        raise Unplaceable(f"no device of this machine can hold the slice: {answer.refusals[NODE].message}")
    return tuple(share for container in answer.containers for share in container.devices)


def _environment(asked: Asked, prepared: Prepared) -> dict[str, str]:
    from hetero.allocation.environment import environment, merged

    mark = ",".join(one.held.id for one in prepared.slices)
    return {**environment(merged(prepared.edits), {**os.environ, **asked.variables}), MARK: mark}
