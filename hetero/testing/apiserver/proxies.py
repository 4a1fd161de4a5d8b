"""Requests that the API server hands on to a port of a pod.

Source: Kubernetes, ``pkg/registry/core/pod/rest/subresources.go`` (ProxyREST) and ``pkg/registry/core/pod``
(ResourceLocation): the pod must be there and have an address; what cannot be reached is answered 503.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

import msgspec

from hetero.testing.apiserver.refusals import not_found, refused
from hetero.testing.apiserver.resources import RESOURCES
from hetero.testing.apiserver.store import Store
from hetero.testing.apiserver.wire import Answer

_PATH = re.compile(
    r"/api/v1/namespaces/(?P<namespace>[^/]+)/pods/(?:(?P<scheme>https?):)?(?P<pod>[^/:]+)(?::(?P<port>[^/:]*))?"
    r"/proxy(?P<path>/.*)?"
)


class Proxied(msgspec.Struct, frozen=True):
    """A request on its way to a pod.

    Args:
        namespace: Of the pod.
        pod: Its name.
        port: Number or name; empty for the first that the pod has.
        path: Below the pod's address, beginning with ``/``.
        method: As sent.
    """

    namespace: str
    pod: str
    port: str
    path: str
    method: str = "GET"


Serve = Callable[[Proxied], bytes]
"""What a pod answers. It may raise ``OSError`` for one that cannot be reached and
:class:`~hetero.testing.apiserver.refusals.Refused` for an answer that is no success."""


def proxied(method: str, path: str) -> Proxied | None:
    """What a path asks of a pod; None of any other path."""
    match = _PATH.fullmatch(unquote(path))
    if match is None:
        return None
    return Proxied(match["namespace"], match["pod"], match["port"] or "", match["path"] or "/", method)


def answer(store: Store, asked: Proxied, serve: Serve | None) -> Answer:
    """The pod's answer.

    Raises:
        Refused: There is no such pod (404), it has no address (400), or it cannot be reached (503).
    """
    found = store.get(RESOURCES["v1", "pods"], (asked.namespace, asked.pod))
    if found is None:
        raise not_found("pods", asked.pod)
    address = (found.item.get("status") or {}).get("podIP")
    if not address:
        raise refused(400, "address not allowed")
    try:
        if serve is None:
            raise ConnectionRefusedError("connect: connection refused")
        return Answer(body=serve(asked))
    except OSError as error:
        why = f"error trying to reach service: dial tcp {address}:{asked.port}: {error}"
        raise refused(503, why) from None
