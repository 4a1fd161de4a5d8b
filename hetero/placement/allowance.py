"""Which nodes a namespace's quotas leave open: a pod may take more on one node than on another.

Most pods take the same wherever they go, and most namespaces have no quota at all; then there is nothing to compute.
Otherwise nodes whose devices all give the pod the same share are judged together, and only a node of mixed devices is
looked at by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hetero.model.ask import PodAsk
from hetero.model.device import CORES, MEMORY
from hetero.model.placement import Placement
from hetero.model.share import Refusal
from hetero.placement.columns import distinct
from hetero.placement.fit import OPEN, Need
from hetero.placement.judge import Plan
from hetero.placement.ledger import Ledger, Rows
from hetero.placement.quota import DEVICES, Accounts, Dimension, Sums, amounts
from hetero.placement.view import View

_MIXED = -1


@dataclass(frozen=True)
class Allowance:
    """What the quotas of one pod's namespace leave it.

    Attributes:
        accounts: Of all namespaces.
        ledger: The nodes.
        pod: The pod.
        plan: Its asks.
        place: The devices that it would get on a node on which it fits.
    """

    accounts: Accounts
    ledger: Ledger
    pod: PodAsk
    plan: Plan
    place: Callable[[int], Placement | Refusal]

    def closed(self, nodes: Rows) -> Rows:
        """Those of some nodes on which the pod fits, but would take more than it may."""
        if self.accounts.room(self.pod.namespace, self.pod.traits) is None or not nodes.size:
            return nodes[:0]
        kinds, column = self._kinds(nodes)
        closed = np.zeros(nodes.size, dtype=bool)
        for kind, models in enumerate(kinds):
            if self.accounts.refusal(self.pod.namespace, self._sums(models), self.pod.traits):
                closed |= column == kind
        for place in np.flatnonzero(column == _MIXED).tolist():
            closed[place] = self.refusal(self.place(int(nodes[place]))) is not None
        return nodes[closed]

    def refusal(self, placement: Placement | Refusal) -> Refusal | None:
        """Why a placement breaks a quota, if it does; a refusal is handed on."""
        if isinstance(placement, Refusal):
            return placement
        return self.accounts.refusal(self.pod.namespace, amounts(placement), self.pod.traits)

    def _kinds(self, nodes: Rows) -> tuple[list[tuple[int, ...]], Rows]:
        """For each node a kind, or :data:`_MIXED`; and for each kind, ask by ask, a model that gives its share."""
        kinds: dict[tuple[int, ...], int] = {}
        if all(need.uniform is not None for need in self.plan.needs):
            return [tuple(int(np.argmax(need.codes == OPEN)) for need in self.plan.needs)], np.zeros_like(nodes)
        view = View.of(self.ledger, nodes)
        models = np.array([_model(view, need) for need in self.plan.needs]).T.tolist()
        column = [_MIXED if _MIXED in line else kinds.setdefault(tuple(line), len(kinds)) for line in models]
        return list(kinds), np.array(column, dtype=np.intp)

    def _sums(self, models: Sequence[int]) -> Sums:
        """What the pod counts for, with each ask on devices of a certain model."""
        total: Counter[Dimension] = Counter()
        model = iter(models)
        for moment in self.plan.moments:
            sums: Counter[Dimension] = Counter()
            for need in moment:
                sums.update(_counted(need, next(model)))
            total |= sums
        return total


def _model(view: View, need: Need) -> Rows:
    """For each node a model that gives the share that all its devices would; :data:`_MIXED` where they differ."""
    may = need.standing(view.ledger, view.rows) == OPEN
    found, alike = np.full(view.size, _MIXED), need.alike[view.models]
    kinds = np.zeros(view.size, dtype=np.intp)
    for kind in distinct(alike[may]):
        some = view.count(may & (alike == kind)) > 0
        kinds += some
        found[some] = int(np.argmax(need.alike == kind))
    return np.where(kinds == 1, found, _MIXED)


def _counted(need: Need, model: int) -> Sums:
    share, count = need.share(model), need.ask.count
    whose = (need.ask.vendor, need.ask.family)
    each = {DEVICES: 1, MEMORY: share.memory, CORES: share.cores}
    return {(*whose, what): amount * count for what, amount in each.items()}
