"""The simulated machine: NPUs of a machine file for the simulated libdcmi.so, and the files of a driver's package."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from hetero.errors import EnforcementError, InvalidValue
from hetero.model.allocation import ContainerEdits
from hetero.model.machine import Card, Machine, checked
from hetero.vendor import Simulation
from hetero_ascend.chips import CHIPS, NEWEST, PRODUCTS, Chip, chip_of
from hetero_ascend.names import VENDOR
from hetero_ascend.simulated_files import write_files

VARIABLE = "HETERO_SIM_DCMI"

_CARDS = 64
_NAMESPACE = uuid.UUID("b6e0d7a4-61a5-4c62-9a57-6d3f3f1f3b11")

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]


class CardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a card in a machine file; each card is a chip.

    Attributes:
        model: The chip, as the driver spells it.
        memory: MiB; 0: what such chips have.
        phy: Number in the name of its device file; -1: its position on the machine.
        numa: NUMA node.
        health: ``0`` and ``1`` are well, ``2`` and ``3`` alarms; ``lost``: no call about it is answered.
        errors: Codes of its faults, separated by commas.
        temperature: Degrees Celsius; -1: not told.
        power: Tenths of a watt; -1: not told.
        utilization: Percent of the AI cores.
        used: MiB that the chip keeps for itself.
        processes: Programs on it: ``pid:MiB``, separated by commas.
        in_use: Numbers of vNPUs that a container has, separated by commas.
        die: Its identity; empty: made from the machine's name and the position.
    """

    model: str
    memory: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    phy: Annotated[int, msgspec.Meta(ge=-1, le=63)] = -1
    numa: Annotated[int, msgspec.Meta(ge=-1, le=63)] = -1
    health: Literal["0", "1", "2", "3", "lost"] = "0"
    errors: Annotated[str, msgspec.Meta(pattern=r"^(0x[0-9A-Fa-f]{1,8}(,0x[0-9A-Fa-f]{1,8})*)?\Z")] = ""
    temperature: Annotated[int, msgspec.Meta(ge=-1, le=200)] = 40
    power: Annotated[int, msgspec.Meta(ge=-1, le=20000)] = 900
    utilization: Percent = 0
    used: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    processes: Annotated[str, msgspec.Meta(pattern=r"^(\d{1,7}:\d{1,7}(,\d{1,7}:\d{1,7})*)?\Z")] = ""
    in_use: Annotated[str, msgspec.Meta(pattern=r"^(\d{3,4}(,\d{3,4})*)?\Z")] = ""
    die: Annotated[str, msgspec.Meta(pattern=r"^([0-9A-F]{8}(-[0-9A-F]{8}){4})?\Z")] = ""

    def __post_init__(self) -> None:
        """Refuse a chip that is not known."""
        if chip_of(self.model) is None:
            raise ValueError(f"{self.model} is no chip that is known; write one of {', '.join(PRODUCTS)} or 950PR")


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of ``drivers.ascend`` in a machine file; what no source settles can be either way.

    Attributes:
        version: Of the driver.
        create: Form of the call that makes a vNPU: ``today``, or ``old``.
        chooses_ids: True: in the old form the driver chooses a vNPU's number, whatever it is asked.
        full: Code that a call answers when a chip has no room for a vNPU.
        vir03: True: the driver has the template ``vir03_1c_8g`` on 910B1 and 910B2.
        soft: True: hami-vnpu-core is installed.
    """

    version: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,63}\Z")] = "25.5.0"
    create: Literal["today", "old"] = "today"
    chooses_ids: bool = False
    full: Annotated[int, msgspec.Meta(ge=-9999, le=-1)] = -8020
    vir03: bool = False
    soft: bool = False


class SimulatedNpus(Simulation):
    """Simulated NPUs of one machine, shared by all of its processes."""

    def card(self, settings: Mapping[str, Any], field: str) -> Card:
        """Check the keys of one card; see :class:`CardSettings`."""
        return Card(vendor=VENDOR, settings=msgspec.to_builtins(checked(settings, CardSettings, field)))

    def prepare(self, machine: Machine, directory: Path) -> ContainerEdits:
        """Write ``cards.conf`` for the simulated library, and the machine's files below ``root``."""
        driver = checked(machine.drivers.get(VENDOR, {}), DriverSettings, f"drivers.{VENDOR}")
        cards = [checked(card.settings, CardSettings, f"cards[{index}]") for index, card in enumerate(machine.cards)]
        newest = _check_together(cards)
        chips = [_keys(machine.name, index, card) for index, card in enumerate(cards)]
        (directory / "cards.conf").write_text(_configuration(driver, chips, newest=newest))
        soft = _library("sim/vnpu/libvnpu.so") if driver.soft else None
        write_files(directory / "root", chips, driver.version, vir03=driver.vir03, soft=soft, newest=newest)
        root = str(directory / "root")
        env = {VARIABLE: str(directory), f"HETERO_HOST_ROOT_{VENDOR.upper()}": root}
        return ContainerEdits(env=env, library_path=(str(_library("sim/dcmi")),))


def _check_together(cards: Sequence[CardSettings]) -> bool:
    """Refuse what each card alone cannot show to be wrong.

    Returns:
        True when they are of the newest kind, which is told by another family of calls.
    """
    if len(cards) > _CARDS:
        raise InvalidValue("cards", len(cards), f"are too many; a simulated machine has {_CARDS} at most")
    newest = {chip_of(card.model) is NEWEST for card in cards}
    if len(newest) > 1:
        raise InvalidValue("cards", [card.model for card in cards], "mix 950 with other chips; their drivers differ")
    for key, values in (("die", [card.die for card in cards if card.die]), ("phy", _places(cards))):
        for index, value in enumerate(values):
            if value in values[:index]:
                raise InvalidValue(f"cards[{index}].{key}", value, "is another card's; leave it out to have one made")
    return newest == {True}


def _places(cards: Sequence[CardSettings]) -> list[int]:
    return [index if card.phy < 0 else card.phy for index, card in enumerate(cards)]


def _keys(machine: str, index: int, card: CardSettings) -> dict[str, object]:
    chip = chip_of(card.model) or CHIPS[0]
    modules = 2 if chip.family == "Ascend910C" else 1
    keys: dict[str, object] = {
        "card": index // modules,
        "device": index % modules,
        "logic": index,
        "phy": index if card.phy < 0 else card.phy,
        "chip": card.model,
        "memory": card.memory or chip.allocatable or 114688,
        "hbm": "on" if chip.hbm else "off",
        "aicores": chip.aicores,
        "aicpus": chip.aicpus,
        "vdevices": chip.vdevices,
        "templates": _templates(chip),
        "bus": f"0000:{0x81 + index:02x}:00.0",
        "die": card.die or _die(machine, index),
        "numa": card.numa,
        "cpus": "" if card.numa < 0 else f"{24 * card.numa}-{24 * card.numa + 23}",
    }
    kept = ("health", "errors", "temperature", "power", "utilization", "used", "processes", "in_use")
    return keys | {key: getattr(card, key) for key in kept}


def _templates(chip: Chip) -> str:
    rows = ((one.name, one.memory, one.aicores, one.aicpus, one.dvpp) for one in chip.templates)
    return " ".join("/".join(map(str, row)) for row in rows)


def _die(machine: str, index: int) -> str:
    made = uuid.uuid5(_NAMESPACE, f"{machine}/{index}").hex.upper()
    words = [made[at : at + 8] for at in range(0, 32, 8)]
    return "-".join([*words, f"{index:08X}"])


def _configuration(driver: DriverSettings, chips: Sequence[Mapping[str, object]], *, newest: bool) -> str:
    lines = [
        f"driver_version = {driver.version}",
        f"create = {driver.create}",
        f"chooses_ids = {'on' if driver.chooses_ids else 'off'}",
        f"full = {driver.full}",
        f"api = {'dcmiv2' if newest else 'dcmi'}",
    ]
    for chip in chips:
        lines += ["", "[card]", *(f"{key} = {value}" for key, value in chip.items() if value != "")]
    return "\n".join(lines) + "\n"


def _library(name: str) -> Path:
    try:
        import hetero_native  # noqa: PLC0415 — of the extra `sim`: nobody needs it beside a real driver
    except ImportError as error:
        raise EnforcementError("the simulated driver is not installed: pip install 'hetero-ascend[sim]'") from error
    try:
        return hetero_native.library(name)
    except FileNotFoundError as error:
        raise EnforcementError(str(error)) from error
