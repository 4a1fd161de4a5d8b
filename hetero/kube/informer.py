"""Follows a collection: lists it, then watches it, and begins again where the history is lost.

What holds: a handler is given every object that is there, changes in the order in which they were made, and never an
older state after a newer one. After a list it is given *all* objects at once, so that what vanished unseen is gone.
Source: Kubernetes API concepts, "Efficient detection of changes".
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Generic, Protocol, TypeVar

from hetero import metrics
from hetero.errors import ApiError
from hetero.kube.backoff import Backoff
from hetero.kube.client import Api
from hetero.kube.decoding import Change, Codec, HasMetadata
from hetero.kube.packed import Packed
from hetero.kube.snapshot import PAGE, gather
from hetero.kube.watch import Watch
from hetero.log import logger

_log = logger("kube")

T = TypeVar("T", bound=HasMetadata)
T_contra = TypeVar("T_contra", bound=HasMetadata, contravariant=True)

SILENCE = 90.0
"""Seconds without a byte after which a watch is taken for dead; the server sends a bookmark about every 60."""

LIFETIME = (300.0, 600.0)
"""Seconds that a watch is asked to live, at random, so that those of several replicas do not end together."""

BRIEF = 1.0
"""Seconds; a watch that ends earlier without a line counts as a failure, so that there is no busy loop."""


class Handler(Protocol[T_contra]):
    """Who is told. Called by one thread, never twice at once."""

    def replace(self, items: Collection[T_contra]) -> None:
        """These are all objects; any other that was there is gone. Each look at them may give other, equal structs."""

    def put(self, item: T_contra) -> None:
        """This one is new or has changed."""

    def remove(self, item: T_contra) -> None:
        """This one, given as it was last, is gone."""


class Informer(Generic[T]):
    """Keeps a handler in step with a collection, in a thread of its own.

    Args:
        api: The server.
        path: The collection, see :mod:`hetero.kube.paths`.
        kind: The struct that its objects are read into.
        handler: Who is told. If it raises, that is logged and the collection is listed anew.
        query: Selectors.
        page: Objects for each page of a list.
        packed: Keep a list small until the handler has it: for a large collection, where memory counts for more than
            the processor's time.
        silence: Seconds after which a watch without a byte is taken for dead.
        backoff: Delays between tries.

    ``synced`` is set when the handler has been given the first list; ``heard`` is the monotonic time of the server's
    last word, and until the first one that at which this was made.
    """

    def __init__(  # noqa: PLR0913  four that are needed, four that tests and odd clusters turn
        self,
        api: Api,
        path: str,
        kind: type[T],
        handler: Handler[T],
        query: Mapping[str, str] | None = None,
        *,
        page: int = PAGE,
        packed: bool = False,
        silence: float = SILENCE,
        backoff: Backoff | None = None,
    ) -> None:
        self.synced = threading.Event()
        self._api = api
        self._path = path
        self._codec = Codec(kind)
        self._handler = handler
        self._query = dict(query or {})
        self._page = page
        self._new: Callable[[], list[T] | Packed[T]] = partial(Packed, kind) if packed else list
        self._silence = silence
        self._backoff = backoff or Backoff()
        self._version = ""
        self.heard = time.monotonic()
        self._watch: Watch | None = None
        self._parted = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"informer {self.kind}", daemon=True)

    def start(self) -> None:
        """Begin; ``synced`` is set when the handler has been given the first list."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait until the handler is not called any more."""
        self._stopping.set()
        if watch := self._watch:
            watch.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(self._api.timeout + 1.0)

    @property
    def kind(self) -> str:
        """Of its objects, as metrics and the log name it: the name of their struct."""
        return self._codec.kind

    @property
    def version(self) -> str:
        """How far it is: the collection's version that the handler has seen; empty before the first list."""
        return self._version

    @property
    def apart(self) -> float:
        """Seconds since a watch was open; 0 while one is."""
        return 0.0 if self._watch is not None else time.monotonic() - self._parted

    def measure(self) -> None:
        """Bring the gauge of its lag up to date."""
        metrics.informer_lag.set(time.monotonic() - self.heard, self.kind)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except ApiError as error:
                self._failed(error)
            # A handler's defect must not end the thread, and what it missed must reach it: everything is given anew.
            except Exception:
                _log.exception("a handler failed; everything is listed anew", kind=self.kind)
                self._version = ""
                self._stopping.wait(self._backoff.next())

    def _follow(self) -> None:
        """List if that is needed, then watch until the stream ends."""
        if not self._version:
            self._list()
        began = time.monotonic()
        if not self._follow_watch() and time.monotonic() - began < BRIEF:
            self._stopping.wait(self._backoff.next())

    def _failed(self, error: ApiError) -> None:
        if self._stopping.is_set():
            return
        if _history_is_lost(error):
            self._version = ""
        delay = self._backoff.next(error.retry_after)
        _log.warning("following is interrupted", kind=self.kind, error=str(error), retry_in=round(delay, 2))
        self._stopping.wait(delay)

    # Listing

    def _list(self) -> None:
        metrics.relists.add(self.kind)
        stopped = self._stopping.is_set
        items = self._new()
        version = gather(self._api, self._path, self._codec, items, self._query, page=self._page, stopped=stopped)
        if self._stopping.is_set():
            return
        self._handler.replace(items)
        self._version = version
        self.heard = time.monotonic()
        self.synced.set()

    # Watching

    def _follow_watch(self) -> bool:
        """Give the handler what a watch says until it ends; true when it said anything."""
        heard = False
        self._watch = watch = self._open()
        try:
            for line in () if self._stopping.is_set() else watch:
                if self._stopping.is_set():
                    break
                self._apply(self._codec.change(line))
                heard = True
                self.heard = time.monotonic()
                self._backoff.reset()
        finally:
            self._watch = None
            self._parted = time.monotonic()
            watch.close()
        return heard

    def _open(self) -> Watch:
        query = {
            **self._query,
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(random.uniform(*LIFETIME))),  # noqa: S311  no secret hangs on it
        }
        return self._api.watch(self._path, query, silence=self._silence)

    def _apply(self, change: Change[T]) -> None:
        if _older(change.version, self._version):
            raise ApiError(
                410, "Expired", f"version {change.version} came after {self._version}: history was rewritten"
            )
        if change.item is not None:
            (self._handler.remove if change.gone else self._handler.put)(change.item)
        self._version = change.version


def _history_is_lost(error: ApiError) -> bool:
    """True when a watch cannot go on from where it was: the version is too old, or refused, or a line is unreadable.

    Without an answer, when the server asks for patience and when it is in trouble, the same version is tried again.
    """
    return error.status not in (0, 429) and error.status < 500


def _older(version: str, than: str) -> bool:
    """True when one version is before another; versions that are no numbers are not compared.

    Source: KEP-5504, versions of built-in kinds are decimal numbers that grow.
    """
    return version.isdecimal() and than.isdecimal() and int(version) < int(than)
