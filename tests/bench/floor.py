"""The floor: the same HTTP server as the scheduler's, which reads the same requests and answers without planning.

``python -m tests.bench.floor`` prints its address. It decodes what it is sent into the same structs, answers filter
with all names, prioritize with zeros and a review with "allowed".
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hetero.kube.objects import Pod


class Args(msgspec.Struct):
    """ExtenderArgs, as kube-scheduler sends them with nodeCacheCapable."""

    Pod: Pod
    NodeNames: list[str] | None = None


class Reviewed(msgspec.Struct):
    """The request of an AdmissionReview."""

    uid: str
    object: Pod


class Review(msgspec.Struct):
    """An AdmissionReview."""

    request: Reviewed


_args = msgspec.json.Decoder(Args)
_review = msgspec.json.Decoder(Review)
_encode = msgspec.json.Encoder().encode


async def _filter(request: Request) -> Response:
    args = _args.decode(await request.body())
    return _answer({"NodeNames": args.NodeNames, "FailedNodes": {}, "FailedAndUnresolvableNodes": {}, "Error": ""})


async def _prioritize(request: Request) -> Response:
    args = _args.decode(await request.body())
    return _answer([{"Host": name, "Score": 0} for name in args.NodeNames or ()])


async def _webhook(request: Request) -> Response:
    review = _review.decode(await request.body())
    answer = {"uid": review.request.uid, "allowed": True}
    return _answer({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})


def _answer(value: Any) -> Response:
    return Response(_encode(value), media_type="application/json")


def main(certificate: str = "", key: str = "") -> None:
    """Serve on a free port of the loopback until killed; TLS when there is a certificate."""
    routes = [
        Route(path, handler, methods=["POST"])
        for path, handler in {"/filter": _filter, "/prioritize": _prioritize, "/webhook": _webhook}.items()
    ]
    listener = socket.create_server(("127.0.0.1", 0))
    scheme = "https" if certificate else "http"
    print(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        Starlette(routes=routes),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="error",
        lifespan="off",
        ssl_certfile=certificate or None,
        ssl_keyfile=key or None,
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
