"""Simulated cards: libraries with the ABI of Hygon's, and a directory with the machine's files that they tell about."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from hetero.errors import EnforcementError, InvalidValue
from hetero.model.allocation import ContainerEdits
from hetero.model.machine import Card, Machine, checked
from hetero.vendor import Simulation
from hetero_hygon.models import COMPUTE_UNITS, PCI_VENDOR, device_id_of
from hetero_hygon.names import DRIVER_FILES, SHARED_NODES, VDEVS, VENDOR

_CARDS = 16
_MAX_MIB = 2**24
_LINKS = 64
_FIRST_RENDER_NODE = 128

Peer = Annotated[int, msgspec.Meta(ge=0, lt=_CARDS)]
Amount = Annotated[int, msgspec.Meta(ge=0, le=_MAX_MIB)]
Flag = bool


class CardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a card in a machine file.

    Attributes:
        model: Product, as ``K100_AI``: one line of ASCII, at most 95 characters.
        memory: MiB, at most 16 TiB.
        cus: Compute units; 0 for those of the product, which must then be one whose units are documented.
        numa: NUMA node; -1 on a machine that has none.
        links: Index of a peer to the number of direct links that lead there.
        health: ``ok``, ``lost`` (fell off the bus) or ``ecc:<n>`` (so many errors of memory were not corrected).
        used: MiB in use.
        busy: Percent of time with work.
        temperature: Degrees Celsius.
        power: Watts.
        processes: Process id to the MiB that it uses.
        serial: Serial number; derived from the machine's name and the card's position when left out. ``none``: the card
            tells none.
    """

    model: Annotated[str, msgspec.Meta(pattern=r"^[!-~]([ -~]{0,93}[!-~])?\Z")]
    memory: Annotated[int, msgspec.Meta(ge=1, le=_MAX_MIB)]
    cus: Annotated[int, msgspec.Meta(ge=0, le=128)] = 0
    numa: Annotated[int, msgspec.Meta(ge=-1, le=1023)] = -1
    links: dict[Peer, Annotated[int, msgspec.Meta(ge=1, le=_LINKS)]] = {}
    health: Annotated[str, msgspec.Meta(pattern=r"^(ok|lost|ecc:[1-9]\d{0,8})\Z")] = "ok"
    used: Amount = 0
    busy: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    temperature: Annotated[int, msgspec.Meta(ge=-50, le=200)] = 40
    power: Annotated[int, msgspec.Meta(ge=0, le=5000)] = 90
    processes: dict[Annotated[int, msgspec.Meta(ge=1, le=2**22)], Amount] = {}
    serial: Annotated[str, msgspec.Meta(pattern=r"^[!-+\--~]{0,63}\Z")] = ""

    def __post_init__(self) -> None:
        """Complete the compute units.

        Raises:
            ValueError: Nobody knows them.
        """
        if not self.units:
            raise ValueError(f"{self.model} is no product whose compute units are documented; write cus")

    @property
    def units(self) -> int:
        """Compute units."""
        return self.cus or COMPUTE_UNITS.get(self.model, 0)


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of ``drivers.hygon`` in a machine file. The last seven are what nobody could try without a card.

    Attributes:
        version: Of librocm_smi64.
        generation: ``hyhal`` or ``dtk``, the older, which has fewer functions and smaller structs.
        vdcus: vDCUs that a card can have.
        container: The library takes itself to be in a container, and makes no vDCUs.
        privileged: The caller may make vDCUs.
        units: Which compute units a new vDCU gets: the lowest, or every other one first (``scattered``).
        memory_step: MiB to which the driver rounds the memory of a vDCU up.
        created_started: A new vDCU can be used at once.
        encryption_lines: The vDCUs' files have lines of newer versions.
        sharing: Compute units are shared and not divided, and no vDCU may ask for some of its own.
        mig: The cards are in MIG mode, which excludes vDCUs.
    """

    version: Annotated[str, msgspec.Meta(pattern=r"^\d{1,4}(\.\d{1,4}){2}\Z")] = "2.8.0"
    generation: Literal["hyhal", "dtk"] = "hyhal"
    vdcus: Annotated[int, msgspec.Meta(ge=0, le=64)] = 4
    container: Flag = False
    privileged: Flag = True
    units: Literal["low", "scattered"] = "low"
    memory_step: Annotated[int, msgspec.Meta(ge=1, le=65536)] = 1
    created_started: Flag = True
    encryption_lines: Flag = False
    sharing: Flag = False
    mig: Flag = False


class SimulatedDcus(Simulation):
    """Simulated cards of one machine, shared by all of its processes."""

    def card(self, settings: Mapping[str, Any], field: str) -> Card:
        """Check the keys of one card; see :class:`CardSettings`."""
        return Card(vendor=VENDOR, settings=msgspec.to_builtins(checked(settings, CardSettings, field), str_keys=True))

    def prepare(self, machine: Machine, directory: Path) -> ContainerEdits:
        """Write ``cards.conf``, from which the simulated libraries take the machine, and its files below ``root/``."""
        driver = checked(machine.drivers.get(VENDOR, {}), DriverSettings, f"drivers.{VENDOR}")
        cards = [checked(card.settings, CardSettings, f"cards[{index}]") for index, card in enumerate(machine.cards)]
        _check_together(cards)
        libraries = _libraries(driver.generation)
        lines = [f"{key} = {value}" for key, value in _driver_keys(driver)]
        for index, card in enumerate(cards):
            lines += ["", "[card]", *(f"{key} = {value}" for key, value in _keys(machine.name, index, card))]
        _write_tree(directory / "root", cards)
        (directory / "cards.conf").write_text("\n".join(lines) + "\n")
        env = {"HETERO_SIM_HYDMI": str(directory), f"HETERO_HOST_ROOT_{VENDOR.upper()}": str(directory / "root")}
        return ContainerEdits(env=env, library_path=libraries)


def _check_together(cards: Sequence[CardSettings]) -> None:
    """Refuse what each card alone cannot show to be wrong. Two cards with one serial number are a fault that exists."""
    if len(cards) > _CARDS:
        raise InvalidValue("cards", len(cards), f"are too many; a simulated machine has {_CARDS} at most")
    for index, card in enumerate(cards):
        astray = [peer for peer in sorted(card.links) if peer == index or peer >= len(cards)]
        if astray:
            raise InvalidValue(
                f"cards[{index}].links", astray[0], "is no other card; write the position of one, from 0"
            )


def _bus(index: int) -> str:
    return f"0000:{0x33 + index:02x}:00.0"


def _driver_keys(driver: DriverSettings) -> Iterator[tuple[str, object]]:
    for name, value in msgspec.structs.asdict(driver).items():
        if name == "vdcus":
            yield "vdevs_per_card", value
        elif name != "generation":
            yield name, ("off", "on")[value] if isinstance(value, bool) else value


def _keys(machine: str, index: int, card: CardSettings) -> Iterator[tuple[str, object]]:
    number = hashlib.sha256(f"{machine}/{index}".encode()).hexdigest()
    yield "name", card.model
    yield "device_id", hex(device_id_of(card.model))
    yield "unique_id", f"0x{number[:15]}"  # positive, whatever reads it
    if card.serial != "none":
        yield "serial", card.serial or f"T{number[16:28].upper()}"
    yield "pci", _bus(index)
    yield "numa", card.numa
    yield "memory_mib", card.memory
    yield "cus", card.units
    yield "render_minor", _FIRST_RENDER_NODE + index
    yield "links", ",".join(str(peer) for peer, count in sorted(card.links.items()) for _ in range(count))
    yield "health", card.health
    yield "used_mib", card.used
    yield "busy", card.busy
    yield "temperature", card.temperature
    yield "power", card.power
    yield "processes", ",".join(f"{pid}:{memory}" for pid, memory in card.processes.items())


def _write_tree(root: Path, cards: Sequence[CardSettings]) -> None:
    """The machine's files that hetero and the libraries look at; device files are plain ones."""
    for path in (VDEVS, DRIVER_FILES, "/dev/dri"):
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for path in SHARED_NODES:
        (root / path.lstrip("/")).touch()
    for index, card in enumerate(cards):
        device = root / "sys/bus/pci/devices" / _bus(index)
        nodes = (f"card{index + 1}", f"renderD{_FIRST_RENDER_NODE + index}")  # card0 is the board's own display
        for name in nodes:
            (device / "drm" / name).mkdir(parents=True, exist_ok=True)
            (root / "dev/dri" / name).touch()
        (device / "vendor").write_text(f"{PCI_VENDOR:#06x}\n")
        (device / "numa_node").write_text(f"{card.numa}\n")


def _libraries(generation: str) -> tuple[str, ...]:
    """Directories of the simulated libraries; the older generation lies in one that is searched first.

    Raises:
        EnforcementError: They are not installed.
    """
    try:
        import hetero_native  # noqa: PLC0415  (an extra: only simulated machines need it)

        names = ("sim/hydmi/dtk", "sim/hydmi") if generation == "dtk" else ("sim/hydmi",)
        return tuple(str(hetero_native.library(name)) for name in names)
    except ImportError as error:
        raise EnforcementError("hetero-native is not installed; install hetero-hygon[sim]") from error
    except FileNotFoundError as error:
        raise EnforcementError(str(error)) from error
