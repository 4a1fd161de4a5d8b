"""The verdicts of a whole pod: each ask alone, then those that run side by side together, then how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetero.model.ask import PodAsk
from hetero.model.policy import DevicePolicy, Policy
from hetero.placement.columns import grown
from hetero.placement.fit import OPEN, Codes, Fit, Mask, Need
from hetero.placement.ledger import Amounts, Ledger, Rows
from hetero.placement.score import DIGITS, Scorer, Scores, column_weights, opinion, preferred, scale
from hetero.placement.search import MOST_ASKS, Budget, Search, Situation, bound, seats
from hetero.placement.single import LARGEST, Single
from hetero.placement.together import Table, greedy, possible
from hetero.placement.verdict import TOGETHER, Verdicts, enough, findings, reasons
from hetero.placement.view import View

_REMEMBERED = 4096  # situations of single nodes
_WORK = 100_000  # of all searches of one look, as their limit counts it


@dataclass(frozen=True)
class Plan:
    """A pod in the terms of one ledger.

    Attributes:
        moments: The asks that are served at the same time: those of all containers, then those of each init container.
        node_policy: Over nodes.
        weights: Of the dimensions.
        scorers: The plugins' say.
    """

    moments: tuple[tuple[Need, ...], ...]
    node_policy: Policy
    weights: Scores
    scorers: Sequence[Scorer]

    @property
    def needs(self) -> list[Need]:
        """All asks, moment by moment."""
        return [need for moment in self.moments for need in moment]

    @classmethod
    def of(
        cls, pod: PodAsk, fit: Fit, node_policy: Policy, device_policy: DevicePolicy, scorers: Sequence[Scorer]
    ) -> Plan:
        """What the pod asks, as the ledger of ``fit`` has it."""
        idle = device_policy.idle_only
        side_by_side = tuple(fit.need(ask, idle=idle) for container in pod.containers for ask in container.asks)
        init = (tuple(fit.need(ask, idle=idle) for ask in container.asks) for container in pod.init_containers)
        moments = tuple(moment for moment in (side_by_side, *init) if moment)
        return cls(moments, node_policy, column_weights(pod.weights, fit.dimensions), scorers)


class Alone:
    """One ask, as if it were the only one.

    Attributes:
        need: The ask.
        standing: What keeps it off each device whatever is taken, as :meth:`Need.standing`.
        may: Which devices can serve it if nothing is taken.
        room: Which can now.
        fits: Which nodes have enough of those.
    """

    __slots__ = ("fits", "may", "need", "room", "standing")

    def __init__(self, view: View, need: Need) -> None:
        self.need = need
        self.standing: Codes = need.standing(view.ledger, view.rows, view.models)
        self.may: Mask = self.standing == OPEN
        self.room: Mask = self.may & need.room(view.models, view.free)
        self.fits = enough(view, need, self.room)


class Judge:
    """Says of nodes whether, and how well, one kind of pod goes there.

    Args:
        plan: The pod.

    Attributes:
        plan: The same.
        single: The pod's only ask, if it is a plain one.
        unsettled: Nodes that were not looked at to the end, for want of time: they must be looked at again.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._several = [number for number, moment in enumerate(plan.moments) if len(moment) > 1]
        self._found: dict[tuple[int, tuple[int, int], Situation], bool] = {}
        self._too_many = len(plan.needs) > MOST_ASKS
        self._budget = Budget(_WORK)
        self.unsettled: set[int] = set()
        needs = plan.needs
        self.single = Single.of(needs[0]) if len(needs) == 1 and not plan.scorers else None
        self._scale = np.zeros((plan.weights.size, 0))
        self._scaled_at = -1

    def on_one(self, ledger: Ledger, number: int) -> Verdicts:
        """The verdict of one node."""
        if self.single is not None and ledger.sizes[number] <= LARGEST:
            scale = self._scales(ledger)[:, number]
            score = self.single.score(ledger, number, scale, self.plan.node_policy)
            if score is not None:
                return Verdicts(np.zeros(1, dtype=np.int8), np.array([score]))
        return self.verdicts(View.of(ledger, np.array([number])))

    def verdicts(self, view: View) -> Verdicts:
        """One for each node of the view, as it stands."""
        if self._too_many:
            return Verdicts(np.full(view.size, -TOGETHER, dtype=np.int8), np.zeros(view.size))
        self._budget = Budget(_WORK)
        judged = {id(need): Alone(view, need) for need in self.plan.needs}  # equal asks are one need
        moments = [[judged[id(need)] for need in moment] for moment in self.plan.moments]
        every = [alone for moment in moments for alone in moment]
        codes = _codes(view, every)
        for number in self._several:
            self._together(number, view, moments[number], codes)
        return Verdicts(codes, np.where(codes == 0, self._scores(view, moments), 0.0))

    def _together(self, number: int, view: View, moment: Sequence[Alone], codes: Codes) -> None:
        """Whether the asks of a moment fit at the same time where each fits alone: now, and if nothing were taken."""
        now = np.flatnonzero(codes == 0)
        wrong = now[~self._fit(number, view, [one.room for one in moment], (view.free, now))]
        codes[wrong] = TOGETHER
        ever = np.flatnonzero(codes > 0)
        never = ever[~self._fit(number, view, [one.may for one in moment], (view.capacity, ever))]
        codes[never] *= -1

    def _fit(self, number: int, view: View, serve: Sequence[Mask], on: tuple[Amounts, Rows]) -> Mask:
        """Which of some nodes have room for all asks of a moment at once, with so much free of all rows."""
        free, nodes = on
        needs = self.plan.moments[number]
        places, there = view.table(nodes)
        table = Table(view.models[places], view.numa[places], free[:, places], view.capacity[:, places])
        masks = [mask[places] & there for mask in serve]
        hopeful = possible(table, needs, masks)
        found: Mask = np.zeros(nodes.size, dtype=bool)
        if not bound(needs):
            chosen = greedy(table, needs, masks)
            counts = [one.devices.sum(axis=1) >= need.ask.count for one, need in zip(chosen, needs, strict=True)]
            found = np.logical_and.reduce(counts)
        for node in np.flatnonzero(hopeful & ~found).tolist():
            if self._budget.left <= 0:
                self.unsettled.add(view.number(int(nodes[node])))
            else:
                masks = [mask[places[node, there[node]]] for mask in serve]
                found[node] = self._searched(number, view, int(nodes[node]), masks, free)
        return found

    def _searched(self, number: int, view: View, node: int, serve: Sequence[Mask], free: Amounts) -> bool:
        needs = self.plan.moments[number]
        places = np.arange(view.sizes[node]) + view.starts[node]
        devices = seats(needs, serve, view.models[places], view.numa[places], free[:, places])
        # Where a vendor allows only some sets, it matters which node it is, and how its devices are wired.
        which = (view.number(node), int(view.ledger.reshaped[view.number(node)])) if bound(needs) else (-1, -1)
        situation = (number, which, tuple(sorted(devices)))
        self._budget.left -= len(devices)
        if situation not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            search = Search(needs, devices, view.devices(node) if bound(needs) else ())
            self._found[situation] = search.run() is not None
            self._budget.left -= search.work
        return self._found[situation]

    def _scores(self, view: View, moments: Sequence[Sequence[Alone]]) -> Scores:
        """Of each node with the pod on it; of one where it does not fit, some number."""
        after = view.node_used + _most(view, moments)
        full = (after * self._scales(view.ledger)[:, view.numbers]).sum(axis=0).round(DIGITS)
        score = preferred(self.plan.node_policy, full) - _wasted(view, moments)
        if self.plan.scorers:
            for alone in (one for moment in moments for one in moment):
                score = score + self._opinions(view, alone)
        return score

    def _scales(self, ledger: Ledger) -> Scores:
        """What one unit of each dimension adds to the fullness of each node."""
        count = len(ledger.names)
        if self._scaled_at < ledger.reshaped_last:
            stale = np.flatnonzero(ledger.reshaped[:count] > self._scaled_at)
            self._scale = grown(self._scale, count)
            self._scale[:, stale] = scale(ledger.node_capacity[:, stale].T, self.plan.weights).T
            self._scaled_at = ledger.reshaped_last
        return self._scale

    def _opinions(self, view: View, alone: Alone) -> Scores:
        """What the plugins say of each node: the best of its devices."""
        total = np.zeros(view.size)
        for node, (start, size) in enumerate(zip(view.starts.tolist(), view.sizes.tolist(), strict=True)):
            places = (np.flatnonzero(alone.room[start : start + size]) + start).tolist()
            name = view.ledger.names[view.number(node)]
            values = [self._opinion(view, alone.need, name, view.row(place)) for place in places]
            total[node] = max(values, default=0.0)
        return total

    def _opinion(self, view: View, need: Need, node: str, row: int) -> float:
        device = view.ledger.devices[row]
        assert device is not None  # noqa: S101 — only devices have room
        free = view.ledger.capacity[:, row : row + 1] - view.ledger.used[:, row : row + 1]
        way = int(need.taken(view.ledger.model_of[row : row + 1], free)[0][0])
        taken = need.share(int(view.ledger.model_of[row]), way).quantities
        left = {name: amount - taken.get(name, 0) for name, amount in view.ledger.left(row).items()}
        return opinion(self.plan.scorers, node, device, left)


def _codes(view: View, every: Sequence[Alone]) -> Codes:
    """Of each node why the first ask that finds too few devices there does; 0 where all asks find some, each alone."""
    codes = np.zeros(view.size, dtype=np.int8)
    for alone in every:
        wrong = np.flatnonzero(~alone.fits & (codes == 0))
        if wrong.size:
            codes[wrong] = _reasons(view, alone, wrong)
    if codes.any():
        ever = [enough(view, alone.need, alone.may) for alone in every]
        np.negative(codes, out=codes, where=~np.logical_and.reduce(ever))
    return codes


def _reasons(view: View, alone: Alone, nodes: Rows) -> Codes:
    if nodes.size == view.size and not isinstance(view.numbers, slice):
        return reasons(view, alone.need, findings(view, alone.need, alone.standing))
    part = view.part(nodes)
    return reasons(part, alone.need, findings(part, alone.need, alone.need.standing(part.ledger, part.rows)))


def _most(view: View, moments: Sequence[Sequence[Alone]]) -> Amounts:
    """What the pod takes of each node, at the moment when it takes most."""
    most: Amounts = np.zeros((len(view.free), 1), dtype=np.int64)
    for moment in moments:
        together: Amounts = np.zeros((len(view.free), 1), dtype=np.int64)
        for alone in moment:
            together = together + _taken(view, alone) * alone.need.ask.count
        most = np.maximum(most, together)
    return most


def _wasted(view: View, moments: Sequence[Sequence[Alone]]) -> Scores | float:
    """What shares take on each node that is not asked: no less than they add to its fullness."""
    total: Scores | float = 0.0
    for alone in (one for moment in moments for one in moment):
        if alone.need.waste is not None:
            models, some = _first(view, alone)
            waste = np.zeros(view.size)
            waste[some] = alone.need.waste[models]
            total = total + waste
    return total


def _first(view: View, alone: Alone) -> tuple[Rows, Mask]:
    """The model of the first device with room, of those nodes that have one; and which they are."""
    places = np.flatnonzero(alone.room)
    count, before = view.counts(alone.room)
    some = count > 0
    return view.models[places[before[some]]], some


def _taken(view: View, alone: Alone) -> Amounts:
    """What one device of the ask takes on each node.

    Devices of one node are mostly of one model, so the first that has room stands for the others.
    """
    if alone.need.uniform is not None:
        return alone.need.uniform[:, np.newaxis]
    amounts = np.zeros((len(view.free), view.size), dtype=np.int64)
    models, some = _first(view, alone)
    amounts[:, some] = alone.need.amounts[:, models]
    return amounts
