"""Records of a large cluster as the planner keeps them: what is equal is held once, what it never reads is dropped."""

from __future__ import annotations

import sys

import msgspec

from hetero.errors import InvalidValue
from hetero.model.device import Device, Health, Link, Node
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from hetero.placement.catalogue import MOST, Catalogue

_WELL = Health()
_REMEMBERED = 65536  # different shares


def lean(node: Node, catalogue: Catalogue) -> Node:
    """The node with its models entered in the catalogue. Equal to what was given.

    Raises:
        InvalidValue: Two devices have the same identity, or one has a number that cannot be.
    """
    uuids: dict[str, str] = {}
    for device in node.devices:
        if device.uuid in uuids:
            raise InvalidValue(f"device of node {node.name}", device.uuid, "occurs twice; names are unique")
        if not -1 <= device.numa <= MOST:
            raise InvalidValue(
                f"device {device.uuid}", device.numa, "is no NUMA node; write -1 for none, or its number"
            )
        uuids[device.uuid] = device.uuid
    catalogue.check(device.model for device in node.devices)
    return Node(
        name=node.name,
        devices=tuple(_device(device, uuids, catalogue) for device in node.devices),
        cordoned=node.cordoned,
    )


def ordered(node: Node) -> list[Device]:
    """A node's devices as their drivers count them; by vendor as well, for two vendors' drivers both count from 0."""
    return sorted(node.devices, key=lambda device: (device.model.vendor, device.index, device.uuid))


def _device(device: Device, uuids: dict[str, str], catalogue: Catalogue) -> Device:
    return Device(
        uuid=device.uuid,
        index=device.index,
        model=catalogue.known(device.model),
        numa=device.numa,
        links=tuple(_link(link, uuids) for link in device.links),
        health=_WELL if device.health == _WELL else device.health,
        paths=tuple(map(sys.intern, device.paths)),
        bus=sys.intern(device.bus),
    )


def _link(link: Link, uuids: dict[str, str]) -> Link:
    return Link(peer=uuids.get(link.peer, link.peer), kind=link.kind, lanes=link.lanes)


class Shares:
    """Makes placements of equal shares hold them once: a cluster has many pods, and few sizes."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Share] = {}

    def lean(self, placement: Placement) -> Placement:
        """The placement, equal to what was given."""
        return msgspec.structs.replace(
            placement,
            namespace=sys.intern(placement.namespace),
            node=sys.intern(placement.node),
            containers=tuple(map(self._container, placement.containers)),
            init_containers=tuple(map(self._container, placement.init_containers)),
        )

    def _container(self, held: ContainerPlacement) -> ContainerPlacement:
        return ContainerPlacement(container=sys.intern(held.container), devices=tuple(map(self._on, held.devices)))

    def _on(self, held: DeviceShare) -> DeviceShare:
        return DeviceShare(
            vendor=sys.intern(held.vendor),
            device=sys.intern(held.device),
            share=self._share(held.share),
            family=sys.intern(held.family),
        )

    def _share(self, share: Share) -> Share:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        return self._known.setdefault((share.template, tuple(sorted(share.quantities.items()))), share)
