"""The verdicts of a whole pod: each ask alone, then those that run side by side together, then how good it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hetero.model.ask import PodAsk
from hetero.placement.fit import OPEN, Codes, Fit, Mask, Need
from hetero.placement.ledger import Amounts
from hetero.placement.score import Policy, Scorer, Scores, fullness, opinion, preferred
from hetero.placement.search import Search, Situation, seats
from hetero.placement.verdict import TOGETHER, Verdicts, enough, findings, reasons
from hetero.placement.view import View

_REMEMBERED = 4096  # situations of single nodes


@dataclass(frozen=True)
class Plan:
    """A pod in the terms of one ledger.

    Attributes:
        moments: The asks that are served at the same time: those of all containers, then those of each init container.
        node_policy: Over nodes.
        scorers: The plugins' say.
    """

    moments: tuple[tuple[Need, ...], ...]
    node_policy: Policy
    scorers: Sequence[Scorer]

    @classmethod
    def of(cls, pod: PodAsk, fit: Fit, node_policy: Policy, scorers: Sequence[Scorer]) -> Plan:
        """What the pod asks, as the ledger of ``fit`` has it."""
        side_by_side = tuple(fit.need(ask) for container in pod.containers for ask in container.asks)
        init = (tuple(map(fit.need, container.asks)) for container in pod.init_containers)
        return cls(tuple(moment for moment in (side_by_side, *init) if moment), node_policy, scorers)


@dataclass(frozen=True)
class Alone:
    """One ask, as if it were the only one.

    Attributes:
        need: The ask.
        standing: What keeps it off each device whatever is taken, as :meth:`Need.standing`.
        room: Which devices can serve it now.
        fits: Which nodes have enough of those.
        ever: Which would have, if nothing were taken.
    """

    need: Need
    standing: Codes
    room: Mask
    fits: Mask
    ever: Mask

    @classmethod
    def on(cls, view: View, need: Need) -> Alone:
        """The ask on the nodes of a view."""
        standing = need.standing(view.ledger, view.rows)
        may = standing == OPEN
        room = may & need.room(view.models, view.free)
        return cls(need, standing, room, enough(view, need, room), enough(view, need, may))


class Judge:
    """Says of nodes whether, and how well, one kind of pod goes there.

    Args:
        plan: The pod.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._found: dict[tuple[int, Situation], bool] = {}

    def verdicts(self, view: View) -> Verdicts:
        """One for each node of the view, as it stands."""
        moments = [[Alone.on(view, need) for need in moment] for moment in self._plan.moments]
        every = [alone for moment in moments for alone in moment]
        fits, ever = np.ones(view.size, dtype=bool), np.ones(view.size, dtype=bool)
        for alone in every:
            fits &= alone.fits
            ever &= alone.ever
        codes = self._codes(view, every, fits)
        for number, moment in enumerate(moments):
            if len(moment) > 1:
                ever &= self._together(number, view, [one.standing == OPEN for one in moment], view.capacity, ever)
                now = self._together(number, view, [one.room for one in moment], view.free, fits)
                codes[fits & ~now] = TOGETHER
                fits &= now
        return Verdicts(fits, ~(ever | fits), codes, self._scores(view, moments))

    def _codes(self, view: View, every: Sequence[Alone], fits: Mask) -> Codes:
        """Of the first ask that finds too few devices, on nodes where one does not."""
        codes = np.zeros(view.size, dtype=np.int8)
        if fits.all():
            return codes
        for alone in every:
            wrong = ~alone.fits & (codes == 0)
            if wrong.any():
                part, rows = view.part(np.flatnonzero(wrong))
                standing = alone.standing[rows]
                codes[wrong] = reasons(part, alone.need, standing, findings(part, alone.need, standing))
        return codes

    def _together(self, number: int, view: View, serve: list[Mask], free: Amounts, nodes: Mask) -> Mask:
        """Which of the nodes have room for all asks of a moment at once."""
        found = np.zeros(view.size, dtype=bool)
        for node in np.flatnonzero(nodes):
            rows = slice(int(view.starts[node]), int(view.ends[node]))
            found[node] = self._one(number, view, rows, serve, free)
        return found

    def _one(self, number: int, view: View, rows: slice, serve: list[Mask], free: Amounts) -> bool:
        needs = self._plan.moments[number]
        devices = seats(needs, [one[rows].tolist() for one in serve], view.models[rows], view.numa[rows], free[:, rows])
        situation = (number, tuple(sorted(devices)))
        if situation not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[situation] = Search(needs, devices).run() is not None
        return self._found[situation]

    def _scores(self, view: View, moments: Sequence[Sequence[Alone]]) -> Scores:
        """Of each node with the pod on it; of nodes where it does not fit, some number."""
        taken = np.zeros_like(view.node_used)
        opinions = np.zeros(view.size)
        for moment in moments:
            together = np.zeros_like(taken)
            for alone in moment:
                together += _taken(view, alone) * alone.need.ask.count
                opinions += self._opinions(view, alone)
            np.maximum(taken, together, out=taken)
        after = fullness((view.node_used + taken).T, view.node_capacity.T)
        return preferred(self._plan.node_policy, after) + opinions

    def _opinions(self, view: View, alone: Alone) -> Scores:
        """What the plugins say of each node: the best of its devices."""
        total = np.zeros(view.size)
        if not self._plan.scorers:
            return total
        for node in range(view.size):
            places = np.flatnonzero(alone.room[view.starts[node] : view.ends[node]]) + view.starts[node]
            name = view.ledger.names[view.number(node)]
            values = [self._opinion(view, alone.need, name, view.row(int(place))) for place in places]
            total[node] = max(values, default=0.0)
        return total

    def _opinion(self, view: View, need: Need, node: str, row: int) -> float:
        device = view.ledger.devices[row]
        assert device is not None  # noqa: S101 — only devices have room
        taken = need.share(int(view.ledger.model_of[row])).quantities
        left = {name: amount - taken.get(name, 0) for name, amount in view.ledger.left(row).items()}
        return opinion(self._plan.scorers, node, device, left)


def _taken(view: View, alone: Alone) -> Amounts:
    """What one device of the ask takes on each node.

    Devices of one node are mostly of one model, so the first that has room stands for the others.
    """
    if alone.need.uniform is not None:
        return alone.need.uniform[:, np.newaxis]
    places = np.flatnonzero(alone.room)
    count, before = view.counts(alone.room)
    amounts = np.zeros_like(view.node_used)
    some = count > 0
    amounts[:, some] = alone.need.amounts[:, view.models[places[before[some]]]]
    return amounts
