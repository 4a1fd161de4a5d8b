"""The application: pages and the interface under ``/api/v1``, behind the guard and whoever knows people.

Pages are made by one thread beside the event loop, one after another: so no answer waits for another's bytes, and what
makes them need not be safe for several threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hetero import log, metrics
from hetero.errors import HeteroError
from hetero.web import documents, manifests, openapi, requests
from hetero.web.access import Access, Caller
from hetero.web.detail import Details
from hetero.web.documents import Document
from hetero.web.files import Files
from hetero.web.guard import Guard, problem
from hetero.web.history import Past
from hetero.web.hub import Hub, Make
from hetero.web.login import Door
from hetero.web.pages import Page, pages
from hetero.web.plan import Planning
from hetero.web.problems import Refused
from hetero.web.queries import HistoryQuery, Query
from hetero.web.records import Manifest, Record
from hetero.web.scene import Scene
from hetero.web.state import State

_log = log.logger("dashboard")

T = TypeVar("T")

PREFIX = openapi.PREFIX
PENDING = 200
"""Answers that wait for their turn; one more is told to come again."""

PLANS = 2
"""Manifests that are planned or wait for it: each may take seconds, in which no page is made."""

STUCK = 30.0
"""Seconds that a client who watches has to take what is sent."""


class Kitchen:
    """Makes pages, one after another, in a thread of its own.

    Args:
        state: What they are made of.
        seen: Told the names of the nodes that a page shows.
    """

    def __init__(self, state: State, seen: Callable[[Record], None] = lambda _: None) -> None:
        self.state = state
        self._seen = seen
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="pages")
        self._pending = 0

    async def run(self, action: Callable[[], T]) -> T:
        """Do something in the thread of the pages.

        Raises:
            Refused: 503, too much is waiting for it.
        """
        if self._pending >= PENDING:
            raise Refused(503, "too much is asked at once; try again soon", 2)
        self._pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, action)
        finally:
            self._pending -= 1

    async def document(self, make: Callable[[Scene], Record]) -> Document:
        """A page of the cluster as it is now.

        Raises:
            Refused: There is none.
        """
        return await self.run(lambda: self._made(make))

    async def stamp(self) -> Hashable:
        """Changes with everything that a page could show."""
        return await self.run(self.state.stamp)

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _made(self, make: Callable[[Scene], Record]) -> Document:
        record = make(self.state.scene())
        self._seen(record)
        return documents.document(record)


class Dashboard:
    """The application and what it lives on.

    Args:
        kitchen: Makes pages.
        access: Knows people.
        past: Asks Prometheus; by default there is none.
        scheduler: The name of our scheduler.
        hosts: See :class:`hetero.web.guard.Guard`.
        files: The files of the pages.
        hub: For who watches; made from the kitchen where none is given.

    Attributes:
        app: The ASGI application.
        described: Its OpenAPI document.
    """

    def __init__(  # noqa: PLR0913  what a dashboard is put together from
        self,
        kitchen: Kitchen,
        access: Access,
        *,
        past: Past | None = None,
        scheduler: str = "hetero-scheduler",
        hosts: Sequence[str] = (),
        files: Files | None = None,
        hub: Hub | None = None,
    ) -> None:
        self.kitchen = kitchen
        self.access = access
        self.hub = hub or Hub(kitchen.stamp)
        self._past = past or Past("")
        self._asking = ThreadPoolExecutor(4, thread_name_prefix="history")
        self._planning = Planning(kitchen.state.cluster)
        self._plans = 0
        self._files = files or Files()
        served = pages(Details(kitchen.state.cluster, scheduler))
        self.described = openapi.document(served)
        self.app = Starlette(
            routes=[*self._routes(served), Route("/{path:path}", self._file, methods=["GET"])],
            middleware=[Middleware(Guard, hosts=hosts)],
            exception_handlers={Refused: _refused, HeteroError: _failed, 404: _nothing, 405: _method, 500: _failed},
        )
        self.app.router.redirect_slashes = False

    def close(self) -> None:
        """End all streams and threads."""
        self.hub.close()
        self.kitchen.close()
        self._asking.shutdown(wait=False, cancel_futures=True)

    def _routes(self, served: Sequence[Page]) -> list[Route]:
        body = msgspec.json.encode(self.described)

        async def described(_: Request) -> Response:
            return Response(body, media_type="application/json")

        door = Door(self.access, history=self._past.available)
        return [
            *(Route(f"{PREFIX}{page.path}", self._endpoint(page), methods=["GET"]) for page in served),
            Route(f"{PREFIX}/history", self._history, methods=["GET"]),
            Route(f"{PREFIX}/plan", self._plan, methods=["POST", "GET"]),
            Route(f"{PREFIX}/openapi.json", described, methods=["GET"]),
            *door.routes(f"{PREFIX}/session"),
        ]

    def _endpoint(self, page: Page) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            caller = await self.access.caller(request)
            query = requests.query(request, page.query)
            parts = dict(request.path_params)

            async def make() -> Document:
                return await self.kitchen.document(lambda scene: page.make(scene, parts, query))

            return await self._answer(request, caller, (page.path, tuple(sorted(parts.items())), query), make)

        return endpoint

    async def _history(self, request: Request) -> Response:
        caller = await self.access.caller(request)
        query = requests.query(request, HistoryQuery)

        async def make() -> Document:
            loop = asyncio.get_running_loop()
            return documents.document(await loop.run_in_executor(self._asking, self._past.history, query))

        return await self._answer(request, caller, ("/history", query), make)

    async def _plan(self, request: Request) -> Response:
        if request.method != "POST":  # which the files' route would take for one of its own
            raise HTTPException(405, headers={"Allow": "POST"})
        await self.access.caller(request)
        requests.query(request, Query)
        # In JSON a manifest takes up to six times its size: each character may be written as an escape.
        asked = await requests.body(request, Manifest, 6 * manifests.LIMIT)
        if self._plans >= PLANS:
            raise Refused(503, "others have manifests planned at this moment; try again soon", 5)
        self._plans += 1
        try:
            made = await self.kitchen.document(lambda scene: self._planning.plan(scene, asked.manifest))
        finally:
            self._plans -= 1
        return Response(made.body, media_type="application/json")

    async def _answer(self, request: Request, caller: Caller, key: Hashable, make: Make) -> Response:
        """A page as it is, or as it is from now on."""
        if requests.accepts_events(request):
            self.hub.admit(key)
            return Stream(self._allowed(self.hub.watch(key, await make(), _lasting(make)), caller))
        began = time.perf_counter()
        document = await make()
        metrics.request_seconds.observe(time.perf_counter() - began, request.scope["route"].path)
        headers = {"etag": f'W/"{document.digest}"'}
        if requests.known(request, document.digest):
            return Response(status_code=304, headers=headers)
        return Response(document.body, headers=headers, media_type="application/json")

    async def _allowed(self, parts: AsyncIterator[bytes], caller: Caller) -> AsyncIterator[bytes]:
        """What is sent, as long as its reader may have it."""
        async for part in parts:
            if not await self.access.still(caller):
                return
            yield part

    async def _file(self, request: Request) -> Response:
        if request.url.path.startswith("/api/"):
            raise Refused(404, NOTHING)
        return self._files.answer(request)


def _lasting(make: Make) -> Make:
    """Makes a page for those who watch it: what goes wrong is told, and looked at again a second later."""

    async def made() -> Document:
        try:
            return await make()
        except Refused as refused:
            return documents.refusal(refused.status, str(refused))
        except Exception:
            _log.exception("a page cannot be made")
            return documents.refusal(500, UNEXPECTED)

    return made


UNEXPECTED = "something unexpected happened; the dashboard's log has it"
NOTHING = "there is nothing at this path; /api/v1/openapi.json lists what there is"


class Stream(Response):
    """Server-sent events, to a client that takes them in time; whoever does not is cut off and comes again.

    Args:
        parts: What is sent.
    """

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        super().__init__(media_type="text/event-stream", headers={"x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until there is no more, or the client is gone."""
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        async for part in self._parts:
            await asyncio.wait_for(send({"type": "http.response.body", "body": part, "more_body": True}), STUCK)
        await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 — registered for nothing else
    if error.status not in (401, 404):
        metrics.refused_requests.add(str(error.status))
    return problem(error.status, str(error), error.retry_after)


def _failed(request: Request, error: Exception) -> Response:
    _log.error("an unexpected error", path=request.url.path, error=type(error).__name__, exc_info=error)
    return problem(500, UNEXPECTED)


def _nothing(_: Request, error: Exception) -> Response:
    del error
    return problem(404, NOTHING)


def _method(request: Request, error: Exception) -> Response:
    allowed = getattr(error, "headers", None) or {}
    answer = problem(405, f"{request.method} does nothing here; this takes {allowed.get('Allow', 'GET')}")
    answer.headers.update(allowed)
    return answer
