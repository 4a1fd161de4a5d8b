"""Simulated GPUs: shared objects with the ABI of the CUDA driver and of NVML, and a file that says which cards."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import hetero_native
import msgspec

from hetero.driver import ROOT
from hetero.errors import EnforcementError, InvalidValue
from hetero.model.allocation import ContainerEdits
from hetero.model.machine import Card, Machine, checked
from hetero.vendor import Simulation
from hetero_nvidia import mig
from hetero_nvidia.names import VENDOR

_NAMESPACE = uuid.UUID("6f3d0c9e-0f4f-5d0a-9a57-1c1c1d6f4b7e")  # of the identities of simulated GPUs

_CARDS = 16
_MAX_MIB = 2**24
_LINKS = 18
_INSTANCES, _COMPUTE_INSTANCES = 15, 8  # that a driver counts device files for

# The ranges are those of cards.conf: what is accepted here is accepted there.
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Peer = Annotated[int, msgspec.Meta(ge=0, lt=_CARDS)]


class CardSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a card in a machine file.

    Attributes:
        model: Product name as the driver spells it: one line of ASCII, at most 95 characters.
        memory: MiB, at most 16 TiB.
        sms: Streaming multiprocessors.
        clock: MHz.
        numa: NUMA node; -1 on a machine that has none.
        context: MiB of the card that a process's context takes.
        compute: Compute capability, ``major.minor``.
        links: Index of a peer to the number of NVLinks that lead there; 18 in all.
        health: ``ok``, ``lost`` (fell off the bus) or ``xid:<n>`` (that critical error is reported once).
        mig: True when the card is partitioned by hardware.
        temperature: Degrees Celsius.
        power: Watts.
        ns_per_iteration: Time of one iteration of the kernel named ``work``; other kernels take 10 µs.
        uuid: ``GPU-`` and a UUID; derived from the machine's name and the card's position when left out.
    """

    model: Annotated[str, msgspec.Meta(pattern=r"^[!-~]([ -~]{0,93}[!-~])?\Z")]
    memory: Annotated[int, msgspec.Meta(ge=1, le=_MAX_MIB)]
    sms: Count = 28
    clock: Count = 1777
    numa: Annotated[int, msgspec.Meta(ge=-1, le=1023)] = -1
    context: Annotated[int, msgspec.Meta(ge=0, le=_MAX_MIB)] = 0
    compute: Annotated[str, msgspec.Meta(pattern=r"^[1-9]\d?\.\d\Z")] = "8.6"
    links: dict[Peer, Annotated[int, msgspec.Meta(ge=1, le=_LINKS)]] = {}
    health: Annotated[str, msgspec.Meta(pattern=r"^(ok|lost|xid:[1-9]\d{0,3})\Z")] = "ok"
    mig: bool = False
    temperature: Annotated[int, msgspec.Meta(ge=0, le=200)] = 40
    power: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 60
    ns_per_iteration: Annotated[int, msgspec.Meta(ge=1, le=10**9)] = 1000
    uuid: Annotated[str, msgspec.Meta(pattern=r"^(GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?\Z")] = ""

    def __post_init__(self) -> None:
        """Refuse more links than a GPU has."""
        if sum(self.links.values()) > _LINKS:
            raise ValueError(f"links come to {sum(self.links.values())}; a GPU has {_LINKS} at most")


class DriverSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of ``drivers.nvidia`` in a machine file.

    Attributes:
        version: Of the driver.
        cuda: The newest CUDA that the driver serves.
    """

    version: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,79}\Z")] = "580.159.04"
    cuda: Annotated[str, msgspec.Meta(pattern=r"^\d{1,2}\.\d\Z")] = "13.0"


class SimulatedGpus(Simulation):
    """Simulated GPUs of one machine, shared by all of its processes."""

    def card(self, settings: Mapping[str, Any], field: str) -> Card:
        """Check the keys of one card; see :class:`CardSettings`."""
        return Card(vendor=VENDOR, settings=msgspec.to_builtins(checked(settings, CardSettings, field), str_keys=True))

    def prepare(self, machine: Machine, directory: Path) -> ContainerEdits:
        """Write ``cards.conf``, from which the simulated libraries take the machine."""
        driver = checked(machine.drivers.get(VENDOR, {}), DriverSettings, f"drivers.{VENDOR}")
        cards = [checked(card.settings, CardSettings, f"cards[{index}]") for index, card in enumerate(machine.cards)]
        _check_together(cards)
        lines = [f"driver_version = {driver.version}", f"cuda_version = {driver.cuda}"]
        for index, card in enumerate(cards):
            lines += ["", "[card]", *(f"{key} = {value}" for key, value in _keys(machine.name, index, card).items())]
        (directory / "cards.conf").write_text("\n".join(lines) + "\n")
        _write_machine(directory / "root", cards)
        env = {"HETERO_SIM_DIR": str(directory), f"{ROOT}_{VENDOR.upper()}": str(directory / "root")}
        return ContainerEdits(env=env, library_path=(str(_libraries()),))


def _check_together(cards: Sequence[CardSettings]) -> None:
    """Refuse what each card alone cannot show to be wrong."""
    if len(cards) > _CARDS:
        raise InvalidValue("cards", len(cards), f"are too many; a simulated machine has {_CARDS} at most")
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


def _keys(machine: str, index: int, card: CardSettings) -> dict[str, object]:
    major, minor = card.compute.split(".")
    return {
        "uuid": card.uuid or f"GPU-{uuid.uuid5(_NAMESPACE, f'{machine}/{index}')}",
        "name": card.model,
        "memory_mib": card.memory,
        "sm_count": card.sms,
        "clock_mhz": card.clock,
        "numa": card.numa,
        "pci": f"00000000:{index + 1:02X}:00.0",
        "minor": index,
        "context_mib": card.context,
        "compute_major": major,
        "compute_minor": minor,
        "nvlink": ",".join(str(peer) for peer, count in sorted(card.links.items()) for _ in range(count)),
        "mig_mode": int(card.mig),
        **_profiles(card),
        "temperature": card.temperature,
        "power": card.power,
        "health": card.health,
        "ns_per_iteration": card.ns_per_iteration,
    }


def _profiles(card: CardSettings) -> dict[str, object]:
    """How a card of this board can be cut; that of a board that is not known is like an A100's."""
    board = mig.board_of(card.model, card.memory)
    if board is None:
        return {}
    sizes = [places for places in (1, 2, 4, 8) if places <= board.places]
    return {"mig_slices": board.kinds[-1].slices, "mig_memory": ",".join(str(board.memory(places)) for places in sizes)}


def _write_machine(root: Path, cards: Sequence[CardSettings]) -> None:
    """The files that a program looks at: device files, and which of them open instances.

    The numbers are those of a real driver (580.159.04): 2 for the whole machine, then for each GPU those of 15 GPU
    instances, each with 8 compute instances.
    """
    minors, nodes = ["config 1", "monitor 2"], [f"nvidia{index}" for index in range(len(cards))]
    nodes += ["nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"]
    number = 3
    for gpu, instance in itertools.product(range(len(cards)), range(_INSTANCES)):
        for what in ("", *(f"ci{compute}/" for compute in range(_COMPUTE_INSTANCES))):
            minors.append(f"gpu{gpu}/gi{instance}/{what}access {number}")
            nodes += [f"nvidia-caps/nvidia-cap{number}"] if cards[gpu].mig else []
            number += 1
    for path in (root / "proc/driver/nvidia-caps", root / "dev/nvidia-caps", root / "run"):
        path.mkdir(parents=True, exist_ok=True)
    (root / "proc/driver/nvidia-caps/mig-minors").write_text("\n".join(minors) + "\n")
    for node in nodes:
        (root / "dev" / node).touch()


def _libraries() -> Path:
    try:
        return hetero_native.library("sim")
    except FileNotFoundError as error:
        raise EnforcementError(str(error)) from error
