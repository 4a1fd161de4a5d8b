"""Outputs of calls with room behind them: newer libraries write more than older headers say."""

from __future__ import annotations

import ctypes
from typing import Any, TypeVar

T = TypeVar("T", bound=Any)

SPARE = 256
"""Zeroed bytes behind each output."""


def room(kind: type[T], count: int = 1) -> T:
    """A zeroed output of a C type, and :data:`SPARE` bytes behind it that belong to nobody.

    Args:
        kind: The type; for several of it an array is made.
        count: How many.
    """
    whole = kind if count == 1 else kind * count
    block = ctypes.create_string_buffer(ctypes.sizeof(whole) + SPARE)
    made: T = whole.from_buffer(block)  # which keeps the block alive
    return made
