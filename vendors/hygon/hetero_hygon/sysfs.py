"""What the kernel says of a card: whose it is, its NUMA node, and which device files lead to it."""

from __future__ import annotations

import re
from pathlib import Path

from hetero.driver import host
from hetero_hygon.models import PCI_VENDOR
from hetero_hygon.names import VENDOR

DEVICES = "/sys/bus/pci/devices"

_NODE = re.compile(r"(card|renderD)\d+")


def is_foreign(bus: str) -> bool:
    """True when the kernel says that the card is another maker's; rocm_smi libraries of AMD list those."""
    maker = _number(_directory(bus) / "vendor", base=16)
    return maker is not None and maker != PCI_VENDOR


def is_gone(bus: str) -> bool:
    """True when the kernel shows PCI devices, and this one is not among them any more."""
    return host(VENDOR, DEVICES).is_dir() and not _directory(bus).exists()


def numa(bus: str) -> int | None:
    """The NUMA node that a card is attached to, -1 when there is none; None when the kernel does not show the card."""
    return _number(_directory(bus) / "numa_node", base=10)


def nodes(bus: str) -> tuple[str, ...]:
    """The card's own device files, ``/dev/dri/card<N>`` before ``renderD<N>``; their numbers are not the card's."""
    try:
        names = sorted(path.name for path in (_directory(bus) / "drm").iterdir())
    except OSError:
        return ()
    return tuple(f"/dev/dri/{name}" for name in names if _NODE.fullmatch(name))


def _directory(bus: str) -> Path:
    return host(VENDOR, DEVICES) / bus


def _number(path: Path, base: int) -> int | None:
    try:
        return int(path.read_text(), base)
    except (OSError, ValueError):
        return None
