"""Which of the places that fit is best: a number for the state *after* placing, higher is better."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from hetero import log
from hetero.errors import InvalidValue
from hetero.model.device import Device, Quantities
from hetero.placement.ledger import Amounts

_log = log.logger("placement")

Scores = npt.NDArray[np.float64]

_DIGITS = 9  # equal states must score equal, whatever order the sums were taken in


class Policy(enum.StrEnum):
    """What is preferred among places that fit."""

    BINPACK = "binpack"  # the fullest: keeps others free for what needs them whole
    SPREAD = "spread"  # the emptiest: programs disturb each other least

    @classmethod
    def _missing_(cls, value: object) -> Policy:
        raise InvalidValue("policy", value, f"is no policy; write {' or '.join(cls)}")


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


def fullness(used: Amounts, capacity: Amounts) -> Scores:
    """The mean of the used fractions over the dimensions that there are, row by row; 0 to 1."""
    present = capacity > 0
    fractions = np.divide(used, capacity, out=np.zeros(used.shape, dtype=np.float64), where=present)
    means = fractions.sum(axis=-1) / np.maximum(present.sum(axis=-1), 1)
    return cast("Scores", np.round(means, _DIGITS))


def preferred(policy: Policy, after: Scores) -> Scores:
    """Fullness after placing as a score."""
    return after if policy is Policy.BINPACK else 1.0 - after


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
