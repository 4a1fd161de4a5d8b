"""What the nodes have and what pods take of it, those that are assumed to be bound soon included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from hetero.testing.kubescheduler.records import Amounts, Whole, allocatable


class Totals:
    """A ledger of plain resources. Not thread-safe."""

    def __init__(self) -> None:
        self._nodes: dict[str, Whole] = {}
        self._capacity: dict[str, Amounts] = {}
        self._used: dict[str, Amounts] = {}
        self._held: dict[str, tuple[str, Amounts]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def replace_nodes(self, nodes: Iterable[Whole]) -> None:
        """These are all nodes."""
        self._nodes, self._capacity = {}, {}
        for node in nodes:
            self.put_node(node)

    def put_node(self, node: Whole) -> None:
        """A node is new or has changed; what pods hold there stays held."""
        self._nodes[node.name] = node
        self._capacity[node.name] = allocatable(node)

    def remove_node(self, name: str) -> None:
        """A node is gone."""
        self._nodes.pop(name, None)
        self._capacity.pop(name, None)

    def hold(self, uid: str, node: str, amounts: Amounts) -> None:
        """A pod takes these amounts of that node, and nothing of any other."""
        if self._held.get(uid) != (node, amounts):
            self.release(uid)
            self._held[uid] = (node, amounts)
            self._add(node, amounts, 1)

    def release(self, uid: str) -> None:
        """A pod takes nothing any more."""
        if found := self._held.pop(uid, None):
            self._add(*found, -1)

    def held(self) -> set[str]:
        """The pods that hold something."""
        return set(self._held)

    def nodes(self) -> Iterator[tuple[Whole, Amounts]]:
        """Every node with what it has left."""
        for name, node in self._nodes.items():
            used = self._used.get(name, {})
            yield node, {key: value - used.get(key, Decimal(0)) for key, value in self._capacity[name].items()}

    def _add(self, node: str, amounts: Amounts, sign: int) -> None:
        used = self._used.setdefault(node, {})
        for name, amount in amounts.items():
            used[name] = used.get(name, Decimal(0)) + sign * amount
