"""The server in memory says who a token belongs to, what that account may do, and hands requests on to pods."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer, Proxied
from hetero.testing.apiserver.refusals import refused
from hetero.testing.apiserver.reviews import ACCESS, TOKENS

POD = {"metadata": {"name": "agent-a"}, "spec": {"nodeName": "a", "containers": []}, "status": {"podIP": "198.18.0.1"}}
USAGE = "/api/v1/namespaces/default/pods/{}/proxy/usage"


def _review(api: Api, path: str, **spec: Any) -> Any:
    return json.loads(api.post(path, json.dumps({"spec": spec}).encode()))["status"]


def _allowed(api: Api, user: str, verb: str, resource: str, **more: str) -> bool:
    asked = {"verb": verb, "resource": resource, **more}
    return bool(_review(api, ACCESS, user=user, groups=["system:authenticated"], resourceAttributes=asked)["allowed"])


def test_a_known_token_is_somebody(api: Api, server: ApiServer) -> None:
    """Its user and groups are told, until it is revoked; an unknown one is nobody, and that is no error."""
    server.let_in("secret", "mei", groups=["team"])
    status = _review(api, TOKENS, token="secret")
    assert status["authenticated"]
    assert (status["user"]["username"], status["user"]["groups"]) == ("mei", ["team", "system:authenticated"])
    assert _review(api, TOKENS, token="guess")["authenticated"] is False
    server.revoke("secret")
    assert _review(api, TOKENS, token="secret")["authenticated"] is False


def test_an_account_may_what_it_was_given(api: Api, server: ApiServer) -> None:
    """In all namespaces, in one, or everything; a right in one namespace is none in all of them."""
    server.let_in("1", "mei", may=["list pods", "list nodes", "get pods/log team"])
    server.let_in("2", "root", may=["*"])
    assert _allowed(api, "mei", "list", "pods")
    assert _allowed(api, "mei", "list", "pods", namespace="team")
    assert _allowed(api, "mei", "get", "pods", subresource="log", namespace="team")
    assert not _allowed(api, "mei", "get", "pods", subresource="log")
    assert not _allowed(api, "mei", "delete", "pods")
    assert not _allowed(api, "nobody", "list", "pods")
    assert _allowed(api, "root", "delete", "nodes")


@pytest.mark.parametrize(
    ("path", "spec", "status"),
    [
        (TOKENS, {"token": ""}, 400),
        (ACCESS, {"user": "mei"}, 422),
        (ACCESS, {"user": "mei", "resourceAttributes": {}, "nonResourceAttributes": {}}, 422),
        (ACCESS, {"resourceAttributes": {"verb": "list"}}, 422),
        (ACCESS, {"user": "mei", "resourceAttributes": "all"}, 400),
    ],
)
def test_a_review_that_asks_nothing_is_refused(api: Api, path: str, spec: dict[str, Any], status: int) -> None:
    """With the status of a real server."""
    with pytest.raises(ApiError) as caught:
        _review(api, path, **spec)
    assert caught.value.status == status


def test_other_paths_are_no_reviews(api: Api, server: ApiServer) -> None:
    """A path that only ends like one is looked for among the resources."""
    server.let_in("1", "mei")
    with pytest.raises(ApiError) as caught:
        api.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", b"{}")
    assert caught.value.status == 404


def test_a_request_is_handed_on_to_a_pod(api: Api, server: ApiServer) -> None:
    """With its namespace, name, port and path, however the port is written."""
    seen = []

    def serve(asked: Proxied) -> bytes:
        seen.append(asked)
        return b"{}"

    server.put(paths.PODS, POD)
    server.proxy(serve)
    assert [api.get(USAGE.format(name)) for name in ("agent-a:9445", "http:agent-a:9445", "agent-a")] == [b"{}"] * 3
    assert [one.port for one in seen] == ["9445", "9445", ""]
    assert seen[0] == Proxied("default", "agent-a", "9445", "/usage")


def test_what_a_pod_does_not_answer_is_said(api: Api, server: ApiServer) -> None:
    """No such pod, no address yet, nobody listening, and an answer of the pod that is no success."""

    def serve(asked: Proxied) -> bytes:
        if asked.port == "1":
            raise TimeoutError("i/o timeout")
        raise refused(404, "nothing here")

    def status(name: str) -> tuple[int, str]:
        with pytest.raises(ApiError) as caught:
            api.get(USAGE.format(name))
        return caught.value.status, str(caught.value)

    server.put(paths.PODS, POD)
    server.put(paths.PODS, {**POD, "metadata": {"name": "young"}, "status": {}})
    assert status("gone:9445")[0] == 404
    assert status("young:9445")[0] == 400
    assert status("agent-a:9445")[0] == 503
    server.proxy(serve)
    assert status("agent-a:1")[0] == 503
    assert "error trying to reach service: dial tcp 198.18.0.1:1: i/o timeout" in status("agent-a:1")[1]
    assert status("agent-a:2")[0] == 404
