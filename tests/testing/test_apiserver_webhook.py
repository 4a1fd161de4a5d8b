"""The server in memory asks a webhook about pods as a real one does, and is as strict with its answers."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer

PODS = paths.pods("default")
POD = {"metadata": {"generateName": "web-"}, "spec": {"containers": [{"name": "c"}]}}


class Hook:
    """A webhook that says what a test wants."""

    def __init__(self) -> None:
        self.reviews: list[Any] = []
        self.answer: Any = lambda request: {"uid": request["uid"], "allowed": True}
        self.around: dict[str, Any] = {}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.reviews.append(review)
                body = hook.body(review["request"])
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.listener = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.listener.server_port}/webhook"

    def body(self, request: Any) -> bytes:
        """The answer to a request."""
        response = self.answer(request)
        if isinstance(response, bytes):
            return response
        review = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response, **self.around}
        return json.dumps(review).encode()

    def patch(self, operations: Any, kind: str = "JSONPatch") -> None:
        """Answer with a patch."""
        encoded = base64.b64encode(json.dumps(operations).encode()).decode()
        self.answer = lambda request: {"uid": request["uid"], "allowed": True, "patchType": kind, "patch": encoded}


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook that listens."""
    made = Hook()
    thread = threading.Thread(target=made.listener.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.listener.shutdown()
    thread.join()
    made.listener.server_close()


@pytest.fixture
def server(hook: Hook) -> Iterator[ApiServer]:
    """A server that asks it."""
    with ApiServer() as running:
        running.webhook(hook.url)
        yield running


def _create(api: Api, item: Any = POD) -> Any:
    return json.loads(api.post(PODS, json.dumps(item).encode()))


def _refused(api: Api) -> ApiError:
    with pytest.raises(ApiError) as caught:
        _create(api)
    return caught.value


def test_it_is_asked_about_new_pods_and_nothing_else(api: Api, hook: Hook) -> None:
    """With everything that a review has; defaults are filled in, the name is not made yet."""
    api.post(paths.NAMESPACES, b'{"metadata":{"name":"team"}}')
    made = _create(api)
    api.patch(paths.pod("default", made["metadata"]["name"]), b'{"metadata":{"labels":{"a":"b"}}}')
    [review] = hook.reviews
    request = review["request"]
    assert (review["apiVersion"], request["operation"], request["namespace"]) == (
        "admission.k8s.io/v1",
        "CREATE",
        "default",
    )
    assert (request["kind"]["kind"], request["resource"]["resource"], request["name"]) == ("Pod", "pods", "")
    assert request["object"]["metadata"] == {"generateName": "web-", "namespace": "default"}
    assert request["object"]["spec"]["schedulerName"] == "default-scheduler"


def test_its_patch_is_applied(api: Api, hook: Hook) -> None:
    """And defaults are filled in again for what it added."""
    limits = {"limits": {"acme.com/npu": "1"}}
    hook.patch(
        [
            {"op": "replace", "path": "/spec/schedulerName", "value": "hetero-scheduler"},
            {"op": "add", "path": "/spec/containers/0/resources", "value": limits},
        ]
    )
    spec = _create(api)["spec"]
    assert spec["schedulerName"] == "hetero-scheduler"
    assert spec["containers"][0]["resources"] == {**limits, "requests": limits["limits"]}


def test_its_refusal_is_the_servers(api: Api, hook: Hook, server: ApiServer) -> None:
    """403 where it does not say; its own code and words where it does."""
    hook.answer = lambda request: {"uid": request["uid"], "allowed": False, "status": {"message": "too much"}}
    error = _refused(api)
    assert (error.status, error.reason) == (403, "Forbidden")
    assert error.message.endswith("denied the request: too much")
    hook.answer = lambda request: {"uid": request["uid"], "allowed": False, "status": {"code": 422, "message": "bad"}}
    assert _refused(api).status == 422
    assert server.objects(paths.PODS) == []


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": "/spec/nothing"}],
        [{"op": "add", "path": "/metadata/annotations/a", "value": "b"}],
        [{"op": "replace", "path": "/spec/containers", "value": []}],
        [{"op": "add", "path": "/spec/containers/0/resources", "value": {"limits": {"acme.com/npu": "1.5"}}}],
        [{"op": "remove", "path": "/metadata"}],
        {"op": "add"},
    ],
)
def test_a_patch_that_does_not_apply_is_an_error(api: Api, hook: Hook, server: ApiServer, operations: Any) -> None:
    """A parent that is not there, something missing removed, a pod that no server takes."""
    hook.patch(operations)
    assert _refused(api).status == 500
    assert server.objects(paths.PODS) == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: b"<html>",
        lambda request: b"3",
        lambda request: {"uid": "another", "allowed": True},
        lambda request: None,
        lambda request: {"uid": request["uid"], "allowed": True, "patchType": "JSONPatch", "patch": "???"},
        lambda request: {"uid": request["uid"], "allowed": True, "patch": "W10="},
    ],
)
def test_an_answer_that_is_none_is_an_error(api: Api, hook: Hook, answer: Any) -> None:
    """Another UID, no review, a patch that is none."""
    hook.answer = answer
    assert _refused(api).status == 500


@pytest.mark.parametrize("around", [{"apiVersion": "admission.k8s.io/v1beta1"}, {"kind": "Review"}])
def test_an_answer_of_another_version_is_an_error(api: Api, hook: Hook, around: Any) -> None:
    """Version and kind are those of the request."""
    hook.around = around
    assert _refused(api).status == 500


def test_a_webhook_that_is_not_there_is_an_error_or_not(api: Api, hook: Hook, server: ApiServer) -> None:
    """By its failure policy; without a webhook nobody is asked."""
    nowhere = "http://127.0.0.1:9/webhook"
    server.webhook(nowhere)
    assert "failed calling webhook" in _refused(api).message
    server.webhook(nowhere, ignorable=True)
    assert _create(api)
    server.webhook("")
    assert _create(api)
    assert hook.reviews == []
