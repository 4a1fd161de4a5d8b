"""The planner's answer about one pod, for every node at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from hetero.model.share import Reason, Refusal
from hetero.placement.fit import REASONS, Codes, Mask
from hetero.placement.ledger import Ledger, Rows
from hetero.placement.names import Numbers
from hetero.placement.score import Scores
from hetero.placement.verdict import Verdicts

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
    Reason.TOPOLOGY: "no set of devices that may be given together",
}

SHORT: tuple[str, ...] = (
    "",
    *(f"{reason}: {_SAYS[reason]}" for reason in REASONS),
    f"{Reason.TOO_FEW_DEVICES}: each container fits, but not all at the same time",
    f"{Reason.NO_DEVICES}: the scheduler knows no such node",
)
"""By code: few different sentences without figures, so that whoever counts nodes can group by them."""

_FEW = 256

_UNKNOWN = np.int8(1 - len(SHORT))  # no such node, nor will there be one when pods go


@dataclass(frozen=True)
class Options:
    """Where a pod may go. Ask it before the cluster changes: nodes and figures are looked up when asked.

    Attributes:
        ledger: The nodes.
        numbers: Of their names.
        verdicts: Of each.
        explain: The detailed refusal of a node that does not fit.
        aggregate: The sentence for these nodes.
    """

    ledger: Ledger
    numbers: Numbers
    verdicts: Verdicts
    explain: Callable[[int], Refusal | None]
    aggregate: Callable[[Rows, int], str]

    def split(self, names: Sequence[str]) -> tuple[list[str], dict[str, str], dict[str, str]]:
        """Nodes by what can be said of them. O(names), about a tenth of a microsecond each.

        Asking further about the very list that is answered costs less than about one of equal names.

        Returns:
            Those that fit, in the order given; those that do not for now, with a short reason; and those that would
            not if all other pods were gone, with the same.
        """
        nodes = self.numbers.of(names)
        codes = self.verdicts.codes[nodes] if self.verdicts.codes.size else np.full(nodes.size, _UNKNOWN)
        codes[nodes < 0] = _UNKNOWN
        if len(names) <= _FEW:
            return self._split_few(names, nodes, codes)
        fits = codes == 0
        serving = list(compress(names, fits.tolist()))
        self.numbers.keep(serving, nodes[fits])
        if len(serving) == len(names):
            return serving, {}, {}
        return serving, _told(names, codes, codes > 0), _told(names, -codes, codes < 0)

    def _split_few(
        self, names: Sequence[str], nodes: Rows, codes: Codes
    ) -> tuple[list[str], dict[str, str], dict[str, str]]:
        """One by one, which is quicker for so many."""
        serving: list[str] = []
        now: dict[str, str] = {}
        never: dict[str, str] = {}
        for name, code in zip(names, codes.tolist(), strict=True):
            if code == 0:
                serving.append(name)
            elif code > 0:
                now[name] = SHORT[code]
            else:
                never[name] = SHORT[-code]
        self.numbers.keep(serving, nodes if len(serving) == len(names) else nodes[codes == 0])
        return serving, now, never

    def scores(self, names: Sequence[str]) -> list[float]:
        """How good each node is with the pod on it, 0 to 1, higher is better; 0 where it does not fit."""
        nodes = self.numbers.of(names)
        if not self.verdicts.codes.size:
            return [0.0] * len(names)
        values = np.where((nodes >= 0) & (self.verdicts.codes[nodes] == 0), self._scaled()[nodes], 0.0)
        return values.tolist()  # type: ignore[no-any-return]

    def best(self, names: Sequence[str] | None = None) -> str | None:
        """The best node, of those named or of all; of equally good ones the first by name. None when none fits."""
        nodes = self._fitting(names)
        if not nodes.size:
            return None
        scores = self.verdicts.scores[nodes]
        best = nodes[scores == scores.max()]
        return self.ledger.names[int(best[self.ledger.ranks[best].argmin()])]

    def top(self, names: Sequence[str] | None, count: int) -> tuple[list[str], list[float]]:
        """So many of the best nodes with their scores, best first, ties by name; fewer when fewer fit.

        Args:
            names: The nodes to choose from; all by default.
            count: How many, ≥ 0.
        """
        nodes = self._fitting(names)
        scores = self.verdicts.scores[nodes]
        if 0 < count < nodes.size:
            least = np.partition(scores, nodes.size - count)[nodes.size - count]
            nodes, scores = nodes[scores >= least], scores[scores >= least]
        order = np.lexsort((self.ledger.ranks[nodes], -scores))[:count]
        return [self.ledger.names[node] for node in nodes[order].tolist()], self._scaled()[nodes[order]].tolist()

    def summary(self, names: Sequence[str] | None = None) -> str:
        """One sentence for people: how many nodes do not serve, and why, with the figures that decide.

        Args:
            names: The nodes that were looked at; all by default.
        """
        nodes = self._every() if names is None else self.numbers.of(names)
        return self.aggregate(nodes[nodes >= 0], nodes.size)

    def refusal(self, name: str) -> Refusal | None:
        """Why a node does not serve, in detail; None when it does."""
        node = self.ledger.index.get(name)
        if node is None:
            return Refusal(reason=Reason.NO_DEVICES, message=f"node {name} is not known to the scheduler")
        return None if self.verdicts.codes[node] == 0 else self.explain(node)

    def _every(self) -> Rows:
        return np.fromiter(self.ledger.index.values(), dtype=np.intp, count=len(self.ledger.index))

    def _fitting(self, names: Sequence[str] | None) -> Rows:
        nodes = self._every() if names is None else self.numbers.of(names)
        nodes = nodes[nodes >= 0]
        return nodes[self.verdicts.codes[nodes] == 0]  # type: ignore[no-any-return]

    def _scaled(self) -> Scores:
        """The scores; brought to 0 to 1 in their order where plugins' opinions lead out of that."""
        scores = self.verdicts.scores
        low, high = float(scores.min(initial=0.0)), float(scores.max(initial=1.0))
        return scores if (low, high) == (0.0, 1.0) else (scores - low) / (high - low)


def _told(names: Sequence[str], codes: Codes, which: Mask) -> dict[str, str]:
    told: dict[str, str] = {}
    for code in np.flatnonzero(np.bincount(codes[which])).tolist():
        told.update(dict.fromkeys(compress(names, (which & (codes == code)).tolist()), SHORT[code]))
    return told
