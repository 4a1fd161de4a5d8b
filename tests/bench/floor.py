"""The floor: the scheduler's own HTTP server, which reads the same requests and answers without planning.

``python -m tests.bench.floor`` prints its address. It decodes what it is sent, pod and names, answers filter with all
names and prioritize with zeros. With a certificate and its key it serves the webhook instead, and allows what it is
asked.
"""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import uvloop
from starlette.applications import Starlette

from hetero.kube.objects import Pod
from hetero.scheduler import app, collector
from hetero.scheduler.certificate import Certificate
from hetero.scheduler.server import Listener, Servers, until_told

LIMIT = 64 << 20


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


def filter_(body: bytes) -> bytes:
    """All names."""
    names = _args.decode(body).NodeNames
    return _encode({"NodeNames": names, "FailedNodes": {}, "FailedAndUnresolvableNodes": {}, "Error": ""})


def prioritize(body: bytes) -> bytes:
    """Zero for each."""
    return _encode([{"Host": name, "Score": 0} for name in _args.decode(body).NodeNames or ()])


def review(body: bytes) -> bytes:
    """Allowed."""
    answer = {"uid": _review.decode(body).request.uid, "allowed": True}
    return _encode({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer})


def _nothing(_: bytes) -> bytes:
    return b"{}"


def main(*pair: str) -> None:
    """Serve on a free port of the loopback until killed; the webhook when there is a certificate and its key."""
    collector.rarely()
    collector.keep()
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"{'https' if pair else 'http'}://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    with ThreadPoolExecutor(1) as executor:
        served = Listener(_app(executor, webhook=bool(pair)), listener, Certificate(*map(Path, pair)) if pair else None)
        uvloop.run(until_told(Servers([served], lambda: None)))


def _app(executor: ThreadPoolExecutor, *, webhook: bool) -> Starlette:
    if webhook:
        return app.public(webhook=review, common=[], limit=LIMIT)
    verbs = app.Verbs(filter=filter_, prioritize=prioritize, preempt=_nothing, bind=_nothing)
    return app.extender(verbs, executor=executor, common=[], limit=LIMIT)


if __name__ == "__main__":
    main(*sys.argv[1:])
