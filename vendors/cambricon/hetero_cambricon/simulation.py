"""Simulated MLUs: a libcndev.so with the vendor's ABI, a file that says which cards, and the files of their machine."""

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
from hetero_cambricon.names import VENDOR
from hetero_cambricon.splitting import WITHOUT_SLICES

DIRECTORY = "HETERO_SIM_CNDEV"
"""Variable that names the simulated machine's directory."""

ROOT = "HETERO_HOST_ROOT_CAMBRICON"

_NAMESPACE = uuid.UUID("0b1d9f0e-5a8c-5b63-9a55-8f5f6a1f7c11")  # of the identities of simulated cards
_CARDS = 64
_MAX_MIB = 2**24
_PORTS = 16
_MODES = ("default", "exclusive", "prohibited")

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Number = Annotated[int, msgspec.Meta(ge=0, le=2**32)]
Peer = Annotated[int, msgspec.Meta(ge=0, lt=_CARDS)]
Version = Annotated[str, msgspec.Meta(pattern=r"^\d{1,3}\.\d{1,3}\.\d{1,3}\Z")]


class CardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a card in a machine file.

    Attributes:
        model: Product name as the driver spells it: one line of ASCII, at most 95 characters.
        memory: MiB, at most 16 TiB.
        smlu: True when sMLU mode is on; products that have none ignore it.
        mim: True when the card is partitioned statically.
        numa: NUMA node; -1 on a machine that has none.
        board: Number of the board that the card is a chip of; its own when it is left out (-1).
        chassis: Serial number of the mother board.
        links: Index of a peer to the number of MLULink lanes that lead there; 16 in all.
        health: ``ok``, ``warn:<text>``, ``fail:<text>``, ``bad`` (nobody knows why) or ``lost``.
        compute: Who may use it: ``default``, ``exclusive`` or ``prohibited``.
        cores: Cores.
        clusters: Clusters, in which the driver counts profiles.
        temperature: Degrees Celsius.
        power: Watts.
        utilization: Percent.
        reserved: MiB that the driver keeps of a card whose sMLU mode is on.
        uuid: A UUID without prefix; derived from the machine's name and the card's position when left out.
    """

    model: Annotated[str, msgspec.Meta(pattern=r"^[!-~]([ -~]{0,93}[!-~])?\Z")]
    memory: Annotated[int, msgspec.Meta(ge=1, le=_MAX_MIB)]
    smlu: bool = True
    mim: bool = False
    numa: Annotated[int, msgspec.Meta(ge=-1, le=1023)] = -1
    board: Annotated[int, msgspec.Meta(ge=-1, le=2**32)] = -1
    chassis: Number = 1
    links: dict[Peer, Annotated[int, msgspec.Meta(ge=1, le=_PORTS)]] = {}
    health: Annotated[str, msgspec.Meta(pattern=r"^(ok|bad|lost|(warn|fail):[ -~]{1,200})\Z")] = "ok"
    compute: Literal["default", "exclusive", "prohibited"] = "default"
    cores: Annotated[int, msgspec.Meta(ge=1, le=80)] = 48
    clusters: Annotated[int, msgspec.Meta(ge=1, le=20)] = 12
    temperature: Annotated[int, msgspec.Meta(ge=0, le=199)] = 40
    power: Annotated[int, msgspec.Meta(ge=0, le=2000)] = 60
    utilization: Percent = 0
    reserved: Annotated[int, msgspec.Meta(ge=0, le=_MAX_MIB)] = 0
    uuid: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?\Z")] = ""

    def __post_init__(self) -> None:
        """Refuse more links than a card has ports, and a card that keeps all of its memory."""
        if sum(self.links.values()) > _PORTS:
            raise ValueError(f"links come to {sum(self.links.values())}; a card has {_PORTS} ports")
        if self.reserved >= self.memory:
            raise ValueError(f"reserved is {self.reserved} MiB of {self.memory}; nothing is left")


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of ``drivers.cambricon`` in a machine file; those after ``api`` are about what is uncertain.

    Attributes:
        version: Of the kernel driver.
        cndev: Of the library.
        api: Newest version of structs that the library takes; it takes the one before as well.
        smlu_round_mib: To multiples of how many MiB the driver rounds a slice's memory.
        smlu_round_down: True when it rounds down.
        smlu_too_large_code: What it answers to a profile larger than the card.
        smlu_full_code: What it answers when the card has no room for one more slice.
        smlu_same_name: True when two slices of a card may have one name.
        smlu_node: False when the driver makes a slice and no device node.
    """

    version: Version = "5.10.29"
    cndev: Version = "6.5.0"
    api: Annotated[int, msgspec.Meta(ge=5, le=9)] = 6
    smlu_round_mib: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 1
    smlu_round_down: bool = False
    smlu_too_large_code: Annotated[int, msgspec.Meta(ge=1, le=18)] = 5
    smlu_full_code: Annotated[int, msgspec.Meta(ge=1, le=18)] = 9
    smlu_same_name: bool = False
    smlu_node: bool = True


class SimulatedMlus(Simulation):
    """Simulated MLUs of one machine, shared by all of its processes."""

    def card(self, settings: Mapping[str, Any], field: str) -> Card:
        """Check the keys of one card; see :class:`CardSettings`."""
        return Card(vendor=VENDOR, settings=msgspec.to_builtins(checked(settings, CardSettings, field), str_keys=True))

    def prepare(self, machine: Machine, directory: Path) -> ContainerEdits:
        """Write ``cards.conf``, from which the simulated library takes the machine, and the machine's files."""
        driver = checked(machine.drivers.get(VENDOR, {}), DriverSettings, f"drivers.{VENDOR}")
        cards = [checked(card.settings, CardSettings, f"cards[{index}]") for index, card in enumerate(machine.cards)]
        _check_together(cards)
        library = library_directory()
        lines = [f"{key} = {_text(value)}" for key, value in _driver_keys(driver).items()]
        for index, card in enumerate(cards):
            lines += [
                "",
                "[card]",
                *(f"{key} = {_text(value)}" for key, value in _keys(machine.name, index, card).items()),
            ]
            _files(directory / "root", index, card)
        (directory / "cards.conf").write_text("\n".join(lines) + "\n")
        env = {DIRECTORY: str(directory), ROOT: str(directory / "root")}
        return ContainerEdits(env=env, library_path=(str(library),))


def library_directory() -> Path:
    """Where the simulated libcndev.so is.

    Raises:
        EnforcementError: It is not installed.
    """
    try:
        import hetero_native  # noqa: PLC0415 - only those who simulate need it

        return hetero_native.library("sim/cndev/libcndev.so").parent
    except ImportError as error:
        raise EnforcementError("simulated MLUs need hetero-native: pip install 'hetero-cambricon[sim]'") from error
    except FileNotFoundError as error:
        raise EnforcementError(str(error)) from error


def _check_together(cards: Sequence[CardSettings]) -> None:
    """Refuse what each card alone cannot show to be wrong."""
    if len(cards) > _CARDS:
        raise InvalidValue("cards", len(cards), f"are too many; a simulated machine has {_CARDS} MLUs at most")
    identities: set[str] = set()
    for index, card in enumerate(cards):
        if card.uuid and card.uuid in identities:
            raise InvalidValue(f"cards[{index}].uuid", card.uuid, "is another card's; leave it out to have one made")
        identities.add(card.uuid)
        astray = [peer for peer in sorted(card.links) if peer == index or peer >= len(cards)]
        if astray:
            raise InvalidValue(
                f"cards[{index}].links", astray[0], "is no other card; write the position of one, from 0"
            )


def _driver_keys(driver: DriverSettings) -> dict[str, object]:
    keys = {field: getattr(driver, field) for field in driver.__struct_fields__}
    return {"driver_version": keys.pop("version"), "cndev_version": keys.pop("cndev"), **keys}


def _keys(machine: str, index: int, card: CardSettings) -> dict[str, object]:
    able = not card.model.startswith(WITHOUT_SLICES)
    return {
        "uuid": card.uuid or uuid.uuid5(_NAMESPACE, f"{machine}/{index}"),
        "name": card.model,
        "memory_mib": card.memory,
        "smlu_supported": able,
        "smlu": card.smlu and able,
        "smlu_reserved_mib": card.reserved,
        "mim": card.mim,
        "numa": card.numa,
        "pci": bus(index),
        "sn": 0x5000_0000_0000 + (index if card.board < 0 else 0x1000_0000_0000 + card.board),
        "motherboard_sn": card.chassis,
        "links": ",".join(str(peer) for peer, count in sorted(card.links.items()) for _ in range(count)),
        "health": card.health,
        "compute_mode": _MODES.index(card.compute),
        "cores": card.cores,
        "clusters": card.clusters,
        "temperature": card.temperature,
        "power": card.power,
        "utilization": card.utilization,
    }


def bus(index: int) -> str:
    """The address of a simulated card on the PCI bus."""
    return f"0000:{index + 0x10:02x}:00.0"


def _files(root: Path, index: int, card: CardSettings) -> None:
    """Device nodes as plain files, and what the kernel shows of the card."""
    places = {
        "dev/cambricon_ctl": "",
        f"dev/cambricon_dev{index}": "",
        f"dev/cambricon_ipcm{index}": "",
        **{
            f"sys/bus/pci/devices/{bus(index)}/{name}": f"{value}\n"
            for name, value in (("vendor", "0xcabc"), ("class", "0x120000"), ("numa_node", card.numa))
        },
    }
    for place, content in places.items():
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _text(value: object) -> str:
    """As cards.conf has it: flags are on and off."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
