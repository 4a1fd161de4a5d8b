"""What a placed pod takes of each device, as Kubernetes counts containers."""

from __future__ import annotations

from collections.abc import Iterable

from hetero.model.device import Quantities
from hetero.model.placement import ContainerPlacement, Placement

Charges = dict[str, Quantities]
"""Device identity to amounts."""


def charges(placement: Placement) -> Charges:
    """What the pod takes at its greatest: all containers side by side, or one init container, whichever is more.

    Init containers run one after another before the others, and what they held is free again by then.
    Source: Kubernetes documentation, "Init Containers", "Resource sharing within containers".
    """
    total = together(placement.containers)
    for container in placement.init_containers:
        _raise_to(total, together([container]))
    return total


def together(containers: Iterable[ContainerPlacement]) -> Charges:
    """What containers take that run side by side."""
    total: Charges = {}
    for container in containers:
        for share in container.devices:
            held = total.setdefault(share.device, {})
            for name, amount in share.share.quantities.items():
                held[name] = held.get(name, 0) + amount
    return total


def _raise_to(total: Charges, other: Charges) -> None:
    for device, quantities in other.items():
        held = total.setdefault(device, {})
        for name, amount in quantities.items():
            held[name] = max(held.get(name, 0), amount)
