"""One contested device: which of its slices goes first, and that all behind it make way."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, groupby, islice

from hetero import log
from hetero.enforcement.pulse import PULSE_SIZE
from hetero.errors import RegionError
from hetero.monitoring.contender import PERIOD_NS, YIELD_NS, Contender
from hetero.monitoring.precedence import wants

_log = log.logger("precedence")

_AGAIN_NS = YIELD_NS - PERIOD_NS
"""After which those who make way are told to go on."""

_NOBODY_KNOWS = -1
"""In the place of a priority: nothing was told yet by whoever looks from now on."""


class Contest:
    """The slices of a device, not all of one priority.

    No more of them are looked at than it takes: those that go first, until one of them is sure to want the device also
    at the next look. Those behind make way whatever they want, and those beside it change nothing.

    Args:
        contenders: Those whose region could be opened.

    Attributes:
        contenders: All of them.
    """

    __slots__ = ("_count", "_data", "_first", "_held", "_levels", "_tell_ns", "_unchanged_ns", "contenders")

    def __init__(self, contenders: Iterable[Contender]) -> None:
        self.contenders = sorted(contenders, key=lambda one: one.priority)
        # Those of the last priority are never looked at: nobody makes way for them.
        self._levels = [list(level) for _, level in groupby(self.contenders, key=lambda one: one.priority)][:-1]
        self._count = sum(map(len, self._levels))
        self._data: bytes | None = None
        self._unchanged_ns = 0
        self._first: int | None = _NOBODY_KNOWS
        self._held: list[Contender] = []
        self._tell_ns = 0

    @property
    def pieces(self) -> list[memoryview]:
        """What the next look has to read, in this order: up to the one that is sure to want the device."""
        return [one.piece for one in islice(chain.from_iterable(self._levels), self._count)]

    def look(self, now_ns: int, data: bytes | None = None) -> bool:
        """See to it that those make way who have to, and that nobody else does.

        Args:
            now_ns: This moment.
            data: What stands in the :attr:`pieces`, one behind the other; without it each is read by itself.

        Returns:
            True when the pieces are others from now on.
        """
        if data is not None and data == self._data and self._first is None:
            self._unchanged_ns = now_ns  # nobody wanted the device, and nobody has begun to
            return False
        if self._unchanged_ns:
            self._catch_up()
        if self._goes_on(now_ns, data):
            return False
        self._data = data
        first, count, moved = self._find(now_ns, data)
        if first != self._first:
            self._first, self._held, self._tell_ns = first, [], now_ns + _AGAIN_NS
            for one in self.contenders:
                self._tell(one, now_ns, held=first is not None and one.priority > first)
        else:
            self._tell_again(now_ns)
        changed, self._count = moved or count != self._count, count
        return changed

    def _goes_on(self, now_ns: int, data: bytes | None) -> bool:
        """True when one of the highest priority was sure to want the device, and is so again: nothing changes."""
        if self._count != 1 or data is None or not self._held:
            return False
        if not wants(self._levels[0][0].wanted(now_ns, data), now_ns + PERIOD_NS):
            return False
        if now_ns >= self._tell_ns:
            self._tell_again(now_ns)
        return True

    def _find(self, now_ns: int, data: bytes | None) -> tuple[int | None, int, bool]:
        """Who goes first, how many have to be looked at to know it at the next look, and whether one moved up.

        Whoever is sure to want the device also then is the first of his equals from now on.
        """
        before = 0
        for level in self._levels:
            found = False
            for index, one in enumerate(level):
                moment = _moment(one, now_ns, self._part(data, before + index))
                if wants(moment, now_ns + PERIOD_NS):
                    if index:
                        level.insert(0, level.pop(index))
                    return one.priority, before + 1, index > 0
                found = found or wants(moment, now_ns)
            before += len(level)
            if found:
                return level[0].priority, before, False
        return None, before, False

    def _part(self, data: bytes | None, place: int) -> bytes | None:
        if data is None or place >= self._count:
            return None
        return data[place * PULSE_SIZE : (place + 1) * PULSE_SIZE]

    def _tell(self, one: Contender, now_ns: int, *, held: bool) -> None:
        if held:
            one.hold(now_ns)
            self._held.append(one)
            return
        try:
            one.free()
        except RegionError as error:  # cut short just now: what it yields ends by itself
            _log.debug("a slice cannot be told", reason=str(error))

    def _tell_again(self, now_ns: int) -> None:
        """Have those who make way go on with it, if it is time."""
        if now_ns >= self._tell_ns:
            self._tell_ns = now_ns + _AGAIN_NS
            for one in self._held:
                one.hold(now_ns)

    def _catch_up(self) -> None:
        """What was seen of all at once counts for each."""
        until_ns, self._unchanged_ns = self._unchanged_ns, 0
        for one in chain.from_iterable(self._levels):
            one.unchanged(until_ns)


def _moment(one: Contender, now_ns: int, data: bytes | None) -> int:
    """When it last wanted the device; one that cannot be looked at goes before nobody."""
    try:
        return one.wanted(now_ns, data)
    except RegionError as error:
        _log.debug("a slice cannot be looked at", reason=str(error))
        return 0
