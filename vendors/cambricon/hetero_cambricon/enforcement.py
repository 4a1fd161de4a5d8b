"""A share of an MLU as a slice that the kernel driver keeps (sMLU): made on demand, destroyed when it is over.

A slice goes by a name that follows from the core's record of it, so that whoever comes after a crash finds it: it is
adopted when it is just what is wanted, else destroyed and made anew. Slices with other names are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from hetero import turn
from hetero.driver import host
from hetero.errors import DriverError, EnforcementError
from hetero.model.allocation import ContainerEdits, Grant, Mount, Slice
from hetero.vendor import Enforcement, Finding
from hetero_cambricon import names, places
from hetero_cambricon.cndev import Cndev
from hetero_cambricon.findings import findings
from hetero_cambricon.slices import Slices, Wanted
from hetero_cambricon.splitting import SHARED


class Part(NamedTuple):
    """What a program holds of one card.

    Attributes:
        place: The card's number.
        node: The slice's device node; empty when the card is given whole.
    """

    place: int
    node: str


class SmluEnforcement(Enforcement):
    """Limits kept by the kernel driver.

    Args:
        cndev: The library.
    """

    def __init__(self, cndev: Cndev) -> None:
        self._cndev = cndev
        self._slices = Slices(cndev)

    def prepare(self, held: Slice) -> ContainerEdits:
        """Make a slice on each card that is shared; a card that is given whole needs none."""
        with _turn():
            parts = [self._part(wanted, grant) for wanted, grant in _wanted(held)]
        nodes = dict.fromkeys(path for part in parts for path in _nodes(part))
        return ContainerEdits(env=_environment(parts), mounts=_mounts(), device_nodes=tuple(nodes))

    def release(self, held: Slice) -> None:
        """Destroy what was made of it, and sizes that no slice has any more."""
        if all(grant.device.model.mode != SHARED for grant in held.grants):
            return
        try:
            with _turn():
                for wanted, grant in _wanted(held):
                    place = self._cndev.place(grant.device.uuid)
                    if place is not None:  # of a card that is gone nothing is left
                        self._slices.remove(place, wanted)
        except DriverError as error:
            raise EnforcementError(f"slice {held.id} cannot be destroyed: {error}") from error

    def check(self) -> Iterator[Finding]:
        """Whether cards can be split, and whether the driver lists all that there are."""
        yield from findings(self._cndev)

    def _part(self, wanted: Wanted, grant: Grant) -> Part:
        uuid = grant.device.uuid
        place = self._cndev.place(uuid)
        if place is None:
            raise EnforcementError(f"the driver does not list {uuid} any more; look at hetero devices")
        if grant.device.model.mode != SHARED:
            return Part(place, "")
        return Part(place, self._slices.have(place, wanted).node)


def _wanted(held: Slice) -> Iterator[tuple[Wanted, Grant]]:
    for position, grant in enumerate(held.grants):
        name = f"hetero-{held.id}-{position}"
        yield Wanted(name, grant.share.cores, grant.share.memory), grant


def _turn() -> AbstractContextManager[Path]:
    """One at a time on this machine: between finding a size and making a slice of it nobody may destroy it."""
    return turn.taken(names.VENDOR, "slices of cards")


def _nodes(part: Part) -> tuple[str, ...]:
    return (*places.nodes(part.place), part.node) if part.node else places.nodes(part.place)


def _environment(parts: Sequence[Part]) -> dict[str, str]:
    """What the vendor's container runtime reads; without it the device nodes alone say what there is."""
    whole = [str(part.place) for part in parts if not part.node]
    virtual = [
        f"{places.device_node(part.place)},{places.message_node(part.place)},{part.node}" for part in parts if part.node
    ]
    env = {names.VISIBLE: ",".join(whole)} if whole else {}
    return {**env, names.VIRTUAL: ";".join(virtual)} if virtual else env


def _mounts() -> tuple[Mount, ...]:
    if not host(names.VENDOR, places.TOOL).exists():
        return ()
    return (Mount(host_path=places.TOOL, container_path=places.TOOL),)
