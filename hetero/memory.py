"""What a process of many threads does for its memory."""

from __future__ import annotations

import ctypes

_MMAP_THRESHOLD = -3
_ARENA_MAX = -8

LONG = 1 << 17
"""Bytes from which on a piece of memory is the kernel's again as soon as it is free."""

ARENAS = 2
"""Places in which the C library keeps what threads free; its own choice is eight for each processor."""


def few_arenas() -> bool:
    """Have the C library keep what threads free in two places, not in one for each of dozens of threads.

    To be called before there are threads. Source: mallopt(3), ``M_ARENA_MAX``.

    Returns:
        False where the C library has no such places, or refuses.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_ARENA_MAX, ARENAS))


def give_long_ones_back() -> bool:
    """Have the C library give every long piece of memory back at once.

    Left to itself it keeps those up to the length of the longest that was freed, as if there were more to come: one
    long text would cost its length for good.

    Source: mallopt(3), ``M_MMAP_THRESHOLD``.

    Returns:
        False where the C library makes no such difference, or refuses.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, LONG))
