"""The shared planner: one for every vendor, over a whole cluster or one machine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from hetero.model.ask import PodAsk
from hetero.model.device import Inventory, Node, Quantities
from hetero.model.placement import Placement, Unplaced
from hetero.model.share import Reason, Refusal
from hetero.placement.books import Books
from hetero.placement.choice import Chooser
from hetero.placement.fit import CODE, Fit
from hetero.placement.ledger import Ledger, Rows
from hetero.placement.options import Options
from hetero.placement.preemption import victims
from hetero.placement.score import Policy, Scorer
from hetero.placement.shapes import Shapes
from hetero.placement.summary import Group, summary
from hetero.placement.verdict import Verdicts
from hetero.placement.view import View
from hetero.vendor import Vendor


class Planner:
    """Places pods, and keeps account of those that are placed. Not for several threads at once.

    Args:
        inventory: The cluster to begin with.
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
        self._device_policy = Policy(device_policy)
        scoring = tuple(scorers)
        self._ledger = Ledger(inventory)
        self._books = Books(self._ledger)
        self._fit = Fit(self._ledger, vendors)
        self._shapes = Shapes(self._ledger, self._fit, scoring, Policy(node_policy))
        self._chooser = Chooser(self._ledger, self._fit, dict(vendors), scoring)

    # The cluster in motion

    @property
    def inventory(self) -> Inventory:
        """The nodes as they are now, in the order of their names."""
        return Inventory(nodes=tuple(self._ledger.nodes[name] for name in sorted(self._ledger.nodes)))

    def put_node(self, node: Node) -> None:
        """A node that is new, or has changed. What pods hold there stays charged, by the identity of the devices.

        A device that is gone keeps its charges in the books, and has them again when it returns.

        Raises:
            InvalidValue: Two of its devices have the same identity. Nothing is changed then.
        """
        self._ledger.put(node)

    def remove_node(self, name: str) -> None:
        """A node that is gone; a node of that name later has its pods' charges again."""
        self._ledger.remove(name)

    # Accounts

    def charge(self, placement: Placement) -> None:
        """Account for a pod that is placed, whoever placed it. Again for the same key, it replaces what was charged.

        A node, device or dimension that is not known is booked, and counts when it comes.

        Raises:
            InvalidValue: An amount is none. Nothing is changed then.
        """
        self._books.charge(placement)

    def free(self, key: str | Placement) -> None:
        """Give back what was charged for a pod, by its key; a pod that is not charged changes nothing."""
        self._books.free(key.key if isinstance(key, Placement) else key)

    def charged(self, key: str) -> Placement | None:
        """What is charged for a pod."""
        return self._books.get(key)

    def free_quantities(self) -> dict[str, dict[str, Quantities]]:
        """What is left: node name to device identity to amounts, ≥ 0."""
        ledger = self._ledger
        free: dict[str, dict[str, Quantities]] = {}
        for name in sorted(ledger.index):
            rows = ledger.rows(ledger.index[name])
            devices = zip(ledger.devices[rows], range(rows.start, rows.stop), strict=True)
            free[name] = {device.uuid: ledger.left(row) for device, row in devices if device is not None}
        return free

    # Decisions

    def options(self, pod: PodAsk) -> Options:
        """The answer for every node; charges nothing. What the pod itself holds counts as free.

        A pod that asks like an earlier one costs O(devices of the nodes that changed since), a new kind O(devices).

        Raises:
            InvalidValue: The pod names a policy that there is none of.
        """
        Policy(pod.device_policy or self._device_policy)
        verdicts = self._shapes.verdicts(pod)
        held = self._books.get(pod.key)
        node = self._ledger.index.get(held.node) if held is not None else None
        if node is not None:
            nodes = np.array([node])
            with self._books.without(pod.key):
                verdicts = verdicts.replaced(nodes, self._shapes.verdicts_on(pod, nodes))
        return Options(
            self._ledger,
            verdicts,
            explain=lambda number: self._explain(pod, number),
            aggregate=lambda nodes, total: self._summary(pod, nodes, total, verdicts),
        )

    def place_on(self, pod: PodAsk, node: str) -> Placement | Refusal:
        """The pod on this node, or why it does not go there; charges nothing. What the pod holds counts as free.

        Raises:
            InvalidValue: The pod names a policy that there is none of.
        """
        policy = Policy(pod.device_policy or self._device_policy)
        number = self._ledger.index.get(node)
        if number is None:
            return Refusal(reason=Reason.NO_DEVICES, message=f"node {node} is not known to the scheduler")
        with self._books.without(pod.key):
            return self._chooser.place(pod, number, policy)

    def place(self, pod: PodAsk) -> Placement | Unplaced:
        """Find the best place for a pod and charge it; or say for every node why it does not serve.

        A pod of the same key that is charged already may move: what it holds counts as free. If it is unplaced, it
        keeps what it held.

        Raises:
            InvalidValue: The pod names a policy that there is none of. Nothing is changed then.
        """
        options = self.options(pod)
        best = options.best()
        placement = self.place_on(pod, best) if best is not None else None
        if isinstance(placement, Placement):
            self.charge(placement)
            return placement
        return Unplaced(namespace=pod.namespace, pod=pod.name, refusals=self.refusals(pod))

    def refusals(self, pod: PodAsk) -> dict[str, Refusal]:
        """Node name to the reason why the node does not serve, those that do left out. Charges nothing.

        In detail for each node, which costs some time; :meth:`Options.split` says it in short.
        """
        options = self.options(pod)
        answers = {name: options.refusal(name) for name in sorted(self._ledger.index)}
        return {name: answer for name, answer in answers.items() if answer is not None}

    def victims(
        self, pod: PodAsk, node: str, removable: Sequence[str], given: Collection[str] = ()
    ) -> list[str] | None:
        """Which pods to remove so that a pod fits on a node.

        Args:
            pod: The pod that needs room.
            node: The node.
            removable: Keys of pods that may go, most important first: they are spared in that order.
            given: Keys of pods that go in any case.

        Returns:
            The keys of all that are given and of as few more as are needed; None when the pod does not fit even with
            all of them gone.

        Raises:
            InvalidValue: The pod names a policy that there is none of.
        """
        number = self._ledger.index.get(node)
        if number is None:
            return None
        nodes = np.array([number])

        def fits(gone: Iterable[str]) -> bool:
            with self._books.without(pod.key, *gone):
                return bool(self._shapes.verdicts_on(pod, nodes).fits[0])

        on_node = [key for key in removable if (held := self._books.get(key)) is not None and held.node == node]
        return victims(fits, on_node, given)

    # Words

    def _explain(self, pod: PodAsk, number: int) -> Refusal | None:
        """Why the pod does not go on a node for which the verdict says so."""
        answer = self.place_on(pod, self._ledger.names[number])
        return answer if isinstance(answer, Refusal) else None

    def _summary(self, pod: PodAsk, nodes: Rows, total: int, verdicts: Verdicts) -> str:
        failing = nodes[~verdicts.fits[nodes]]
        unknown = Group(total - nodes.size, "not known to the scheduler", CODE[Reason.NO_DEVICES])
        with self._books.without(pod.key):
            return summary(pod, self._fit, View.of(self._ledger, failing), total, [unknown])
