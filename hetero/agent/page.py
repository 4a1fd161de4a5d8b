"""The agent's page: ``/healthz``, ``/readyz``, ``/metrics`` and ``/usage``. Nothing of it changes anything."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from hetero import metrics
from hetero.monitoring import report
from hetero.monitoring.report import NodeReport

Answer = tuple[int, str, bytes]
"""Status, type and body."""

PLAIN = "text/plain; charset=utf-8"
JSON = "application/json"
PATIENCE = 10.0
"""Seconds that a client has to say what it wants."""

MOST = 64
"""Connections at a time. Every pod of the cluster may open some; the oldest goes when there is one more, so that nobody
takes this process's threads and descriptors, or keeps the kubelet's probe out."""


class Page:
    """Serves from threads of its own.

    Args:
        opened: The listening socket (:func:`hetero.listening.listen`).
        broken: Says why this process can do nothing any more and the next one can; empty while it can.
        waiting: Says what keeps the process from being ready; empty when it is.
        exposed: The text of all metrics.
        usage: What the node's devices and slices do.
    """

    def __init__(
        self,
        opened: socket.socket,
        broken: Callable[[], str],
        waiting: Callable[[], str],
        exposed: Callable[[], str],
        usage: Callable[[], NodeReport],
    ) -> None:
        self._server = _Server(opened, broken, waiting, exposed, usage)
        self._thread = threading.Thread(target=self._server.serve_forever, name="page", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the socket."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self,
        opened: socket.socket,
        broken: Callable[[], str],
        waiting: Callable[[], str],
        exposed: Callable[[], str],
        usage: Callable[[], NodeReport],
    ) -> None:
        super().__init__(opened.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = opened
        self._guard = threading.Lock()
        self._open: dict[Any, None] = {}  # the oldest first
        self.broken = broken
        self.waiting = waiting
        self.exposed = exposed
        self.usage = usage

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer on a thread of its own."""
        with self._guard:
            self._open[request] = None
            if len(self._open) > MOST:
                # Not closed here: its thread does that, and may not have it closed by another under its hands.
                with contextlib.suppress(OSError):
                    self._oldest().shutdown(socket.SHUT_RDWR)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """It is answered, or gone."""
        with self._guard:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def _oldest(self) -> socket.socket:
        oldest: socket.socket = next(iter(self._open))
        del self._open[oldest]
        return oldest

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own business, wherever that is noticed."""

    def answer(self, path: str) -> Answer:
        """What is at a path."""
        if path == "/healthz":
            return _plain(self.broken())
        if path == "/readyz":
            return _plain(self.waiting())
        if path == "/metrics":
            return 200, metrics.CONTENT_TYPE, self.exposed().encode()
        if path == report.PATH:
            return 200, JSON, msgspec.json.encode(self.usage())
        return 404, PLAIN, b"there are /healthz, /readyz, /metrics and /usage"


def _plain(trouble: str) -> Answer:
    return (503, PLAIN, trouble.encode()) if trouble else (200, PLAIN, b"ok")


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = PATIENCE
    protocol_version = "HTTP/1.1"
    server_version = "hetero"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        status, kind, body = self.server.answer(self.path.partition("?")[0])
        with contextlib.suppress(ConnectionError):  # a probe does not always wait for its answer
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the library's name
        """Probes come every few seconds: none of them is worth a line."""
