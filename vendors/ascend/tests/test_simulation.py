"""The simulated machine: what its file may say, and what it writes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hetero_ascend.chips import PRODUCTS
from hetero_ascend.simulation import SimulatedNpus

from hetero.errors import EnforcementError, InvalidValue
from hetero.model.machine import Card, Machine

Make = Callable[..., Any]
npus = SimulatedNpus()


def machine_of(*cards: dict[str, Any], **driver: Any) -> Machine:
    """A machine with these cards."""
    checked = tuple(npus.card(card, f"cards[{index}]") for index, card in enumerate(cards))
    return Machine(name="m", cards=checked, drivers={"ascend": driver})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("memory", -1),
        ("phy", 64),
        ("numa", "x"),
        ("health", "4"),
        ("errors", "80E01801"),
        ("temperature", 201),
        ("utilization", 101),
        ("processes", "41"),
        ("in_use", "1"),
        ("die", "00000001"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_key(key: str, value: object) -> None:
    """The field is that of the file."""
    with pytest.raises(InvalidValue) as caught:
        npus.card({"model": "910B3", key: value}, "cards[2]")
    assert caught.value.field == f"cards[2].{key}"


def test_an_unknown_chip_is_refused_with_those_that_are_known() -> None:
    """A typing error ends here and not in an empty list of devices."""
    with pytest.raises(InvalidValue, match="910B4-1"):
        npus.card({"model": "910B5"}, "cards[0]")


def test_a_card_is_completed_with_its_defaults() -> None:
    """What is written is kept."""
    card = npus.card({"model": "910B3", "numa": 1}, "cards[0]")
    assert card == Card(vendor="ascend", settings=card.settings)
    assert (card.settings["model"], card.settings["numa"], card.settings["health"]) == ("910B3", 1, "0")


@pytest.mark.parametrize(
    ("cards", "field"),
    [
        ([{"model": "910B3"}] * 65, "cards"),
        ([{"model": "910B3"}, {"model": "950PR"}], "cards"),
        ([{"model": "910B3", "phy": 1}, {"model": "910B3"}], "cards[1].phy"),
        ([{"model": "910B3", "die": "00000001-00000001-00000001-00000001-00000001"}] * 2, "cards[1].die"),
    ],
)
def test_what_cards_cannot_be_together_is_refused(cards: list[dict[str, Any]], field: str, tmp_path: Path) -> None:
    """Too many, two kinds of drivers, one place or identity twice."""
    with pytest.raises(InvalidValue) as caught:
        npus.prepare(machine_of(*cards), tmp_path)
    assert caught.value.field == field


def test_the_machine_is_the_same_when_it_is_made_again(tmp_path: Path) -> None:
    """Identities come from its name and the place of the card, so a state that was kept is still that of its chips."""
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        npus.prepare(machine_of({"model": "910B3"}, {"model": "910B3"}), tmp_path / name)
        written.append((tmp_path / name / "cards.conf").read_text())
    assert written[0] == written[1]
    assert len(set(re.findall(r"die = (\S+)", written[0]))) == 2


def test_a_machine_that_runs_is_joined(tmp_path: Path) -> None:
    """Files that are there are written anew, and what has been made of the machine stays."""
    npus.prepare(machine_of({"model": "910B3"}), tmp_path)
    (tmp_path / "state").write_bytes(b"x")
    npus.prepare(machine_of({"model": "910B3"}), tmp_path)
    assert (tmp_path / "state").read_bytes() == b"x"


def test_children_find_the_machine(tmp_path: Path) -> None:
    """By two variables and the library's directory."""
    edits = npus.prepare(machine_of({"model": "910B3"}), tmp_path)
    assert edits.env == {"HETERO_SIM_DCMI": str(tmp_path), "HETERO_HOST_ROOT_ASCEND": str(tmp_path / "root")}
    assert (Path(edits.library_path[0]) / "libdcmi.so").exists()


def test_without_the_library_there_is_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulated driver is an extra of the package: nobody needs it beside a real one."""
    monkeypatch.setitem(sys.modules, "hetero_native", None)
    with pytest.raises(EnforcementError, match=r"hetero-ascend\[sim\]"):
        npus.prepare(machine_of({"model": "910B3"}), tmp_path)


@pytest.mark.parametrize("product", [*PRODUCTS, "950PR"])
def test_every_chip_can_be_simulated(machine: Make, product: str) -> None:
    """Four of each, all well, two dies on a card where they are modules."""
    simulated = machine(*[product] * 4)
    devices = simulated.discovery.devices()
    assert [device.model.name for device in devices] == [product] * 4
    assert all(device.health.ok for device in devices)


def test_chips_of_several_kinds_are_on_one_machine(machine: Make) -> None:
    """Each is of its own family and charged by its own templates."""
    simulated = machine("910B3", "910B4", "910B4-1", "310P3")
    grants = [simulated.grant(index, memory=8192) for index in range(4)]
    assert [one.device.model.family for one in grants] == ["Ascend910B3", "Ascend910B4", "Ascend910B4-1", "Ascend310P"]
    assert [one.share.template for one in grants] == ["vir05_1c_16g", "vir05_1c_8g", "vir05_1c_16g", "vir04"]
