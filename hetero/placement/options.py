"""The planner's answer about one pod, for every node at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from hetero.model.share import Reason, Refusal
from hetero.placement.fit import REASONS
from hetero.placement.ledger import Ledger, Rows
from hetero.placement.score import Scores
from hetero.placement.verdict import Verdicts

UNKNOWN_NODE = f"{Reason.NO_DEVICES}: the scheduler knows no such node"

_SAYS = {
    Reason.MODEL_MISMATCH: "devices of other models than asked",
    Reason.DEVICE_MISMATCH: "other devices than asked",
    Reason.SLOTS_EXHAUSTED: "devices shared by as many programs as may be",
    Reason.CORES_EXHAUSTED: "all compute promised to programs with a limit",
    Reason.INSUFFICIENT_MEMORY: "not enough device memory",
    Reason.INSUFFICIENT_CORES: "not enough compute",
    Reason.UNHEALTHY: "devices unhealthy",
    Reason.CORDONED: "devices cordoned",
    Reason.NUMA_MISMATCH: "too few devices on one NUMA node",
    Reason.EXCLUSIVE_CONFLICT: "idle devices asked, all in use",
    Reason.TOO_FEW_DEVICES: "fewer devices than asked",
    Reason.UNSUPPORTED: "devices cannot give such a share",
    Reason.NO_DEVICES: "no devices of the kind asked",
    Reason.QUOTA: "the namespace's quota would be exceeded",
    Reason.TOPOLOGY: "no set of devices that are linked as asked",
}

SHORT: tuple[str, ...] = (
    "",
    *(f"{reason}: {_SAYS[reason]}" for reason in REASONS),
    f"{Reason.TOO_FEW_DEVICES}: each container fits, but not all at the same time",
)
"""By code: few different sentences without figures, so that whoever counts nodes can group by them."""


@dataclass(frozen=True)
class Options:
    """Where a pod may go. Ask it before the cluster changes: nodes and figures are looked up when asked.

    Attributes:
        ledger: The nodes.
        verdicts: Of each.
        explain: The detailed refusal of a node that does not fit.
        aggregate: The sentence for these nodes.
    """

    ledger: Ledger
    verdicts: Verdicts
    explain: Callable[[int], Refusal | None]
    aggregate: Callable[[Rows, int], str]

    def split(self, names: Sequence[str]) -> tuple[list[str], dict[str, str], dict[str, str]]:
        """Nodes by what can be said of them. O(names), a few tenths of a microsecond each.

        Returns:
            Those that fit, in the order given; those that do not for now, with a short reason; and those that would
            not if all other pods were gone, with the same.
        """
        nodes = self._numbers(names)
        known = nodes >= 0
        if not known.all():
            return self._split_unknown(names, known)
        fits = self.verdicts.fits[nodes]
        if fits.all():
            return list(names), {}, {}
        never = self.verdicts.never[nodes] & ~fits
        codes = self.verdicts.codes[nodes]
        return list(compress(names, fits.tolist())), _told(names, codes, ~fits & ~never), _told(names, codes, never)

    def scores(self, names: Sequence[str]) -> list[float]:
        """How good each node is with the pod on it, 0 to 1, higher is better; 0 where it does not fit."""
        nodes = self._numbers(names)
        if not self.verdicts.fits.size:
            return [0.0] * len(names)
        values = np.where((nodes >= 0) & self.verdicts.fits[nodes], self._scaled()[nodes], 0.0)
        return values.tolist()  # type: ignore[no-any-return]

    def best(self, names: Sequence[str] | None = None) -> str | None:
        """The best node, of those named or of all; of equally good ones the first by name. None when none fits."""
        nodes = self._fitting(names)
        if not nodes.size:
            return None
        scores = self.verdicts.scores[nodes]
        best = nodes[scores == scores.max()]
        return self.ledger.names[int(best[np.argmin(self.ledger.ranks[best])])]

    def ranked(self) -> list[str]:
        """The nodes that fit, best first, ties by name. O(nodes log nodes)."""
        nodes = self._fitting(None)
        order = np.lexsort((self.ledger.ranks[nodes], -self.verdicts.scores[nodes]))
        return [self.ledger.names[int(node)] for node in nodes[order]]

    def summary(self, names: Sequence[str] | None = None) -> str:
        """One sentence for people: how many nodes do not serve, and why, with the figures that decide.

        Args:
            names: The nodes that were looked at; all by default.
        """
        nodes = self._every() if names is None else self._numbers(names)
        return self.aggregate(nodes[nodes >= 0], nodes.size)

    def refusal(self, name: str) -> Refusal | None:
        """Why a node does not serve, in detail; None when it does."""
        node = self.ledger.index.get(name)
        if node is None:
            return Refusal(reason=Reason.NO_DEVICES, message=f"node {name} is not known to the scheduler")
        return None if self.verdicts.fits[node] else self.explain(node)

    def _numbers(self, names: Sequence[str]) -> Rows:
        get = self.ledger.index.get
        return np.fromiter((get(name, -1) for name in names), dtype=np.intp, count=len(names))

    def _every(self) -> Rows:
        return np.fromiter(self.ledger.index.values(), dtype=np.intp, count=len(self.ledger.index))

    def _fitting(self, names: Sequence[str] | None) -> Rows:
        nodes = self._every() if names is None else self._numbers(names)
        nodes = nodes[nodes >= 0]
        return nodes[self.verdicts.fits[nodes]]

    def _scaled(self) -> Scores:
        """The scores; brought to 0 to 1 in their order where plugins' opinions lead out of that."""
        scores, nodes = self.verdicts.scores, self._every()
        low, high = (float(bound(scores[nodes], initial=edge)) for bound, edge in ((np.min, 0.0), (np.max, 1.0)))
        return scores if (low, high) == (0.0, 1.0) else (scores - low) / (high - low)

    def _split_unknown(
        self, names: Sequence[str], known: np.ndarray[tuple[int], np.dtype[np.bool_]]
    ) -> tuple[list[str], dict[str, str], dict[str, str]]:
        fits, now, never = self.split(list(compress(names, known.tolist())))
        return fits, now, never | dict.fromkeys(compress(names, (~known).tolist()), UNKNOWN_NODE)


def _told(
    names: Sequence[str],
    codes: np.ndarray[tuple[int], np.dtype[np.int8]],
    which: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> dict[str, str]:
    return dict(zip(compress(names, which.tolist()), map(SHORT.__getitem__, codes[which].tolist()), strict=True))
