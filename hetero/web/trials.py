"""Tokens that somebody tries: a few are reviewed at once, and those from where many fail one after another.

An address may be a proxy's or a forwarded port's, which many people share: whoever fails there slows the others down,
and keeps nobody out whose token is good. What is held back is what the API server is asked.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hetero import log
from hetero.web.problems import Refused
from hetero.web.sessions import MOST, Token

_log = log.logger("dashboard")

AT_ONCE = 4
"""Tokens that are reviewed at a time."""

PAUSE = 0.25
"""Seconds that a failure holds up the next token from an address where many have failed."""

WAITING = 16
"""Tokens of such an address that may wait; a good one then waits for as many pauses at most."""

BAD = 10.0
"""Seconds for which a token that is not valid is answered without a review, and without counting as another failure."""

Review = Callable[[Token], Awaitable[str]]


class Attempts:
    """Counts how often an address has failed lately.

    Args:
        clock: Seconds, rising.
        most: Failures that make many.
        every: Seconds after which one is forgotten.
    """

    def __init__(self, clock: Callable[[], float], most: int = 10, every: float = 6.0) -> None:
        self._clock = clock
        self._most = most
        self._every = every
        self._failed: dict[str, tuple[float, float]] = {}  # address to failures not forgotten, as of a time

    def many(self, address: str) -> bool:
        """Whether it has failed often."""
        return self._count(address) > self._most - 1

    def fail(self, address: str) -> None:
        """It has failed once more."""
        count = min(self._count(address) + 1, 2.0 * self._most)
        self._failed.pop(address, None)
        if len(self._failed) >= 4 * MOST:
            del self._failed[next(iter(self._failed))]
        self._failed[address] = count, self._clock()

    def _count(self, address: str) -> float:
        count, then = self._failed.get(address, (0.0, 0.0))
        return max(0.0, count - (self._clock() - then) / self._every)


class Bad:
    """Remembers for a while which tokens were not valid: a program that sends an old one again and again is common.

    Args:
        clock: Seconds, rising.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: dict[bytes, float] = {}

    def add(self, token: Token) -> None:
        """It is not valid. Only a digest is kept."""
        if len(self._found) >= MOST:
            del self._found[next(iter(self._found))]
        self._found[_digest(token)] = self._clock()

    def __contains__(self, token: Token) -> bool:
        found = self._found.get(_digest(token))
        return found is not None and self._clock() - found < BAD


@dataclass
class _Lane:
    """An address where many have failed."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Trials:
    """Decides when a token is reviewed. For one event loop.

    Args:
        review: Says whose a token is, or raises :class:`Refused`.
        clock: Seconds, rising.
        pause: Seconds; see :data:`PAUSE`.
    """

    def __init__(self, review: Review, clock: Callable[[], float], *, pause: float = PAUSE) -> None:
        self._review = review
        self._pause = pause
        self._attempts = Attempts(clock)
        self._bad = Bad(clock)
        self._lanes: dict[str, _Lane] = {}
        # A few at once, so that nobody has the API server review as many tokens as they can send.
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def user(self, address: str, token: Token) -> str:
        """Whose it is. Failures of an address count before its next token is looked at, however many come at once.

        Raises:
            Refused: As the review does; 429 where too many wait already at an address where many failed.
        """
        if token in self._bad:
            raise Refused(401, "the token is not valid, or not any more; log in with a new one")
        async with self._turn:
            if not self._attempts.many(address):
                return await self._tried(address, token)
        async with self._lane(address):
            return await self._slowly(address, token)

    async def _slowly(self, address: str, token: Token) -> str:
        try:
            async with self._turn:
                return await self._tried(address, token)
        except Refused:
            await asyncio.sleep(self._pause)
            raise

    async def _tried(self, address: str, token: Token) -> str:
        try:
            return await self._review(token)
        except Refused as refused:
            if refused.status == 401:
                self._bad.add(token)
            if refused.status != 503:
                self._attempts.fail(address)
                _log.warning("a log-in is refused", address=address, status=refused.status)
            raise

    @asynccontextmanager
    async def _lane(self, address: str) -> AsyncIterator[None]:
        """Until all who came before from there are done."""
        lane = self._lanes.setdefault(address, _Lane())
        if lane.waiting >= WAITING:
            raise Refused(429, "too many tokens that are not valid come from your address; try again in a second", 1)
        lane.waiting += 1
        try:
            async with lane.lock:
                yield
        finally:
            lane.waiting -= 1
            if not lane.waiting:
                self._lanes.pop(address, None)


def _digest(token: Token) -> bytes:
    return hashlib.sha256(token.text.encode()).digest()
