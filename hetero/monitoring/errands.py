"""What a look leaves to be written into regions: collected while slices are looked at, and written kind by kind."""

from __future__ import annotations

from hetero import log
from hetero.enforcement.ferry import Ferry
from hetero.enforcement.pulse import percent_word, until_word
from hetero.monitoring.precedence import FLOOR

_log = log.logger("precedence")

_FLOOR = percent_word(FLOOR)


class Errands:
    """Words to be written, in the order of the kinds: programs look at the first two when asked by the last.

    Attributes:
        percents: Where it is to be written what slices that make way are held to.
        untils: Where, until when.
        until_ns: What is to stand in all of these: the end of what is yielded by those told at this look.
        questions: Where slices are to be asked whether they launch.
        asked: The question for each of them.
    """

    def __init__(self) -> None:
        self.percents: list[memoryview] = []
        self.untils: list[memoryview] = []
        self.until_ns = 0
        self.questions: list[memoryview] = []
        self.asked: list[bytes] = []

    def run(self, ferry: Ferry) -> None:
        """Write everything, and have nothing left, whatever happens.

        Raises:
            OSError: See :meth:`hetero.enforcement.ferry.Ferry.scatter`.
        """
        try:
            missing = self._write(ferry)
        finally:
            for kind in (self.percents, self.untils, self.questions, self.asked):
                kind.clear()
        if missing:  # cut short just now: they are told again, and what they yield ends by itself
            _log.debug("slices cannot be told", count=missing)

    def _write(self, ferry: Ferry) -> int:
        """How many of the words could not be."""
        missing = 0
        if self.percents:
            missing += len(ferry.scatter(_FLOOR * len(self.percents), self.percents))
        if self.untils:
            missing += len(ferry.scatter(until_word(self.until_ns) * len(self.untils), self.untils))
        if self.questions:
            missing += len(ferry.scatter(b"".join(self.asked), self.questions))
        return missing
