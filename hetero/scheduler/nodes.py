"""Keeps the planner's nodes in step with the cluster's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import msgspec

from hetero import log, metrics
from hetero.errors import HeteroError, WireError
from hetero.kube import objects
from hetero.model import wire
from hetero.model.annotations import CORDON, INVENTORY
from hetero.model.device import Node

_log = log.logger("scheduler")


def node(shown: objects.Node) -> Node | None:
    """What a node of the API has, with its cordoned devices; None when it says nothing of devices.

    Raises:
        WireError: Its inventory cannot be read, or is another node's.
    """
    notes = shown.metadata.notes
    if INVENTORY not in notes:
        return None
    found = wire.decode(notes[INVENTORY], Node)
    if found.name != shown.metadata.name:
        raise WireError(f"the inventory is that of node {found.name!r}")
    words = (word.strip() for key in CORDON for word in notes.get(key, "").split(","))
    return msgspec.structs.replace(found, cordoned=tuple(sorted({*found.cordoned, *words} - {""})))


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

    def replace(self, items: list[objects.Node]) -> None:
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
    return hash(tuple(notes.get(key) for key in (INVENTORY, *CORDON)))
