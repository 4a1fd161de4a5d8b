"""Connections that say nothing, or say it a byte at a time, are closed: the server has no time-out for them itself."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS = 15.0
"""From the first byte of a request, or from the connection, to the end of its headers."""


class Patient(HttpToolsProtocol):
    """HTTP as uvicorn has it, with an end to how long headers may take."""

    seconds = SECONDS
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Somebody has connected, and is to ask something."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Some bytes: of a request that began before, or of the next one on this connection."""
        if self._late is None and (self.cycle is None or self.cycle.response_complete):
            self._expect()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The headers are there; bodies have time-outs of their own."""
        self._expected()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone."""
        self._expected()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._late = self.loop.call_later(self.seconds, self._give_up)

    def _expected(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()
