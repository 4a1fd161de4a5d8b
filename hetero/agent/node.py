"""This node as the API has it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from typing import Any

from hetero.kube.objects import Metadata, Object


class NodeInfo(Object, frozen=True):
    """``status.nodeInfo``."""

    container_runtime_version: str = ""


class NodeStatus(Object, frozen=True):
    """``status`` of a node."""

    capacity: dict[str, Any] | None = None
    allocatable: dict[str, Any] | None = None
    node_info: NodeInfo = NodeInfo()


class Node(Object, frozen=True):
    """A node, with what it says to have."""

    metadata: Metadata
    status: NodeStatus = NodeStatus()

    @property
    def runtime(self) -> str:
        """Its container runtime with the version; empty until the kubelet has said it."""
        return self.status.node_info.container_runtime_version


class ThisNode:
    """Handler of an informer of the one node.

    Args:
        changed: Told when it has changed in anything that is read here, by the informer's thread.
    """

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._shown: Node | None = None

    @property
    def shown(self) -> Node | None:
        """As it was seen last; None before that, and when it was deleted."""
        with self._lock:
            return self._shown

    def replace(self, items: Collection[Node]) -> None:
        """This is all that there is."""
        self._see(next(iter(items), None))

    def put(self, item: Node) -> None:
        """It has changed."""
        self._see(item)

    def remove(self, item: Node) -> None:
        """It is gone; its kubelet will make it again, without what others wrote."""
        del item
        self._see(None)

    def _see(self, shown: Node | None) -> None:
        with self._lock:
            before, self._shown = self._shown, shown
        if _said(before) != _said(shown):
            self._changed()


def _said(shown: Node | None) -> Any:
    """All that matters of it; its heartbeat does not."""
    return shown and (shown.metadata.uid, shown.metadata.notes, shown.status)
