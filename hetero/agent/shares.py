"""From what the kubelet says that a container holds to what its pod's placement gives it, or the reason why not. Pure.

The slots that the kubelet counts stand for no particular device. What a container really gets was decided by the
scheduler, which wrote it into the pod as it bound it; that record counts only if it is this pod's, for this node.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from hetero.admission.asks import pod_ask
from hetero.admission.objects import read
from hetero.admission.words import Words
from hetero.agent.pods import Pod
from hetero.allocation.held import Held
from hetero.errors import HeteroError, Unbound, WireError
from hetero.model import wire
from hetero.model.allocation import Grant
from hetero.model.annotations import PLACEMENT
from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.device import Device
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.vendor import Vendor

ANEW = "delete the pod, so that it is placed anew"
"""What helps where a record is wrong: nobody may change a placement, and only a new pod gets a new one."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What one container is to have of one vendor's devices.

    Attributes:
        pod: The pod.
        container: The container's name.
        vendor: Name of the vendor.
        grants: The devices in the order in which the program sees them; of all families of the vendor.
        priority: See :attr:`hetero.model.allocation.Slice.priority`.
        policy: See :attr:`hetero.model.allocation.Slice.policy`.
    """

    pod: Pod
    container: str
    vendor: str
    grants: tuple[Grant, ...]
    priority: int | None = None
    policy: str = "cap"


class Shares:
    """Reads placements of this node's pods.

    Args:
        node: The node's name.
        vendors: The installed vendors by name.
    """

    def __init__(self, node: str, vendors: Mapping[str, Vendor]) -> None:
        self.node = node
        self._words = Words(vendors)
        self._vendors = vendors

    def wanted(self, pod: Pod, held: Held, devices: Mapping[str, Device]) -> Wanted:
        """What a container of a pod is to have.

        Args:
            pod: As the API has it.
            held: What the kubelet gave the container.
            devices: Those of this node, by identity, as they are now.

        Raises:
            Unbound: With a sentence for the user.
        """
        vendor = self._vendor(held)
        placement = self._placement(pod)
        shares = [one for one in _of(placement, held.container, pod).devices if one.vendor == vendor.name]
        ask = self._ask(pod)
        asks = [one for one in _asked(ask, held.container) if one.vendor == vendor.name]
        _check_count(pod, held, shares, asks)
        self._check_alone(placement, held.container, pod)
        return Wanted(
            pod=pod,
            container=held.container,
            vendor=vendor.name,
            grants=tuple(_grant(pod, share, devices) for share in shares),
            priority=next((one.priority for one in asks if one.priority is not None), None),
            policy=ask.compute_policy or "cap",
        )

    def _vendor(self, held: Held) -> Vendor:
        vendor = self._words.owners.get(held.resource)
        if vendor is None:
            raise Unbound(f"resource {held.resource} belongs to no vendor of this node's agent; look at its log")
        return vendor

    def _placement(self, pod: Pod) -> Placement:
        text = pod.metadata.notes.get(PLACEMENT)
        if text is None:
            raise Unbound(
                f"pod {pod.shown} has no placement: {pod.spec.scheduler_name or 'somebody'} bound it, not hetero's "
                f"scheduler; {ANEW}, and see that the webhook is there and spec.schedulerName is left to it"
            )
        try:
            placement = wire.decode(text, Placement)
        except WireError as error:
            raise Unbound(f"the placement of pod {pod.shown} is malformed ({error}); {ANEW}") from error
        if placement.uid != pod.metadata.uid:
            raise Unbound(f"the placement of pod {pod.shown} is stale: it is of pod {placement.uid or '?'}; {ANEW}")
        if placement.node != self.node:
            raise Unbound(f"the placement of pod {pod.shown} is stale: it is for node {placement.node}; {ANEW}")
        return placement

    def _ask(self, pod: Pod) -> PodAsk:
        try:
            return pod_ask(read(pod), self._words, strict=False)
        except HeteroError as error:
            raise Unbound(f"what pod {pod.shown} asks cannot be read: {error}; {ANEW}") from error

    def _check_alone(self, placement: Placement, container: str, pod: Pod) -> None:
        """A container has one limits file, which is of one vendor's devices."""
        named = dict.fromkeys(one.vendor for one in _of(placement, container, pod).devices)
        kept = [name for name in named if name in self._vendors and self._vendors[name].enforcement.region]
        if len(kept) > 1:
            raise Unbound(
                f"container {container} of pod {pod.shown} has devices of {' and '.join(kept)}, and the limits of one "
                "vendor alone can be kept in a container; give each a container of its own"
            )


def _of(placement: Placement, container: str, pod: Pod) -> ContainerPlacement:
    for one in (*placement.containers, *placement.init_containers):
        if one.container == container:
            return one
    raise Unbound(f"the placement of pod {pod.shown} is malformed: it has no container {container}; {ANEW}")


def _asked(ask: PodAsk, container: str) -> tuple[Ask, ...]:
    found = (one for one in (*ask.containers, *ask.init_containers) if one.name == container)
    return next(found, ContainerAsk(name=container)).asks


def _check_count(pod: Pod, held: Held, shares: list[DeviceShare], asks: list[Ask]) -> None:
    """The placement must be of what the pod asks; the kubelet's slots are some of it, or all."""
    asked = sum(ask.count for ask in asks)
    if len(shares) != asked or not len(held.ids) <= asked:
        raise Unbound(
            f"the placement of pod {pod.shown} is malformed: container {held.container} asks {asked} and holds "
            f"{len(held.ids)} of {held.resource}, and is given {len(shares)}; {ANEW}"
        )


def _grant(pod: Pod, share: DeviceShare, devices: Mapping[str, Device]) -> Grant:
    device = devices.get(share.device)
    if device is None or device.model.vendor != share.vendor:
        raise Unbound(
            f"pod {pod.shown} is placed on {share.device}, which this node does not have (any more); {ANEW}, "
            "or bring the device back"
        )
    if not device.health.ok:
        raise Unbound(
            f"{share.device}, on which pod {pod.shown} is placed, is not well: {device.health.reason}; "
            "the container starts when it is, or delete the pod"
        )
    has = device.model.capacity
    wrong = [name for name, amount in share.share.quantities.items() if not 0 <= amount <= has.get(name, 0)]
    if wrong:
        amount = share.share.quantities[wrong[0]]
        raise Unbound(
            f"the placement of pod {pod.shown} is malformed: {amount} of {wrong[0]} of {share.device}, which has "
            f"{has.get(wrong[0], 0)}; {ANEW}"
        )
    return Grant(device=device, share=share.share)
