"""A pod on its way into a cluster: the API server asks the scheduler's webhook, and stores what it makes of the pod."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from hetero.admission.review import Reviewer
from hetero.config import AdmissionSettings
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.scheduler import app
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import fake_vendor

NPU, MEMORY, CORES = "fake.example/npu", "fake.example/npumem", "fake.example/npucores"
VENDORS = {name: fake_vendor(name) for name in ("fake", "other")}
PUBLIC = app.public(
    webhook=Reviewer(VENDORS, AdmissionSettings()).review, common=app.common(lambda: "", lambda: None), limit=1 << 20
)

unhurried = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


def posted(application: Starlette, path: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to a POST, without a socket in between."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [], "root_path": ""}
    asyncio.run(application(scope, receive, send))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        status, answer = posted(PUBLIC, self.path, self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *words: Any) -> None:
        """Tests say nothing."""


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """A client of an API server that asks the webhook."""
    webhook = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = Thread(target=webhook.serve_forever)
    thread.start()
    with ApiServer() as server:
        server.webhook(f"http://127.0.0.1:{webhook.server_port}/webhook")
        client = server.api()
        yield client
        client.close()
    webhook.shutdown()
    webhook.server_close()
    thread.join()


def _create(api: Api, *containers: Any, init: Any = (), **spec: Any) -> dict[str, Any]:
    named = [{"name": f"c{index}", "image": "i", **one} for index, one in enumerate(containers)]
    before = [{"name": f"i{index}", "image": "i", **one} for index, one in enumerate(init)]
    pod = {"metadata": {"generateName": "p-"}, "spec": {"containers": named, "initContainers": before, **spec}}
    made: dict[str, Any] = json.loads(api.post(paths.pods("default"), msgspec.json.encode(pod)))
    return made


def test_a_pod_is_stored_completed(api: Api) -> None:
    """With our scheduler's name, and with what its asks come to as limits and requests."""
    made = _create(api, {"resources": {"limits": {NPU: "2"}}}, {"resources": {"requests": {MEMORY: "1k"}}})
    assert made["spec"]["schedulerName"] == "hetero-scheduler"
    first, second = (container["resources"] for container in made["spec"]["containers"])
    assert first["limits"] == first["requests"] == {NPU: "2", CORES: "100"}
    assert second["limits"] == {MEMORY: "1000", NPU: "1"}
    assert second["requests"] == {MEMORY: "1k", NPU: "1"}


def test_a_wrong_pod_is_not_stored(api: Api) -> None:
    """Its owner is told everything that is wrong with it."""
    wrong = {"resources": {"limits": {NPU: "1", CORES: "101"}}, "securityContext": {"privileged": True}}
    with pytest.raises(ApiError) as caught:
        _create(api, wrong)
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")
    assert f"spec.containers[0].resources.limits[{CORES}]: '101' is out of range" in caught.value.message
    assert "spec.containers[0].securityContext.privileged" in caught.value.message


def test_another_pod_is_stored_as_it_is(api: Api) -> None:
    """Whatever else it asks."""
    made = _create(api, {"resources": {"limits": {"else.example/x": "1"}}})
    assert made["spec"]["schedulerName"] == "default-scheduler"


NAMES = [name.name for vendor in VENDORS.values() for name in vendor.resources[0].names()]
amounts = st.integers(0, 120).map(str) | st.sampled_from(["2k", "1Ki", "3000m", "2e1", "0", "100"])
quantities = st.dictionaries(st.sampled_from(NAMES), amounts, max_size=4)
containers = st.fixed_dictionaries(
    {"resources": st.fixed_dictionaries({}, optional={"limits": quantities, "requests": quantities})}
)


def _check(error: ApiError) -> None:
    assert (error.status, error.reason) == (422, "Invalid"), error


@unhurried
@example([{"resources": {"limits": {NPU: "1"}}}], [{"resources": {"requests": {NPU: "0"}}}], False)
@given(st.lists(containers, min_size=1, max_size=2), st.lists(containers, max_size=2), st.booleans())
def test_a_pod_is_stored_or_told_what_is_wrong(api: Api, main: Any, init: Any, sidecar: bool) -> None:
    """Never with a patch that the server does not take: that would be its failure 500, not the owner's 422."""
    init = [{**one, "restartPolicy": "Always"} for one in init] if sidecar else init
    try:
        made = _create(api, *main, init=init)
    except ApiError as error:
        _check(error)
        return
    for container in (*made["spec"]["containers"], *made["spec"]["initContainers"]):
        resources = container["resources"]
        assert set(resources.get("limits") or {}) == set(resources.get("requests") or {})


keys = st.sampled_from(["kind", "apiVersion", "request", "uid", "object", "operation", "resource", "spec", "metadata"])
scalars = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.sampled_from(["AdmissionReview", "CREATE"])
)
shapes = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5))


@unhurried
@given(st.binary(max_size=40) | shapes.map(lambda shape: json.dumps(shape).encode()))
def test_a_malformed_review_is_the_senders_error(body: bytes) -> None:
    """One sentence with status 400, and nothing of the program's inside."""
    status, answer = posted(PUBLIC, "/webhook", body)
    assert status in (200, 400)
    assert b"Traceback" not in answer
    assert status == 200 or len(answer.splitlines()) == 1
