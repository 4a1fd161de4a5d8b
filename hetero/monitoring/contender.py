"""A slice on one of its devices, beside others of other priorities: what it wants is read, what it yields written."""

from __future__ import annotations

from hetero.enforcement.pulse import Pulse, Watched
from hetero.monitoring.precedence import FLOOR, HOLD_NS, last_wanted

PERIOD_NS = 50_000_000
"""Between two looks."""

YIELD_NS = 4 * PERIOD_NS
"""For how long a slice makes way without being told again. It is told a period before: most of what looking takes is
telling, and whoever looks may be late."""

_PERCENT_EVERY = 6
"""Times that a slice is told to go on making way, from one at which it is told also how far to the next."""

LIVES_NS = 4 * PERIOD_NS
"""From one look at who lives to the next."""


class Contender:
    """A slice on one of its devices.

    Args:
        region: Its region, open.
        position: Of the device in the slice.
        priority: 0 goes first.
        strict: It wants the device for as long as a process of it lives.
    """

    def __init__(self, region: Watched, position: int, priority: int, *, strict: bool) -> None:
        self.region = region
        self.priority = priority
        self.position = position
        self._strict = strict
        self._last: Pulse | None = None
        self._looked_ns = 0
        self._wanted_ns = 0
        self._told = 0

    @property
    def yields(self) -> bool:
        """True while it makes way."""
        return self._told > 0

    def wanted(self, now_ns: int) -> int:
        """CLOCK_MONOTONIC in ns of when the slice last wanted the device, as far as that is known; 0: never.

        Raises:
            RegionError: It cannot be told.
        """
        if self._strict:
            return self._lived(now_ns)
        looked_ns, self._looked_ns = self._looked_ns, now_ns
        pulse = self.region.pulse(self.position, now_ns)
        if pulse is not self._last:  # else whoever was asked has not launched since
            # What was counted since a look long ago does not tell when.
            before = self._last if now_ns - looked_ns <= HOLD_NS else None
            self._wanted_ns = max(self._wanted_ns, last_wanted(before, pulse))
            self.region.ask()
            self._last = pulse
        return self._wanted_ns

    def hold(self, now_ns: int) -> None:
        """Have the slice make way, or go on making way.

        Raises:
            RegionError: It cannot be told.
        """
        percent = None if self._told % _PERCENT_EVERY else FLOOR
        self.region.hold(self.position, percent, now_ns + YIELD_NS)
        if not self.yields:
            self.region.ask()  # a program without a limit looks at none
        self._told += 1

    def free(self) -> None:
        """Let it have the device back at once.

        Raises:
            RegionError: It cannot be told.
        """
        if self.yields:
            self._told = 0
            self.region.hold(self.position, 0, 0)
            self.region.ask()

    def _lived(self, now_ns: int) -> int:
        """The same by who lives. Looked at seldom: until the next time, one that lives is taken to live."""
        if now_ns - self._looked_ns >= LIVES_NS:
            self._looked_ns, self._wanted_ns = now_ns, 0
            if self.region.lives():
                self._wanted_ns = now_ns + LIVES_NS
        return self._wanted_ns
