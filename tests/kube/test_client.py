"""Requests: what is sent, what comes back, and how a failure is told."""

from __future__ import annotations

import errno
import json
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hetero import metrics
from hetero.errors import ApiError, InvalidConfiguration
from hetero.kube import paths
from hetero.kube.client import JSON_PATCH, Api
from hetero.testing.apiserver import ApiServer

POD = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}]}}


def _encoded(item: Any) -> bytes:
    return json.dumps(item).encode()


@pytest.fixture
def pod(server: ApiServer) -> str:
    """The path of a pod that is there."""
    server.put(paths.PODS, POD)
    return paths.pod("default", "p")


def test_objects_are_made_read_changed_and_deleted(api: Api) -> None:
    """The four verbs, with the server's bytes as answers."""
    made = json.loads(api.post(paths.pods("default"), _encoded(POD)))
    path = paths.pod("default", "p")
    assert json.loads(api.get(path))["metadata"]["uid"] == made["metadata"]["uid"]
    assert json.loads(api.patch(path, _encoded({"metadata": {"labels": {"a": "b"}}})))["metadata"]["labels"] == {
        "a": "b"
    }
    operation = [{"op": "remove", "path": "/metadata/labels/a"}]
    assert json.loads(api.patch(path, _encoded(operation), JSON_PATCH))["metadata"]["labels"] == {}
    api.delete(path)
    with pytest.raises(ApiError) as caught:
        api.get(path)
    assert (caught.value.status, caught.value.reason, caught.value.unsure) == (404, "NotFound", False)


def test_options_of_a_deletion_are_sent(api: Api, pod: str) -> None:
    """A precondition that does not hold is a conflict, and nothing is deleted."""
    with pytest.raises(ApiError, match="Precondition failed: UID") as caught:
        api.delete(pod, _encoded({"preconditions": {"uid": "another"}}))
    assert caught.value.status == 409
    assert api.get(pod)


def test_queries_are_quoted(api: Api, server: ApiServer, pod: str) -> None:
    """Whatever a selector contains, it stays one."""
    answer = api.get(paths.PODS, {"labelSelector": "a in (b,c)", "limit": "1"})
    assert json.loads(answer)["items"] == []
    assert server.calls("GET", "labelSelector=a+in+%28b%2Cc%29&limit=1")


@pytest.mark.parametrize("name", ["../../nodes", "a/binding", "a?watch=true", "a b", "ü"])
def test_a_name_cannot_lead_elsewhere(api: Api, name: str) -> None:
    """It is quoted: the server looks for a pod of just that name."""
    with pytest.raises(ApiError) as caught:
        api.get(paths.pod("default", name))
    assert caught.value.message.endswith(f'pods "{name}" not found')


@pytest.mark.parametrize(
    ("status", "reason", "unsure"),
    [
        (400, "BadRequest", False),
        (403, "Forbidden", False),
        (409, "Conflict", False),
        (410, "Expired", False),
        (429, "TooManyRequests", False),
        (500, "InternalError", True),
        (503, "ServiceUnavailable", True),
    ],
)
def test_a_refusal_is_told_with_its_word(
    api: Api, server: ApiServer, pod: str, *, status: int, reason: str, unsure: bool
) -> None:
    """Status and reason as the server says them, counted by reason; after an internal error nobody knows."""
    before = metrics.api_failures.value(reason)
    server.fail(status, retry_after=7)
    with pytest.raises(ApiError) as caught:
        api.get(pod)
    error = caught.value
    assert (error.status, error.reason, error.retry_after, error.unsure) == (status, reason, 7.0, unsure)
    assert str(error).startswith(f"the API server answered {status} {reason}: GET {pod}: ")
    assert metrics.api_failures.value(reason) == before + 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_lost_answer_is_no_refusal(api: Api, server: ApiServer, method: str, after: bool) -> None:
    """The connection ends without an answer: nobody knows, and nothing is sent a second time."""
    server.fail(0, method=method, after=after)
    with pytest.raises(ApiError) as caught:
        _ = api.get(paths.PODS) if method == "GET" else api.post(paths.pods("default"), _encoded(POD))
    error = caught.value
    assert (error.status, error.reason, error.unsure, error.retry_after) == (0, "Disconnected", True, None)
    assert len(server.calls(method)) == 1
    assert len(server.objects(paths.PODS)) == (method == "POST" and after)


def test_a_slow_answer_is_given_up(server: ApiServer) -> None:
    """After the time-out nobody knows whether it was carried out."""
    api = server.api(timeout=0.2)
    server.stall(600, after=True)
    with pytest.raises(ApiError) as caught:
        api.post(paths.pods("default"), _encoded(POD))
    assert (caught.value.status, caught.value.reason, caught.value.unsure) == (0, "Timeout", True)
    assert server.wait(lambda: len(server.objects(paths.PODS)) == 1)  # which may take longer than it was waited for
    assert len(server.calls("POST")) == 1
    server.heal()
    api.close()


def test_nobody_there_is_certain(api: Api, server: ApiServer) -> None:
    """A connection that is refused: nothing was sent."""
    server.stop()
    with pytest.raises(ApiError) as caught:
        api.post(paths.pods("default"), _encoded(POD))
    assert (caught.value.status, caught.value.reason, caught.value.unsure) == (0, "Unreachable", False)
    assert "did not answer, Unreachable: POST /api/v1/namespaces/default/pods" in str(caught.value)


def test_connections_that_the_server_has_closed_are_not_used(api: Api, server: ApiServer, pod: str) -> None:
    """After a restart of the server the first request works."""
    assert api.get(pod)
    server.stop()
    server.start()
    assert api.get(pod)


def test_redirects_are_not_followed(api: Api, server: ApiServer, pod: str) -> None:
    """A token goes to nobody else."""
    server.fail(307)
    with pytest.raises(ApiError) as caught:
        api.get(pod)
    assert caught.value.status == 307


def test_many_threads_share_a_client(api: Api, server: ApiServer) -> None:
    """Each gets the answer to its own request."""

    def make(index: int) -> bool:
        name = f"p{index}"
        made = json.loads(api.post(paths.pods("default"), _encoded({**POD, "metadata": {"name": name}})))
        return bool(
            made["metadata"]["name"] == name == json.loads(api.get(paths.pod("default", name)))["metadata"]["name"]
        )

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(make, range(64)))
    assert len(server.objects(paths.PODS)) == 64


@pytest.fixture
def page() -> Iterator[str]:
    """The address of something that is no API server."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 14\r\n\r\n<html>no</html")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_what_is_no_status_is_shown(page: str) -> None:
    """A proxy's error is told as far as it fits a sentence."""
    from kubernetes.client import Configuration

    settings = Configuration(host=page)
    settings.proxy = None
    api = Api(settings)
    with pytest.raises(ApiError, match="answered 502 BadGateway: GET /version: <html>no</html"):
        api.get("/version")
    api.close()


# Connecting


def test_a_kubeconfig_is_used(server: ApiServer, tmp_path: Path) -> None:
    """Its current context says where and as whom."""
    server.token = "secret"
    api = Api.connect(str(server.kubeconfig(tmp_path / "config")))
    assert b"gitVersion" in api.get("/version")
    server.token = "another"
    with pytest.raises(ApiError) as caught:
        api.get("/version")
    assert caught.value.status == 401
    api.close()


def test_the_environments_kubeconfig_is_found(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As other tools find it; the default place is looked at where the environment names none."""
    place = tmp_path / ".kube"
    place.mkdir()
    path = server.kubeconfig(place / "config")
    for name, value in (("KUBECONFIG", str(path)), ("HOME", str(tmp_path))):
        with monkeypatch.context() as environment:
            environment.delenv("KUBECONFIG", raising=False)
            environment.setenv(name, value)
            api = Api.connect()
            assert api.get("/version")
            api.close()


@pytest.mark.parametrize("text", ["", "nonsense", "a: [", "clusters: 3\ncontexts: 4\nusers: 5\ncurrent-context: x"])
def test_a_broken_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    """The file and what is wrong, in a sentence."""
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration) as caught:
        Api.connect(str(path))
    assert str(caught.value).startswith(f"{path}: cannot be used as a kubeconfig: ")
    assert not re.search(r"'\w+' object|TypeError", str(caught.value))  # Python's words are no help


def test_a_missing_kubeconfig_and_a_missing_context_are_named(server: ApiServer, tmp_path: Path) -> None:
    """What a person named must be there."""
    with pytest.raises(InvalidConfiguration, match="missing: is no file; name a kubeconfig"):
        Api.connect(str(tmp_path / "missing"))
    with pytest.raises(InvalidConfiguration, match="other"):
        Api.connect(str(server.kubeconfig(tmp_path / "config")), "other")


def test_a_home_directory_of_somebody_else_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As ``sudo -u`` leaves it: its kubeconfig can neither be read nor be called missing."""

    def refused(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(Path, "is_file", refused)
    for named in (None, str(tmp_path / ".kube/config")):
        with pytest.raises(
            InvalidConfiguration, match=r"\.kube/config: cannot be read: Permission denied; name a kube"
        ):
            Api.connect(named)


def test_without_a_kubeconfig_and_a_service_account_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And what to do."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(
        InvalidConfiguration,
        match=r"^~/\.kube/config: is not there, and this is no pod; name a kubeconfig, or set KUBECONFIG$",
    ):
        Api.connect()
