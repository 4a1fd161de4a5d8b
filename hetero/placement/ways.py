"""Shares that have a position: which of the places that serve as well is free, on many devices at once.

A chip on which a share has a position has a dimension of capacity 1 for each place. Which of them are free of a device
is then a few bits of one number, and so is what a share takes of them: a way fits where it takes none that is not free.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt

from hetero.model.device import DeviceModel
from hetero.model.share import Share
from hetero.placement.catalogue import Catalogue
from hetero.placement.columns import Amounts, Rows

MOST_WAYS = 256
"""Of one ask on one model, the first included."""

Bits = npt.NDArray[np.uint64]


class Ways:
    """The shares of an ask on each model, where some model has several.

    Args:
        shares: For each model its shares, the first first; nothing for a model that does not serve.
        catalogue: Of the models.

    Attributes:
        shares: The same.
        least: For each model the least that any of its shares takes, line by line.
    """

    def __init__(self, shares: Sequence[Sequence[Share]], catalogue: Catalogue) -> None:
        self.shares = shares
        columns = [[catalogue.vector(share.quantities) for share in some] for some in shares]
        nothing = np.zeros(len(catalogue.dimensions), dtype=np.int64)
        self._first: Amounts = np.array([some[0] if some else nothing for some in columns]).T
        self.least: Amounts = np.array([np.min(some, axis=0) if some else nothing for some in columns]).T
        self._several = np.array([len(some) > 1 for some in shares])
        self._lines = sorted({line for some in columns for line in _differing(some)})
        # A model that has fewer ways than others has its first again; with one, there is nothing to look at.
        count = max(map(len, columns))
        self._takes: Bits = np.zeros((count, len(shares)), dtype=np.uint64)
        for model, some in enumerate(columns):
            if len(some) > 1:
                bits = self._bits(np.array(some).T)
                self._takes[:, model] = np.append(bits, bits[:1].repeat(count - bits.size))

    def fit(self, models: Rows, free: Amounts) -> npt.NDArray[np.bool_]:
        """Whether any way of each device's model fits into its free places, everything else aside."""
        return self.first(models, free) >= 0

    def first(self, models: Rows, free: Amounts, given: Amounts | None = None) -> Rows:
        """For each device the number of the first way that fits into its free places; -1 where none does.

        Args:
            models: The model of each device.
            free: What is free of it, line by line.
            given: What the pod has of it anyway: of ways that fit, one goes before others that takes less beside that.
        """
        missing, cost = ~self._bits(free), np.full(models.shape, 255, dtype=np.uint8)
        chosen = np.full(models.shape, -1, dtype=np.intp)
        had = self._bits(given) if given is not None else None
        for way, takes in enumerate(self._takes):
            some = takes[models]
            more = np.zeros_like(cost) if had is None else np.bitwise_count(some & ~had)
            better = ((some & missing) == 0) & (more < cost)
            chosen[better], cost[better] = way, more[better]
        return chosen

    def amounts(self, models: Rows, ways: Rows) -> Amounts:
        """What these ways take of devices of these models, line by line."""
        amounts = self._first[:, models]
        bits, several = self._takes[np.maximum(ways, 0), models], self._several[models]
        for bit, line in enumerate(self._lines):
            amounts[line] = np.where(several, bits >> np.uint64(bit) & np.uint64(1), amounts[line])
        return amounts

    def places(self, model: int) -> list[list[int]]:
        """The lines of the places that each way takes of a device of a model; nothing for a model with but one."""
        if not self._several[model]:
            return []
        bits = self._takes[: len(self.shares[model]), model].tolist()
        return [[line for bit, line in enumerate(self._lines) if takes >> bit & 1] for takes in bits]

    def columns(self, model: int) -> list[tuple[int, ...]]:
        """What each way takes of a device of a model, line by line."""
        ways = np.arange(len(self.shares[model]))
        return list(map(tuple, self.amounts(np.full(ways.size, model), ways).T.tolist()))

    def _bits(self, amounts: Amounts) -> Bits:
        """A bit for each place that there is at least one of."""
        bits = np.zeros(amounts.shape[1:], dtype=np.uint64)
        for bit, line in enumerate(self._lines):
            bits |= (amounts[line] > 0).astype(np.uint64) << np.uint64(bit)
        return bits


def alternatives(model: DeviceModel, share: Share, others: Iterable[Share]) -> tuple[Share, ...]:
    """A share with its alternatives, each once. Holds a vendor to its word.

    Raises:
        ValueError: They differ in more than which places they take, or there are too many.
    """
    found = [share]
    for other in islice(others, MOST_WAYS + 1):
        moved = _moved(model, share, other)
        if moved and all(one.quantities != other.quantities for one in found):
            found.append(other)
    if len(found) > MOST_WAYS:
        raise ValueError(f"there are more than {MOST_WAYS} alternatives")
    return tuple(found)


def _moved(model: DeviceModel, share: Share, other: Share) -> list[str]:
    """The dimensions in which two shares differ, if they are places, and as many of them."""
    names = sorted({*share.quantities, *other.quantities})
    moved = [name for name in names if share.quantities.get(name, 0) != other.quantities.get(name, 0)]
    wrong = [name for name in moved if model.capacity.get(name) != 1 or other.quantities.get(name, 0) not in (0, 1)]
    if wrong:
        raise ValueError(f"an alternative differs in {', '.join(wrong)}; it may in places of capacity 1 alone")
    total, usual = sum(other.quantities.values()), sum(share.quantities.values())
    if total != usual:
        raise ValueError(f"an alternative takes {total} in all instead of {usual}")
    return moved


def _differing(columns: Sequence[Amounts]) -> Iterable[int]:
    table = np.array(columns)
    lines: list[int] = np.flatnonzero((table != table[:1]).any(axis=0)).tolist() if len(columns) else []
    return lines
