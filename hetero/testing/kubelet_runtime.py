"""A container runtime's cache of CDI specifications, for tests: a real inotify reader, with the real one's habits.

It reads the whole folder again when something there is renamed away, removed or written, and when the folder appears,
all under the lock that injection takes. Source: ``tags.cncf.io/container-device-interface`` 1.1.0,
``pkg/cdi/cache.go``.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any

from hetero.allocation import inotify

REFRESHING = inotify.MOVED_FROM | inotify.DELETE | inotify.MODIFY | inotify.DELETE_SELF
SUFFIXES = (".json", ".yaml")


class Unresolvable(Exception):
    """The container is not created: ``unresolvable CDI devices``."""


class FakeRuntime:
    """Watches a folder, and injects what it has read there.

    Args:
        folder: It may come later.

    Attributes:
        scans: Times that the folder was read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scans = 0
        self._lock = threading.Lock()
        self._devices: dict[str, dict[str, Any]] = {}
        self._watched = -1
        self._over = threading.Event()
        self._inotify = inotify.Inotify()
        self._update()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> FakeRuntime:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._inotify.close()

    def inject(self, *names: str) -> list[dict[str, Any]]:
        """The container edits of devices, by their qualified names, as the cache has them now.

        Raises:
            Unresolvable: One is not known, or two files define it.
        """
        with self._lock:
            self._update()
            missing = [name for name in names if name not in self._devices]
            if missing:
                raise Unresolvable(f"unresolvable CDI devices {', '.join(missing)}")
            return [self._devices[name] for name in names]

    def create(self, *names: str, seconds: float = 120.0) -> list[dict[str, Any]]:
        """What is injected into a container that the kubelet tries to create again and again, for so long at most.

        On a busy machine this reader may come later to a file than anybody waits for it.

        Raises:
            Unresolvable: As :meth:`inject`, in the end.
        """
        until = time.monotonic() + seconds
        while True:
            try:
                return self.inject(*names)
            except Unresolvable:
                if time.monotonic() >= until:
                    raise
            self._over.wait(0.01)

    def hold(self) -> contextlib.AbstractContextManager[object]:
        """Neither reads nor injects as long as this is entered: a runtime that has much to do."""
        return self._lock

    def _watch(self) -> None:
        while not self._over.is_set():
            for event in self._inotify.wait(0.02):
                if not self._over.is_set():
                    self._noticed(event)

    def _noticed(self, event: inotify.Event) -> None:
        with self._lock:
            if event.mask & (inotify.DELETE_SELF | inotify.IGNORED):
                self._watched = -1
                self._update()
            elif event.mask != inotify.MODIFY or event.name.endswith(SUFFIXES):
                self._refresh()

    def _update(self) -> None:
        if self._watched < 0:
            with contextlib.suppress(FileNotFoundError):
                self._watched = self._inotify.watch(self.folder, REFRESHING)
                self._refresh()

    def _refresh(self) -> None:
        self.scans += 1
        found: dict[str, dict[str, Any]] = {}
        conflicts = set()
        for path in self._files():
            for name, edits in _read(path):
                if name in found:
                    conflicts.add(name)
                found[name] = edits
        self._devices = {name: edits for name, edits in found.items() if name not in conflicts}

    def _files(self) -> list[Path]:
        """None of a folder that is gone, before it was looked for or since."""
        with contextlib.suppress(FileNotFoundError):
            return sorted(self.folder.iterdir())
        return []


def _read(path: Path) -> list[tuple[str, dict[str, Any]]]:
    if path.suffix not in SUFFIXES:
        return []
    try:
        file = json.loads(path.read_text())
        return [(f"{file['kind']}={one['name']}", one["containerEdits"]) for one in file["devices"]]
    except (OSError, ValueError, KeyError):
        return []  # the real one keeps the error and goes on
