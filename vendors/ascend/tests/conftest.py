"""A simulated machine in this process: its library is opened once, and its directory is another for each test."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hetero_ascend.dcmi import Dcmi
from hetero_ascend.discovery import DcmiDiscovery
from hetero_ascend.enforcement import NpuEnforcement
from hetero_ascend.simulation import SimulatedNpus
from hetero_ascend.splitting import NpuSplitting

from hetero.model.allocation import Grant, Slice
from hetero.model.ask import Ask
from hetero.model.device import Device
from hetero.model.machine import Machine
from hetero.model.share import Share


class SimulatedMachine:
    """A machine with these cards, for this process and for those that it starts with its environment."""

    def __init__(self, directory: Path, cards: list[dict[str, Any]], driver: dict[str, Any]) -> None:
        npus = SimulatedNpus()
        checked = tuple(npus.card(card, f"cards[{index}]") for index, card in enumerate(cards))
        self.directory = directory
        self.edits = npus.prepare(Machine(name="test", cards=checked, drivers={"ascend": driver}), directory)
        self.environment = {**self.edits.env, "HETERO_DRIVER_PATH": ":".join(self.edits.library_path)}
        self.discovery = DcmiDiscovery(Dcmi())
        self.enforcement = NpuEnforcement(Dcmi())

    def change(self, card: int, **values: object) -> None:
        """An accident: keys of a card are others from now on, or of the whole machine where the card is -1."""
        before, *cards = (self.directory / "cards.conf").read_text().split("[card]")
        parts = [before, *cards]
        kept = [line for line in parts[card + 1].splitlines() if line.split(" = ")[0] not in values]
        parts[card + 1] = "\n".join([*kept, *(f"{key} = {value}" for key, value in values.items())]) + "\n"
        fresh = self.directory / "cards.conf.new"
        fresh.write_text("[card]".join(parts))
        fresh.replace(self.directory / "cards.conf")

    def fail(self, *lines: str) -> None:
        """What is to go wrong from now on, as ``CALL N ACTION [ARG]``."""
        fresh = self.directory / "faults.new"
        fresh.write_text("".join(f"{line}\n" for line in lines))
        fresh.replace(self.directory / "faults")

    def vnpus(self) -> list[int]:
        """Numbers of the vNPUs that there are."""
        return sorted(int(path.name.removeprefix("vdavinci")) for path in self.root("dev").glob("vdavinci*"))

    def root(self, below: str) -> Path:
        """A file of the machine."""
        return self.directory / "root" / below

    def device(self, index: int = 0) -> Device:
        """One of its chips."""
        return self.discovery.devices()[index]

    def grant(self, index: int = 0, **ask: Any) -> Grant:
        """A share of one of its chips, as splitting gives it."""
        device = self.device(index)
        share = NpuSplitting().split(device.model, Ask(vendor="ascend", family=device.model.family, **ask))
        assert isinstance(share, Share), share
        return Grant(device=device, share=share)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SimulatedMachine]]:
    """Make a simulated machine, which this process is on from then on."""
    with tempfile.TemporaryDirectory() as directory:
        made: list[Path] = []

        def make(*cards: dict[str, Any] | str, **driver: Any) -> SimulatedMachine:
            place = Path(directory, str(len(made)))
            place.mkdir()
            made.append(place)
            settings = [{"model": card} if isinstance(card, str) else card for card in cards]
            simulated = SimulatedMachine(place, settings, driver)
            for name, value in simulated.environment.items():
                monkeypatch.setenv(name, value)
            return simulated

        for name in ("HETERO_ASCEND_MODE", "HETERO_ASCEND_VNPU", "HETERO_ASCEND_CREATE", "HETERO_HOST_ROOT"):
            monkeypatch.delenv(name, raising=False)
        yield make


@pytest.fixture
def slice_of(tmp_path: Path) -> Callable[..., Slice]:
    """A slice with these grants, and a directory of its own."""

    def make(*grants: Grant, name: str = "s") -> Slice:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        return Slice(id=name, grants=grants, directory=os.fspath(directory))

    return make
