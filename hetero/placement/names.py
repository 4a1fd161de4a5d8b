"""From the names of nodes to their numbers, many at a time.

A scheduler sends thousands of names with every request, and then once more those that were answered. Looking a fresh
string up costs about a tenth of a microsecond, which is most of a request; so the numbers of the last few lists are
kept, by the identity of the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import numpy as np

from hetero.placement.ledger import Ledger, Rows

_REMEMBERED = 4


class Numbers:
    """Numbers of a ledger's nodes.

    Args:
        ledger: The nodes.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: list[tuple[Sequence[str], int, Rows]] = []

    def of(self, names: Sequence[str]) -> Rows:
        """The number of each; -1 for a name that no node has.

        Whoever asks again with the same list must not have changed it meanwhile.
        """
        for known, named, numbers in self._known:
            if known is names and named == self._ledger.named and numbers.size == len(names):
                return numbers
        numbers = np.fromiter(map(self._ledger.index.get, names, repeat(-1)), dtype=np.intp, count=len(names))
        self.keep(names, numbers)
        return numbers

    def keep(self, names: Sequence[str], numbers: Rows) -> None:
        """These are the numbers of a list that somebody is about to ask for."""
        self._known = [(names, self._ledger.named, numbers), *self._known[: _REMEMBERED - 1]]
