"""The proxy of the scenarios does to requests what it is told, to those that match and as often as it is told."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.cluster.processes import until
from tests.cluster.proxy import NO_ANSWER, Proxy


class Server(ThreadingHTTPServer):
    """Remembers what it was asked, and streams to watches until it is told to end."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes, str]] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, *_: Any) -> None:
        """Whoever hung up meant to."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization", "")))
        if "watch=true" not in self.path:
            self._said(201 if self.command == "POST" else 200, b"answer to " + body)
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not self.server.over.wait(0.02):
            self.wfile.write(b"5\r\nline\n\r\n")
        self.wfile.write(b"0\r\n\r\n")

    do_POST = do_GET  # noqa: N815 — the name that the module looks for

    def _said(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Mine", "kept")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    """An upstream."""
    with Server() as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield made
        made.over.set()
        made.shutdown()


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """In front of it."""
    with Proxy(f"http://127.0.0.1:{server.server_address[1]}") as made:
        yield made


class Client:
    """Asks the proxy, each request on a connection of its own."""

    def __init__(self, proxy: Proxy, opened: contextlib.ExitStack) -> None:
        self._address = proxy.url.removeprefix("http://")
        self._opened = opened

    def __call__(self, method: str = "GET", path: str = "/a", body: bytes = b"") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self._address, timeout=20)
        self._opened.callback(connection.close)
        connection.request(method, path, body, {"Authorization": "Bearer me"})
        return self._opened.enter_context(connection.getresponse())


@pytest.fixture
def ask(proxy: Proxy) -> Iterator[Client]:
    """A client."""
    with contextlib.ExitStack() as opened:
        yield Client(proxy, opened)


def test_what_is_no_fault_goes_through(ask: Client, server: Server) -> None:
    """Both ways, with the headers that matter."""
    answer = ask("POST", "/b?x=1", b"body")
    assert (answer.status, answer.read(), answer.headers["X-Mine"]) == (201, b"answer to body", "kept")
    assert server.asked == [("POST", "/b?x=1", b"body", "Bearer me")]


def test_a_fault_hits_what_it_names_and_as_often(ask: Client, proxy: Proxy, server: Server) -> None:
    """The server hears nothing of a request that is refused before it is carried out."""
    proxy.fail(429, method="POST", path_contains="/binding", times=2, retry_after=7)
    assert ask("GET", "/x/binding").status == 200
    answer = ask("POST", "/x/binding")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert b'"reason":"TooManyRequests"' in answer.read()
    assert [ask("POST", "/x/binding").status for _ in range(2)] == [429, 201]
    assert [method for method, *_ in server.asked] == ["GET", "POST"]


@pytest.mark.parametrize("status", [500, NO_ANSWER])
def test_an_answer_is_lost_after_the_deed(ask: Client, proxy: Proxy, server: Server, status: int) -> None:
    """The server has done it, and the client does not know."""
    proxy.fail(status, after=True)
    if status == NO_ANSWER:
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            ask("POST", "/c", b"deed")
    else:
        assert ask("POST", "/c", b"deed").status == 500
    assert server.asked == [("POST", "/c", b"deed", "Bearer me")]


def test_a_stall_is_an_answer_late(ask: Client, proxy: Proxy) -> None:
    """It is the server's own answer all the same."""
    proxy.stall(0.3)
    began = time.monotonic()
    assert ask().status == 200
    assert time.monotonic() - began >= 0.3


def test_watches_stream_until_they_are_cut(ask: Client, proxy: Proxy) -> None:
    """Lines come as they are made; a cut ends all watches, and after a compaction they cannot go on."""
    answer = ask(path="/pods?watch=true")
    assert answer.readline() == b"line\n"
    until(proxy.drop_watches, "there was a watch to cut", seconds=10)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        answer.read()
    proxy.compact()
    assert ask(path="/pods?watch=true").status == 410
    assert ask(path="/pods?limit=500").status == 200


def test_a_watch_that_ends_ends(ask: Client, server: Server) -> None:
    """The end of a stream is passed on as one."""
    answer = ask(path="/pods?watch=true")
    assert answer.readline() == b"line\n"
    server.over.set()
    assert answer.read().strip(b"line\n") == b""


def test_faults_can_be_called_off(ask: Client, proxy: Proxy) -> None:
    """What is not used up happens to nobody then."""
    proxy.fail(500, times=100)
    assert ask().status == 500
    proxy.clear()
    assert ask().status == 200
