"""Watches: the changes after a version, line by line, until somebody ends it.

Source: Kubernetes API concepts, "Efficient detection of changes" and "Watch bookmarks".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import msgspec

from hetero.testing.apiserver.refusals import Refused
from hetero.testing.apiserver.resources import Target
from hetero.testing.apiserver.selectors import selector
from hetero.testing.apiserver.store import Change, Store, Stored

Ended = Callable[[], bool]
"""Whether the watch is to end now, for whatever reason."""


class Watching:
    """One watch.

    Args:
        store: The objects; its lock's notifications wake the watch.
        target: The collection.
        query: Where to begin, selectors, bookmarks, how long.
        bookmark_every: Seconds of silence after which a bookmark is sent to who asked for them.

    Raises:
        Refused: The version to begin from is forgotten (410), or has not been reached (504).
    """

    def __init__(self, store: Store, target: Target, query: Mapping[str, str], bookmark_every: float) -> None:
        self._store = store
        self._target = target
        self._test = selector(query)
        self._bookmark_every = bookmark_every if query.get("allowWatchBookmarks") == "true" else 0.0
        self._until = time.monotonic() + float(query.get("timeoutSeconds") or 1800)
        begin = query.get("resourceVersion", "")
        self._position = int(begin) if begin not in ("", "0") else 0
        self._first = self._begin()

    def _begin(self) -> list[bytes]:
        """What is there already, for a watch that names no version; otherwise nothing."""
        with self._store.changed:
            collection = self._store.collection(self._target.resource)
            if self._position > self._store.version:
                message = f"Too large resource version: {self._position}, current: {self._store.version}"
                raise Refused(504, "Timeout", message, retry_after=1)
            if self._position:
                collection.since(self._position)
                return []
            self._position = self._store.version
            there = collection.objects.values()
        return [_line("ADDED", stored) for stored in there if self._selects(stored)]

    def batches(self, ended: Ended) -> Iterator[bytes]:
        """Lines, those that are there at once in one piece."""
        if self._first:
            yield b"".join(self._first)
        while not ended() and time.monotonic() < self._until:
            try:
                yield b"".join(self._next(ended))
            except Refused as refused:
                yield b'{"type":"ERROR","object":' + refused.body() + b"}\n"
                return
        if self._bookmark_every and not ended():
            yield self._bookmark()

    def _next(self, ended: Ended) -> list[bytes]:
        """What happened meanwhile; waits for it, at most until a bookmark is due or the watch ends."""
        patience = self._bookmark_every or self._until - time.monotonic()
        deadline = min(time.monotonic() + patience, self._until)
        with self._store.changed:
            while not (changes := self._news()):
                left = deadline - time.monotonic()
                if ended() or left <= 0:
                    return [self._bookmark()] if self._bookmark_every and not ended() else []
                self._store.changed.wait(left)
        return [line for change in changes for line in self._told(change)]

    def _news(self) -> list[Change]:
        changes = self._store.collection(self._target.resource).since(self._position)
        # A collection at rest is as new as the store, so that its bookmarks move on.
        self._position = self._store.version
        return changes

    def _told(self, change: Change) -> Iterator[bytes]:
        """A change as this watch sees it: what comes into its selection is new to it, what leaves it is gone."""
        before = change.before is not None and self._selects(change.before)
        after = change.after is not None and self._selects(change.after)
        if after and change.after is not None:
            yield _line("MODIFIED" if before else "ADDED", change.after)
        elif before and (last := change.last or change.after) is not None:
            yield _line("DELETED", last)

    def _selects(self, stored: Stored) -> bool:
        namespace = self._target.namespace
        return (not namespace or stored.item["metadata"].get("namespace") == namespace) and self._test(stored.item)

    def _bookmark(self) -> bytes:
        resource = self._target.resource
        metadata = {"resourceVersion": str(self._position), "creationTimestamp": None}
        item = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
        return b'{"type":"BOOKMARK","object":' + msgspec.json.encode(item) + b"}\n"


def _line(kind: str, stored: Stored) -> bytes:
    return b'{"type":"' + kind.encode() + b'","object":' + stored.raw + b"}\n"
