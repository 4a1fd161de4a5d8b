"""Stands between the scheduler under test and its API server, and does to its requests what networks and servers do.

Only what the scheduler under test says goes through here: whoever looks at the result sees the server as it is.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import msgspec
import urllib3

NO_ANSWER = 0
"""A status for :meth:`Proxy.fail`: the connection ends without one."""

_REASONS = {409: "Conflict", 410: "Expired", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
_HOP = frozenset(("connection", "transfer-encoding", "content-length", "keep-alive", "host", "accept-encoding"))


@dataclass
class Fault:
    """What happens to the next requests that match.

    Attributes:
        status: The answer's code, or :data:`NO_ANSWER`; None to pass the request on after ``delay``.
        method: Of the requests; any when empty.
        path_contains: Part of their path and query.
        times: How many are hit; the others go through.
        after: True to carry the request out first, and then answer so.
        retry_after: Seconds, sent as the header of that name.
        delay: Seconds until anything happens.
    """

    status: int | None
    method: str = ""
    path_contains: str = ""
    times: int = 1
    after: bool = False
    retry_after: int | None = None
    delay: float = 0.0

    def matches(self, method: str, path: str) -> bool:
        """True when the request is one of those."""
        return self.times > 0 and self.method in ("", method) and self.path_contains in path


class Proxy:
    """A reverse proxy on the loopback interface, from ``with`` to its end.

    Args:
        upstream: Where the API server is.
        authority: Who signed its certificate; None for plain HTTP.
    """

    def __init__(self, upstream: str, authority: Path | None = None) -> None:
        self.upstream = upstream
        self.hits: Counter[str] = Counter()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._watching: set[socket.socket] = set()
        options: dict[str, Any] = {"ca_certs": str(authority)} if authority else {}
        self.pool = urllib3.PoolManager(maxsize=64, retries=False, **options)
        self._server = _Server(self)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self.drop_watches()
        self._server.server_close()
        self.pool.clear()

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    # --- faults ---

    def fail(self, status: int, **which: Any) -> Fault:
        """Answer the next matching requests so; see :class:`Fault`. The fault tells how many are still to come."""
        return self._add(Fault(status, **which))

    def stall(self, seconds: float, **which: Any) -> Fault:
        """Let the next matching requests wait before they are passed on."""
        return self._add(Fault(None, delay=seconds, **which))

    def drop_watches(self) -> int:
        """Cut every watch wherever it is, in the middle of a line if need be; how many there were."""
        with self._lock:
            watching, self._watching = self._watching, set()
        for connection in watching:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        return len(watching)

    def compact(self) -> None:
        """Every version that the client has seen is too old: its watches end, and cannot go on."""
        self.fail(410, path_contains="watch=true", times=max(1, self.drop_watches()))

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    # --- for the handler ---

    def take(self, method: str, path: str) -> Fault | None:
        """The fault of this request, used up by one."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(method, path):
                    fault.times -= 1
                    self.hits[str(fault.status)] += 1
                    return fault
        return None

    def watching(self, connection: socket.socket, there: bool) -> None:
        """A watch begins or ends."""
        with self._lock:
            (self._watching.add if there else self._watching.discard)(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: Any) -> None:
        """A client or server that hung up is what this is about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy = self.server.proxy
        fault = proxy.take(self.command, self.path)
        if fault is None:
            self._forward(body)
            return
        time.sleep(fault.delay)
        if fault.status is None:
            self._forward(body)
            return
        if fault.after:
            self._upstream(body).drain_conn()
        self._refuse(fault.status, fault.retry_after)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Silent: the programs have logs of their own."""

    def _upstream(self, body: bytes) -> urllib3.BaseHTTPResponse:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        # A watch is silent for as long as nothing changes.
        timeout = urllib3.Timeout(connect=10, read=600)
        return self.server.proxy.pool.request(
            self.command, self.server.proxy.upstream + self.path, body=body or None, headers=headers,
            preload_content=False, decode_content=False, timeout=timeout,
        )  # fmt: skip

    def _forward(self, body: bytes) -> None:
        answer = self._upstream(body)
        try:
            if "watch=true" in self.path and answer.status == 200:
                self._stream(answer)
            else:
                self._answer(answer.status, answer.read(), answer.headers)
        finally:
            answer.close()

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOP | {"date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, answer: urllib3.BaseHTTPResponse) -> None:
        self.send_response(200)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.server.proxy.watching(self.connection, True)
        try:
            for chunk in answer.stream(65536):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        finally:
            self.server.proxy.watching(self.connection, False)
            self.close_connection = True

    def _refuse(self, status: int, retry_after: int | None) -> None:
        self.close_connection = True
        if status == NO_ANSWER:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        told = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": status,
            "reason": _REASONS.get(status, ""), "message": f"a fault of the test: {status}",
        }  # fmt: skip
        headers = {"Content-Type": "application/json", "Connection": "close"}
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        self._answer(status, msgspec.json.encode(told), headers)
