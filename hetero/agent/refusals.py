"""Containers that were refused a start: told once to the user, and looked at again when what kept them is gone.

The kubelet asks again by itself, every 10 to 15 seconds and for ever. A change of any annotation makes it ask at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import msgspec

from hetero import log, metrics
from hetero.agent.pods import Pod
from hetero.allocation.held import Held
from hetero.errors import ApiError, Unbound
from hetero.kube import paths
from hetero.kube.objects import Metadata
from hetero.model.annotations import RETRY

_log = log.logger("agent")

FORGOTTEN = 60.0
"""Seconds after which a container that was not refused again has started, or is gone."""

LONGEST = 60.0
"""Seconds between two times that a container's pod is touched; doubled from one."""


class Server(Protocol):
    """As much of an API server as is needed (:class:`hetero.kube.client.Api`)."""

    def patch(self, path: str, body: bytes) -> bytes:
        """Change what is at a path."""


class Teller(Protocol):
    """Posts events (:class:`hetero.kube.events.Events`)."""

    def post(self, pod: Metadata, kind_of: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Never blocks, never raises."""


@dataclass
class _Refused:
    """One container.

    Attributes:
        held: What it holds.
        reason: Why it was refused last.
        last: When.
        placed: Its placement served, as it was looked at last: it is the slice that could not be made.
        due: When its pod may be touched again.
        touched: How often it was.
    """

    held: Held
    reason: str
    last: float
    placed: bool
    due: float = 0.0
    touched: int = 0


class Refusals:
    """Those that wait. Noted by the plugins' threads, looked after by one.

    Args:
        find: The pod of an identity, as it is known here.
        check: Raises :class:`Unbound` while a container's placement does not serve.
        server: Where pods are touched.
        events: Where users are told.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        find: Callable[[str], Pod | None],
        check: Callable[[Held], object],
        server: Server,
        events: Teller,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._check = check
        self._server = server
        self._events = events
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str], _Refused] = {}

    def note(self, held: Held, reason: str) -> None:
        """A container was refused; a user hears of a reason once."""
        metrics.refused_starts.add(held.resource)
        key, now, placed = (held.pod_uid, held.container), self._clock(), self._placed(held)
        with self._lock:
            known = self._waiting.get(key)
            new = known is None or known.reason != reason
            fresh = _Refused(held, reason, now, placed)
            self._waiting[key] = replace(fresh, due=known.due, touched=known.touched) if known else fresh
        pod = self._find(held.pod_uid)
        if new and pod is not None:
            self._events.post(pod.metadata, "Warning", "DevicesRefused", f"container {held.container}: {reason}")

    def look(self, *, loosened: bool) -> None:
        """Touch the pods of those that may start now.

        Args:
            loosened: Slices were released or devices are well again since the last look, so that a slice which could
                not be made may be now.
        """
        now = self._clock()
        with self._lock:
            for key in [key for key, one in self._waiting.items() if now - one.last > FORGOTTEN]:
                del self._waiting[key]
            due = [one for one in self._waiting.values() if one.due <= now]
        touched: set[str] = set()
        for one in due:
            pod = self._find(one.held.pod_uid)
            if pod is not None and one.held.pod_uid not in touched and self._may_start(one, loosened=loosened):
                touched.add(one.held.pod_uid)
                one.due, one.touched = now + min(LONGEST, 2.0**one.touched), one.touched + 1
                self._touch(pod)

    def __len__(self) -> int:
        return len(self._waiting)

    def _may_start(self, one: _Refused, *, loosened: bool) -> bool:
        before, one.placed = one.placed, self._placed(one.held)
        return one.placed and (loosened or not before)

    def _placed(self, held: Held) -> bool:
        try:
            self._check(held)
        except Unbound:
            return False
        return True

    def _touch(self, pod: Pod) -> None:
        metadata = pod.metadata
        body = {"metadata": {"uid": metadata.uid, "annotations": {RETRY: str(time.time_ns() // 1_000_000)}}}
        try:
            self._server.patch(paths.pod(metadata.namespace, metadata.name), msgspec.json.encode(body))
        except ApiError as error:
            metrics.retries.add("gone" if error.status in (404, 409) else "failed")
            _log.warning("the kubelet was not told to look at a pod again", pod=pod.shown, reason=str(error))
        else:
            metrics.retries.add("told")
            _log.info("what kept a pod is gone; the kubelet looks at it again", pod=pod.shown)
