"""Arrays that grow, and stretches of their rows that are given out and taken back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Amounts = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


def grown(array: npt.NDArray[Any], size: int, axis: int = -1) -> npt.NDArray[Any]:
    """The array itself when it has ``size`` entries along the axis, else a copy with at least twice as many, zeros new.

    So appending one by one costs a constant time each, on average.
    """
    have = array.shape[axis]
    if have >= size:
        return array
    shape = list(array.shape)
    shape[axis] = max(size, 2 * have, 16)
    larger = np.zeros(shape, dtype=array.dtype)
    larger[tuple(slice(length) for length in array.shape)] = array
    return larger


def distinct(values: npt.NDArray[Any]) -> list[int]:
    """The values that occur, in order."""
    ordered = np.sort(values)
    first = np.ones(ordered.size, dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return ordered[first].tolist()  # type: ignore[no-any-return]


def among(values: npt.NDArray[np.int64], some: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which of the values are some of those, which are in order."""
    if not some.size:
        return np.zeros(values.shape, dtype=bool)
    places = np.minimum(np.searchsorted(some, values), some.size - 1)
    return some[places] == values  # type: ignore[no-any-return]


class Blocks:
    """Which rows are in use: a node's rows lie side by side, and stay where they are for as long as it lives.

    Attributes:
        extent: Rows from here on were never given out.
        idle: Rows before that which nobody has.
    """

    def __init__(self) -> None:
        self.extent = 0
        self.idle = 0
        self._idle_of_size: dict[int, list[int]] = {}

    def take(self, size: int) -> int:
        """The first of ``size`` rows that nobody has. O(1)."""
        same = self._idle_of_size.get(size)
        if same:
            self.idle -= size
            return same.pop()
        self.extent += size
        return self.extent - size

    def give(self, start: int, size: int) -> None:
        """Take back rows that were given out by one :meth:`take`. O(1)."""
        if size:
            self._idle_of_size.setdefault(size, []).append(start)
            self.idle += size

    @property
    def sparse(self) -> bool:
        """True when more than half of the rows lie idle: time to move the others together."""
        return self.idle > 1024 and 2 * self.idle > self.extent
