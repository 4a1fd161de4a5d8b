"""What the API server and kube-scheduler send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from hetero.kube import objects
from hetero.kube.objects import Metadata
from hetero.model import wire
from hetero.model.annotations import INVENTORY
from hetero.model.device import Node


def shown(node: Node, notes: Mapping[str, str] | None = None) -> objects.Node:
    """A node of the API with an inventory."""
    annotations = {INVENTORY: wire.encode(node), **(notes or {})}
    return objects.Node(metadata=Metadata(name=node.name, annotations=annotations))


def args(pod: objects.Pod, names: Iterable[str]) -> bytes:
    """What kube-scheduler sends to ``filter``."""
    return msgspec.json.encode({"Pod": pod, "Nodes": None, "NodeNames": list(names)})


def in_full(pod: objects.Pod, nodes: Iterable[objects.Node]) -> bytes:
    """The same from a scheduler that relies on no cache."""
    return msgspec.json.encode({"Pod": pod, "Nodes": {"items": list(nodes)}, "NodeNames": None})


class Events:
    """Remembers what pods are told."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, str, str, str]] = []

    def post(self, pod: Metadata, kind_of: str, reason: str, message: str) -> None:
        """Note it."""
        self.posted.append((pod.name, kind_of, reason, message))
