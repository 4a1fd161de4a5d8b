"""Faults on demand: requests that fail, wait, or get no answer, before or after they were carried out."""

from __future__ import annotations

import threading
from collections import deque

import msgspec

from hetero.testing.apiserver.refusals import REASONS, Refused


class Call(msgspec.Struct, frozen=True):
    """One request that came.

    Args:
        method: As sent.
        path: Without the query.
        query: As sent.
        body: As sent.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""


class HangUp(Exception):
    """The connection is closed without an answer."""


class Fault(msgspec.Struct, kw_only=True):
    """What happens to the next requests that match.

    Args:
        method: Only these; empty for all.
        path_contains: Only paths, with their queries, that contain this.
        times: How many requests it still happens to.
        after: True to carry the request out all the same.
        seconds: How long it waits first.
        error: What is raised then; ``None`` for nothing.
        over: Set when nobody is to wait any more.
    """

    method: str = ""
    path_contains: str = ""
    times: int = 1
    after: bool = False
    seconds: float = 0.0
    error: Exception | None = None
    over: threading.Event = msgspec.field(default_factory=threading.Event)

    def matches(self, call: Call) -> bool:
        """Whether it happens to this request."""
        where = f"{call.path}?{call.query}" if call.query else call.path
        return self.times > 0 and self.method in ("", call.method) and self.path_contains in where


class Faults:
    """The faults that are due, and what was asked for. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: list[Fault] = []
        self._calls: deque[Call] = deque(maxlen=100_000)
        self._over = threading.Event()

    def add(self, fault: Fault) -> None:
        """One more, after those that are due already."""
        with self._lock:
            fault.over = self._over
            self._due.append(fault)

    def clear(self) -> None:
        """No more faults; who waits goes on at once."""
        with self._lock:
            self._due.clear()
            self._over.set()
            self._over = threading.Event()

    def taken(self, call: Call) -> Fault | None:
        """The fault for this request, which is noted."""
        with self._lock:
            self._calls.append(call)
            for fault in self._due:
                if fault.matches(call):
                    fault.times -= 1
                    return fault
        return None

    @staticmethod
    def strike(fault: Fault) -> None:
        """Wait, then raise."""
        if fault.seconds:
            fault.over.wait(fault.seconds)
        if fault.error is not None:
            raise fault.error

    def calls(self, method: str, path_contains: str) -> list[Call]:
        """The requests that came so far and match."""
        fault = Fault(method=method, path_contains=path_contains)
        with self._lock:
            return [call for call in self._calls if fault.matches(call)]


def failure(status: int, retry_after: int | None) -> Exception:
    """What a status is answered as; 0 is no answer."""
    if status == 0:
        return HangUp()
    reason = REASONS.get(status, "Unknown")
    return Refused(status, reason, f"a fault that was asked for ({status})", retry_after)
