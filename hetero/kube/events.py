"""Events on pods and nodes: what ``kubectl describe`` shows. Best effort, never in anybody's way.

Equal events are counted up in one object, as other components do it, and an object that is talked about too much is
talked about less. Source: Kubernetes client-go ``tools/record/events_cache.go`` for the figures.
"""

from __future__ import annotations

import datetime
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec

from hetero import metrics
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.backoff import Backoff
from hetero.kube.client import Api
from hetero.kube.objects import Metadata
from hetero.kube.talk import Talk
from hetero.log import logger

_log = logger("kube")

WAITING = 4096
"""Different events that wait to be posted; more are dropped."""

REMEMBERED = 4096
"""Events that are counted up when they happen again."""

TRIES = 4
"""Times that an event is sent before it is dropped."""

MESSAGE = 1024
"""Bytes of a message; longer ones are cut."""

Severity = Literal["Normal", "Warning"]


Kind = Literal["Pod", "Node"]

NODES_NAMESPACE = "default"
"""Where events about nodes are, which live in none. Source: Kubernetes client-go, ``tools/record/event.go``."""


class Happened(msgspec.Struct, frozen=True):
    """What makes two events equal; the namespace is empty for a node."""

    namespace: str
    name: str
    uid: str
    severity: Severity
    reason: str
    message: str
    kind: Kind = "Pod"

    @property
    def place(self) -> str:
        """The namespace of the event itself."""
        return NODES_NAMESPACE if self.kind == "Node" else self.namespace


class _Posted(msgspec.Struct):
    """An event that the server has."""

    name: str
    count: int


class Events:
    """Posts events about pods and nodes, from a thread of its own.

    Args:
        api: The server.
        component: Who says it (``hetero-scheduler``).
        clock: Monotonic seconds.
    """

    def __init__(self, api: Api, component: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._component = component
        self._waiting: OrderedDict[Happened, int] = OrderedDict()
        self._posted: OrderedDict[Happened, _Posted] = OrderedDict()
        self._talk = Talk(clock)
        self._backoff = Backoff(first=0.5)
        self._changed = threading.Condition()
        self._busy = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def post(self, pod: Metadata, kind_of: Severity, reason: str, message: str) -> None:
        """Say something about a pod. Returns at once and never raises.

        Args:
            pod: Whom it is about.
            kind_of: ``Normal`` or ``Warning``.
            reason: One word in CamelCase.
            message: A sentence; more than 1024 bytes are cut.
        """
        self._wait(Happened(pod.namespace, pod.name, pod.uid, kind_of, reason, cut(message)))

    def post_node(self, node: Metadata, kind_of: Severity, reason: str, message: str) -> None:
        """Say something about a node; as :meth:`post`."""
        self._wait(Happened("", node.name, node.uid, kind_of, reason, cut(message), "Node"))

    def _wait(self, event: Happened) -> None:
        with self._changed:
            if event not in self._waiting and len(self._waiting) >= WAITING:
                metrics.events.add("dropped")
                return
            self._waiting[event] = self._waiting.get(event, 0) + 1
            self._changed.notify_all()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until everything that was said is posted or dropped; false when that took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout)

    def stop(self, timeout: float = 2.0) -> None:
        """Post what waits, for at most so many seconds, and end."""
        self.flush(timeout)
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout)

    def _run(self) -> None:
        while (taken := self._next()) is not None:
            event, times = taken
            try:
                self._say(event, times)
            # One event, whatever is wrong with it, must not silence the others.
            except Exception:
                _log.exception("an event could not be posted", about=event.name, reason=event.reason)
                metrics.events.add("failed")
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> tuple[Happened, int] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping.is_set())
            if self._stopping.is_set():
                return None
            self._busy = True
            return self._waiting.popitem(last=False)

    def _say(self, event: Happened, times: int) -> None:
        known = self._posted.pop(event, None)
        # Counted also when it is not sent now, so that the next one that is sent tells how often it was.
        now = _Posted(known.name if known else _name(event.name), (known.count if known else 0) + times)
        allowed = self._talk.allows(event.uid or event.name)
        outcome = self._sent(event, now, again=known is not None) if allowed else "dropped"
        if known or outcome == "posted":
            self._posted[event] = now
        if len(self._posted) > REMEMBERED:
            self._posted.popitem(last=False)
        metrics.events.add(outcome)

    def _sent(self, event: Happened, posted: _Posted, *, again: bool) -> str:
        for _ in range(TRIES):
            try:
                self._send(event, posted, again=again)
            except ApiError as error:
                if error.status == 404 and again:  # events live for an hour
                    again = False
                    continue
                if error.status not in (0, 429) and error.status < 500:
                    _log.warning("an event was refused", about=event.name, reason=event.reason, error=str(error))
                    return "failed"
                if self._stopping.wait(self._backoff.next(error.retry_after)):
                    return "failed"
                continue
            self._backoff.reset()
            return "posted"
        _log.warning("an event could not be posted", about=event.name, reason=event.reason)
        return "failed"

    def _send(self, event: Happened, posted: _Posted, *, again: bool) -> None:
        if again:
            update = msgspec.json.encode({"count": posted.count, "lastTimestamp": _now()})
            self._api.patch(paths.event(event.place, posted.name), update)
            return
        try:
            self._api.post(paths.events(event.place), self._body(event, posted))
        except ApiError as error:
            if error.reason != "AlreadyExists":  # an answer was lost, not the event
                raise

    def _body(self, event: Happened, posted: _Posted) -> bytes:
        now = _now()
        about = {"kind": event.kind, "apiVersion": "v1", "name": event.name, "uid": event.uid}
        if event.kind == "Pod":
            about["namespace"] = event.namespace
        return msgspec.json.encode(
            {
                "kind": "Event",
                "apiVersion": "v1",
                "metadata": {"name": posted.name, "namespace": event.place},
                "involvedObject": about,
                "type": event.severity,
                "reason": event.reason,
                "message": event.message,
                "count": posted.count,
                "firstTimestamp": now,
                "lastTimestamp": now,
                "source": {"component": self._component},
                "reportingComponent": self._component,
                "reportingInstance": "",
            }
        )


def cut(message: str) -> str:
    """A message of at most 1024 bytes; where it was cut there is an ellipsis."""
    raw = message.encode(errors="replace")
    return message if len(raw) <= MESSAGE else raw[: MESSAGE - 3].decode(errors="ignore") + "…"


def _name(about: str) -> str:
    """A name that no other event has; names may have 253 characters."""
    return f"{about[:236]}.{secrets.token_hex(8)}"


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
