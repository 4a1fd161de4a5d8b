"""A client of an application, without a socket: what a server would hand it, and what it sends back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

HOST = "127.0.0.1:9446"


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)

    def read(self, kind: type[T]) -> T:
        assert self.status == 200, self.body
        return msgspec.json.decode(self.body, type=kind)

    @property
    def error(self) -> str:
        return str(self.json()["error"])


class Client:
    """Asks an application as a browser at an address does. One event loop for its whole life."""

    def __init__(self, app: Any, *, address: str = "127.0.0.1") -> None:
        self.app = app
        self.address = address
        self.loop = asyncio.new_event_loop()

    def close(self) -> None:
        with suppress(asyncio.CancelledError):
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def run(self, coroutine: Awaitable[T]) -> T:
        return self.loop.run_until_complete(coroutine)

    def get(self, target: str, **headers: str) -> Answer:
        return self.ask("GET", target, headers=headers)

    def post(self, target: str, body: Any, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", target, raw, headers={"content_type": "application/json", **headers})

    def delete(self, target: str, **headers: str) -> Answer:
        return self.ask("DELETE", target, headers=headers)

    def ask(self, method: str, target: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None) -> Answer:
        return self.run(self.asked(method, target, body, headers=headers))

    async def asked(
        self, method: str, target: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None
    ) -> Answer:
        answer = Answer()
        async for message in self.messages(self.scope(method, target, headers or {}), body):
            _note(answer, message)
        return answer

    def scope(self, method: str, target: str, headers: Mapping[str, str]) -> dict[str, Any]:
        path, _, query = target.partition("?")
        named = {"host": HOST, **{name.replace("_", "-").lower(): text for name, text in headers.items()}}
        return {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), text.encode()) for name, text in named.items()],
            "client": (self.address, 50000),
            "server": ("127.0.0.1", 9446),
        }

    async def messages(self, scope: dict[str, Any], body: bytes = b"") -> AsyncIterator[dict[str, Any]]:
        """What the application sends, until it has ended or nobody reads on."""
        # Whoever does not read has the application wait, as a full socket does.
        sent: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(1)
        received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        await received.put({"type": "http.request", "body": body, "more_body": False})

        async def run() -> None:
            try:
                await self.app(scope, received.get, sent.put)
            finally:
                await sent.put(None)

        task = asyncio.create_task(run())
        try:
            while (message := await sent.get()) is not None:
                yield message
            await task
        finally:
            await received.put({"type": "http.disconnect"})
            emptying = asyncio.create_task(_empty(sent))
            with suppress(asyncio.CancelledError):
                await task
            emptying.cancel()


async def _empty(sent: asyncio.Queue[Any]) -> None:
    while True:
        await sent.get()


def _note(answer: Answer, message: dict[str, Any]) -> None:
    if message["type"] == "http.response.start":
        answer.status = message["status"]
        for name, text in message["headers"]:
            if name == b"set-cookie":
                answer.cookies.append(text.decode())
            answer.headers[name.decode()] = text.decode()
    else:
        answer.body += message.get("body", b"")


class Watch:
    """A page that is watched, read event by event."""

    def __init__(self, client: Client, target: str, **headers: str) -> None:
        self._client = client
        scope = client.scope("GET", target, {"accept": "text/event-stream", **headers})
        self._messages = client.messages(scope)
        self.status = self._next()["status"]

    def _next(self) -> dict[str, Any]:
        async def one() -> dict[str, Any]:
            return await asyncio.wait_for(anext(self._messages), 10)

        return self._client.run(one())

    def next(self) -> str:
        """The next part as text; empty at the end."""
        return str(self._next().get("body", b"").decode())

    def until(self, true: Callable[[str], bool]) -> str:
        """Read on until a part is such."""
        for _ in range(1000):
            part = self.next()
            if true(part):
                return part
        raise AssertionError("it never came")

    def document(self) -> Any:
        """The next event that is the page itself."""
        part = self.until(lambda text: text.startswith("id: "))
        return json.loads(part.split("data: ", 1)[1])

    def close(self) -> None:
        self._client.run(self._messages.aclose())
