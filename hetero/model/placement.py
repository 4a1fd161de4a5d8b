"""Where a pod goes: the planner's decision, and why a node was not it."""

from __future__ import annotations

import msgspec

from hetero.model.share import Refusal, Share


class DeviceShare(msgspec.Struct, frozen=True, kw_only=True):
    """A share of one device.

    Attributes:
        vendor: Name of the vendor.
        device: The device's identity on its node.
        share: What it gives.
    """

    vendor: str
    device: str
    share: Share


class ContainerPlacement(msgspec.Struct, frozen=True, kw_only=True):
    """The devices of one container, in the order in which it will see them; empty when it needs none."""

    container: str
    devices: tuple[DeviceShare, ...] = ()


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """A pod's place.

    Attributes:
        namespace: The pod's namespace.
        pod: Its name.
        node: Where it goes.
        containers: The containers of the pod, in order.
        init_containers: Its init containers, in order.
    """

    namespace: str
    pod: str
    node: str
    containers: tuple[ContainerPlacement, ...] = ()
    init_containers: tuple[ContainerPlacement, ...] = ()


class Unplaced(msgspec.Struct, frozen=True, kw_only=True):
    """A pod that fits nowhere, with the reason of every node.

    Attributes:
        namespace: The pod's namespace.
        pod: Its name.
        refusals: Node name to the reason why that node does not serve.
    """

    namespace: str
    pod: str
    refusals: dict[str, Refusal]
