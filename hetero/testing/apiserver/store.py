"""The objects, their versions and their history: what etcd is to a real API server.

One counter numbers all writes. Each collection keeps its objects as the bytes that are sent, and a log of changes from
which watches are served and earlier states are told. Thread-safe: one lock, on which watches wait.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hetero.testing.apiserver.refusals import Refused, refused
from hetero.testing.apiserver.resources import Resource

Key = tuple[str, str]
"""Namespace and name."""

HISTORY = 100_000
"""Changes that a collection remembers; whoever asks for older ones is told 410."""


class Stored(msgspec.Struct, frozen=True):
    """One object as of one version. Nobody changes ``item``: a change is another ``Stored``."""

    item: dict[str, Any]
    raw: bytes
    version: int


class Change(msgspec.Struct, frozen=True):
    """One write: what was there before and what is there after it; ``None`` where there is nothing."""

    version: int
    key: Key
    before: Stored | None
    after: Stored | None
    last: Stored | None = None
    """A deleted object with the version of its deletion, as watches tell it."""


class Collection:
    """All objects of one kind, with their history."""

    def __init__(self) -> None:
        self.objects: dict[Key, Stored] = {}
        self.log: deque[Change] = deque(maxlen=HISTORY)
        self._ordered: tuple[int, list[tuple[Key, Stored]]] = (0, [])
        self.begins = 0
        """The version up to which history is forgotten."""

    def record(self, change: Change) -> None:
        """Carry out a change."""
        if len(self.log) == HISTORY:
            self.begins = self.log[0].version
        self.log.append(change)
        if change.after is None:
            del self.objects[change.key]
        else:
            self.objects[change.key] = change.after

    def ordered(self, version: int) -> list[tuple[Key, Stored]]:
        """The objects as they were at a version, by namespace and name. The pages of a list share one answer.

        Raises:
            Refused: That is forgotten (410).
        """
        if version < self.begins or self._ordered[0] != version:
            self._ordered = (version, sorted(self.at(version).items(), key=lambda entry: entry[0]))
        return self._ordered[1]

    def since(self, version: int) -> list[Change]:
        """The changes after a version, oldest first.

        Raises:
            Refused: They are forgotten (410).
        """
        if version < self.begins:
            raise Refused(410, "Expired", f"too old resource version: {version} ({self.begins})")
        found = []
        for change in reversed(self.log):
            if change.version <= version:
                break
            found.append(change)
        return found[::-1]

    def at(self, version: int) -> dict[Key, Stored]:
        """The objects as they were at a version.

        Raises:
            Refused: That is forgotten (410).
        """
        then = dict(self.objects)
        for change in reversed(self.since(version)):
            if change.before is None:
                then.pop(change.key, None)
            else:
                then[change.key] = change.before
        return then


class Store:
    """All collections. ``changed`` is the lock; it is notified after each write."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.version = 1
        self._collections: dict[Resource, Collection] = {}

    def collection(self, resource: Resource) -> Collection:
        """The objects of a kind; hold ``changed`` while looking into it."""
        return self._collections.setdefault(resource, Collection())

    def get(self, resource: Resource, key: Key) -> Stored | None:
        """One object as it is now."""
        with self.changed:
            return self.collection(resource).objects.get(key)

    def write(self, resource: Resource, key: Key, change: Callable[[Stored | None], dict[str, Any] | None]) -> Stored:
        """Change one object as one step.

        Args:
            resource: The kind.
            key: Which one.
            change: Makes the new object of what is there (``None``: nothing); returns ``None`` to delete it, and the
                same object, or an equal one, to leave it as it is. It may raise :class:`Refused`.

        Returns:
            What is there now, or the deleted object.
        """
        with self.changed:
            before = self.collection(resource).objects.get(key)
            item = change(before)
            if before is not None and item == before.item:
                return before
            return self._write(resource, key, before, item)

    def _write(self, resource: Resource, key: Key, before: Stored | None, item: dict[str, Any] | None) -> Stored:
        if before is None and item is None:
            raise refused(404, f'{resource.plural} "{key[1]}" not found')
        self.version += 1
        made = _versioned(item if item is not None else before.item, self.version)  # type: ignore[union-attr]
        after = made if item is not None else None
        self.collection(resource).record(Change(self.version, key, before, after, made if after is None else None))
        self.changed.notify_all()
        return made

    def compact(self) -> None:
        """Forget all history: whoever watches from an earlier version is told 410."""
        with self.changed:
            self.version += 1
            for collection in self._collections.values():
                collection.begins = self.version
                collection.log.clear()
            self.changed.notify_all()


def _versioned(item: Mapping[str, Any], version: int) -> Stored:
    stamped = {**item, "metadata": {**item["metadata"], "resourceVersion": str(version)}}
    return Stored(stamped, msgspec.json.encode(stamped), version)
