"""What a request says: parameters and bodies, held to what they may be."""

from __future__ import annotations

import asyncio
import re
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from hetero.complaints import complaint
from hetero.web.problems import Refused
from hetero.web.queries import Query

T = TypeVar("T", bound=msgspec.Struct)
Q = TypeVar("Q", bound=Query)

MOST_WORDS = 300
"""Characters of what is said of a request."""

PATIENCE = 10.0
"""Seconds that a client has for its whole body."""


def query(request: Request, kind: type[Q]) -> Q:
    """The parameters of a request.

    Raises:
        Refused: 400, one is unknown, there twice, or cannot be.
    """
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in given:
            raise Refused(400, f"the parameter {name[:50]} is there twice; write it once")
        given[name] = value
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(400, f"the parameters cannot be used: {complaint(error, kind, given)[:MOST_WORDS]}") from error


async def body(request: Request, kind: type[T], limit: int) -> T:
    """The JSON of a request.

    Args:
        request: The request.
        kind: What is to be in it.
        limit: Bytes.

    Raises:
        Refused: 415, it is of another type; 413, it is too long; 400, it is not what it should be, or comes too slowly.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "the body is of another type; send application/json")
    try:
        raw = await asyncio.wait_for(_read(request, limit), PATIENCE)
        return msgspec.json.decode(raw, type=kind)
    except TimeoutError as error:
        raise Refused(400, f"the body did not come within {PATIENCE:.0f} seconds; send it again") from error
    except ClientDisconnect as error:
        raise Refused(400, "the client went away") from error
    except msgspec.ValidationError as error:
        # Not its values, nor the error itself, which has the body with it: that may hold a token.
        raise Refused(400, f"the body is not what is taken here: {complaint(error, kind)[:MOST_WORDS]}") from None
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Refused(400, f"the body is not what is taken here: {str(error)[:MOST_WORDS]}") from None


async def _read(request: Request, limit: int) -> bytes:
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limit:
        raise Refused(413, f"the body is longer than {limit >> 10} KiB, which is the most that is read")
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise Refused(413, f"the body is longer than {limit >> 10} KiB, which is the most that is read")
        chunks.append(chunk)
    return b"".join(chunks)


def accepts_events(request: Request) -> bool:
    """Whether a client wants to be told of changes, as a browser's EventSource does."""
    return request.method == "GET" and "text/event-stream" in request.headers.get("accept", "")


def known(request: Request, digest: str) -> bool:
    """Whether a client has this answer already."""
    tags: list[str] = re.findall(r'"([^"]*)"', request.headers.get("if-none-match", ""))
    return digest in tags
