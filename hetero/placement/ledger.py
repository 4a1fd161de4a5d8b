"""What every device of the cluster has and what is taken of it, in columns.

One row per device, rows of a node side by side, nodes in the order of their names; one column per dimension that any
device model has. A dimension that a device lacks has capacity 0, so nothing can be charged to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from hetero.errors import InvalidValue
from hetero.model.device import Device, DeviceModel, Inventory, Node, Quantities
from hetero.placement.charges import Charges

Amounts = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]

_MOST = 2**31 - 1  # of anything on one device, so that sums over a cluster stay far within 64 bits


class Ledger:
    """The columns of an inventory.

    Attributes:
        nodes: In the order of their names.
        devices: In the order of rows.
        models: The device models that occur, each once.
        dimensions: Names of the columns.
        columns: Name to position of the column.
        model_of: Row to index of its model.
        node_of: Row to index of its node.
        healthy: Row to whether the device may be given away.
        capacity: What each device has.
        used: What is taken of it; more than it has when a device shrank under its programs.
        changes: How often something was charged or given back: what was found out before the last may be wrong.
        node_capacity: The sum over each node's devices.
        node_used: The sum of what is taken.

    Args:
        inventory: The cluster.

    Raises:
        InvalidValue: Two nodes, or two devices of one node, have the same name.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.nodes = tuple(sorted(inventory.nodes, key=lambda node: node.name))
        _refuse_twins("node", (node.name for node in self.nodes))
        self.devices = tuple(device for node in self.nodes for device in _ordered(node))
        self.models = _distinct(device.model for device in self.devices)
        self.dimensions = tuple(dict.fromkeys(name for model in self.models for name in model.capacity))
        self.columns = {name: index for index, name in enumerate(self.dimensions)}
        numbers = {_identity(model): index for index, model in enumerate(self.models)}
        self.model_of = np.array([numbers[_identity(device.model)] for device in self.devices], dtype=np.intp)
        self.healthy = np.array([device.health.ok for device in self.devices], dtype=bool)
        sizes = [len(node.devices) for node in self.nodes]
        self.node_of = np.repeat(np.arange(len(self.nodes), dtype=np.intp), sizes)
        self._starts = np.concatenate(([0], np.cumsum(sizes, dtype=np.intp)))
        self.capacity = self.vectors(model.capacity for model in self.models)[self.model_of]
        self.used = np.zeros_like(self.capacity)
        self.changes = 0
        self.node_capacity = np.zeros((len(self.nodes), len(self.dimensions)), dtype=np.int64)
        np.add.at(self.node_capacity, self.node_of, self.capacity)
        self.node_used = np.zeros_like(self.node_capacity)
        self._node_index = {node.name: index for index, node in enumerate(self.nodes)}
        self._row = {(int(n), d.uuid): row for row, (n, d) in enumerate(zip(self.node_of, self.devices, strict=True))}
        self._rows_of_family = self._by_family()

    def rows(self, node: int) -> slice:
        """The rows of a node."""
        return slice(int(self._starts[node]), int(self._starts[node + 1]))

    def rows_of_family(self, vendor: str, family: str) -> Rows:
        """The rows whose model serves asks for this vendor and family, in order."""
        return self._rows_of_family.get((vendor, family), np.empty(0, dtype=np.intp))

    def vectors(self, quantities: Iterable[Mapping[str, int]]) -> Amounts:
        """Amounts by name as rows of this ledger's columns; every name must be a dimension."""
        records = list(quantities)
        table = np.zeros((len(records), len(self.dimensions)), dtype=np.int64)
        for line, record in enumerate(records):
            for name, amount in record.items():
                table[line, self.columns[name]] = amount
        return table

    def add(self, node: str, charges: Charges, sign: int = 1) -> None:
        """Charge amounts to a node's devices, or give them back with ``sign`` -1.

        Raises:
            InvalidValue: There is no such node, device or dimension, or an amount is none. Nothing was charged then.
        """
        index = self._index(node)
        rows = [self._device_row(node, index, uuid) for uuid in charges]
        for uuid, quantities in charges.items():
            self._refuse_wrong(uuid, quantities)
        amounts = sign * self.vectors(charges.values())
        self.changes += 1
        self.used[rows] += amounts  # device identities are unique, so no row occurs twice
        self.node_used[index] += amounts.sum(axis=0)

    def left(self, row: int) -> Quantities:
        """What is free of a device; never negative."""
        free = np.maximum(self.capacity[row] - self.used[row], 0)
        return {name: int(free[self.columns[name]]) for name in self.devices[row].model.capacity}

    def _by_family(self) -> dict[tuple[str, str], Rows]:
        families: dict[tuple[str, str], list[int]] = {}
        for row, device in enumerate(self.devices):
            families.setdefault((device.model.vendor, device.model.family), []).append(row)
        return {family: np.array(rows, dtype=np.intp) for family, rows in families.items()}

    def _index(self, node: str) -> int:
        if node not in self._node_index:
            raise InvalidValue("node", node, "is not in the inventory")
        return self._node_index[node]

    def _device_row(self, node: str, index: int, uuid: str) -> int:
        if (index, uuid) not in self._row:
            raise InvalidValue("device", uuid, f"is not on node {node}")
        return self._row[index, uuid]

    def _refuse_wrong(self, uuid: str, quantities: Quantities) -> None:
        for name, amount in quantities.items():
            if name not in self.columns:
                raise InvalidValue(f"device {uuid}", name, "is nothing that a device of this inventory has")
            # Placements come from annotations, which people can edit: less than nothing would give away what is taken.
            if not 0 <= amount <= _MOST:
                raise InvalidValue(f"device {uuid}", amount, f"is no amount of {name}; it is from 0 to {_MOST}")


def _ordered(node: Node) -> list[Device]:
    _refuse_twins(f"device of node {node.name}", (device.uuid for device in node.devices))
    # By vendor as well: two vendors' drivers both count from 0.
    return sorted(node.devices, key=lambda device: (device.model.vendor, device.index, device.uuid))


def _identity(model: DeviceModel) -> tuple[object, ...]:
    return (model.vendor, model.name, model.family, model.mode, tuple(sorted(model.capacity.items())))


def _distinct(models: Iterable[DeviceModel]) -> tuple[DeviceModel, ...]:
    return tuple({_identity(model): model for model in models}.values())


def _refuse_twins(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidValue(kind, name, "occurs twice; names are unique")
        seen.add(name)
