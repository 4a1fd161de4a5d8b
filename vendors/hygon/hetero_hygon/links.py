"""How the cards of this machine reach each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hetero.model.device import Device, Link, LinkKind
from hetero_hygon.rocm_smi import XGMI, RocmSmi


def links_of(smi: RocmSmi, found: Sequence[tuple[Device, int]], number: int) -> tuple[Link, ...]:
    """The paths from a card to the others: direct ones with their number of lanes, else by NUMA nodes.

    The older generation of the library says that two cards are linked directly, and not by how many lanes: then one is
    told.

    Args:
        smi: The library.
        found: The cards, each with the library's number for it.
        number: The card's.

    Raises:
        DriverFailed: The library cannot be asked about this card.
    """
    [own] = [device for device, one in found if one == number]
    lanes = Counter(smi.peers(number))
    links = []
    for peer, other in found:
        if other == number:
            continue
        direct = lanes[peer.bus] or int(smi.link(number, other) == XGMI)
        links.append(Link(peer=peer.uuid, kind=LinkKind.DIRECT if direct else _indirect(own, peer), lanes=direct))
    return tuple(links)


def _indirect(one: Device, other: Device) -> LinkKind:
    return LinkKind.NUMA if one.numa == other.numa >= 0 else LinkKind.SYSTEM
