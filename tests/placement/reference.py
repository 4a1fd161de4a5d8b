"""What fits, by trying everything: no columns, nothing clever, and what failed a moment ago is all that is remembered.

Only for small clusters. The rules are those of the planner's pages and records, written down again in plain loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product

from hetero.model.ask import Ask, PodAsk
from hetero.model.device import CORES, Device, Node, Quantities
from hetero.model.placement import ContainerPlacement, Placement
from hetero.model.policy import DevicePolicy
from hetero.model.share import Share
from hetero.vendor import Vendor

Used = dict[str, Quantities]
"""Device identity to what is taken of it."""


class Reference:
    """A cluster and its pods.

    Args:
        vendors: By name.
        names: All names of models that the cluster has, by vendor: a whole name selects that model alone.
    """

    def __init__(self, vendors: Mapping[str, Vendor], names: Mapping[str, set[str]]) -> None:
        self._vendors = vendors
        self._names = names
        self._failed: set[object] = set()

    def fits(self, pod: PodAsk, node: Node, placements: Sequence[Placement]) -> bool:
        """Whether there is any way to give the pod all it asks, beside these pods on the node."""
        used = usage(node, placements)
        idle = DevicePolicy.parse(pod.device_policy).idle_only if pod.device_policy else False
        side_by_side = [ask for container in pod.containers for ask in container.asks]
        moments = [side_by_side, *([*container.asks] for container in pod.init_containers)]
        self._failed.clear()
        return all(self._together(asks, node, used, used, idle) for asks in moments)

    def _together(self, asks: Sequence[Ask], node: Node, used: Used, others: Used, idle: bool) -> bool:
        """Whether the asks fit at the same time, given what is used; ``others`` is what other pods use."""
        if not asks:
            return True
        first, *rest = asks
        situation = (*asks, *((uuid, *sorted(amounts.items())) for uuid, amounts in sorted(used.items())))
        if situation in self._failed:
            return False
        if any(
            self._together(rest, node, _plus(used, shares), others, idle)
            for shares in self._ways(first, node, used, others, idle)
        ):
            return True
        self._failed.add(situation)
        return False

    def _ways(self, ask: Ask, node: Node, used: Used, others: Used, idle: bool) -> Iterator[dict[str, Share]]:
        """Every set of devices that can serve one ask now, with every share that each of them can give."""
        serving = {
            device.uuid: shares
            for device in node.devices
            if (shares := self._room(ask, device, node, used))
            and (shares[0].cores or _left(device, CORES, others[device.uuid]) or CORES not in device.model.capacity)
            and not (idle and any(used[device.uuid].values()))
        }
        for chosen in self._sets(ask, [device for device in node.devices if device.uuid in serving]):
            if len({device.numa for device in chosen}) == 1 or not ask.selection.same_numa:
                for shares in product(*(serving[device.uuid] for device in chosen)):
                    yield {device.uuid: share for device, share in zip(chosen, shares, strict=True)}

    def _sets(self, ask: Ask, devices: Sequence[Device]) -> Iterator[tuple[Device, ...]]:
        """Those that the vendor allows; all when it does not say."""
        if devices:
            allowed = self._vendors[ask.vendor].splitting.sets(devices, ask)
            yield from combinations(devices, ask.count) if allowed is None else allowed

    def _room(self, ask: Ask, device: Device, node: Node, used: Used) -> list[Share]:
        return [one for one in self._shares(ask, device, node) if _room(device, one, used[device.uuid])]

    def _shares(self, ask: Ask, device: Device, node: Node) -> list[Share]:
        """What the device could give if nothing were taken of it; nothing when it does not serve."""
        if (device.model.vendor, device.model.family) != (ask.vendor, ask.family) or ask.vendor not in self._vendors:
            return []
        if not device.health.ok or device.uuid in node.cordoned or not self._selected(ask, device):
            return []
        splitting = self._vendors[ask.vendor].splitting
        share = splitting.split(device.model, ask)
        return [share, *splitting.alternatives(device.model, ask)] if isinstance(share, Share) else []

    def _selected(self, ask: Ask, device: Device) -> bool:
        selection, name = ask.selection, device.model.name
        return (
            device.uuid not in selection.avoid_devices
            and (not selection.use_devices or device.uuid in selection.use_devices)
            and not any(self._means(word, name, ask.vendor) for word in selection.avoid_models)
            and (not selection.use_models or any(self._means(word, name, ask.vendor) for word in selection.use_models))
        )

    def _means(self, word: str, name: str, vendor: str) -> bool:
        whole = {one for one in self._names[vendor] if one.lower() == word.lower()}
        return name in whole if whole else word.lower() in name.lower()


def usage(node: Node, placements: Sequence[Placement]) -> Used:
    """What pods take of each device of a node, each at its greatest."""
    used: Used = {device.uuid: {} for device in node.devices}
    for placement in placements:
        if placement.node == node.name:
            for uuid, quantities in greatest(placement).items():
                for name, amount in quantities.items():
                    if uuid in used:
                        used[uuid][name] = used[uuid].get(name, 0) + amount
    return used


def greatest(placement: Placement) -> Used:
    """Containers side by side, or one init container, whichever is more, in each dimension of each device."""
    moments: list[Sequence[ContainerPlacement]] = [placement.containers, *([one] for one in placement.init_containers)]
    most: Used = {}
    for moment in moments:
        sums: Used = {}
        for share in (share for container in moment for share in container.devices):
            held = sums.setdefault(share.device, {})
            for name, amount in share.share.quantities.items():
                held[name] = held.get(name, 0) + amount
        for uuid, quantities in sums.items():
            for name, amount in quantities.items():
                most.setdefault(uuid, {})[name] = max(most.get(uuid, {}).get(name, 0), amount)
    return most


def _left(device: Device, name: str, used: Quantities) -> int:
    return max(device.model.capacity.get(name, 0) - used.get(name, 0), 0)


def _room(device: Device, share: Share, used: Quantities) -> bool:
    return all(amount <= _left(device, name, used) for name, amount in share.quantities.items())


def _plus(used: Used, shares: Mapping[str, Share]) -> Used:
    more = {uuid: dict(quantities) for uuid, quantities in used.items()}
    for uuid, share in shares.items():
        for name, amount in share.quantities.items():
            more[uuid][name] = more[uuid].get(name, 0) + amount
    return more
