"""``hetero sim``: simulated machines, for those who have no chip at hand."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from hetero.cli import process
from hetero.cli.context import Context, read_yaml
from hetero.errors import EnforcementError, InvalidConfiguration, InvalidValue
from hetero.model import wire
from hetero.model.allocation import ContainerEdits
from hetero.model.machine import Card, Machine
from hetero.vendor import Simulation, Vendor


@click.group("sim")
def command() -> None:
    """Simulated machines."""


@command.command("run", context_settings={"allow_interspersed_args": False})
@click.option("--machine", "file", required=True, type=click.Path(path_type=Path), help="Which cards there are (YAML).")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the machine's state in this directory, for other commands to join; it is left behind.",
)
@click.argument("words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND...")
@click.pass_obj
def run(context: Context, file: Path, state: Path | None, words: tuple[str, ...]) -> int:
    """Run COMMAND on a simulated machine."""
    vendors = context.plugins.vendors
    machine = machine_of(read_yaml(file), file, vendors)
    directory = _directory(state)
    if state is not None:
        _refuse_another(machine, directory)
    try:
        return process.run(words, _environment(machine, vendors, directory))
    except InvalidValue as error:
        raise InvalidConfiguration(str(file), str(error)) from error
    finally:
        if state is None:
            shutil.rmtree(directory, ignore_errors=True)


def machine_of(document: Any, file: Path, vendors: Mapping[str, Vendor]) -> Machine:
    """Check a machine file.

    Raises:
        InvalidConfiguration: With the field.
    """
    try:
        unknown = set(document) - {"name", "cards", "drivers"} if isinstance(document, dict) else ()
        if unknown:
            complaint = f"{min(map(str, unknown))} is no key of a machine; it has name, drivers and cards"
            raise InvalidConfiguration(str(file), complaint)
        if not isinstance(document, dict) or not isinstance(document.get("cards"), list) or not document["cards"]:
            raise InvalidConfiguration(str(file), "cards are missing; list them, each with vendor and model")
        cards = tuple(card for index, one in enumerate(document["cards"]) for card in _cards(index, one, vendors))
        return Machine(name=str(document.get("name", file.stem)), cards=cards, drivers=_drivers(document, vendors))
    except InvalidValue as error:
        raise InvalidConfiguration(str(file), str(error)) from error


def _cards(index: int, settings: Any, vendors: Mapping[str, Vendor]) -> list[Card]:
    field = f"cards[{index}]"
    if not isinstance(settings, dict):
        raise InvalidValue(field, settings, "is no card; write keys with values, vendor among them")
    count = settings.get("count", 1)
    if type(count) is not int or not 1 <= count <= 16:  # True is an int as well
        raise InvalidValue(f"{field}.count", count, "is no number of cards; write 1 to 16")
    simulation = _simulation(settings.get("vendor"), f"{field}.vendor", vendors)
    own = {str(key): value for key, value in settings.items() if key not in ("vendor", "count")}
    return [simulation.card(own, field)] * count


def _drivers(document: Mapping[str, Any], vendors: Mapping[str, Vendor]) -> dict[str, dict[str, Any]]:
    drivers = document.get("drivers", {})
    if not isinstance(drivers, dict):
        raise InvalidValue("drivers", drivers, "is no mapping; write vendor names with their drivers' keys")
    for name, settings in drivers.items():
        _simulation(name, f"drivers.{name}", vendors)
        if not isinstance(settings, dict):
            raise InvalidValue(f"drivers.{name}", settings, "is no mapping; write the driver's keys")
    return drivers


def _simulation(name: Any, field: str, vendors: Mapping[str, Vendor]) -> Simulation:
    able = {one: vendor.simulation for one, vendor in vendors.items() if vendor.simulation}
    if not isinstance(name, str) or name not in able:
        known = ", ".join(sorted(able)) or "none is installed"
        raise InvalidValue(field, name, f"is no installed vendor that can be simulated (there are: {known})")
    return able[name]


def _directory(state: Path | None) -> Path:
    if state is None:
        return Path(tempfile.mkdtemp(prefix="hetero-machine-"))
    try:
        state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnforcementError(f"--state {state}: cannot be made: {error.strerror}") from error
    return state.resolve()


def _refuse_another(machine: Machine, directory: Path) -> None:
    """A machine that others may be running on must not get other cards under their hands."""
    described = directory / "machine.json"
    text = wire.encode(machine)
    if described.exists() and described.read_text() != text:
        raise InvalidValue("--state", str(directory), "holds another machine; name another directory")
    described.write_text(text)


def _environment(machine: Machine, vendors: Mapping[str, Vendor], directory: Path) -> dict[str, str]:
    from hetero.allocation.environment import environment, merged

    edits = []
    for name in dict.fromkeys(card.vendor for card in machine.cards):
        cards = tuple(card for card in machine.cards if card.vendor == name)
        own = directory / name
        own.mkdir(exist_ok=True)
        simulation = vendors[name].simulation
        assert simulation is not None  # noqa: S101 — its cards were checked by it
        edits.append(simulation.prepare(Machine(name=machine.name, cards=cards, drivers=machine.drivers), own))
    # Slices of a simulated machine are its own, not those of the machine that runs it.
    runtime = ContainerEdits(env={"HETERO_RUNTIME_DIR": str(directory / "runtime")})
    return environment(merged([*edits, runtime]), os.environ)
