"""What slices of hollow nodes pretend to use. SIMULATED: nothing runs there."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import msgspec


class Use(msgspec.Struct, frozen=True):
    """What a slice uses of what it may.

    Args:
        memory: Ratio of its memory.
        compute: Ratio of its compute, or of what is free of the device where it has no limit.
    """

    memory: float
    compute: float


Load = Callable[[str, float], Use | None]
"""Of a slice's device, by its name (``uid/container/position``) and the time in seconds; None: it was never started."""


def idle(_: str, __: float) -> Use | None:
    """Started, and nothing used."""
    return Use(0.0, 0.0)


def still(name: str, _: float) -> Use | None:
    """Always the same of the same name: from a fifth to nearly all."""
    memory, compute, _wave, _period = _drawn(name)
    return Use(0.2 + 0.75 * memory, 0.2 + 0.75 * compute)


def moving(name: str, seconds: float) -> Use | None:
    """Compute that comes and goes with a period of half a minute to two, and memory that grows and falls with it."""
    memory, compute, wave, period = _drawn(name)
    phase = 2 * math.pi * (wave + seconds / (30 + 90 * period))
    height = 0.5 + 0.5 * math.sin(phase)
    return Use(0.3 + 0.4 * memory + 0.25 * height, min(1.0, (0.1 + 0.3 * compute) + 0.6 * height))


def _drawn(name: str) -> tuple[float, float, float, float]:
    """Four ratios that look drawn, the same for a name in every process."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    first, second, third, fourth = (int.from_bytes(digest[at : at + 2]) / 65535 for at in range(0, 8, 2))
    return first, second, third, fourth
