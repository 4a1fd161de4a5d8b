"""How long to wait before the next try: longer each time, never in step with others."""

from __future__ import annotations

import random


class Backoff:
    """Doubling delays with jitter.

    Args:
        first: Seconds before the second try.
        longest: Seconds that no delay exceeds, unless the server asks for more.
    """

    def __init__(self, first: float = 0.2, longest: float = 10.0) -> None:
        self.first = first
        self.longest = longest
        self._tries = 0

    def reset(self) -> None:
        """It worked: the next failure is a first one."""
        self._tries = 0

    def next(self, asked: float | None = None) -> float:
        """Seconds to wait now: between half of the delay and all of it, and no less than the server asked for."""
        delay = min(self.longest, self.first * 2.0 ** min(self._tries, 30))
        self._tries += 1
        return max(asked or 0.0, delay * random.uniform(0.5, 1.0))  # noqa: S311  no secret hangs on it
