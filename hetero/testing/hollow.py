"""Nodes that only an API server knows: described machines as objects, without a kubelet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hetero.agent.totals import totals
from hetero.model import wire
from hetero.model.annotations import INVENTORY
from hetero.model.device import Node
from hetero.vendor import Vendor

ROOMY = {"cpu": "64", "memory": "256Gi", "pods": "250"}
"""What a hollow node has of the resources that Kubernetes itself counts."""


def hollow_node(
    described: Node, vendors: Mapping[str, Vendor], *, labels: Mapping[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    """A ready node of the API with a machine's inventory, and its totals where kube-scheduler sees them.

    Args:
        described: The machine.
        vendors: By name; those of the machine's devices.
        labels: Beside the host name.
        spec: Fields of the node's ``spec``.
    """
    amounts = ROOMY | totals(described, vendors)
    ready = {"type": "Ready", "status": "True", "reason": "NoKubelet", "message": "this node is in the API alone"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": described.name,
            "labels": {"kubernetes.io/hostname": described.name, **(labels or {})},
            "annotations": {INVENTORY: wire.encode(described)},
        },
        "spec": spec,
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
    }
