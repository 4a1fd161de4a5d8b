"""Whether, how well, and if not why, a pod goes on each of many nodes: computed over all their devices at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hetero.model.share import Reason
from hetero.placement.fit import CODE, FOREIGN, OPEN, Codes, Mask, Need
from hetero.placement.ledger import Amounts, Rows
from hetero.placement.score import Scores
from hetero.placement.view import View

TOGETHER = len(CODE) + 1
"""The code of a node on which every ask finds devices alone, and not all of them do at the same time."""

_KINDS = TOGETHER + 2  # codes of devices, from FOREIGN on


@dataclass(frozen=True)
class Verdicts:
    """One entry for each node.

    Attributes:
        codes: 0 where the pod fits. Elsewhere why not, as :data:`hetero.placement.fit.CODE` or :data:`TOGETHER`; less
            than 0 where it would not fit if nothing were taken of the node.
        scores: How good the node is with the pod on it; 0 where it does not fit.
    """

    codes: Codes
    scores: Scores

    @classmethod
    def none(cls) -> Verdicts:
        """Of no nodes."""
        return cls(np.zeros(0, dtype=np.int8), np.zeros(0))

    @property
    def fits(self) -> Mask:
        """Whether the pod goes there."""
        return self.codes == 0  # type: ignore[no-any-return]

    def replaced(self, nodes: Rows, by: Verdicts) -> Verdicts:
        """The same with other entries for some nodes. Whoever has these keeps them as they were."""
        codes, scores = self.codes.copy(), self.scores.copy()
        codes[nodes], scores[nodes] = by.codes, by.scores
        return Verdicts(codes, scores)

    def closed(self, nodes: Rows, code: int) -> Verdicts:
        """The same with some nodes, on which the pod fits, closed to it for now."""
        if not nodes.size:
            return self
        codes = self.codes.copy()
        codes[nodes] = code
        return Verdicts(codes, self.scores)


def enough(view: View, need: Need, mask: Mask) -> Mask:
    """Whether each node has as many of these devices as are asked, on one NUMA node and in a set as that is asked."""
    found = _many(view, need, mask)
    if need.rule is not None:
        for node in np.flatnonzero(found).tolist():
            start = int(view.starts[node])
            serve = mask[start : start + int(view.sizes[node])]
            found[node] = need.rule.allows(view.ledger, view.number(node), serve)
    return found


def _many(view: View, need: Need, mask: Mask) -> Mask:
    count = view.nearest(mask) if need.ask.selection.same_numa else view.count(mask)
    return count >= need.ask.count


def findings(view: View, need: Need, standing: Codes) -> Codes:
    """For each device the code of what keeps the ask off it now; :data:`OPEN` where it has room."""
    shut = (standing == OPEN) & ~need.room(view.models, view.free)
    if not shut.any():
        return standing
    codes = standing.copy()
    codes[shut] = exhausted(need, view.models[shut], view.free[:, shut])
    return codes


def reasons(view: View, need: Need, found: Codes) -> Codes:
    """For each node the code that says best why it has too few devices with room for this ask.

    That which keeps the ask off most of the node's devices; of equally many, the first in the order of
    :class:`~hetero.model.share.Reason`.

    Args:
        view: The nodes, without rows in between that nobody has.
        need: The ask.
        found: As :func:`findings`.
    """
    node = np.arange(view.size).repeat(view.sizes) * _KINDS
    counts = np.bincount(node + found - FOREIGN, minlength=view.size * _KINDS).reshape(view.size, _KINDS)
    best = counts[:, 1 - FOREIGN :].argmax(axis=1) + 1
    family = view.sizes - counts[:, 0]
    best[counts[:, OPEN - FOREIGN] >= need.ask.count] = CODE[Reason.NUMA_MISMATCH]
    if need.rule is not None:
        best[_many(view, need, found == OPEN)] = CODE[Reason.TOPOLOGY]
    best[family < need.ask.count] = CODE[Reason.TOO_FEW_DEVICES]
    best[family == 0] = CODE[Reason.NO_DEVICES]
    return best.astype(np.int8)  # type: ignore[no-any-return]


def exhausted(need: Need, models: Rows, free: Amounts) -> Codes:
    """What devices lack that would serve if nothing were taken of them; the first when it is several things.

    Where only idle devices serve, that they are in use. Where they lack nothing but a place for the share, that they
    cannot give it.
    """
    lacking = (free < need.floor[:, models])[need.first_lines]
    codes: Codes = need.lacks[lacking.argmax(axis=0), models]
    codes[~lacking.any(axis=0)] = CODE[Reason.UNSUPPORTED]
    return codes
