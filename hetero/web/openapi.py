"""The description of the interface, made of the pages and their records: what is served is what is described.

Source: OpenAPI Specification 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

import hetero
from hetero.web import records
from hetero.web.pages import Page
from hetero.web.queries import HistoryQuery, Query

PREFIX = "/api/v1"
_REFERENCE = "#/components/schemas/{name}"

SAYS = {
    400: "A parameter, a header or the body cannot be used.",
    401: "Nobody is logged in.",
    403: "Whoever is logged in may not see this, another site asks, or the host is not one of ours.",
    404: "There is nothing of that name.",
    405: "Nobody logs in or out in this mode.",
    413: "The body is too long.",
    415: "The body is of another type than application/json.",
    429: "Too many watch, or too many log-ins failed.",
    503: "The API server cannot be asked who this is, or too much is asked at once.",
}
"""What a status means where it is answered with a problem."""


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked.

    Attributes:
        method: In lower case.
        path: Below the prefix.
        summary: What it is.
        answer: What it answers.
        problems: The statuses with which it may refuse.
        query: Its parameters.
        body: What it takes.
        watched: It may be followed as server-sent events.
        open: Whoever is not logged in may ask it as well.
    """

    method: str
    path: str
    summary: str
    answer: type[records.Record]
    problems: tuple[int, ...] = (400, 401, 403, 429, 503)
    query: type[Query] = Query
    body: type[records.Record] | None = None
    watched: bool = False
    open: bool = False


OTHERS = (
    Operation("get", "/history", "What was, from Prometheus", records.History, query=HistoryQuery, watched=True),
    Operation(
        "post",
        "/plan",
        "Where the pods of a manifest would go; nothing is promised",
        records.Plan,
        (400, 401, 403, 413, 415, 429, 503),
        body=records.Manifest,
    ),
    Operation("get", "/session", "Who asks", records.Session, (400, 403, 429, 503), open=True),
    Operation(
        "post",
        "/session",
        "Log in; the answer sets a cookie",
        records.Session,
        (400, 401, 403, 405, 413, 415, 429, 503),
        body=records.Login,
        open=True,
    ),
    Operation("delete", "/session", "Log out", records.Session, (400, 403, 405), open=True),
)
"""What is no page."""


def operations(pages: Iterable[Page]) -> list[Operation]:
    """All that can be asked."""
    read = [
        Operation(
            "get",
            page.path,
            page.summary,
            page.answer,
            (400, 401, 403, *((404,) if page.missing else ()), 429, 503),
            page.query,
            watched=True,
        )
        for page in pages
    ]
    return [*read, *OTHERS]


def document(pages: Iterable[Page]) -> dict[str, Any]:
    """The OpenAPI document."""
    every = operations(pages)
    answers = {one.answer for one in every} | {one.body for one in every if one.body} | {records.Problem}
    kinds = sorted(answers, key=lambda kind: kind.__name__)
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for one in every:
        paths.setdefault(f"{PREFIX}{one.path}", {})[one.method] = _operation(one)
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "hetero dashboard",
            "version": hetero.__version__,
            "description": "What a cluster has, who uses it, who waits and why. Read-only. Each GET of a page is also "
            "answered as server-sent events, to whom accepts text/event-stream.",
        },
        "paths": paths,
        "components": {
            "schemas": {name: _told(schema) for name, schema in schemas.items()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "hetero-session"},
            },
        },
    }
    # As its readers have it: lists where there were tuples.
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(made))
    return found


def _operation(one: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": one.summary,
        "operationId": f"{one.method}{re.sub('[^a-z]+', '_', one.path).rstrip('_')}",
        "parameters": [*_parts(one.path), *_parameters(one.query)],
        "responses": dict(_responses(one)),
        "security": [] if one.open else [{"bearer": []}, {"cookie": []}, {}],
    }
    if one.body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": _reference(one.body)}}}
    return made


def _responses(one: Operation) -> Iterator[tuple[str, dict[str, Any]]]:
    content: dict[str, Any] = {"application/json": {"schema": _reference(one.answer)}}
    if one.watched:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    yield "200", {"description": f"{one.summary}.", "content": content}
    if one.watched:
        yield "304", {"description": "Nothing has changed since the answer that If-None-Match names."}
    for status in one.problems:
        problem = {"application/json": {"schema": _reference(records.Problem)}}
        yield str(status), {"description": SAYS[status], "content": problem}


def _parts(path: str) -> Iterator[dict[str, Any]]:
    for name in re.findall(r"{(\w+)}", path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _parameters(kind: type[Query]) -> Iterator[dict[str, Any]]:
    _, schemas = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    own = _told(schemas[kind.__name__])
    told = {name: text for base in reversed(kind.__mro__) for name, text in attributes(base.__doc__ or "").items()}
    for name, schema in own.get("properties", {}).items():
        found = {"name": name, "in": "query", "required": False, "schema": schema}
        yield {**found, "description": told[name]} if name in told else found


def _reference(kind: type[records.Record]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(name=kind.__name__)}


def _told(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with what its docstring says of each field where it belongs."""
    text = schema.get("description", "")
    told = attributes(text)
    properties = {
        name: {**one, "description": told[name]} if name in told and "$ref" not in one else one
        for name, one in schema.get("properties", {}).items()
    }
    found = {**schema, "description": text.split("\n\n")[0].strip()}
    return {**found, "properties": properties} if properties else found


def attributes(docstring: str) -> dict[str, str]:
    """What the section ``Attributes`` of a docstring says, by name."""
    _, _, section = docstring.partition("Attributes:\n")
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        start = re.match(r"\s+(\w+): (.*)", line)
        if start and (not name or len(line) - len(line.lstrip()) <= 8):
            name = start[1]
            found[name] = start[2].strip()
        elif name and line.strip():
            found[name] += f" {line.strip()}"
    return found
