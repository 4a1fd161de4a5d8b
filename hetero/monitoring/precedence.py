"""Who makes way for whom on one device. Pure.

Slices have priorities, and the lower number goes first: while a slice wants the device, those of higher numbers are
held to next to nothing, whatever they were promised, and have it back when it rests. What "wants" means is a choice: by
default the slice has to launch something; where precedence is strict it is enough that a process of it lives.
"""

from __future__ import annotations

from collections.abc import Sequence

from hetero.enforcement.pulse import Pulse

STRICT = "strict"
OFF = "off"

FLOOR = 1
"""Percent of the device that is left to whoever makes way: a program that got nothing at all would look hung, and may
hold a lock that one of a higher priority waits for."""

HOLD_NS = 120_000_000
"""For how long after its last launch a slice still wants the device. Programs rest for moments between launches, while
what they launched runs; longer, and those who made way would wait for nobody."""

_SLACK_NS = 1_000_000_000
"""What a clock that is read on two processors may differ by, and far more."""


def contested(priorities: Sequence[int]) -> bool:
    """True when the slices of a device are not all equal, so that one may have to make way."""
    return len(set(priorities)) > 1


def last_wanted(before: Pulse | None, now: Pulse) -> int:
    """CLOCK_MONOTONIC in ns of when the slice last launched something or waited to; 0: not that anybody knows.

    Args:
        before: The reading before this one; None for the first.
        now: This one. What lies in the future is a program's invention.
    """
    if before is not None and (now.launches, now.busy_ns) != (before.launches, before.busy_ns):
        return now.read_ns
    return now.wanted_ns if now.wanted_ns <= now.read_ns + _SLACK_NS else 0


def wants(wanted_ns: int, now_ns: int) -> bool:
    """True when a slice that last wanted the device then still does."""
    return wanted_ns > 0 and now_ns - wanted_ns <= HOLD_NS
