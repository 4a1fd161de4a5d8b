"""A simulated machine for tests: its libraries are opened in this process, its files lie in a directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hetero_hygon.discovery import DcuDiscovery
from hetero_hygon.enforcement import DriverEnforcement
from hetero_hygon.hydmi import Hydmi
from hetero_hygon.rocm_smi import RocmSmi
from hetero_hygon.simulation import SimulatedDcus
from hetero_hygon.splitting import DcuSplitting

from hetero.model import wire
from hetero.model.allocation import ContainerEdits, Grant, Slice
from hetero.model.ask import Ask
from hetero.model.device import Device
from hetero.model.machine import Machine
from hetero.model.share import Share

K100 = {"model": "K100_AI", "memory": 65520}


def replace(path: Path, text: str) -> None:
    """Write a file of the machine at one stroke: a library must never see half of it."""
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    fresh.rename(path)


class SimulatedMachine:
    """A machine that this process and its children are on."""

    def __init__(self, directory: Path, cards: list[dict[str, Any]], driver: dict[str, Any], name: str) -> None:
        simulation = SimulatedDcus()
        checked = tuple(simulation.card(card, f"cards[{index}]") for index, card in enumerate(cards))
        self.directory = directory
        machine = Machine(name=name, cards=checked, drivers={"hygon": driver} if driver else {})
        self.edits: ContainerEdits = simulation.prepare(machine, directory)
        self.environment = {**self.edits.env, "HETERO_DRIVER_PATH": ":".join(self.edits.library_path)}
        self.smi, self.dmi = RocmSmi(), Hydmi()
        self.discovery = DcuDiscovery(self.smi, self.dmi)
        self.enforcement = DriverEnforcement(self.smi, self.dmi)

    def devices(self) -> list[Device]:
        """As discovery lists them now."""
        return list(self.discovery.devices())

    def path(self, below: str) -> Path:
        """A file of the machine, by its name there."""
        return self.directory / "root" / below.lstrip("/")

    def fault(self, *lines: str) -> None:
        """What goes wrong from now on, as native/sim/board says; nothing without a line."""
        replace(self.directory / "faults", "\n".join(lines) + "\n")

    def change(self, key: str, value: object, card: int | None = None) -> None:
        """Give a key of a card, or of the machine, another value, as an accident would."""
        above, *cards = (self.directory / "cards.conf").read_text().split("[card]")
        parts = [above, *cards]
        place = 0 if card is None else card + 1
        kept = [line for line in parts[place].splitlines() if not line.startswith(f"{key} =")]
        parts[place] = "\n".join([*kept, f"{key} = {value}"]) + "\n"
        replace(self.directory / "cards.conf", "[card]".join(parts))

    def elsewhere(self, *questions: str, held: Slice | None = None, **environment: str) -> list[Any]:
        """What another process on this machine answers, see ``elsewhere.py``; less than was asked if it was killed."""
        variables = {**os.environ, **self.environment, **environment, "SLICE": wire.encode(held) if held else ""}
        program = [sys.executable, str(Path(__file__).with_name("elsewhere.py")), *questions]
        done = subprocess.run(program, env=variables, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode in (0, -9), done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def vdevs(self) -> dict[str, str]:
        """The files of all vDCUs, by name."""
        return {path.name: path.read_text() for path in sorted(self.path("/etc/vdev").iterdir()) if path.is_file()}

    def slice_of(self, name: str, *cards: int, **amounts: int) -> Slice:
        """A slice of cards, as the core makes it, with a directory of its own."""
        directory = self.directory / name
        directory.mkdir(exist_ok=True)
        devices = self.devices()
        ask = Ask(vendor="hygon", count=len(cards), **amounts)
        grants = tuple(Grant(device=devices[card], share=share(devices[card], ask)) for card in cards)
        return Slice(id=name, grants=grants, directory=str(directory))


def share(device: Device, ask: Ask) -> Share:
    """What an ask takes of a device; it must not be refused."""
    found = DcuSplitting().split(device.model, ask)
    assert isinstance(found, Share), found
    return found


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimulatedMachine]:
    """Makes a machine with these cards and driver, which this process is then on."""
    made: list[SimulatedMachine] = []

    def make(*cards: dict[str, Any], name: str = "m", **driver: Any) -> SimulatedMachine:
        directory = tmp_path / f"machine{len(made)}"
        directory.mkdir()
        found = SimulatedMachine(directory, list(cards) or [K100, K100], driver, name)
        for key, value in found.environment.items():
            monkeypatch.setenv(key, value)
        made.append(found)
        return found

    return make
