"""Whether, how well, and if not why, a pod goes on each of many nodes: computed over all their devices at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.share import Reason
from hetero.placement.columns import distinct
from hetero.placement.fit import CODE, FOREIGN, OPEN, Codes, Mask, Need
from hetero.placement.ledger import Amounts, Ledger, Rows
from hetero.placement.score import Scores
from hetero.placement.view import View

TOGETHER = len(CODE) + 1
"""The code of a node on which every ask finds devices alone, and not all of them do at the same time."""

_EXHAUSTED = ((SLOTS, Reason.SLOTS_EXHAUSTED), (MEMORY, Reason.INSUFFICIENT_MEMORY), (CORES, Reason.INSUFFICIENT_CORES))


@dataclass(frozen=True)
class Verdicts:
    """One entry for each node.

    Attributes:
        fits: Whether the pod goes there.
        never: Whether it would not if nothing were taken of the node.
        codes: Why not, as :data:`hetero.placement.fit.CODE` or :data:`TOGETHER`; 0 where it fits.
        scores: How good the node is with the pod on it; 0 where it does not fit.
    """

    fits: Mask
    never: Mask
    codes: Codes
    scores: Scores

    @classmethod
    def none(cls) -> Verdicts:
        """Of no nodes."""
        none = np.zeros(0, dtype=bool)
        return cls(none, none, np.zeros(0, dtype=np.int8), np.zeros(0))

    def replaced(self, nodes: Rows, by: Verdicts) -> Verdicts:
        """The same with other entries for some nodes. Whoever has these keeps them as they were."""
        fits, never, codes, scores = self.fits.copy(), self.never.copy(), self.codes.copy(), self.scores.copy()
        fits[nodes], never[nodes], codes[nodes], scores[nodes] = by.fits, by.never, by.codes, by.scores
        return Verdicts(fits, never, codes, scores)

    def closed(self, nodes: Rows, code: int) -> Verdicts:
        """The same with some nodes, on which the pod fits, closed to it for now."""
        if not nodes.size:
            return self
        fits, codes = self.fits.copy(), self.codes.copy()
        fits[nodes] = False
        codes[nodes] = code
        return Verdicts(fits, self.never, codes, self.scores)


def enough(view: View, need: Need, mask: Mask) -> Mask:
    """Whether each node has as many of these devices as are asked, on one NUMA node when that is asked."""
    count = view.nearest(mask) if need.ask.selection.same_numa else view.count(mask)
    return count >= need.ask.count


def findings(view: View, need: Need, standing: Codes) -> Codes:
    """For each device the code of what keeps the ask off it now; :data:`OPEN` where it has room."""
    codes = standing.copy()
    shut = (standing == OPEN) & ~need.room(view.models, view.free)
    codes[shut] = exhausted(need, view.ledger, view.models[shut], view.free[:, shut])
    return codes


def reasons(view: View, need: Need, standing: Codes, found: Codes) -> Codes:
    """For each node the code that says best why it has too few devices with room for this ask.

    That which keeps the ask off most of the node's devices; of equally many, the first in the order of
    :class:`~hetero.model.share.Reason`.

    Args:
        view: The nodes.
        need: The ask.
        standing: As :meth:`Need.standing` of the view's rows.
        found: As :func:`findings`.
    """
    best, most = np.zeros(view.size, dtype=np.int8), np.zeros(view.size, dtype=np.int64)
    for code in distinct(found[found > OPEN]):
        count = view.count(found == code)
        best[count > most] = code
        np.maximum(most, count, out=most)
    family = view.count(standing != FOREIGN)
    best[view.count(found == OPEN) >= need.ask.count] = CODE[Reason.NUMA_MISMATCH]
    best[family < need.ask.count] = CODE[Reason.TOO_FEW_DEVICES]
    best[family == 0] = CODE[Reason.NO_DEVICES]
    return best


def exhausted(need: Need, ledger: Ledger, models: Rows, free: Amounts) -> Codes:
    """What devices lack that would serve if nothing were taken of them; the first when it is several things.

    Where only idle devices serve, that they are in use.
    """
    if need.idle:
        return np.full(models.size, CODE[Reason.EXCLUSIVE_CONFLICT], dtype=np.int8)
    codes = np.full(models.size, CODE[Reason.UNSUPPORTED], dtype=np.int8)
    for name, reason in reversed(_EXHAUSTED):
        line = ledger.catalogue.columns.get(name)
        if line is None:
            continue
        lacking = free[line] < need.floor[line][models]
        codes[lacking] = CODE[Reason.EXCLUSIVE_CONFLICT if name == SLOTS and need.ask.exclusive else reason]
        if name == CORES:
            codes[lacking & (need.amounts[line][models] == 0)] = CODE[Reason.CORES_EXHAUSTED]
    return codes
