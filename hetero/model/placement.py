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
        family: Resource family of the vendor; empty when it has one.
    """

    vendor: str
    device: str
    share: Share
    family: str = ""


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
        uid: The pod's identity, which a later pod of the same name does not share; empty where there is no cluster.
    """

    namespace: str
    pod: str
    node: str
    containers: tuple[ContainerPlacement, ...] = ()
    init_containers: tuple[ContainerPlacement, ...] = ()
    uid: str = ""

    @property
    def key(self) -> str:
        """What the pod goes by in accounts, as :attr:`hetero.model.ask.PodAsk.key`."""
        return self.uid or f"{self.namespace}/{self.pod}"


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
