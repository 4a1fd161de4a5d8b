"""The rules that every vendor keeps, applied to this one, on a simulated machine."""

from __future__ import annotations

import atexit
import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hetero_hygon import hygon
from hetero_hygon.simulation import SimulatedDcus

from hetero.model.machine import Machine
from hetero.testing import VendorConformance

CARDS: list[dict[str, Any]] = [
    {"model": "K100_AI", "memory": 65520, "numa": 0, "serial": "TNK7A21", "links": {1: 2}, "processes": {77: 512}},
    {"model": "K100_AI", "memory": 65520, "numa": 0, "serial": "TNK7A22", "links": {0: 2}},
    {"model": "Z100L", "memory": 32752, "numa": 1, "serial": "0042"},
]


def simulated(faults: str = "", **driver: Any) -> dict[str, str]:
    """The environment of a simulated machine, which lasts as long as this process."""
    directory = Path(tempfile.mkdtemp(prefix="hetero-hygon-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    simulation = SimulatedDcus()
    cards = tuple(simulation.card(card, "cards") for card in CARDS)
    edits = simulation.prepare(Machine(name="conformance", cards=cards, drivers={"hygon": driver}), directory)
    (directory / "faults").write_text(faults)
    return {**edits.env, "HETERO_DRIVER_PATH": ":".join(edits.library_path)}


MACHINE = simulated()
HERE = Path(MACHINE["HETERO_SIM_HYDMI"])


class TestHygon(VendorConformance):
    """Cards of two products, linked and not, in both generations of the library."""

    vendor = hygon
    package = "hetero_hygon"
    models = (
        hygon.splitting.model("K100_AI", 65520),
        hygon.splitting.model("Z100L", 32752),
        hygon.splitting.model("BW200", 81920),
        hygon.splitting.model("K100_LC_E_AI", 65520),
        hygon.splitting.model("BW1000_H", 65520, "whole"),
    )
    surroundings: ClassVar[Mapping[str, str]] = MACHINE
    identities: ClassVar[tuple[str, ...]] = ("DCU-TNK7A21", "DCU-TNK7A22", "DCU-0042")
    faults: ClassVar[Mapping[str, Mapping[str, str]]] = {
        "missing": {"HETERO_DRIVER_PATH": ""},
        "old": simulated(generation="dtk"),
        "errors": simulated("* * fail 6\n"),
        "garbage": simulated("* * garbage\n"),
        "hangs": simulated("rsmi_num_monitor_devices * hang\n"),
    }

    @pytest.fixture(autouse=True)
    def _on_the_machine(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The process of the suite is on the machine as well."""
        for key, value in MACHINE.items():
            monkeypatch.setenv(key, value)

    def hardware(self) -> object:
        """The vDCUs of the machine, as the driver describes them."""
        return sorted(path.read_text() for path in (HERE / "root/etc/vdev").glob("*.conf"))

    @contextlib.contextmanager
    def illness(self) -> Iterator[None]:
        """The first card has errors of memory."""
        conf = HERE / "cards.conf"
        well = conf.read_text()
        _replace(conf, well.replace("health = ok", "health = ecc:3", 1))
        try:
            yield
        finally:
            _replace(conf, well)


def _replace(path: Path, text: str) -> None:
    """At one stroke, for a library that reads it meanwhile."""
    fresh = path.with_name("fresh")
    fresh.write_text(text)
    fresh.rename(path)
