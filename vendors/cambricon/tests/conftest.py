"""A simulated machine in this very process: its library is opened by the package under test."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hetero_cambricon.cndev import Cndev
from hetero_cambricon.discovery import CndevDiscovery
from hetero_cambricon.enforcement import SmluEnforcement
from hetero_cambricon.simulation import SimulatedMlus
from hetero_cambricon.smlu import Instance, Profile, instances, profiles

from hetero.model.allocation import Grant, Slice
from hetero.model.device import CORES, MEMORY, SLOTS, Device
from hetero.model.machine import Machine
from hetero.model.share import Share

MLU590 = {"model": "MLU590-M9", "memory": 80675}


class SimulatedMachine:
    """A machine that is there for this process and those that it starts."""

    def __init__(self, directory: Path, cards: tuple[dict[str, Any], ...], driver: dict[str, Any]) -> None:
        simulation = SimulatedMlus()
        checked = tuple(simulation.card(settings, f"cards[{index}]") for index, settings in enumerate(cards))
        self.directory = directory
        self.edits = simulation.prepare(Machine(name="test", cards=checked, drivers={"cambricon": driver}), directory)
        self.environment = {**self.edits.env, "HETERO_DRIVER_PATH": self.edits.library_path[0]}
        self.cndev = Cndev()
        self.discovery = CndevDiscovery(self.cndev)
        self.enforcement = SmluEnforcement(self.cndev)

    @property
    def root(self) -> Path:
        """Where the machine's files are."""
        return self.directory / "root"

    def devices(self) -> list[Device]:
        """What discovery finds now."""
        return list(self.discovery.devices())

    def change(self, key: str, value: str, *, card: int = 0) -> None:
        """Rewrite a key of a card, while the machine runs."""
        self._rewrite(card + 1, key, value)

    def change_machine(self, key: str, value: str) -> None:
        """Rewrite a key of the machine."""
        self._rewrite(0, key, value)

    def fail(self, *lines: str) -> None:
        """What is to go wrong from now on; nothing without lines."""
        new = self.directory / "faults.new"
        new.write_text("".join(f"{line}\n" for line in lines))
        new.replace(self.directory / "faults")

    def instances(self, card: int = 0) -> list[Instance]:
        """The slices of a card."""
        return instances(self.cndev, card)

    def profiles(self, card: int = 0) -> list[Profile]:
        """The sizes that a card knows."""
        return profiles(self.cndev, card)

    def _rewrite(self, section: int, key: str, value: str) -> None:
        path = self.directory / "cards.conf"
        parts = path.read_text().split("[card]\n")
        without = re.sub(rf"(?m)^{key} = .*\n", "", parts[section])
        parts[section] = f"{key} = {value}\n{without}"
        new = path.with_suffix(".new")
        new.write_text("[card]\n".join(parts))
        new.replace(path)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SimulatedMachine]:
    """A machine with these cards, or with two that are alike."""

    def make(*cards: dict[str, Any], **driver: Any) -> SimulatedMachine:
        directory = tmp_path / "machine"
        directory.mkdir()
        made = SimulatedMachine(directory, cards or (MLU590, MLU590), driver)
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        return made

    return make


@pytest.fixture
def grant() -> Callable[..., Grant]:
    """A share of a device."""

    def make(device: Device, *, memory: int = 1024, cores: int = 10) -> Grant:
        return Grant(device=device, share=Share(quantities={SLOTS: 1, MEMORY: memory, CORES: cores}))

    return make


@pytest.fixture
def slice_of(tmp_path: Path) -> Callable[..., Slice]:
    """A slice with these grants."""

    def make(*grants: Grant, name: str = "s") -> Slice:
        return Slice(id=name, grants=grants, directory=str(tmp_path))

    return make
