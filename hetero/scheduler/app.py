"""The HTTP interface: two applications, one for kube-scheduler beside it, one for the API server.

Handlers take bytes and give bytes. Whatever is wrong with a request is one sentence; whatever is wrong with this
program is one sentence for the client, and the trace in the log.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import chain

import msgspec
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from hetero import log, metrics
from hetero.errors import HeteroError, UserError
from hetero.scheduler import protocol
from hetero.scheduler.protocol import BindingArgs, BindingResult, FilterResult

_log = log.logger("scheduler")

Verb = Callable[[bytes], bytes]

STALE = 30.0
"""Seconds that kube-scheduler waits for an answer, as it is configured for this extender.

A Binding that is sent later is one that it has given up: the pod may be on its way to another node, and another replica
may lead, which knows nothing of this one."""


class TooLarge(UserError):
    """A body is larger than the configuration allows.

    Args:
        limit: Bytes.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request is larger than {limit >> 20} MiB; see scheduler.body_mib")


class TooLate(HeteroError):
    """A request has waited so long for a thread that nobody waits for its answer any more.

    Args:
        waited: Seconds.
    """

    def __init__(self, waited: float) -> None:
        super().__init__(f"the request waited {waited:.0f} seconds for its turn and is not carried out any more")


@dataclass(frozen=True)
class Verbs:
    """What answers kube-scheduler.

    Attributes:
        filter: Runs in the event loop, for about a millisecond.
        prioritize: The same.
        preempt: Looks at many nodes for milliseconds each, so it runs in a thread.
        bind: Waits for the API server, so it does as well.
        afterwards: What the first two leave to do when their answer has been sent; before the next request is read.
    """

    filter: Verb
    prioritize: Verb
    preempt: Verb
    bind: Verb
    afterwards: Callable[[], None] = lambda: None


def extender(verbs: Verbs, *, executor: Executor, common: list[Route], limit: int) -> Starlette:
    """The application for kube-scheduler.

    Args:
        verbs: What answers.
        executor: The threads that bind.
        common: What both applications have.
        limit: Bytes of a body.
    """
    after = _after(verbs.afterwards)
    routes = [
        _route("/filter", Handling(_at_once(verbs.filter), _filter_error, after), limit),
        _route("/prioritize", Handling(_at_once(verbs.prioritize), None, after), limit),
        # Not behind bindings that wait for the API server: kube-scheduler places nothing meanwhile.
        _route("/preempt", Handling(_aside(verbs.preempt, None)), limit),
        _route("/bind", Handling(_aside(verbs.bind, executor), _binding_error), limit),
    ]
    return Starlette(routes=[*routes, *common])


def public(*, webhook: Verb, common: list[Route], limit: int) -> Starlette:
    """The application for the API server; a review is pure and takes less than a millisecond."""
    return Starlette(routes=[_route("/webhook", Handling(_at_once(webhook)), limit), *common])


def common(
    ready: Callable[[], str],
    measure: Callable[[], None],
    process: str = "scheduler",
    more: Callable[[], Iterable[str]] | None = None,
) -> list[Route]:
    """What every application has.

    Args:
        ready: Says what is waited for; empty when ready.
        measure: Brings the gauges up to date.
        process: Whose metrics are exported.
        more: What is told after them, piece by piece; made in a thread, for it may be long.
    """

    async def healthz(_: Request) -> Response:
        return Response("ok")

    async def readyz(_: Request) -> Response:
        waiting = ready()
        return Response(waiting or "ok", status_code=503 if waiting else 200)

    async def exposed(_: Request) -> Response:
        measure()
        headers, text = {"content-type": metrics.CONTENT_TYPE}, metrics.exposition(process)
        return StreamingResponse(chain([text], more()), headers=headers) if more else Response(text, headers=headers)

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", exposed)]


def binding(bind: Callable[[BindingArgs], str]) -> Verb:
    """The verb ``bind`` of a binder."""

    def verb(body: bytes) -> bytes:
        try:
            return protocol.write(BindingResult(error=bind(protocol.read_binding(body))))
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            return _binding_error(f"body: {body[:40]!r} is not what the verb takes: {error}")

    return verb


@dataclass(frozen=True)
class Handling:
    """How a path is answered.

    Attributes:
        verb: Body to answer.
        error: Writes a sentence where the protocol has a place for it, with status 200; None where it has none.
        after: Done when the answer has been sent.
    """

    verb: Callable[[bytes], Awaitable[bytes]]
    error: Callable[[str], bytes] | None = None
    after: BackgroundTask | None = None


def _route(path: str, how: Handling, limit: int) -> Route:
    async def handler(request: Request) -> Response:
        try:
            body = await _body(request, limit)
        except ClientDisconnect:
            return Response(status_code=400)
        except TooLarge as problem:
            return _told(path, problem, how.error, 413)
        started = time.perf_counter()
        try:
            return Response(await how.verb(body), media_type="application/json", background=how.after)
        except Exception as problem:
            return _told(path, problem, how.error, 400 if isinstance(problem, UserError) else 500)
        finally:
            metrics.request_seconds.observe(time.perf_counter() - started, path)

    return Route(path, handler, methods=["POST"])


def _after(action: Callable[[], None]) -> BackgroundTask:
    """Runs in the event loop as soon as the answer has been written."""

    async def run() -> None:
        action()

    return BackgroundTask(run)


def _told(path: str, problem: Exception, error: Callable[[str], bytes] | None, status: int) -> Response:
    sentence = str(problem)
    if isinstance(problem, HeteroError):
        metrics.refused_requests.add(type(problem).__name__)
        _log.warning("a request is refused", path=path, reason=sentence)
    else:
        sentence = f"an unexpected {type(problem).__name__}; the scheduler's log has it"
        _log.error("an unexpected error", path=path, trace=traceback.format_exc())
    if error is not None:
        return Response(error(sentence), media_type="application/json")
    return Response(sentence, status_code=status, media_type="text/plain")


async def _body(request: Request, limit: int) -> bytes:
    """The whole body.

    Raises:
        TooLarge: It is, or says that it will be; what is left of it is not read.
    """
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limit:
        raise TooLarge(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _at_once(verb: Verb) -> Callable[[bytes], Awaitable[bytes]]:
    async def run(body: bytes) -> bytes:
        return verb(body)

    return run


def _aside(verb: Verb, executor: Executor | None) -> Callable[[bytes], Awaitable[bytes]]:
    async def run(body: bytes) -> bytes:
        return await asyncio.get_running_loop().run_in_executor(executor, _in_time, verb, body, time.monotonic())

    return run


def _in_time(verb: Verb, body: bytes, came: float) -> bytes:
    waited = time.monotonic() - came
    if waited > STALE:
        raise TooLate(waited)
    return verb(body)


def _filter_error(sentence: str) -> bytes:
    return protocol.write(FilterResult(error=sentence))


def _binding_error(sentence: str) -> bytes:
    return protocol.write(BindingResult(error=sentence))
