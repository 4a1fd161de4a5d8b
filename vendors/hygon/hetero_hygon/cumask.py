"""Masks of compute units: a bit for each unit of a card, up to 128 of them, written as two words of 64 bits. Pure.

Source: the files ``/etc/vdev/vdev<N>.conf`` of libhydmi 1.5: the low word comes first.
"""

from __future__ import annotations

BITS = 64
WORDS = 2
UNITS = BITS * WORDS
"""Units that a mask has room for."""


def units_of(percent: int, total: int) -> int:
    """Compute units that make up so many percent of a card, rounded up, as the vendor's own tools do.

    Args:
        percent: 1 to 100; 0 sets no limit, which on this chip is all of them.
        total: Units of the card, ≥ 1.
    """
    return -(-(percent or 100) * total // 100)


def joined(low: int, high: int) -> int:
    """The mask of two words."""
    return low | high << BITS


def words(mask: int) -> tuple[int, int]:
    """The two words of a mask, low first.

    Raises:
        ValueError: It has bits beyond what two words hold.
    """
    if not 0 <= mask < 1 << UNITS:
        raise ValueError(f"{mask:#x} is no mask of {UNITS} units at most")
    return mask & ((1 << BITS) - 1), mask >> BITS


def size(mask: int) -> int:
    """How many units a mask has."""
    return mask.bit_count()


def overlaps(one: int, other: int) -> bool:
    """True when a unit is in both."""
    return bool(one & other)
