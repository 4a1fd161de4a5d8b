"""One contested device: which of its slices goes first, and that all behind it make way."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from hetero import log
from hetero.errors import RegionError
from hetero.monitoring.contender import PERIOD_NS, YIELD_NS, Contender
from hetero.monitoring.precedence import wants

_log = log.logger("precedence")


class Contest:
    """The slices of a device, not all of one priority.

    No more of them are looked at than it takes: those that go first, until one of them is sure to want the device also
    at the next look. Those behind make way whatever they want, and those beside it change nothing.

    Args:
        contenders: Those whose region could be opened.
    """

    def __init__(self, contenders: Iterable[Contender]) -> None:
        ordered = sorted(contenders, key=lambda one: one.priority)
        self._levels = [list(level) for _, level in groupby(ordered, key=lambda one: one.priority)]
        self._first: int | None = None
        self._tell_ns = 0

    @property
    def contenders(self) -> list[Contender]:
        """All of them."""
        return [one for level in self._levels for one in level]

    def look(self, now_ns: int) -> None:
        """See to it that those make way who have to, and that nobody else does."""
        first = next((level[0].priority for level in self._levels[:-1] if _wanted(level, now_ns)), None)
        if first != self._first or now_ns >= self._tell_ns:
            self._first, self._tell_ns = first, now_ns + YIELD_NS - PERIOD_NS
            for one in self.contenders:
                _tell(one, now_ns, held=first is not None and one.priority > first)


def _wanted(level: list[Contender], now_ns: int) -> bool:
    """True when one of these wants the device; the one that surely does is looked at first the next time."""
    found = False
    for place, one in enumerate(level):
        try:
            moment = one.wanted(now_ns)
        except RegionError as error:  # it goes before nobody
            _log.debug("a slice cannot be looked at", reason=str(error))
            continue
        if wants(moment, now_ns + PERIOD_NS):
            level.insert(0, level.pop(place))
            return True
        found = found or wants(moment, now_ns)
    return found


def _tell(one: Contender, now_ns: int, *, held: bool) -> None:
    try:
        if held:
            one.hold(now_ns)
        else:
            one.free()
    except RegionError as error:  # cut short just now: it is told again, and what it yields ends by itself
        _log.debug("a slice cannot be told", reason=str(error))
