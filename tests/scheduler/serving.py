"""Applications served in this process, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from hetero.listening import Address, listen
from hetero.scheduler.server import Listener, Servers

Answer = tuple[int, str | None, bytes]


class Served:
    """What is served, and a client for it."""

    def __init__(self, listeners: list[Listener]) -> None:
        self.ports = [one.opened.getsockname()[1] for one in listeners]
        self.stopping = 0
        self._servers = Servers(listeners, self._stops)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._servers.run()))
        self._thread.start()

    def _stops(self) -> None:
        self.stopping += 1

    def stop(self) -> None:
        """As a signal does."""
        self._loop.call_soon_threadsafe(self._servers.stop)

    def wait(self) -> None:
        """Until it has ended."""
        self._thread.join(120)
        assert not self._thread.is_alive()
        self._loop.close()

    def until(self, true: Callable[[], object]) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + 120
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def get(self, path: str, *, port: int = 0) -> Answer:
        """GET."""
        return self._request("GET", path, None, port)

    def post(self, path: str, body: bytes | Iterable[bytes], *, port: int = 0) -> Answer:
        """POST; an iterable is sent in chunks."""
        return self._request("POST", path, body, port)

    def _request(self, method: str, path: str, body: bytes | Iterable[bytes] | None, port: int) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.ports[0], timeout=120)
        try:
            chunked = body is not None and not isinstance(body, bytes)
            connection.request(method, path, body, encode_chunked=chunked)
            response = connection.getresponse()
            return response.status, response.getheader("content-type"), response.read()
        finally:
            connection.close()


@contextmanager
def serve(*apps: Starlette) -> Iterator[Served]:
    """Each on a free port of this machine."""
    served = Served([Listener(app, listen(Address("127.0.0.1", 0), "test")) for app in apps])
    try:
        yield served
    finally:
        if served.stopping == 0:
            served.stop()
            served.wait()
