"""What a machine file may say about simulated GPUs, and what the simulated libraries get."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hetero_native
import pytest
from hetero_nvidia.simulation import SimulatedGpus

from hetero.errors import EnforcementError, InvalidValue
from hetero.model.machine import Machine

gpus = SimulatedGpus()
LEAST = {"model": "NVIDIA L4", "memory": 23034}
UUID = "GPU-7c5a1f02-4a9b-5d3e-8f10-2b6c9d0e1a30"


def machine(*cards: dict[str, Any], name: str = "m", driver: dict[str, Any] | None = None) -> Machine:
    """A machine with these cards."""
    checked = tuple(gpus.card(settings, f"cards[{index}]") for index, settings in enumerate(cards))
    return Machine(name=name, cards=checked, drivers={"nvidia": driver} if driver else {})


def sections(directory: Path) -> list[dict[str, str]]:
    """cards.conf: the lines above all sections, then those of each card."""
    parts = (directory / "cards.conf").read_text().split("[card]")
    return [dict(line.split(" = ", 1) for line in part.splitlines() if line) for part in parts]


def test_two_keys_are_enough() -> None:
    """A model and its memory make a card; all other keys have a default that is written out."""
    assert gpus.card(LEAST, "cards[0]").settings == {
        **LEAST,
        "sms": 28,
        "clock": 1777,
        "numa": -1,
        "context": 0,
        "compute": "8.6",
        "links": {},
        "health": "ok",
        "mig": False,
        "temperature": 40,
        "power": 60,
        "ns_per_iteration": 1000,
        "uuid": "",
    }


def test_a_checked_card_can_be_checked_again() -> None:
    """A machine that was stored is read by the same rules as one that was written."""
    once = gpus.card({**LEAST, "links": {1: 4}, "uuid": UUID}, "cards[0]")
    assert gpus.card(once.settings, "cards[0]") == once


def test_links_may_be_keyed_by_text() -> None:
    """JSON has no other keys; YAML has numbers."""
    assert gpus.card({**LEAST, "links": {"1": 18}}, "x") == gpus.card({**LEAST, "links": {1: 18}}, "x")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", ""),
        ("model", " L4"),
        ("model", "L4\nhealth = lost"),
        ("model", "L" * 96),
        ("model", None),
        ("memory", 0),
        ("memory", -1),
        ("memory", 2**24 + 1),
        ("memory", 1.5),
        ("memory", "12 GiB"),
        ("memory", True),
        ("sms", 0),
        ("sms", 100_001),
        ("clock", 0),
        ("numa", -2),
        ("numa", 1024),
        ("context", -1),
        ("compute", "8"),
        ("compute", "0.1"),
        ("compute", 8.6),
        ("links", {1: 0}),
        ("links", {1: 19}),
        ("links", {16: 1}),
        ("links", {"a": 1}),
        ("links", [1]),
        ("health", "bad"),
        ("health", "xid:0"),
        ("health", "xid:70000"),
        ("mig", "often"),
        ("temperature", 201),
        ("power", -1),
        ("ns_per_iteration", 0),
        ("ns_per_iteration", 10**9 + 1),
        ("uuid", "7c5a1f02"),
        ("uuid", UUID.upper()),
        ("uuid", UUID + "\n"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key(key: str, value: Any) -> None:
    """The field leads to the very key of the very card, and the value is quoted as it was written."""
    with pytest.raises(InvalidValue) as caught:
        gpus.card({**LEAST, key: value}, "cards[3]")
    assert caught.value.field == f"cards[3].{key}"
    assert caught.value.value == value
    assert "$" not in str(caught.value).split("regex")[0]


def test_an_unknown_key_is_refused_by_its_name() -> None:
    """A typing error must not silently leave the default."""
    with pytest.raises(InvalidValue, match=r"cards\[1\].*memroy"):
        gpus.card({**LEAST, "memroy": 1}, "cards[1]")


@pytest.mark.parametrize("key", ["model", "memory"])
def test_a_missing_key_is_named(key: str) -> None:
    """Nobody can guess a model or its memory."""
    settings = {name: value for name, value in LEAST.items() if name != key}
    with pytest.raises(InvalidValue, match=f"cards.0.*missing.*{key}"):
        gpus.card(settings, "cards[0]")


def test_more_links_than_a_gpu_has_are_refused() -> None:
    """Eighteen is the sum over all peers, not the most for each."""
    with pytest.raises(InvalidValue, match="links come to 19"):
        gpus.card({**LEAST, "links": {1: 10, 2: 9}}, "cards[0]")


@pytest.mark.parametrize(
    ("driver", "field"),
    [
        ({"version": "580 beta"}, "drivers.nvidia.version"),
        ({"version": "1" * 80}, "drivers.nvidia.version"),
        ({"cuda": "13"}, "drivers.nvidia.cuda"),
        ({"api": "13.0"}, "drivers.nvidia.api"),
    ],
)
def test_the_drivers_keys_are_checked_too(tmp_path: Path, driver: dict[str, Any], field: str) -> None:
    """They reach the vendor unchecked, so preparing is where a fault in them is told."""
    with pytest.raises(InvalidValue) as caught:
        gpus.prepare(machine(LEAST, driver=driver), tmp_path)
    assert caught.value.field == field
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cards", "field"),
    [
        ([LEAST] * 17, "cards"),
        ([{**LEAST, "links": {0: 1}}, LEAST], "cards[0].links"),
        ([LEAST, {**LEAST, "links": {2: 1}}], "cards[1].links"),
        ([{**LEAST, "uuid": UUID}] * 2, "cards[1].uuid"),
    ],
    ids=["too many", "linked to itself", "linked to nobody", "one identity twice"],
)
def test_cards_that_cannot_be_together_are_refused(tmp_path: Path, cards: list[dict[str, Any]], field: str) -> None:
    """What only the whole machine shows is told before any program starts on it, by field and not by a C library."""
    with pytest.raises(InvalidValue) as caught:
        gpus.prepare(machine(*cards), tmp_path)
    assert caught.value.field == field
    assert list(tmp_path.iterdir()) == []


def test_every_key_reaches_the_simulated_libraries(tmp_path: Path) -> None:
    """A key that is checked and then dropped would be a lie."""
    card = {
        "model": "NVIDIA H100 80GB HBM3",
        "memory": 81559,
        "sms": 132,
        "clock": 1980,
        "numa": 1,
        "context": 500,
        "compute": "9.0",
        "links": {1: 2, 2: 1},
        "health": "xid:79",
        "mig": True,
        "temperature": 70,
        "power": 650,
        "ns_per_iteration": 50,
        "uuid": UUID,
    }
    gpus.prepare(machine(card, LEAST, LEAST, driver={"version": "550.54.15", "cuda": "12.4"}), tmp_path)
    driver, first, second, _ = sections(tmp_path)
    assert driver == {"driver_version": "550.54.15", "cuda_version": "12.4"}
    assert first == {
        "uuid": UUID,
        "name": "NVIDIA H100 80GB HBM3",
        "memory_mib": "81559",
        "sm_count": "132",
        "clock_mhz": "1980",
        "numa": "1",
        "pci": "00000000:01:00.0",
        "minor": "0",
        "context_mib": "500",
        "compute_major": "9",
        "compute_minor": "0",
        "nvlink": "1,1,2",
        "mig_mode": "1",
        "mig_slices": "7",
        "mig_memory": "9984,20096,40448,81152",
        "temperature": "70",
        "power": "650",
        "health": "xid:79",
        "ns_per_iteration": "50",
    }
    assert (second["pci"], second["minor"], second["numa"]) == ("00000000:02:00.0", "1", "-1")


def test_identities_are_the_same_in_every_run(tmp_path: Path) -> None:
    """A machine is the same machine tomorrow, and another machine, or another card of it, is another."""
    seen = []
    for run, name in enumerate(("a", "a", "b")):
        directory = tmp_path / str(run)
        directory.mkdir()
        gpus.prepare(machine(LEAST, LEAST, name=name), directory)
        seen.append([card["uuid"] for card in sections(directory)[1:]])
    assert seen[0] == seen[1]
    assert len({*seen[0], *seen[2]}) == 4


def test_a_program_needs_the_directory_and_the_libraries(tmp_path: Path) -> None:
    """The simulated libraries have the driver's file names, so the loader's path is all that changes."""
    edits = gpus.prepare(machine(LEAST), tmp_path)
    assert edits.env == {"HETERO_SIM_DIR": str(tmp_path), "HETERO_HOST_ROOT_NVIDIA": str(tmp_path / "root")}
    (libraries,) = map(Path, edits.library_path)
    assert {"libcuda.so.1", "libnvidia-ml.so.1"} <= {file.name for file in libraries.iterdir()}


def test_the_files_of_a_machine_are_there(tmp_path: Path) -> None:
    """Device files, and the numbers of those that open instances: as an H100's driver lists them, for each GPU."""
    gpus.prepare(machine({"model": "NVIDIA A30", "memory": 24576, "mig": True, "compute": "8.0"}, LEAST), tmp_path)
    lines = (tmp_path / "root/proc/driver/nvidia-caps/mig-minors").read_text().splitlines()
    assert lines[:4] == ["config 1", "monitor 2", "gpu0/gi0/access 3", "gpu0/gi0/ci0/access 4"]
    assert {"gpu0/gi7/access 66", "gpu0/gi7/ci0/access 67", "gpu1/gi0/access 138"} <= set(lines)
    assert (tmp_path / "root/dev/nvidia-caps/nvidia-cap66").exists()
    assert not (tmp_path / "root/dev/nvidia-caps/nvidia-cap138").exists()  # the other GPU is not in MIG mode
    assert (tmp_path / "root/dev/nvidia1").exists()


def test_a_card_of_four_slices_is_cut_into_four(tmp_path: Path) -> None:
    """The library has no table of boards: the file says how a card can be cut, if we know it."""
    gpus.prepare(machine({"model": "NVIDIA A30", "memory": 24576}, {"model": "Other", "memory": 1024}), tmp_path)
    _, a30, other = sections(tmp_path)
    assert (a30["mig_slices"], a30["mig_memory"]) == ("4", "5529,11059,24084")
    assert "mig_slices" not in other


def test_without_the_libraries_there_is_no_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An installation without native files says so instead of running on the real driver."""

    def library(name: str) -> Path:
        raise FileNotFoundError(f"{name} is not there; build and install hetero-native")

    monkeypatch.setattr(hetero_native, "library", library)
    with pytest.raises(EnforcementError, match="build and install"):
        gpus.prepare(machine(LEAST), tmp_path)


def test_the_libraries_accept_the_ends_of_every_range(simulated: Callable[..., Any]) -> None:
    """What is accepted here is accepted by the libraries, whose own complaint would come too late to be understood."""
    most = {
        "model": "L" * 95,
        "memory": 2**24,
        "sms": 100_000,
        "clock": 100_000,
        "numa": 1023,
        "context": 2**24,
        "compute": "99.9",
        "links": {1: 17, 15: 1},
        "health": "xid:9999",
        "mig": True,
        "temperature": 70,
        "power": 650,
        "ns_per_iteration": 10**9,
        "uuid": UUID,
    }
    least = {"model": "L", "memory": 1, "sms": 1, "clock": 1, "compute": "1.0", "health": "lost", "ns_per_iteration": 1}
    host = simulated(most, least, *[LEAST] * 14, driver={"version": "5" * 79, "cuda": "99.9"})
    driver, devices = host.ask("driver", "devices")
    assert (len(driver.version), driver.api) == (79, "99.9")
    assert [device.index for device in devices] == [index for index in range(16) if index != 1]
    assert devices[0].model.name == "L" * 95
    assert devices[0].model.capacity["memory"] == 2**24
