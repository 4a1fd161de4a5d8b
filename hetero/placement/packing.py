"""How many shares of one ask a device could give at best: what tells a search early that several asks do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Free = tuple[int, ...]
"""What is free of a device, line by line."""

_FEW = 12  # ways that are combined; with more, only what all of them take is counted
_UNBOUND = 2**31


def within(amounts: Free, free: Free) -> bool:
    """Whether so much is free; of what is not asked there may be less than nothing."""
    return all(amount <= 0 or amount <= left for amount, left in zip(amounts, free, strict=True))


def less(free: Free, amounts: Free) -> Free:
    """What is left."""
    return tuple(left - amount for left, amount in zip(free, amounts, strict=True))


class Packing:
    """Shares of one ask on devices of several models. Remembers what it has found out.

    Args:
        ways: For each model what each of its shares takes; of several, each takes places that it cannot share with
            itself.
        idle: Only a device of which nothing is taken serves, so that it gives one share or none.
    """

    def __init__(self, ways: Mapping[int, Sequence[Free]], idle: bool) -> None:
        self._ways = ways
        self._idle = idle
        self._known: dict[tuple[int, Free], int] = {}

    def most(self, model: int, free: Free, limit: int) -> int:
        """How many fit at best, at most ``limit``: never fewer than truly do."""
        if self._idle:
            return min(1, limit)
        if (model, free) not in self._known:
            ways = self._ways[model]
            combined = 1 < len(ways) <= _FEW
            self._known[model, free] = _combined(ways, free) if combined else _quotient(ways, free)
        return min(self._known[model, free], limit)


def _quotient(ways: Sequence[Free], free: Free) -> int:
    """By what every way takes alike."""
    least = map(min, zip(*ways, strict=True))
    return min((left // amount for left, amount in zip(free, least, strict=True) if amount > 0), default=_UNBOUND)


def _combined(ways: Sequence[Free], free: Free) -> int:
    """By trying all sets of ways, each once, in order."""
    most = 0
    for number, amounts in enumerate(ways):
        if within(amounts, free):
            most = max(most, 1 + _combined(ways[number + 1 :], less(free, amounts)))
    return most
