"""The shared planner: one for every vendor, over a whole cluster or one machine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from hetero.model.ask import PodAsk, Traits
from hetero.model.device import Device, Inventory, Node, Quantities
from hetero.model.placement import Placement, Unplaced
from hetero.model.policy import DevicePolicy, Policy
from hetero.model.share import Reason, Refusal
from hetero.placement.allowance import Allowance
from hetero.placement.books import Books
from hetero.placement.choice import Chooser
from hetero.placement.fit import CODE, Fit
from hetero.placement.ledger import Ledger, Rows
from hetero.placement.names import Numbers
from hetero.placement.options import Options
from hetero.placement.preemption import victims
from hetero.placement.quota import Accounts, Quota, Use, least
from hetero.placement.score import Scorer
from hetero.placement.shapes import Shapes
from hetero.placement.standing import Standing, standing
from hetero.placement.summary import Group, groups, summary
from hetero.placement.verdict import Verdicts
from hetero.placement.view import View
from hetero.vendor import Vendor

_PLAIN = Traits()


class Planner:
    """Places pods, and keeps account of those that are placed. Not for several threads at once.

    Args:
        inventory: The cluster to begin with.
        vendors: By name; asks for others are refused with the reason.
        node_policy: Where a pod does not say: over nodes.
        device_policy: The same over the devices of a node: policies separated by commas
            (:class:`~hetero.model.policy.DevicePolicy`).
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
        scoring, devices = tuple(scorers), DevicePolicy.parse(device_policy)
        self._ledger = Ledger(inventory)
        self._numbers = Numbers(self._ledger)
        self._accounts = Accounts()
        self._books = Books(self._ledger, self._accounts)
        self._fit = Fit(self._ledger, vendors)
        self._shapes = Shapes(self._ledger, self._fit, scoring, Policy(node_policy), devices)
        self._chooser = Chooser(self._ledger, self._fit, dict(vendors), scoring)

    # The cluster in motion

    @property
    def inventory(self) -> Inventory:
        """The nodes as they are now, in the order of their names."""
        return Inventory(nodes=tuple(self._ledger.nodes[name] for name in sorted(self._ledger.nodes)))

    def names(self) -> list[str]:
        """The nodes, in any order."""
        return list(self._ledger.index)

    def device(self, node: str, uuid: str) -> Device | None:
        """A device as its node's inventory describes it; None when there is none such. O(1)."""
        row = self._ledger.row(node, uuid)
        return None if row is None else self._ledger.devices[row]

    def put_node(self, node: Node) -> None:
        """A node that is new, or has changed. What pods hold there stays charged, by the identity of the devices.

        A device that is gone keeps its charges in the books, and has them again when it returns.

        Raises:
            InvalidValue: Two of its devices have the same identity, or a number cannot be. Nothing is changed then.
        """
        self._ledger.put(node)

    def remove_node(self, name: str) -> None:
        """A node that is gone; a node of that name later has its pods' charges again."""
        self._ledger.remove(name)

    def put_quotas(self, namespace: str, quotas: Sequence[Quota]) -> None:
        """All quotas of a namespace from now on; none when empty. Pods that have more already keep it."""
        self._accounts.put(namespace, quotas)

    # Accounts

    def charge(self, placement: Placement, traits: Traits = _PLAIN) -> None:
        """Account for a pod that is placed, whoever placed it. Again for the same key, it replaces what was charged.

        A node, device or dimension that is not known is booked, and counts when it comes.

        Args:
            placement: What the pod has.
            traits: What the scopes of quotas look at.

        Raises:
            InvalidValue: An amount is none. Nothing is changed then.
        """
        self._books.charge(placement, traits)

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

    def standing(self, before: Standing | None = None) -> Standing:
        """A copy of all devices and what is taken of them; of an earlier one what has not changed is used again."""
        return standing(self._ledger, before)

    def quotas_in_use(self) -> list[Use]:
        """Each limit of each quota with what is taken of it, by namespace. O(quotas and kinds of pods)."""
        return list(self._accounts.uses())

    def placements(self) -> dict[str, Placement]:
        """What is charged, by key; a copy."""
        return self._books.all()

    def taken(self, node: str) -> dict[str, Quantities]:
        """What the columns have charged to the devices of a node, those that are not there included."""
        return self._ledger.taken(node)

    def everywhere(self) -> list[str]:
        """The names of all nodes that there are or that something is charged to."""
        return sorted({*self._ledger.index, *self._ledger.strays.nodes()})

    # Decisions

    def options(self, pod: PodAsk) -> Options:
        """The answer for every node; charges nothing. What the pod itself holds counts as free.

        A pod that asks like an earlier one costs O(devices of the nodes that changed since), a new kind O(devices).

        Raises:
            InvalidValue: The pod names a policy that there is none of.
        """
        verdicts = self._shapes.verdicts(pod)
        held = self._books.get(pod.key)
        if held is not None:
            with self._books.without(pod.key):
                verdicts = self._allowed(pod, self._again(pod, verdicts, held.node))
        else:
            verdicts = self._allowed(pod, verdicts)
        return Options(
            self._ledger,
            self._numbers,
            verdicts,
            explain=lambda number: self._explain(pod, number),
            aggregate=lambda nodes, total: self._summary(pod, nodes, total, verdicts),
        )

    def place_on(self, pod: PodAsk, node: str) -> Placement | Refusal:
        """The pod on this node, or why it does not go there; charges nothing. What the pod holds counts as free.

        Raises:
            InvalidValue: The pod names a policy that there is none of.
        """
        number = self._ledger.index.get(node)
        if number is None:
            return Refusal(reason=Reason.NO_DEVICES, message=f"node {node} is not known to the scheduler")
        with self._books.without(pod.key):
            placement = self._place(pod, number)
            if self._accounts.room(pod.namespace, pod.traits) is None:
                return placement
            refusal = self._allowance(pod).refusal(placement)
        return placement if refusal is None else refusal

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
            self.charge(placement, pod.traits)
            return placement
        return Unplaced(namespace=pod.namespace, pod=pod.name, refusals=self.refusals(pod))

    def refusals(self, pod: PodAsk) -> dict[str, Refusal]:
        """Node name to the reason why the node does not serve, those that do left out. Charges nothing.

        In detail for each node, which costs some time; :meth:`Options.split` says it in short.
        """
        if self._books.get(pod.key) is None and self._accounts.room(pod.namespace, pod.traits) is None:
            # The replicas of a workload ask alike: they are told the same until something changes.
            return dict(self._shapes.refusals(pod, self.options(pod).refusal))
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
                alone = self._shapes.verdict_on(pod, number).codes[0] == 0
                return bool(alone) and not self._allowance(pod).closed(nodes).size

        on_node = [key for key in removable if (held := self._books.get(key)) is not None and held.node == node]
        return victims(fits, on_node, given)

    def quota_refusal(self, pod: PodAsk) -> Refusal | None:
        """Why its namespace's quotas leave a pod no node at all, before a device is chosen; None for all we know."""
        return self._accounts.refusal(pod.namespace, least(pod), pod.traits)

    def overcommitted(self, node: str | None = None) -> dict[str, list[str]]:
        """Devices of which more is charged than they have, by node: those of one node, or all.

        Nothing that this planner placed does that; a device that shrank, or a placement that somebody else made, may.
        """
        return self._ledger.overcommitted(node)

    def _again(self, pod: PodAsk, verdicts: Verdicts, node: str) -> Verdicts:
        """The same with one node judged as the ledger has it at this moment."""
        number = self._ledger.index.get(node)
        if number is None:
            return verdicts
        return verdicts.replaced(np.array([number]), self._shapes.verdict_on(pod, number))

    def _allowed(self, pod: PodAsk, verdicts: Verdicts) -> Verdicts:
        """The same without the nodes on which the pod would break a quota."""
        if self._accounts.room(pod.namespace, pod.traits) is None:
            return verdicts
        return verdicts.closed(self._allowance(pod).closed(np.flatnonzero(verdicts.fits)), CODE[Reason.QUOTA])

    def _allowance(self, pod: PodAsk) -> Allowance:
        plan = self._shapes.plan(pod)
        return Allowance(self._accounts, self._ledger, pod, plan, place=lambda number: self._place(pod, number))

    def _place(self, pod: PodAsk, number: int) -> Placement | Refusal:
        """Quotas aside, with whatever is charged at this moment."""
        return self._chooser.place(pod, number, self._shapes.devices(pod), self._shapes.single(pod))

    # Words

    def _explain(self, pod: PodAsk, number: int) -> Refusal | None:
        """Why the pod does not go on a node for which the verdict says so."""
        answer = self.place_on(pod, self._ledger.names[number])
        return answer if isinstance(answer, Refusal) else None

    def _summary(self, pod: PodAsk, nodes: Rows, total: int, verdicts: Verdicts) -> str:
        failing = nodes[verdicts.codes[nodes] != 0]
        over = failing[verdicts.codes[failing] == CODE[Reason.QUOTA]]
        rest = failing[verdicts.codes[failing] != CODE[Reason.QUOTA]]
        unknown = Group(total - nodes.size, "not known to the scheduler", CODE[Reason.NO_DEVICES])
        with self._books.without(pod.key):
            found = [*groups(pod, self._shapes.plan(pod).needs, View.of(self._ledger, rest)), unknown]
        if over.size:
            refusal = self._explain(pod, int(over[0]))
            found.append(Group(over.size, refusal.message if refusal else "", CODE[Reason.QUOTA]))
        return summary(found, total)
