"""How the cards of a machine reach each other: one board, MLULink by lanes, and the PCI tree.

Two chips of one board are told as such, whether or not MLULink joins them too: for the driver that is the nearest
that there is, and sets of devices are made of whole boards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hetero.driver import text
from hetero.errors import DriverFailed
from hetero.model.device import Link, LinkKind
from hetero_cambricon import structs
from hetero_cambricon.cndev import PREFIX, Cndev

UP = (1, 3)  # cndevMLULinkMACStateEnum_t: up, ready
_PORTS = 64

# cndevTopologyRelationshipEnum_t
_INTERNAL = 1
_KINDS = {
    _INTERNAL: LinkKind.BOARD,
    2: LinkKind.BRIDGE,
    3: LinkKind.BRIDGE,
    4: LinkKind.BRIDGE,
    5: LinkKind.NUMA,
    6: LinkKind.SYSTEM,
}


def links(cndev: Cndev, handles: Mapping[str, int]) -> dict[str, tuple[Link, ...]]:
    """The paths from each card to each other one.

    Args:
        cndev: The library.
        handles: Identity to what the library calls the card.
    """
    if len(handles) < 2:
        return dict.fromkeys(handles, ())
    boards = {uuid: _serial(cndev, handle) for uuid, handle in handles.items()}
    lanes = {uuid: _lanes(cndev, handle) for uuid, handle in handles.items()}
    return {
        uuid: tuple(
            Link(peer=peer, kind=LinkKind.BOARD)
            if boards[uuid] and boards[uuid] == boards[peer]
            else _link(cndev, lanes[uuid][peer], peer, (handle, other))
            for peer, other in handles.items()
            if peer != uuid
        )
        for uuid, handle in handles.items()
    }


def _serial(cndev: Cndev, handle: int) -> str:
    """The serial number of the board: a word to compare, empty where there is none. Two chips of one board share it."""
    try:
        told = cndev.told("cndevGetCardSN", structs.CardSn, handle)
    except DriverFailed:
        return ""
    return f"{told.sn:x}" if told is not None and told.sn else ""


def _lanes(cndev: Cndev, handle: int) -> Counter[str]:
    """How many ports that are up lead to each card."""
    found: Counter[str] = Counter()
    try:
        count = int(cndev.result("cndevGetMLULinkPortNumber", handle))
    except DriverFailed:
        return found
    for port in range(count if 0 <= count <= _PORTS else 0):
        found[_far_end(cndev, handle, port)] += 1
    return found


def _far_end(cndev: Cndev, handle: int, port: int) -> str:
    """The card at the other end; empty when there is none or nobody knows which."""
    try:
        status = cndev.told("cndevGetMLULinkStatusV2", structs.MluLinkStatusV2, handle, port)
        if status is None or status.macState not in UP:
            return ""
        remote = cndev.told("cndevGetMLULinkRemoteInfo", structs.MluLinkRemoteInfo, handle, port)
    except DriverFailed:
        return ""
    return PREFIX + text(remote.uuid) if remote is not None else ""


def _link(cndev: Cndev, lanes: int, peer: str, pair: tuple[int, int]) -> Link:
    if lanes:
        return Link(peer=peer, kind=LinkKind.DIRECT, lanes=lanes)
    try:
        told = cndev.told("cndevTopologyGetRelationship", structs.TopologyRelationship, *pair)
    except DriverFailed:
        told = None
    kind = _KINDS.get(told.relation, LinkKind.SYSTEM) if told is not None else LinkKind.SYSTEM
    return Link(peer=peer, kind=kind)
