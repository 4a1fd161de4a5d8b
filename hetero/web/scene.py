"""One moment of the cluster, from which every page is made: nothing in it changes any more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.quantity import MIB
from hetero.placement.columns import Rows
from hetero.placement.ledger import CORDONED, UNHEALTHY
from hetero.placement.quota import Use as QuotaUse
from hetero.placement.standing import Shape, Standing
from hetero.vendor import Vendor
from hetero.web.known import Column, Known
from hetero.web.pods import Kept, Sliver
from hetero.web.records import Amount, Freshness

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Finding:
    """Why a pod waits.

    Attributes:
        reason: A sentence; empty where it fits, and where nobody has looked yet.
        fits: The cluster has room for it.
    """

    reason: str = ""
    fits: bool = False


@dataclass(frozen=True)
class Scene:
    """What is shown.

    Attributes:
        standing: The ledger.
        known: What the agents say, beside it.
        pods: Those that ask or hold devices, by UID.
        on_card: Node and card to what is promised of it.
        quotas: Limits, with what is taken of them.
        slices: Row to how many slices are promised on it.
        unlimited: Which rows have slices without a limit of compute.
        vendors: The installed ones, for their titles and the words of their resources.
        freshness: How old all this is.
        reason: Why a pod waits.
    """

    standing: Standing
    known: Known
    pods: Mapping[str, Kept]
    on_card: Mapping[tuple[str, str], tuple[Sliver, ...]]
    quotas: tuple[QuotaUse, ...]
    slices: Numbers
    unlimited: Mask
    vendors: Mapping[str, Vendor]
    freshness: Freshness
    reason: Callable[[Kept], Finding] = lambda _: Finding()

    @property
    def shape(self) -> Shape:
        """The devices."""
        return self.standing.shape

    @property
    def healthy(self) -> Mask:
        """Which rows may be used."""
        return np.not_equal(self.shape.state, UNHEALTHY)

    @property
    def cordoned(self) -> Mask:
        """Which rows get no new pods; those that are unhealthy as well are called so."""
        return np.equal(self.shape.state, CORDONED)

    @cached_property
    def idle(self) -> Mask:
        """Which rows are well, not cordoned, and promised to nobody."""
        empty: Mask = (self.used(SLOTS) == 0) & (self.slices == 0)
        return self.healthy & ~self.cordoned & empty

    @cached_property
    def shared(self) -> Numbers:
        """Row to the percent of its compute that slices without a limit share: all that is not promised."""
        return np.where(self.unlimited, np.maximum(100 - self.used(CORES), 0), 0)

    def capacity(self, dimension: str) -> Numbers:
        """Row to what it has; 0 of a dimension that it lacks."""
        line = self.shape.lines.get(dimension)
        return self.shape.capacity[line] if line is not None else np.zeros(len(self.shape.devices), dtype=np.int64)

    def used(self, dimension: str) -> Numbers:
        """Row to what is promised of it."""
        line = self.shape.lines.get(dimension)
        return self.standing.used[line] if line is not None else np.zeros(len(self.shape.devices), dtype=np.int64)

    def share(self, dimension: str) -> Column:
        """Row to the ratio that is promised; 1 where there is nothing to promise."""
        capacity = self.capacity(dimension)
        return np.where(capacity > 0, self.used(dimension) / np.maximum(capacity, 1), 1.0)

    def sums(self, of: Rows, count: int) -> tuple[list[Amount], list[Amount]]:
        """Memory and compute of groups of devices.

        Args:
            of: Row to the number of its group, below ``count``.
            count: How many groups.
        """
        memory = _amounts(self.capacity(MEMORY), self.used(MEMORY), self.known.memory, (of, count))
        ones = np.full(len(self.shape.devices), 100)
        compute = _amounts(ones, self.used(CORES), self.known.compute, (of, count))
        shared = np.bincount(of, self.shared, minlength=count).tolist()
        return (
            [Amount(capacity=a * MIB, allocated=b * MIB, used=c, known=d * MIB) for a, b, c, d in memory],
            [
                Amount(capacity=a / 100, allocated=b / 100, used=c, known=d / 100, shared=e / 100)
                for (a, b, c, d), e in zip(compute, shared, strict=True)
            ],
        )

    def memory(self, row: int) -> Amount:
        """Memory of one card."""
        used = value(self.known.memory, row)
        capacity = int(self.capacity(MEMORY)[row]) * MIB
        allocated = int(self.used(MEMORY)[row]) * MIB
        return Amount(capacity=capacity, allocated=allocated, used=used, known=0 if used is None else capacity)

    def compute(self, row: int) -> Amount:
        """Compute of one card."""
        used = value(self.known.compute, row)
        allocated = int(self.used(CORES)[row]) / 100
        shared = int(self.shared[row]) / 100
        return Amount(capacity=1, allocated=allocated, used=used, known=0 if used is None else 1, shared=shared)


def counted(shape: Shape, on_card: Mapping[tuple[str, str], tuple[Sliver, ...]]) -> Numbers:
    """Row to how many slices are promised on it; those of cards that are not there count nowhere."""
    counts = np.zeros(len(shape.devices) + 1, dtype=np.int64)
    rows, nowhere = shape.rows, len(shape.devices)
    counts[[rows.get(place, nowhere) for place in on_card]] = [len(slivers) for slivers in on_card.values()]
    return counts[:-1]


def without_limit(shape: Shape, on_card: Mapping[tuple[str, str], tuple[Sliver, ...]]) -> Mask:
    """Which rows have a slice without a limit of compute."""
    found = np.zeros(len(shape.devices) + 1, dtype=bool)
    rows, nowhere = shape.rows, len(shape.devices)
    found[[rows.get(place, nowhere) for place, held in on_card.items() if not all(one.cores for one in held)]] = True
    return found[:-1]


def value(column: Column, row: int) -> float | None:
    """A number; None where it is not known."""
    found = float(column[row])
    return None if np.isnan(found) else found


def _amounts(
    capacity: Numbers, allocated: Numbers, used: Column, groups: tuple[Rows, int]
) -> list[tuple[float, float, float | None, float]]:
    """Capacity, allocated, used and known of each group. Sums of whole numbers stay exact below 2^53."""
    of, count = groups
    known = ~np.isnan(used)

    def total(weights: npt.NDArray[np.generic]) -> list[float]:
        return np.bincount(of, weights, minlength=count).tolist()  # type: ignore[no-any-return]

    reported = np.bincount(of[known], minlength=count).tolist()
    sums = total(capacity), total(allocated), total(np.where(known, used, 0.0)), total(np.where(known, capacity, 0))
    return [(a, b, c if there else None, d) for a, b, c, d, there in zip(*sums, reported, strict=True)]
