"""A slice on one of its devices, beside others of other priorities: what it wants is read, what it yields written."""

from __future__ import annotations

from hetero.enforcement.pulse import Pulse, Watched, pulse
from hetero.monitoring.errands import Errands
from hetero.monitoring.precedence import HOLD_NS, last_wanted

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
        errands: Where what is to be written is left, until all of a look is.
        strict: It wants the device for as long as a process of it lives.

    Attributes:
        piece: What of the region shows whether it wants the device, for who reads it for many at once.

    Raises:
        RegionError: The region is closed.
    """

    __slots__ = (
        "_changed", "_data", "_errands", "_last", "_looked_ns", "_percent", "_strict", "_told", "_until", "_wanted_ns",
        "piece", "position", "priority", "region",
    )  # fmt: skip

    def __init__(self, region: Watched, position: int, priority: int, errands: Errands, *, strict: bool) -> None:
        self.region = region
        self.priority = priority
        self.position = position
        self.piece = region.pulse(position)
        self._percent, self._until, self._changed = region.percent(position), region.until(position), region.changed()
        self._errands = errands
        self._strict = strict
        self._data = b""
        self._last: Pulse | None = None
        self._looked_ns = 0
        self._wanted_ns = 0
        self._told = 0

    @property
    def yields(self) -> bool:
        """True while it makes way."""
        return self._told > 0

    def wanted(self, now_ns: int, data: bytes | None = None) -> int:
        """CLOCK_MONOTONIC in ns of when the slice last wanted the device, as far as that is known; 0: never.

        Args:
            now_ns: This moment.
            data: What stands in :attr:`piece` now, where it was read.

        Raises:
            RegionError: It cannot be told.
        """
        if self._strict:
            return self._lived(now_ns)
        if data is None:
            data = self.region.read(self.position)
        if data != self._data:  # else whoever was asked has not launched since
            # What was counted since a look long ago does not tell when.
            before = self._last if now_ns - self._looked_ns <= HOLD_NS else None
            self._data, self._last = data, pulse(data, now_ns)
            self._wanted_ns = max(self._wanted_ns, last_wanted(before, self._last))
            self._ask()
        self._looked_ns = now_ns
        return self._wanted_ns

    def unchanged(self, until_ns: int) -> None:
        """Say that nothing in :attr:`piece` has changed up to then, as :meth:`wanted` would have seen."""
        self._looked_ns = until_ns

    def hold(self, now_ns: int) -> None:
        """Have the slice make way, or go on making way, from when the errands are run."""
        told = self._told
        if not told % _PERCENT_EVERY:
            self._errands.percents.append(self._percent)
        self._errands.untils.append(self._until)
        self._errands.until_ns = now_ns + YIELD_NS
        if not told:
            self._ask()  # a program without a limit looks at none
        self._told = told + 1

    def free(self) -> None:
        """Let it have the device back at once.

        Raises:
            RegionError: It cannot be told.
        """
        if self.yields:
            self._told = 0
            self.region.free(self.position)
            self.region.ask()

    def _ask(self) -> None:
        self._errands.questions.append(self._changed)
        self._errands.asked.append(self.region.question())

    def _lived(self, now_ns: int) -> int:
        """The same by who lives. Looked at seldom: until the next time, one that lives is taken to live."""
        if now_ns - self._looked_ns >= LIVES_NS:
            self._looked_ns, self._wanted_ns = now_ns, 0
            if self.region.lives():
                self._wanted_ns = now_ns + LIVES_NS
        return self._wanted_ns
