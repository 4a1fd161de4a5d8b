"""Which of the places that fit is best: a number for the state *after* placing, higher is better."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from hetero import log
from hetero.model.ask import Weights
from hetero.model.device import CORES, MEMORY, SLOTS, Device, Quantities
from hetero.model.policy import Policy
from hetero.placement.ledger import Amounts, Rows

__all__ = [
    "Policy",
    "Scorer",
    "Scores",
    "arranged",
    "column_weights",
    "fullness",
    "opinion",
    "preferred",
    "scale",
    "used_part",
]

_log = log.logger("placement")

Scores = npt.NDArray[np.float64]

DIGITS = 9
"""Equal states must score equal, whatever order the sums were taken in."""


class Scorer(Protocol):
    """A plugin's say in the choice.

    Attributes:
        name: Unique among all plugins.
    """

    name: str

    def score(self, node: str, device: Device, left: Quantities) -> float:
        """How good a candidate is, added to the planner's own score, which is from 0 to 1. Pure.

        Args:
            node: The node's name.
            device: A device of it that has room.
            left: What would be free on the device after placing.

        Returns:
            A finite number; 0 for no opinion. Anything else counts as 0 and is logged.
        """
        ...


def column_weights(weights: Weights, dimensions: Sequence[str]) -> Scores:
    """How much each column counts; what :class:`Weights` does not name counts 1."""
    named = {SLOTS: weights.slots, CORES: weights.cores, MEMORY: weights.memory}
    return np.array([named.get(name, 1.0) for name in dimensions], dtype=np.float64)


def scale(capacity: Amounts, weights: Scores | None = None) -> Scores:
    """What one unit of each amount adds to the fullness of a row, so that a model's is found once for all its devices.

    Args:
        capacity: What there is, row by row; 0 where a device lacks the dimension.
        weights: Of the columns; all 1 by default.
    """
    present = (capacity > 0) * (np.ones(capacity.shape[-1]) if weights is None else weights)
    total = present.sum(axis=-1, keepdims=True)
    return cast("Scores", np.divide(present, capacity * total, out=np.zeros(capacity.shape), where=present > 0))


def used_part(used: Amounts, scales: Scores) -> Scores:
    """Fullness by what :func:`scale` said of the same rows."""
    return cast("Scores", np.round(np.einsum("...j,...j->...", used, scales), DIGITS))


def fullness(used: Amounts, capacity: Amounts, weights: Scores | None = None) -> Scores:
    """The weighted mean of the used fractions over the dimensions that there are, row by row; 0 to 1.

    A row that has none of the dimensions that count is empty.
    """
    return used_part(used, scale(capacity, weights))


def preferred(policy: Policy, after: Scores) -> Scores:
    """Fullness after placing as a score."""
    return after if policy is Policy.BINPACK else 1.0 - after


def arranged(score: Scores, numa: Rows, count: int, *, numa_first: bool) -> Rows:
    """Devices that fit, best first, so that the first ``count`` lie on one NUMA node where that is to be had.

    Where no NUMA node has enough of them, the devices come in as few groups as the preference allows. Ties go to the
    NUMA node of the lower number and then to the device that stands first.

    Args:
        score: Of each device, higher is better.
        numa: The NUMA node of each; devices of -1 count as one.
        count: How many are asked, ≥ 1.
        numa_first: Lying together goes before the score; otherwise it only decides among equal scores.

    Returns:
        Positions in the arguments.
    """
    order = np.lexsort((numa, -score))
    if numa_first:
        return _grouped(order, score, numa, count)
    # Those that score better than the last one needed are taken anyway, and those that score worse are not.
    edge = score[order[min(count, order.size) - 1]] if order.size else 0.0
    sure, tied, rest = (order[mask] for mask in (score[order] > edge, score[order] == edge, score[order] < edge))
    together = _grouped(tied, score, numa, count - sure.size, frozenset(numa[sure].tolist()))
    return np.concatenate((sure, together, rest))


def _grouped(order: Rows, score: Scores, numa: Rows, count: int, begun: frozenset[int] = frozenset()) -> Rows:
    """The same positions NUMA node by NUMA node: those in ``begun`` first, then those that have ``count`` devices."""
    groups: dict[int, list[int]] = {}
    for position in order.tolist():
        groups.setdefault(int(numa[position]), []).append(position)

    def rank(number: int) -> tuple[bool, bool, int, float, int]:
        members = groups[number]
        lacking = len(members) < count
        best = round(float(score[members[:count]].sum()), DIGITS)
        return number not in begun, lacking, -len(members) if lacking else 0, -best, number

    ordered = [position for number in sorted(groups, key=rank) for position in groups[number]]
    return np.array(ordered, dtype=np.intp)


def opinion(scorers: Iterable[Scorer], node: str, device: Device, left: Quantities) -> float:
    """The sum of what the plugins say of one candidate; a plugin that fails has no opinion."""
    return sum(_asked(scorer, node, device, left) for scorer in scorers)


def _asked(scorer: Scorer, node: str, device: Device, left: Quantities) -> float:
    try:
        value = float(scorer.score(node, device, dict(left)))
    except Exception as error:
        _log.error("scorer failed", scorer=scorer.name, node=node, device=device.uuid, reason=str(error))
        return 0.0
    if not math.isfinite(value):
        _log.error("scorer gave no finite number", scorer=scorer.name, node=node, device=device.uuid)
        return 0.0
    return value
