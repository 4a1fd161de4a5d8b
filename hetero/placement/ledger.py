"""What every device of the cluster has and what is taken of it, in columns.

One column per device, the devices of a node side by side; one line per dimension that any device model has, so that a
dimension is compared over all devices at once. A dimension that a device lacks has capacity 0. Nodes come, change and
go at a cost of O(their own devices); models and dimensions are only ever added.

What is taken is booked by the *identity* of the device. A charge of a node, device or dimension that is not there is
kept aside and counts from the moment that it comes, and a device that goes leaves its charges there: an account never
depends on the order in which a cluster tells of its parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from hetero.errors import InvalidValue
from hetero.model.device import Device, Inventory, Node, Quantities
from hetero.placement.catalogue import MOST, Catalogue
from hetero.placement.charges import Charges
from hetero.placement.columns import Amounts, Blocks, Rows, grown
from hetero.placement.lean import lean, ordered
from hetero.placement.strays import Strays

__all__ = ["Amounts", "Ledger", "Rows"]

USABLE, UNHEALTHY, CORDONED = range(3)
"""A device's state, as :attr:`Ledger.state` has it: an unhealthy device that is cordoned is called unhealthy."""


class Ledger:
    """The columns of a cluster.

    Attributes:
        catalogue: The models and dimensions that occur or have occurred.
        nodes: Name to what the node is.
        index: Name to number. Numbers are small, and used again when their node is gone.
        names: Number to name; empty when no node has it.
        starts: Number to the node's first row.
        sizes: Number to how many rows it has.
        devices: Row to device; None for rows that nobody has.
        model_of: Row to number of its model.
        state: Row to :data:`USABLE`, :data:`UNHEALTHY` or :data:`CORDONED`.
        numa: Row to NUMA node.
        identity: Row to a number that stands for the device's identity.
        capacity: What each device has, line by line of dimensions.
        used: What is taken of it; more than it has when a device shrank under its programs.
        node_capacity: The sum over each node's devices.
        node_used: The sum of what is taken.
        named: Grows whenever a name means another number, or none.
        version: Grows with every change.
        changed: Number of a node to the version at which anything of it changed last.
        reshaped: The same for its devices, whatever is taken of them.
        reshaped_last: The greatest of those.
        strays: What is charged to nodes, devices and dimensions that are not there.

    Args:
        inventory: The cluster to begin with.

    Raises:
        InvalidValue: Two nodes, or two devices of one node, have the same name.
    """

    def __init__(self, inventory: Inventory | None = None) -> None:
        self.catalogue = Catalogue()
        self.nodes: dict[str, Node] = {}
        self.index: dict[str, int] = {}
        self.names: list[str] = []
        self.devices: list[Device | None] = []
        self.version = self.reshaped_last = self.named = 0
        self._quiet = False
        self.strays = Strays()
        self._blocks = Blocks()
        self._vacant: list[int] = []
        self._places: list[dict[str, int]] = []
        self._ranks: Rows | None = None
        self.starts, self.sizes = (np.zeros(0, dtype=np.intp) for _ in range(2))
        self.changed, self.reshaped = (np.zeros(0, dtype=np.int64) for _ in range(2))
        self.model_of = np.zeros(0, dtype=np.intp)
        self.state = np.zeros(0, dtype=np.int8)
        self.numa = np.zeros(0, dtype=np.intp)
        self.identity = np.zeros(0, dtype=np.int64)
        self.capacity, self.used, self.node_capacity, self.node_used = (
            np.zeros((0, 0), dtype=np.int64) for _ in range(4)
        )
        for node in sorted(inventory.nodes if inventory else (), key=lambda one: one.name):
            if node.name in self.index:
                raise InvalidValue("node", node.name, "occurs twice; names are unique")
            self.put(node)

    # Nodes

    def put(self, node: Node) -> bool:
        """A node that is new, or has changed. What is charged to it stays. O(its devices); False when nothing changed.

        Raises:
            InvalidValue: Two of its devices have the same identity, or a number cannot be. Nothing is changed then.
        """
        if self.nodes.get(node.name) == node:
            return False
        new = lean(node, self.catalogue)
        devices = ordered(new)
        number = self.index.get(node.name)
        if number is None:
            number = self._enter(node.name)
        else:
            self._clear(number)
        self.nodes[node.name] = new
        self._settle(number, devices)
        self._fill(number, devices, frozenset(new.cordoned))
        self._tidy()
        return True

    def remove(self, name: str) -> bool:
        """A node that is gone. What is charged to it stays in the books. O(its devices); False when there is none."""
        number = self.index.get(name)
        if number is None:
            return False
        self._clear(number)
        self._settle(number, [])
        self._touch(number, shape=True)
        del self.nodes[name], self.index[name]
        self.names[number] = ""
        self._vacant.append(number)
        self.named += 1
        self._ranks = None
        self._tidy()
        return True

    def rows(self, number: int) -> slice:
        """The rows of a node."""
        start = int(self.starts[number])
        return slice(start, start + int(self.sizes[number]))

    def row(self, node: str, uuid: str) -> int | None:
        """The row of a device; None when there is none such."""
        number = self.index.get(node)
        place = None if number is None else self._places[number].get(uuid)
        return None if number is None or place is None else int(self.starts[number]) + place

    @property
    def extent(self) -> int:
        """Every row in use is below this."""
        return self._blocks.extent

    @property
    def ranks(self) -> Rows:
        """Number of a node to its place in the order of names; the last places for numbers that nobody has."""
        if self._ranks is None:
            order = sorted(range(len(self.names)), key=lambda number: (not self.names[number], self.names[number]))
            ranks = np.empty(len(order), dtype=np.intp)
            ranks[order] = np.arange(len(order))
            self._ranks = ranks
        return self._ranks

    # Accounts

    def add(self, node: str, charges: Charges, sign: int = 1) -> None:
        """Charge amounts to a node's devices, or give them back with ``sign`` -1.

        Raises:
            InvalidValue: An amount is none. Nothing was charged then.
        """
        refuse_wrong(charges)
        number = self.index.get(node)
        for uuid, quantities in charges.items():
            row = self.row(node, uuid)
            for name, amount in quantities.items():
                self._add(node, uuid, (name, sign * amount), row)
        if number is not None:
            self._touch(number)

    @contextmanager
    def tried(self) -> Iterator[None]:
        """What is added meanwhile is taken back before the end, and nobody hears of it: no stamp changes."""
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before

    def overcommitted(self, node: str | None = None) -> dict[str, list[str]]:
        """Node to the identities of devices of which more is taken than they have; of one node, or of all."""
        names = list(self.index) if node is None else [node] if node in self.index else []
        rows = slice(0, self.extent) if len(names) != 1 else self.rows(self.index[names[0]])
        over = np.logical_or.reduce(self.used[:, rows] > self.capacity[:, rows], axis=0)
        if not over.any():
            return {}
        wrong = {row + rows.start: self.devices[row + rows.start] for row in np.flatnonzero(over).tolist()}
        found = {name: self._named(name, wrong) for name in names}
        return {name: uuids for name, uuids in found.items() if uuids}

    def taken(self, node: str) -> dict[str, Quantities]:
        """What is charged to the devices of a node, those that are not there included; nothing of what is not."""
        found = self.strays.of(node)
        number = self.index.get(node)
        for uuid, place in self._places[number].items() if number is not None else ():
            amounts = self.used[:, int(self.starts[number]) + place].tolist()
            charged = {name: amount for name, amount in zip(self.catalogue.dimensions, amounts, strict=True) if amount}
            if charged:
                found[uuid] = {**found.get(uuid, {}), **charged}
        return found

    def _named(self, node: str, some: Mapping[int, Device | None]) -> list[str]:
        rows = range(*self.rows(self.index[node]).indices(self.extent))
        return [device.uuid for row in rows if (device := some.get(row)) is not None]

    def left(self, row: int) -> Quantities:
        """What is free of a device; never negative."""
        device = self.devices[row]
        columns = self.catalogue.columns
        names = device.model.capacity if device else ()
        return {name: max(int(self.capacity[columns[name], row] - self.used[columns[name], row]), 0) for name in names}

    def _add(self, node: str, uuid: str, charge: tuple[str, int], row: int | None) -> None:
        name, amount = charge
        line = self.catalogue.columns.get(name)
        if row is None or line is None:
            self.strays.add(node, uuid, name, amount)
        else:
            self.used[line, row] += amount
            self.node_used[line, self.index[node]] += amount

    # Rows

    def _enter(self, name: str) -> int:
        number = self._vacant.pop() if self._vacant else len(self.names)
        if number == len(self.names):
            self.names.append(name)
            self._places.append({})
            self._grow_nodes(number + 1)
        self.names[number] = name
        self.index[name] = number
        self.named += 1
        self._ranks = None
        return number

    def _grow_nodes(self, size: int) -> None:
        for field in ("starts", "sizes", "changed", "reshaped", "node_capacity", "node_used"):
            setattr(self, field, grown(getattr(self, field), size))

    def _clear(self, number: int) -> None:
        """What is charged to the node's devices goes to the strays."""
        name, rows = self.names[number], self.rows(number)
        for uuid, place in self._places[number].items():
            row = rows.start + place
            for line in np.flatnonzero(self.used[:, row]):
                self.strays.add(name, uuid, self.catalogue.dimensions[line], int(self.used[line, row]))
        self.used[:, rows] = 0
        self.capacity[:, rows] = 0
        self.node_used[:, number] = 0
        self.devices[rows] = [None] * (rows.stop - rows.start)
        self._places[number] = {}

    def _settle(self, number: int, devices: list[Device]) -> None:
        """Give the node rows for its devices, and the columns lines for what is new in them."""
        size = len(devices)
        if size != self.sizes[number]:
            self._blocks.give(int(self.starts[number]), int(self.sizes[number]))
            self.starts[number] = self._blocks.take(size) if size else 0
            self.sizes[number] = size
            for field in ("model_of", "state", "numa", "identity", "capacity", "used"):
                setattr(self, field, grown(getattr(self, field), self.extent))
            self.devices += [None] * (self.extent - len(self.devices))
        new = self.catalogue.dimensions[len(self.used) :]
        if new:
            for field in ("capacity", "used", "node_capacity", "node_used"):
                array = getattr(self, field)
                setattr(self, field, np.vstack([array, np.zeros((len(new), array.shape[1]), dtype=np.int64)]))
            self._take_in(new)

    def _take_in(self, dimensions: Iterable[str]) -> None:
        """Charges of dimensions that nobody knew before count now. O(all strays), once for each new dimension."""
        for node, uuid, name, amount in self.strays.pop_dimensions(frozenset(dimensions)):
            row = self.row(node, uuid)
            self._add(node, uuid, (name, amount), row)
            if row is not None:
                self._touch(self.index[node])

    def _fill(self, number: int, devices: list[Device], cordoned: frozenset[str]) -> None:
        rows = self.rows(number)
        self.devices[rows] = devices
        models = [self.catalogue.number(device.model) for device in devices]
        self.model_of[rows] = models
        self.state[rows] = [_state(device, cordoned) for device in devices]
        self.numa[rows] = [device.numa for device in devices]
        self.identity[rows] = [hash(device.uuid) for device in devices]
        self.capacity[:, rows] = self.catalogue.capacity[:, models] if models else 0
        self.node_capacity[:, number] = self.capacity[:, rows].sum(axis=1)
        self._places[number] = {device.uuid: place for place, device in enumerate(devices)}
        name = self.names[number]
        for uuid, quantities in self.strays.pop_devices(name, self._places[number]):
            row = self.row(name, uuid)
            for dimension, amount in quantities.items():
                self._add(name, uuid, (dimension, amount), row)
        self._touch(number, shape=True)

    def _touch(self, number: int, *, shape: bool = False) -> None:
        if self._quiet:
            return
        self.version += 1
        self.changed[number] = self.version
        if shape:
            self.reshaped[number] = self.reshaped_last = self.version

    def _tidy(self) -> None:
        """Move the rows together when most lie idle, so that a cluster that shrank does not cost what it once did."""
        if not self._blocks.sparse:
            return
        numbers = [self.index[name] for name in sorted(self.index)]
        rows = np.array([row for one in numbers for row in range(*self.rows(one).indices(self.extent))], dtype=np.intp)
        for field in ("model_of", "state", "numa", "identity", "capacity", "used"):
            setattr(self, field, np.ascontiguousarray(getattr(self, field)[..., rows]))
        self.devices = [self.devices[row] for row in rows]
        self._blocks = Blocks()
        for number in numbers:
            self.starts[number] = self._blocks.take(int(self.sizes[number]))


def refuse_wrong(charges: Charges) -> None:
    """Hold charges to be amounts.

    Placements come from annotations, which people can edit: less than nothing would give away what is taken.

    Raises:
        InvalidValue: An amount is negative, or more than any device has.
    """
    for uuid, quantities in charges.items():
        for name, amount in quantities.items():
            if not 0 <= amount <= MOST:
                raise InvalidValue(f"device {uuid}", amount, f"is no amount of {name}; it is from 0 to {MOST}")


def _state(device: Device, cordoned: frozenset[str]) -> int:
    if not device.health.ok:
        return UNHEALTHY
    return CORDONED if device.uuid in cordoned else USABLE
