"""The shared planner: one for every vendor, over a whole cluster or one machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.device import Inventory, Quantities
from hetero.model.placement import Placement, Unplaced
from hetero.model.share import Refusal
from hetero.placement.charges import Charges, charges
from hetero.placement.choice import Chooser
from hetero.placement.fit import Fit, Mask, Need
from hetero.placement.ledger import Ledger, Rows
from hetero.placement.score import Policy, Scorer, Scores, fullness, opinion, preferred
from hetero.vendor import Vendor

Containers = tuple[ContainerAsk, ...]


class Planner:
    """Places pods, and keeps account of those that are placed. Not for several threads at once.

    Args:
        inventory: The cluster; the planner keeps its own copy of what matters.
        vendors: By name; asks for others are refused with the reason.
        node_policy: Where a pod does not say: over nodes.
        device_policy: The same over the devices of a node.
        scorers: The plugins' say.

    Raises:
        InvalidValue: Two nodes, or two devices of one node, have the same name, or there is no such policy.
    """

    def __init__(
        self,
        inventory: Inventory,
        vendors: Mapping[str, Vendor],
        *,
        node_policy: str = Policy.BINPACK,
        device_policy: str = Policy.SPREAD,
        scorers: Iterable[Scorer] = (),
    ) -> None:
        self.inventory = inventory
        self._node_policy = Policy(node_policy)
        self._device_policy = Policy(device_policy)
        self._scorers: Sequence[Scorer] = tuple(scorers)
        self._ledger = Ledger(inventory)
        self._fit = Fit(self._ledger, vendors)
        self._chooser = Chooser(self._ledger, self._fit, dict(vendors), self._scorers)
        self._refused: dict[tuple[Policy, Containers, Containers], dict[str, Refusal]] = {}
        self._refused_at = 0
        self._charged: dict[tuple[str, str], tuple[str, Charges]] = {}

    def place(self, pod: PodAsk) -> Placement | Unplaced:
        """Find the best place for a pod and charge it; or say for every node why it does not serve.

        A pod of the same namespace and name that is charged already may move: what it holds counts as free. If it
        is unplaced, it keeps what it held.

        Raises:
            InvalidValue: The pod names a policy that there is none of. Nothing is changed then.
        """
        with self._without((pod.namespace, pod.name)):
            decision = self._decide(pod)
        if isinstance(decision, Placement):
            self.charge(decision)
        return decision

    def refusals(self, pod: PodAsk) -> dict[str, Refusal]:
        """Node name to the reason why the node does not serve, those that do left out. Charges nothing."""
        policy = Policy(pod.device_policy or self._device_policy)
        if self._refused_at != self._ledger.changes:
            self._refused.clear()
            self._refused_at = self._ledger.changes
        # The replicas of a workload ask alike: they are told the same until something changes.
        key = (policy, pod.containers, pod.init_containers)
        if key not in self._refused:
            self._refused[key] = self._refusals(pod, policy)
        return dict(self._refused[key])

    def _refusals(self, pod: PodAsk, policy: Policy) -> dict[str, Refusal]:
        answers = {node.name: self._chooser.place(pod, index, policy) for index, node in enumerate(self._ledger.nodes)}
        return {name: answer for name, answer in answers.items() if isinstance(answer, Refusal)}

    def charge(self, placement: Placement) -> None:
        """Account for a pod that is placed, whoever placed it. Again for the same pod, it replaces what was charged.

        Raises:
            InvalidValue: The node or a device is not in the inventory, or an amount is none. Nothing is changed then.
        """
        key = (placement.namespace, placement.pod)
        taken = charges(placement)
        self._ledger.add(placement.node, taken)
        self._give_back(key)
        self._charged[key] = (placement.node, taken)

    def free(self, placement: Placement) -> None:
        """Give back what was charged for a pod; a pod that is not charged changes nothing."""
        self._give_back((placement.namespace, placement.pod))

    def free_quantities(self) -> dict[str, dict[str, Quantities]]:
        """What is left: node name to device identity to amounts, ≥ 0."""
        return {
            node.name: {
                self._ledger.devices[row].uuid: self._ledger.left(row)
                for row in range(self._ledger.rows(index).start, self._ledger.rows(index).stop)
            }
            for index, node in enumerate(self._ledger.nodes)
        }

    def _give_back(self, key: tuple[str, str]) -> None:
        held = self._charged.pop(key, None)
        if held is not None:
            self._ledger.add(*held, sign=-1)

    @contextmanager
    def _without(self, key: tuple[str, str]) -> Iterator[None]:
        """What a pod holds already does not stand in its own way."""
        held = self._charged.get(key)
        if held is None:
            yield
            return
        self._ledger.add(*held, sign=-1)
        try:
            yield
        finally:
            self._ledger.add(*held)

    def _decide(self, pod: PodAsk) -> Placement | Unplaced:
        policy = Policy(pod.device_policy or self._device_policy)
        for node in self._best_first(pod):
            placement = self._chooser.place(pod, node, policy)
            if isinstance(placement, Placement):
                return placement
        return Unplaced(namespace=pod.namespace, pod=pod.name, refusals=self.refusals(pod))

    def _best_first(self, pod: PodAsk) -> Iterable[int]:
        """The nodes on which each ask alone finds devices, best first, ties by name."""
        policy = Policy(pod.node_policy or self._node_policy)
        possible = np.ones(len(self._ledger.nodes), dtype=bool)
        opinions = np.zeros(len(self._ledger.nodes))
        taken = np.zeros_like(self._ledger.node_used)
        for asks in _in_turn(pod):
            together = np.zeros_like(taken)
            for need in map(self._fit.need, asks):
                rows = need.rows[self._room(need)]
                nodes, firsts, counts = np.unique(self._ledger.node_of[rows], return_index=True, return_counts=True)
                possible &= _among(nodes[counts >= need.ask.count], possible.size)
                # Devices of one node are mostly of one model, so the first that has room stands for the others.
                together[nodes] += need.amounts[self._ledger.model_of[rows[firsts]]] * need.ask.count
                opinions += self._opinions(need, rows)
            np.maximum(taken, together, out=taken)
        after = fullness(self._ledger.node_used + taken, self._ledger.node_capacity)
        order = np.argsort(-(preferred(policy, after) + opinions), kind="stable")  # nodes are sorted by name
        return (int(node) for node in order if possible[node])

    def _room(self, need: Need) -> Mask:
        return self._fit.room(need, need.rows, self._ledger.used[need.rows])

    def _opinions(self, need: Need, rows: Rows) -> Scores:
        """What the plugins say of each node: the best of its devices."""
        total = np.zeros(len(self._ledger.nodes))
        if not self._scorers:
            return total
        best: dict[int, float] = {}
        for row in map(int, rows):
            node = int(self._ledger.node_of[row])
            device = self._ledger.devices[row]
            taken = need.share(int(self._ledger.model_of[row])).quantities
            left = {name: amount - taken.get(name, 0) for name, amount in self._ledger.left(row).items()}
            value = opinion(self._scorers, self._ledger.nodes[node].name, device, left)
            best[node] = max(best.get(node, value), value)
        total[list(best)] = list(best.values())
        return total


def _in_turn(pod: PodAsk) -> Iterable[Sequence[Ask]]:
    """The asks that are served at the same time: those of all containers, then those of each init container."""
    yield [ask for container in pod.containers for ask in container.asks]
    for container in pod.init_containers:
        yield container.asks


def _among(chosen: Rows, size: int) -> Mask:
    mask = np.zeros(size, dtype=bool)
    mask[chosen] = True
    return mask
