"""How much may be said about one object: a burst, then now and then."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

BURST = 25
"""Events about one object that are posted at once."""

EVERY = 300.0
"""Seconds after which one more may be posted."""

OBJECTS = 4096
"""Objects that are remembered; the one that was quiet longest is forgotten first."""


class Talk:
    """A bucket of tokens for each object.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, about: str) -> bool:
        """Whether something may be said about an object now; if so, it counts as said."""
        now = self._clock()
        left, since = self._left.pop(about, (float(BURST), now))
        left = min(float(BURST), left + (now - since) / EVERY)
        allowed = left >= 1.0
        self._left[about] = (left - 1.0 if allowed else left, now)
        if len(self._left) > OBJECTS:
            self._left.popitem(last=False)
        return allowed
