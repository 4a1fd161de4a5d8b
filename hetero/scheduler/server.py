"""Serves the applications: several listeners in one event loop, a certificate that may change, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette

from hetero import log
from hetero.scheduler.certificate import Certificate

_log = log.logger("server")

KEPT_ALIVE = 120
"""Seconds that an idle connection is kept, longer than clients written in Go keep theirs (90): a connection that both
give up at the same moment costs a request, and Go does not send a POST again."""

GRACE = 25
"""Seconds that requests have to end after SIGTERM; a pod is given 30 in all."""

LOOK = 1.0
"""Seconds between two looks at the certificate's files."""


@dataclass(frozen=True)
class Listener:
    """An application and where it is served.

    Attributes:
        app: What answers.
        opened: The listening socket.
        certificate: None for plain HTTP.
        name: For the log.
        protocol: How HTTP is spoken, where it is not spoken as uvicorn does.
    """

    app: Starlette
    opened: socket.socket
    certificate: Certificate | None = None
    name: str = ""
    protocol: type[asyncio.Protocol] | None = None


class _Server(uvicorn.Server):
    """One of several in a process: signals are the process's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Servers:
    """All listeners of a process.

    Args:
        listeners: At least one.
        stopping: Called once when the end begins.
    """

    def __init__(self, listeners: Sequence[Listener], stopping: Callable[[], None]) -> None:
        self._listeners = listeners
        self._stopping = stopping
        self._servers = [_server(listener) for listener in listeners]

    def stop(self) -> None:
        """Stop accepting, and let :meth:`run` return when what is under way is finished; for the loop's thread."""
        self._stopping()
        for server in self._servers:
            server.should_exit = True

    async def run(self) -> None:
        """Serve until :meth:`stop`."""
        certificates = {id(one.certificate): one.certificate for one in self._listeners if one.certificate is not None}
        refreshing = asyncio.create_task(_refresh(list(certificates.values())))
        try:
            await asyncio.gather(*map(_run, self._servers, self._listeners))
        finally:
            refreshing.cancel()


async def until_told(servers: Servers) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, servers.stop)
    await servers.run()


async def _run(server: uvicorn.Server, listener: Listener) -> None:
    host, port = listener.opened.getsockname()[:2]
    _log.info("listening", listener=listener.name, host=host, port=port, tls=listener.certificate is not None)
    await server.serve(sockets=[listener.opened])


def _server(listener: Listener) -> uvicorn.Server:
    config = uvicorn.Config(
        listener.app,
        loop="none",  # it runs already
        http=listener.protocol or "httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        # Who connects is who asks: what X-Forwarded-For says was written by anybody, and uvicorn would believe it of
        # whoever comes from loopback, as all do who come by a port that is forwarded.
        proxy_headers=False,
        timeout_keep_alive=KEPT_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    config.load()
    if listener.certificate is not None:
        config.ssl = listener.certificate.context
    return _Server(config)


async def _refresh(certificates: Sequence[Certificate]) -> None:
    while True:
        await asyncio.sleep(LOOK)
        for certificate in certificates:
            certificate.refresh()
