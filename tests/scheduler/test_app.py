"""The HTTP interface, over a real connection: bytes in, bytes out, and every failure a sentence."""

from __future__ import annotations

import http.client
import json
import logging
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import serving

from hetero.errors import InvalidValue
from hetero.scheduler import app
from hetero.scheduler.protocol import BindingArgs

BINDING = b'{"PodName":"p","PodNamespace":"n","PodUID":"u","Node":"a"}'


class Answers:
    """What the verbs are asked, and what they answer next."""

    def __init__(self) -> None:
        self.answer: Any = b'{"ok":1}'
        self.asked: list[Any] = []
        self.waiting = ""
        self.go = threading.Event()

    def __call__(self, body: bytes) -> bytes:
        self.asked.append(body)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def all(self) -> app.Verbs:
        return app.Verbs(self, self, self, app.binding(self.bind), lambda: self.asked.append("afterwards"))

    def bind(self, args: BindingArgs) -> str:
        self.asked.append(args)
        self.go.wait(120)
        if isinstance(self.answer, Exception):
            raise self.answer
        return "not there"


@pytest.fixture
def verbs() -> Answers:
    """Answers as it is told."""
    return Answers()


@pytest.fixture
def server(verbs: Answers) -> Iterator[serving.Served]:
    """Both applications."""
    with ThreadPoolExecutor(4) as executor:
        common = app.common(lambda: verbs.waiting, lambda: None)
        extender = app.extender(verbs.all(), executor=executor, common=common, limit=1 << 20)
        with serving.serve(extender, app.public(webhook=verbs, common=common, limit=1 << 20)) as served:
            yield served
        verbs.go.set()


@pytest.mark.parametrize("path", ["/filter", "/prioritize", "/preempt"])
def test_a_verb_is_given_the_body(server: serving.Served, verbs: Answers, path: str) -> None:
    """And its answer is the response's."""
    status, kind, body = server.post(path, b"{...}")
    assert (status, kind, body) == (200, "application/json", b'{"ok":1}')
    assert verbs.asked[0] == b"{...}"


@pytest.mark.parametrize(("path", "left"), [("/filter", True), ("/prioritize", True), ("/preempt", False)])
def test_what_is_left_to_do_is_done_before_the_next_request(
    server: serving.Served, verbs: Answers, path: str, left: bool
) -> None:
    """When the answer has been sent; whoever asks next finds it done."""
    server.post(path, b"1")
    server.post("/preempt", b"2")
    assert verbs.asked == [b"1", *(["afterwards"] if left else []), b"2"]


def test_the_webhook_is_on_the_other_address(server: serving.Served) -> None:
    """kube-scheduler's verbs are not reached from outside, nor the webhook at kube-scheduler's."""
    assert server.post("/webhook", b"x", port=server.ports[1])[0] == 200
    assert server.post("/webhook", b"x")[0] == 404
    for path in ("/filter", "/bind", "/prioritize", "/preempt", "/ledger"):
        assert server.post(path, b"x", port=server.ports[1])[0] == 404


def test_bad_input_has_its_place_in_the_answer(server: serving.Served, verbs: Answers) -> None:
    """Where the protocol has one; else the status says it. Always in one sentence."""
    verbs.answer = InvalidValue("body", "x", "is not what the verb takes")
    assert json.loads(server.post("/filter", b"x")[2])["Error"] == "body: 'x' is not what the verb takes"
    for path in ("/prioritize", "/preempt"):
        assert server.post(path, b"x")[::2] == (400, b"body: 'x' is not what the verb takes")
    assert server.post("/webhook", b"x", port=server.ports[1])[0] == 400


def test_a_defect_is_no_trace_for_the_client(server: serving.Served, verbs: Answers, capsys) -> None:
    """The log has it."""
    verbs.answer = RuntimeError("inside")
    status, _, body = server.post("/prioritize", b"x")
    assert (status, body) == (500, b"an unexpected RuntimeError; the scheduler's log has it")
    assert "inside" not in json.loads(server.post("/filter", b"x")[2])["Error"]
    assert "Traceback" in capsys.readouterr().err


def test_a_binding_waits_aside(server: serving.Served, verbs: Answers) -> None:
    """While the API server is waited for, other verbs are answered."""
    with ThreadPoolExecutor(1) as client:
        bound = client.submit(server.post, "/bind", BINDING)
        assert server.post("/filter", b"{}")[0] == 200
        assert not bound.done()
        verbs.go.set()
        assert json.loads(bound.result(120)[2]) == {"Error": "not there"}


def test_a_binding_that_nobody_waits_for_is_not_sent(
    server: serving.Served, verbs: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It found no thread in time; its pod may be on its way to another node by now."""
    monkeypatch.setattr(app, "STALE", -1.0)
    status, _, answer = server.post("/bind", BINDING)
    assert (status, verbs.asked) == (200, [])
    assert "is not carried out any more" in json.loads(answer)["Error"]


def test_preemption_does_not_wait_for_bindings(verbs: Answers) -> None:
    """All threads that bind may wait for the API server, and kube-scheduler for this answer."""
    with ThreadPoolExecutor(1) as executor, ThreadPoolExecutor(1) as client:
        extender = app.extender(verbs.all(), executor=executor, common=[], limit=1 << 20)
        with serving.serve(extender) as served:
            bound = client.submit(served.post, "/bind", BINDING)
            assert served.post("/preempt", b"{...}")[0] == 200
            assert not bound.done()
            verbs.go.set()
            assert bound.result(120)[0] == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"PodName":"p"}', b"\xff", b'{"PodName":' + b"[" * 5000])
def test_a_binding_that_is_none_is_an_error(server: serving.Served, body: bytes) -> None:
    """In the answer, as kube-scheduler reads it."""
    status, _, answer = server.post("/bind", body)
    assert status == 200
    assert json.loads(answer)["Error"].startswith("body: ")


def test_a_body_has_a_limit(server: serving.Served, verbs: Answers) -> None:
    """Whether its length is told before or not; nothing of it reaches the verb."""
    large = b"x" * ((1 << 20) + 1)
    assert server.post("/prioritize", large)[0] == 413
    assert "1 MiB" in json.loads(server.post("/filter", large)[2])["Error"]
    assert server.post("/prioritize", iter([large[:1000]] * 1200))[0] == 413
    assert verbs.asked == []
    assert server.post("/prioritize", large[:-1])[0] == 200


def test_other_methods_are_refused(server: serving.Served) -> None:
    """A verb is a POST."""
    assert server.get("/filter")[0] == 405
    assert server.post("/healthz", b"")[0] == 405


def test_readiness_says_what_is_waited_for(server: serving.Served, verbs: Answers) -> None:
    """Liveness does not: the loop answers, so it lives."""
    verbs.waiting = "waiting for: pods"
    for port in server.ports:
        assert server.get("/readyz", port=port)[::2] == (503, b"waiting for: pods")
        assert server.get("/healthz", port=port)[::2] == (200, b"ok")
    verbs.waiting = ""
    assert server.get("/readyz")[0] == 200


def test_metrics_are_exposed(server: serving.Served) -> None:
    """With the time of requests by path."""
    server.post("/filter", b"{}")
    status, kind, body = server.get("/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert b'hetero_request_seconds_count{path="/filter"}' in body


def test_a_client_that_leaves_is_no_defect(server: serving.Served, capsys) -> None:
    """Its half a request is dropped, and the next is served."""
    with socket.create_connection(("127.0.0.1", server.ports[0]), timeout=120) as left:
        left.sendall(b"POST /filter HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    assert server.post("/filter", b"{}")[0] == 200
    assert "Traceback" not in capsys.readouterr().err


def test_a_connection_is_kept(server: serving.Served) -> None:
    """kube-scheduler asks many times a second."""
    connection = http.client.HTTPConnection("127.0.0.1", server.ports[0], timeout=120)
    for _ in range(3):
        connection.request("POST", "/filter", b"{}")
        response = connection.getresponse()
        assert (response.status, response.read(), response.getheader("connection")) == (200, b'{"ok":1}', None)
    connection.close()


def test_the_end_waits_for_bindings(verbs: Answers) -> None:
    """What is under way is answered; then the servers are done."""
    with ThreadPoolExecutor(4) as executor:
        extender = app.extender(verbs.all(), executor=executor, common=[], limit=1 << 20)
        with serving.serve(extender) as served, ThreadPoolExecutor(1) as client:
            bound = client.submit(served.post, "/bind", BINDING)
            served.until(lambda: verbs.asked)
            served.stop()
            served.until(lambda: served.stopping == 1)
            verbs.go.set()
            assert json.loads(bound.result(120)[2]) == {"Error": "not there"}
            served.wait()
    assert signal.getsignal(signal.SIGTERM) is not None
    assert logging.getLogger("uvicorn.error").handlers == []
