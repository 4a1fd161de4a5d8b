"""Where the machine has its cards: device nodes, the PCI bus, and what is ours."""

from __future__ import annotations

from pathlib import Path

from hetero.driver import host
from hetero_cambricon.names import VENDOR

TOOL = "/usr/bin/cnmon"
"""The vendor's program for looking at cards, which containers are given where the machine has it."""

_PCI = "/sys/bus/pci/devices"
_PCI_VENDOR = "0xcabc"
_PCI_CLASS = "0x12"  # processing accelerators

_OF_A_CARD = (
    "/dev/cambricon_dev{}",
    "/dev/cambricon_ipcm{}",
    # Of cards before the MLU370.
    "/dev/cambr-msgq:{}",
    "/dev/cambr-rpc:{}",
    "/dev/cmsg_ctrl{}",
    "/dev/commu{}",
)
_OF_ALL = ("/dev/cambricon_ctl",)
_DIRECT = "cambricon_gdr*"  # memory of a card for network cards, where the machine has it


def device_node(place: int) -> str:
    """The node of a card itself."""
    return _OF_A_CARD[0].format(place)


def message_node(place: int) -> str:
    """The node by which programs on one card talk to each other."""
    return _OF_A_CARD[1].format(place)


def nodes(place: int) -> tuple[str, ...]:
    """The device files that a program on this card needs, of those that there are."""
    named = [pattern.format(place) for pattern in _OF_A_CARD] + list(_OF_ALL)
    found = [path for path in named if host(VENDOR, path).exists()]
    return (*found, *sorted(f"/dev/{path.name}" for path in host(VENDOR, "/dev").glob(_DIRECT)))


def functions() -> list[str]:
    """Addresses of the cards on the PCI bus, without parts of cards that were split by the bus itself.

    The driver lists fewer while it is starting, or when it has given a card up.
    """
    directory = host(VENDOR, _PCI)
    if not directory.is_dir():
        return []
    return sorted(entry.name for entry in directory.iterdir() if _is_card(entry))


def numa_node(bus: str) -> int:
    """What the kernel says; -1 where it does not."""
    try:
        return max(-1, int((host(VENDOR, _PCI) / bus / "numa_node").read_text()))
    except (OSError, ValueError):
        return -1


def _is_card(entry: Path) -> bool:
    try:
        vendor, kind = ((entry / name).read_text().strip().lower() for name in ("vendor", "class"))
    except OSError:
        return False
    return vendor == _PCI_VENDOR and kind.startswith(_PCI_CLASS) and not (entry / "physfn").exists()
