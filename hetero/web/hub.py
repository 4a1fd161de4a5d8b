"""Many who watch the same page cost as much as one: each page is made once a second at most, and only what changed.

Whoever watches is given what is newest when it is ready for more: a slow reader misses states in between and holds
nobody up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable
from contextlib import suppress

from hetero.web.documents import Document
from hetero.web.problems import Refused

MOST = 1000
"""Who watch at a time."""

MOST_PAGES = 256
"""Different pages that are watched at a time; each is kept as it was sent last."""

TICK = 1.0
"""Seconds between two looks."""

BEAT = 15.0
"""Seconds of silence after which a sign of life is sent, as proxies end connections that say nothing for long."""

Make = Callable[[], Awaitable[Document]]


class _Channel:
    """One page and those who watch it."""

    def __init__(self, first: Document) -> None:
        self.watchers = 0
        self.latest = first
        self.news = asyncio.Event()

    def tell(self, document: Document) -> None:
        """There is a newer one."""
        changed = document.digest != self.latest.digest
        self.latest = document
        if changed:
            self.news.set()
            self.news = asyncio.Event()


class Hub:
    """All pages that are watched. For one event loop.

    Args:
        stamp: Changes with everything that a page could show; no page is made anew while it stays.
        tick: Seconds between two looks.
        beat: Seconds of silence.
        most: Who may watch at a time.
        most_pages: Different pages at a time.
    """

    def __init__(
        self,
        stamp: Callable[[], Awaitable[Hashable]],
        *,
        tick: float = TICK,
        beat: float = BEAT,
        most: int = MOST,
        most_pages: int = MOST_PAGES,
    ) -> None:
        self._stamp = stamp
        self._tick = tick
        self._beat = beat
        self._most = most
        self._most_pages = most_pages
        self._channels: dict[Hashable, _Channel] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()
        self.watchers = 0

    def admit(self, key: Hashable) -> None:
        """Hold who wants to watch to what there is room for.

        Raises:
            Refused: 429, there are too many.
        """
        if self.watchers >= self._most:
            raise Refused(429, f"{self._most} pages are being watched, which is all there is room for", 30)
        if key not in self._channels and len(self._channels) >= self._most_pages:
            raise Refused(429, f"{self._most_pages} different pages are being watched; try again soon", 30)

    async def watch(self, key: Hashable, first: Document, make: Make) -> AsyncIterator[bytes]:
        """What is sent to one who watches: the page at once, and whenever it says something new.

        Args:
            key: What the page is known by.
            first: As it is now.
            make: Makes it anew.
        """
        channel = self._channels.get(key)
        if channel is None:
            channel = self._channels[key] = _Channel(first)
            self._start(self._follow(key, channel, make))
        else:
            channel.tell(first)
        channel.watchers += 1
        self.watchers += 1
        try:
            async for part in self._parts(channel):
                yield part
        finally:
            self.watchers -= 1
            channel.watchers -= 1

    def close(self) -> None:
        """End all streams; who watches comes again, and finds another process or none."""
        self._closed.set()
        for channel in self._channels.values():
            channel.news.set()

    async def _parts(self, channel: _Channel) -> AsyncIterator[bytes]:
        sent = ""
        while not self._closed.is_set():
            document, news = channel.latest, channel.news
            if document.digest != sent:
                sent = document.digest
                yield document.event
                continue
            try:
                await asyncio.wait_for(news.wait(), self._beat)
            except TimeoutError:
                yield channel.latest.beat

    async def _follow(self, key: Hashable, channel: _Channel, make: Make) -> None:
        """Make a page anew as long as somebody watches; also where nothing changed, in time for the sign of life."""
        loop = asyncio.get_running_loop()
        stamp: Hashable = object()
        made = loop.time()
        try:
            while await self._next(channel):
                now = await self._stamped(stamp)
                if now != stamp or loop.time() - made > self._beat - 2 * self._tick:
                    document = await make()
                    # What could not be made is tried again, also where nothing else changes.
                    stamp, made = now if document.status < 500 else object(), loop.time()
                    channel.tell(document)
        finally:
            self._channels.pop(key, None)

    async def _stamped(self, last: Hashable) -> Hashable:
        """What was seen last where too much is asked at once: whoever watches is not left without news for ever."""
        try:
            return await self._stamp()
        except Refused:
            return last

    async def _next(self, channel: _Channel) -> bool:
        """Wait for the next look; false when there is none."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), self._tick)
        return not self._closed.is_set() and channel.watchers > 0

    def _start(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)  # the loop itself keeps no hold of it
        task.add_done_callback(self._running.discard)
