"""Keeps the planner's nodes in step with the cluster's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec

from hetero import log, metrics
from hetero.errors import HeteroError, WireError
from hetero.kube import objects
from hetero.model import wire
from hetero.model.annotations import CORDON, inventories
from hetero.model.device import Device, Node

_log = log.logger("scheduler")


def node(shown: objects.Node) -> Node | None:
    """What a node of the API has, with its cordoned devices; None when it says nothing of devices.

    Raises:
        WireError: Its inventory cannot be read, or is another node's.
    """
    notes = shown.metadata.notes
    found = _merged([_inventory(notes[key], shown.metadata.name) for key in inventories(notes)])
    if found is None:
        return None
    words = (word.strip() for key in CORDON for word in notes.get(key, "").split(","))
    return msgspec.structs.replace(found, cordoned=tuple(sorted({*found.cordoned, *words} - {""})))


def _inventory(text: str, name: str) -> Node:
    found = wire.decode(text, Node)
    if found.name != name:
        raise WireError(f"the inventory is that of node {found.name!r}")
    return found


def _merged(parts: Sequence[Node]) -> Node | None:
    """What all agents of a node have found.

    What two of them list, as while a vendor moves from one to another, is there once: as the first has it, and not well
    if either says so.
    """
    if len(parts) < 2:
        return parts[0] if parts else None
    cordoned = tuple(one for part in parts for one in part.cordoned)
    return msgspec.structs.replace(parts[0], devices=_once(parts), cordoned=cordoned, foreign=())


def _once(parts: Sequence[Node]) -> tuple[Device, ...]:
    devices: list[Device] = []
    places: dict[str, int] = {}
    for part in parts:
        before = dict(places)
        for device in part.devices:
            place = before.get(device.uuid)
            if place is None:
                places[device.uuid] = len(devices)
                devices.append(device)
            elif devices[place].health.ok and not device.health.ok:
                devices[place] = msgspec.structs.replace(devices[place], health=device.health)
    return tuple(devices)


class Host(Protocol):
    """As much of a planner as nodes are put into."""

    def put_node(self, node: Node) -> None:
        """A node is new or has changed."""

    def remove_node(self, name: str) -> None:
        """A node is gone."""


class Nodes:
    """Handler of an informer of nodes. Most changes of a node are its heartbeat, and cost a comparison.

    Args:
        planner: What is kept in step.
        lock: Held while the planner is changed.
        changed: Told the name of each node whose devices have changed.
    """

    def __init__(self, planner: Host, lock: threading.RLock, changed: Callable[[str], None] = lambda _: None) -> None:
        self._planner = planner
        self._lock = lock
        self._changed = changed
        self._known: dict[str, int] = {}  # names of nodes with devices, with a hash of what they say

    def replace(self, items: Collection[objects.Node]) -> None:
        """These are all nodes."""
        names = {item.metadata.name for item in items}
        with self._lock:
            for name in [name for name in self._known if name not in names]:
                self._remove(name)
        for item in items:
            self.put(item)

    def put(self, item: objects.Node) -> None:
        """A node is new or has changed."""
        said = _said(item)
        with self._lock:
            if self._known.get(item.metadata.name) != said:
                self._put(item, said)

    def remove(self, item: objects.Node) -> None:
        """A node is gone."""
        with self._lock:
            self._remove(item.metadata.name)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def _put(self, item: objects.Node, said: int) -> None:
        name = item.metadata.name
        try:
            found = node(item)
            if found is None:
                self._remove(name)
                return
            self._planner.put_node(found)
            self._known[name] = said
            self._changed(name)
        except HeteroError as error:
            # What it had before may be wrong as well; after a restart it would not be known either.
            metrics.unusable_inventories.add()
            _log.warning("a node's inventory cannot be used; it gets no pods", node=name, reason=str(error))
            self._remove(name)

    def _remove(self, name: str) -> None:
        if self._known.pop(name, None) is not None:
            self._planner.remove_node(name)
            self._changed(name)


def _said(item: objects.Node) -> int:
    notes = item.metadata.notes
    return hash(tuple((key, notes.get(key)) for key in (*inventories(notes), *CORDON)))
