"""Charges that have no device to stand on: of nodes, devices or dimensions that are not there (yet, or any more)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from hetero.model.device import Quantities


class Strays:
    """By node, device and dimension, so that whoever comes finds its own."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Quantities]] = {}

    def add(self, node: str, uuid: str, name: str, amount: int) -> None:
        """Charge, or give back with less than 0. What comes to nothing leaves no trace."""
        devices = self._held.setdefault(node, {})
        held = devices.setdefault(uuid, {})
        held[name] = held.get(name, 0) + amount
        if not held[name]:
            del held[name]
        self._prune(node, uuid)

    def pop_devices(self, node: str, uuids: Collection[str]) -> Iterator[tuple[str, Quantities]]:
        """What these devices of a node are charged, which counts no longer here. O(devices of the node)."""
        for uuid in [one for one in self._held.get(node, ()) if one in uuids]:
            quantities = self._held[node].pop(uuid)
            self._prune(node, uuid)
            yield uuid, quantities

    def pop_dimensions(self, names: Collection[str]) -> Iterator[tuple[str, str, str, int]]:
        """What is charged in these dimensions: node, device, dimension, amount; it counts no longer here. O(strays)."""
        found = [
            (node, uuid, name, amount)
            for node, devices in self._held.items()
            for uuid, held in devices.items()
            for name, amount in held.items()
            if name in names
        ]
        for node, uuid, name, amount in found:
            self.add(node, uuid, name, -amount)
        yield from found

    def of(self, node: str) -> dict[str, Quantities]:
        """What is charged to devices of a node that are not there."""
        return {uuid: dict(held) for uuid, held in self._held.get(node, {}).items()}

    def nodes(self) -> list[str]:
        """The nodes with charges."""
        return list(self._held)

    def __len__(self) -> int:
        """Devices with charges."""
        return sum(map(len, self._held.values()))

    def _prune(self, node: str, uuid: str) -> None:
        devices = self._held.get(node, {})
        if uuid in devices and not devices[uuid]:
            del devices[uuid]
        if node in self._held and not devices:
            del self._held[node]
