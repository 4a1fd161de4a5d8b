"""From a request to an answer: what the path and the method mean, faults, log-in, watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from hetero.testing.apiserver import discovery, lists, pods, priorities, proxies, verbs
from hetero.testing.apiserver.faults import Call, Fault, Faults, HangUp
from hetero.testing.apiserver.refusals import SUCCESS, Refused, refused
from hetero.testing.apiserver.resources import Target, target
from hetero.testing.apiserver.reviews import Reviews
from hetero.testing.apiserver.store import Store
from hetero.testing.apiserver.watches import Watching
from hetero.testing.apiserver.webhooks import Webhook
from hetero.testing.apiserver.wire import Answer, Request

Query = dict[str, str]


class Asked(msgspec.Struct):
    """A request and what its path and query mean."""

    request: Request
    place: Target
    query: Query


class Routes:
    """Answers requests. Thread-safe.

    Args:
        store: The objects.
        faults: What is to go wrong.
        bookmark_every: Seconds of silence between bookmarks.
        token: Gives the bearer token that is asked for at the moment; empty for none.
    """

    def __init__(self, store: Store, faults: Faults, bookmark_every: float, token: Callable[[], str]) -> None:
        self.webhook: Webhook | None = None
        self.reviews = Reviews()
        self.serve: proxies.Serve | None = None
        self._store = store
        self._faults = faults
        self._bookmark_every = bookmark_every
        self._token = token
        self._dropped = 0
        self._midline = False

    def respond(self, request: Request) -> Answer | None:
        """The answer, or ``None`` to hang up."""
        url = urlsplit(request.target)
        call = Call(request.method, unquote(url.path), url.query, request.body)
        fault = self._faults.taken(call)
        try:
            return self._faulty(fault, request, url.path, dict(parse_qsl(url.query)))
        except HangUp:
            return None
        except Refused as no:
            headers = {"Retry-After": str(no.retry_after)} if no.retry_after is not None else {}
            return Answer(no.code, no.body(), headers=headers)

    def drop_watches(self, *, midline: bool) -> None:
        """End all watches that are open now."""
        with self._store.changed:
            self._dropped += 1
            self._midline = midline
            self._store.changed.notify_all()

    def _faulty(self, fault: Fault | None, request: Request, path: str, query: Query) -> Answer:
        if fault is None:
            return self._answer(request, path, query)
        if not fault.after:
            self._faults.strike(fault)
            return self._answer(request, path, query)
        answer = self._answer(request, path, query)
        self._faults.strike(fault)
        return answer

    def _answer(self, request: Request, path: str, query: Query) -> Answer:
        token = self._token()
        if token and request.headers.get("authorization", "").lower() != f"bearer {token}".lower():
            raise refused(401, "Unauthorized")
        if request.method == "GET" and (found := discovery.answer(path)) is not None:
            return Answer(body=found)
        if request.method == "POST" and (review := self._reviewed(request, path)) is not None:
            return review
        if (to_pod := proxies.proxied(request.method, path)) is not None:
            return proxies.answer(self._store, to_pod, self.serve)
        place = target(path)
        perform = _COLLECTION.get(request.method) if not place.name else _OBJECT.get(request.method)
        if perform is None:
            raise refused(405, "the server does not allow this method on the requested resource")
        return perform(self, Asked(request, place, query))

    def _reviewed(self, request: Request, path: str) -> Answer | None:
        if not path.endswith("reviews"):
            return None
        found = self.reviews.answer(path, _object(verbs.decoded(request.body)))
        return None if found is None else Answer(201, msgspec.json.encode(found))

    def _list(self, asked: Asked) -> Answer:
        if asked.query.get("watch") not in ("true", "1"):
            return Answer(body=lists.listed(self._store, asked.place, asked.query))
        watching = Watching(self._store, asked.place, asked.query, self._bookmark_every)
        return Answer(stream=self._stream(watching, self._dropped))

    def _stream(self, watching: Watching, began: int) -> Iterator[bytes]:
        yield from watching.batches(lambda: self._dropped != began)
        if self._dropped != began and self._midline:
            # No last chunk: the connection breaks off in the middle of a line.
            yield b'{"type":"MODIFIED","object":{"metadata":{"name":"cut'
            raise OSError("dropped")

    def _create(self, asked: Asked) -> Answer:
        item = _object(verbs.decoded(asked.request.body))
        if asked.place.resource.kind == "Pod":
            item = self._admitted(item, asked.place.namespace)
        return Answer(201, verbs.create(self._store, asked.place, item).raw)

    def _admitted(self, pod: dict[str, Any], namespace: str) -> dict[str, Any]:
        """What admission makes of a new pod: the plugins that are built in, then the webhook."""
        metadata = {"namespace": namespace, **_object(pod.get("metadata") or {})}
        pod = priorities.admitted(self._store, pods.defaulted({**pod, "metadata": metadata}))
        return pod if self.webhook is None else self.webhook.reviewed(pod, namespace)

    def _get(self, asked: Asked) -> Answer:
        return Answer(body=verbs.get(self._store, asked.place).raw)

    def _post(self, asked: Asked) -> Answer:
        if asked.place.subresource != "binding":
            raise refused(405, "the server does not allow this method on the requested resource")
        pods.bind(self._store, asked.place, verbs.decoded(asked.request.body))
        return Answer(201, SUCCESS)

    def _update(self, asked: Asked) -> Answer:
        return Answer(body=verbs.update(self._store, asked.place, _object(verbs.decoded(asked.request.body))).raw)

    def _patch(self, asked: Asked) -> Answer:
        content_type = asked.request.headers.get("content-type", "").partition(";")[0]
        return Answer(body=verbs.patch(self._store, asked.place, content_type, verbs.decoded(asked.request.body)).raw)

    def _delete(self, asked: Asked) -> Answer:
        options = _object(verbs.decoded(asked.request.body)) if asked.request.body else {}
        if "gracePeriodSeconds" in asked.query:
            options["gracePeriodSeconds"] = int(asked.query["gracePeriodSeconds"])
        return Answer(body=verbs.delete(self._store, asked.place, options).raw)


Perform = Callable[[Routes, Asked], Answer]

_COLLECTION: dict[str, Perform] = {"GET": Routes._list, "POST": Routes._create}
_OBJECT: dict[str, Perform] = {
    "GET": Routes._get,
    "POST": Routes._post,
    "PUT": Routes._update,
    "PATCH": Routes._patch,
    "DELETE": Routes._delete,
}


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise refused(400, "the body is no object")
    return item
