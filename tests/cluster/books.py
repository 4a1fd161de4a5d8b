"""What the annotations of bound pods add up to, read back and added up without the planner's help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hetero.kube.objects import Pod
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.device import Node
from hetero.model.placement import ContainerPlacement, Placement

Charged = dict[str, dict[str, dict[str, int]]]
"""Node, device, dimension: amount; nothing that is 0."""


def placements(pods: Iterable[Pod]) -> list[Placement]:
    """The placements of all pods that are bound, each of its own pod on its own node.

    Raises:
        AssertionError: A placement is another pod's, or says another node than the pod's.
    """
    found = []
    for pod in pods:
        text = pod.metadata.notes.get(PLACEMENT)
        if text is None or pod.over:
            continue
        placement = wire.decode(text, Placement)
        who = f"{pod.metadata.namespace}/{pod.metadata.name}"
        assert pod.spec.node_name == placement.node, f"{who} is on {pod.spec.node_name}, placed on {placement.node}"
        assert placement.uid == pod.metadata.uid, f"{who} has the placement of another pod"
        found.append(placement)
    return found


def charged(found: Iterable[Placement]) -> Charged:
    """What the pods take of every device: of one pod, its containers together or the largest init container."""
    books: Charged = {}
    for placement in found:
        for device, amounts in _of_one(placement).items():
            row = books.setdefault(placement.node, {}).setdefault(device, {})
            for dimension, amount in amounts.items():
                row[dimension] = row.get(dimension, 0) + amount
    return tidy(books)


def tidy(books: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Charged:
    """The same without amounts of 0 and what is empty then."""
    rows = {
        node: {
            device: {dimension: amount for dimension, amount in amounts.items() if amount}
            for device, amounts in devices.items()
        }
        for node, devices in books.items()
    }
    return {node: kept for node, devices in rows.items() if (kept := {one: row for one, row in devices.items() if row})}


def free(books: Charged, nodes: Iterable[Node]) -> dict[str, dict[str, dict[str, int]]]:
    """What every device has left."""
    return {
        node.name: {
            device.uuid: {
                dimension: amount - books.get(node.name, {}).get(device.uuid, {}).get(dimension, 0)
                for dimension, amount in device.model.capacity.items()
            }
            for device in node.devices
        }
        for node in nodes
    }


def overcommitted(books: Charged, nodes: Iterable[Node]) -> list[str]:
    """Where more is taken than there is, in any dimension of any device."""
    capacity = {node.name: {device.uuid: device.model.capacity for device in node.devices} for node in nodes}
    return [
        f"{node}/{device}: {amount} of {capacity[node][device].get(dimension, 0)} {dimension}"
        for node, devices in books.items()
        for device, amounts in devices.items()
        for dimension, amount in amounts.items()
        if amount > capacity[node][device].get(dimension, 0)
    ]


def _of_one(placement: Placement) -> dict[str, dict[str, int]]:
    total = _sum(placement.containers)
    for container in placement.init_containers:
        for device, amounts in _sum([container]).items():
            row = total.setdefault(device, {})
            for dimension, amount in amounts.items():
                row[dimension] = max(row.get(dimension, 0), amount)
    return total


def _sum(containers: Iterable[ContainerPlacement]) -> dict[str, dict[str, int]]:
    total: dict[str, dict[str, int]] = {}
    for container in containers:
        for share in container.devices:
            row = total.setdefault(share.device, {})
            for dimension, amount in share.share.quantities.items():
                row[dimension] = row.get(dimension, 0) + amount
    return total
