"""Machine files of simulated cards, and the machine that comes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hetero_native
import pytest
import yaml
from hetero_hygon.simulation import SimulatedDcus

from hetero.errors import EnforcementError, InvalidValue
from hetero.model.machine import Machine

dcus = SimulatedDcus()
LEAST = {"model": "K100_AI", "memory": 65520}
EXAMPLES = Path(__file__).parents[3] / "examples/machines"


def machine_of(*cards: dict[str, Any], name: str = "m", driver: dict[str, Any] | None = None) -> Machine:
    """A machine with these cards."""
    checked = tuple(dcus.card(settings, f"cards[{index}]") for index, settings in enumerate(cards))
    return Machine(name=name, cards=checked, drivers={"hygon": driver} if driver else {})


def sections(directory: Path) -> list[dict[str, str]]:
    """cards.conf: the lines above all sections, then those of each card."""
    parts = (directory / "cards.conf").read_text().split("[card]")
    return [dict(line.split(" = ", 1) for line in part.splitlines() if line) for part in parts]


def test_two_keys_are_enough() -> None:
    """A documented model and its memory make a card; all other keys have a default that is written out."""
    assert dcus.card(LEAST, "cards[0]").settings == {
        **LEAST,
        "cus": 0,
        "numa": -1,
        "links": {},
        "health": "ok",
        "used": 0,
        "busy": 0,
        "temperature": 40,
        "power": 90,
        "processes": {},
        "serial": "",
    }


def test_a_checked_card_can_be_checked_again() -> None:
    """A machine that was stored is read by the same rules as one that was written."""
    once = dcus.card({**LEAST, "links": {1: 4}, "processes": {12: 5}, "serial": "X"}, "cards[0]")
    assert dcus.card(once.settings, "cards[0]") == once


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", ""),
        ("model", "K100\nhealth = lost"),
        ("memory", 0),
        ("memory", 2**24 + 1),
        ("memory", "64 GiB"),
        ("cus", -1),
        ("cus", 129),
        ("numa", -2),
        ("links", {1: 0}),
        ("links", {16: 1}),
        ("health", "bad"),
        ("health", "ecc:0"),
        ("used", -1),
        ("busy", 101),
        ("temperature", 201),
        ("power", -1),
        ("processes", {0: 1}),
        ("serial", "A,B"),
        ("serial", "A B"),
        ("serial", "S\n"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key(key: str, value: Any) -> None:
    """The field leads to the very key of the very card, and the value is quoted as it was written."""
    with pytest.raises(InvalidValue) as caught:
        dcus.card({**LEAST, key: value}, "cards[3]")
    assert caught.value.field == f"cards[3].{key}"
    assert caught.value.value == value


def test_unknown_keys_and_unknown_units_are_told() -> None:
    """A typing error, and a product whose compute units nobody documents."""
    with pytest.raises(InvalidValue, match=r"cards\[1\].*memroy"):
        dcus.card({**LEAST, "memroy": 1}, "cards[1]")
    with pytest.raises(InvalidValue, match=r"cards\[1\].*BW1000_H.*write cus"):
        dcus.card({"model": "BW1000_H", "memory": 1}, "cards[1]")


@pytest.mark.parametrize(
    ("driver", "field"),
    [
        ({"version": "2.8"}, "drivers.hygon.version"),
        ({"generation": "old"}, "drivers.hygon.generation"),
        ({"vdcus": -1}, "drivers.hygon.vdcus"),
        ({"api": "1"}, "drivers.hygon.api"),
    ],
)
def test_the_drivers_keys_are_checked_too(tmp_path: Path, driver: dict[str, Any], field: str) -> None:
    """They reach the vendor unchecked, so preparing is where a fault in them is told."""
    with pytest.raises(InvalidValue) as caught:
        dcus.prepare(machine_of(LEAST, driver=driver), tmp_path)
    assert caught.value.field == field
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cards", "field"),
    [
        ([LEAST] * 17, "cards"),
        ([{**LEAST, "links": {0: 1}}, LEAST], "cards[0].links"),
        ([LEAST, {**LEAST, "links": {2: 1}}], "cards[1].links"),
    ],
    ids=["too many", "linked to itself", "linked to nobody"],
)
def test_cards_that_cannot_be_together_are_refused(tmp_path: Path, cards: list[dict[str, Any]], field: str) -> None:
    """What only the whole machine shows is told before any program starts on it."""
    with pytest.raises(InvalidValue) as caught:
        dcus.prepare(machine_of(*cards), tmp_path)
    assert caught.value.field == field
    assert list(tmp_path.iterdir()) == []


def test_every_key_reaches_the_simulated_libraries(tmp_path: Path) -> None:
    """A key that is checked and then dropped would be a lie."""
    card = {
        "model": "K100",
        "memory": 65520,
        "cus": 110,
        "numa": 1,
        "links": {1: 2, 2: 1},
        "health": "ecc:7",
        "used": 12,
        "busy": 34,
        "temperature": 56,
        "power": 78,
        "processes": {9: 10, 11: 12},
        "serial": "TNK7A21",
    }
    driver = {
        "version": "2.9.1",
        "vdcus": 3,
        "container": True,
        "privileged": False,
        "units": "scattered",
        "memory_step": 256,
        "created_started": False,
        "encryption_lines": True,
        "sharing": True,
        "mig": True,
    }
    dcus.prepare(machine_of(card, LEAST, LEAST, driver=driver), tmp_path)
    found, first, second, _ = sections(tmp_path)
    assert found == {
        "version": "2.9.1",
        "vdevs_per_card": "3",
        "container": "on",
        "privileged": "off",
        "units": "scattered",
        "memory_step": "256",
        "created_started": "off",
        "encryption_lines": "on",
        "sharing": "on",
        "mig": "on",
    }
    assert first.pop("unique_id").startswith("0x")
    assert first == {
        "name": "K100",
        "device_id": "0x62b7",
        "serial": "TNK7A21",
        "pci": "0000:33:00.0",
        "numa": "1",
        "memory_mib": "65520",
        "cus": "110",
        "render_minor": "128",
        "links": "1,1,2",
        "health": "ecc:7",
        "used_mib": "12",
        "busy": "34",
        "temperature": "56",
        "power": "78",
        "processes": "9:10,11:12",
    }
    assert (second["pci"], second["render_minor"], second["cus"]) == ("0000:34:00.0", "129", "120")


def test_identities_are_the_same_in_every_run(tmp_path: Path) -> None:
    """A machine is the same machine tomorrow, and another machine, or another card of it, is another."""
    seen = []
    for run, name in enumerate(("a", "a", "b")):
        directory = tmp_path / str(run)
        directory.mkdir()
        dcus.prepare(machine_of(LEAST, LEAST, name=name), directory)
        seen.append([card["serial"] for card in sections(directory)[1:]])
    assert seen[0] == seen[1]
    assert len({*seen[0], *seen[2]}) == 4


def test_a_machine_can_be_joined_while_it_is_used(machine: Callable[..., Any]) -> None:
    """Whoever joins finds the vDCUs that are there."""
    found = machine(LEAST)
    found.enforcement.prepare(found.slice_of("a", 0, memory=1024, cores=10))
    before = found.vdevs()
    dcus.prepare(machine_of(LEAST), found.directory)
    assert found.vdevs() == before
    assert len(found.devices()) == 1


@pytest.mark.parametrize(("generation", "directories"), [("hyhal", ["hydmi"]), ("dtk", ["dtk", "hydmi"])])
def test_a_program_needs_the_directory_and_the_libraries(
    tmp_path: Path, generation: str, directories: list[str]
) -> None:
    """The simulated libraries have the driver's file names; the older generation goes before the newer."""
    edits = dcus.prepare(machine_of(LEAST, driver={"generation": generation}), tmp_path)
    assert edits.env == {"HETERO_SIM_HYDMI": str(tmp_path), "HETERO_HOST_ROOT_HYGON": str(tmp_path / "root")}
    assert [Path(path).name for path in edits.library_path] == directories
    assert Path(edits.library_path[-1], "libhydmi.so.1").exists()
    assert Path(edits.library_path[0], "librocm_smi64.so.2").exists()


def test_without_the_libraries_there_is_no_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without native files, or without the package of them, says so."""

    def library(name: str) -> Path:
        raise FileNotFoundError(f"{name} is not there; build and install hetero-native")

    monkeypatch.setattr(hetero_native, "library", library)
    with pytest.raises(EnforcementError, match="build and install"):
        dcus.prepare(machine_of(LEAST), tmp_path)
    monkeypatch.setitem(sys.modules, "hetero_native", None)
    with pytest.raises(EnforcementError, match=r"install hetero-hygon\[sim\]"):
        dcus.prepare(machine_of(LEAST), tmp_path)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("hygon-*.yaml")), ids=lambda file: file.stem)
def test_the_example_machines_are_machines(machine: Callable[..., Any], file: Path) -> None:
    """Each card of the file is found, healthy."""
    document = yaml.safe_load(file.read_text())
    cards = [
        {key: value for key, value in card.items() if key not in ("vendor", "count")}
        for card in document["cards"]
        for _ in range(card.get("count", 1))
    ]
    found = machine(*cards, name=document["name"], **document.get("drivers", {}).get("hygon", {}))
    devices = found.devices()
    assert [device.model.name for device in devices] == [card["model"] for card in cards]
    assert all(device.health.ok for device in devices)
