"""Objects of the server in memory live as those of a real API server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import JSON_PATCH, Api
from hetero.testing.apiserver import ApiServer

CONFIG = "/api/v1/namespaces/default/configmaps"


def _create(api: Api, path: str = CONFIG, **metadata: Any) -> Any:
    return json.loads(api.post(path, json.dumps({"metadata": metadata, "data": {"a": "1"}}).encode()))


def _patch(api: Api, name: str, change: Any, content_type: str = "application/merge-patch+json") -> Any:
    return json.loads(api.patch(f"{CONFIG}/{name}", json.dumps(change).encode(), content_type))


def _refusal(call: Any, *arguments: Any) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        call(*arguments)
    return caught.value.status, caught.value.reason


def test_a_new_object_is_completed(api: Api, server: ApiServer) -> None:
    """Kind, namespace, identity, version and time are the server's to say."""
    made = _create(api, name="one")
    metadata = made["metadata"]
    assert (made["kind"], made["apiVersion"], made["data"]) == ("ConfigMap", "v1", {"a": "1"})
    assert (metadata["name"], metadata["namespace"]) == ("one", "default")
    assert int(metadata["resourceVersion"]) == server.store.version
    assert len(metadata["uid"]) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    assert json.loads(api.get(f"{CONFIG}/one")) == made


def test_names_are_generated(api: Api) -> None:
    """From a prefix, each another one."""
    names = {_create(api, generateName="web-")["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert {name[:4] for name in names} == {"web-"}


def test_what_cannot_be_created_is_refused(api: Api) -> None:
    """With the status of a real server."""
    _create(api, name="one")
    assert _refusal(lambda: _create(api, name="one")) == (409, "AlreadyExists")
    assert _refusal(lambda: _create(api)) == (422, "Invalid")
    assert _refusal(lambda: _create(api, name="two", resourceVersion="3")) == (400, "BadRequest")
    assert _refusal(lambda: _create(api, name="two", namespace="other")) == (400, "BadRequest")
    assert _refusal(lambda: _create(api, CONFIG.replace("default", "nowhere"), name="two")) == (404, "NotFound")
    assert _refusal(api.post, CONFIG, b"{") == (400, "BadRequest")
    assert _refusal(api.post, CONFIG, b"[]") == (400, "BadRequest")


def test_a_namespace_makes_room(api: Api) -> None:
    """Created like any object; then objects can live in it."""
    api.post(paths.NAMESPACES, json.dumps({"metadata": {"name": "team"}}).encode())
    assert _create(api, CONFIG.replace("default", "team"), name="one")["metadata"]["namespace"] == "team"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api/v1",
        "/api/v1/unicorns",
        "/apis/apps/v1/unicorns",
        "/api/v1/nodes/n/binding",
        "/api/v1/pods/a/b/c/d",
    ],
)
def test_unknown_paths_are_not_found(api: Api, path: str) -> None:
    """As where a kind is not installed."""
    if path == "/api/v1":
        assert json.loads(api.get(path))["kind"] == "APIResourceList"
    else:
        assert _refusal(api.get, path) == (404, "NotFound")


def test_methods_that_make_no_sense_are_refused(api: Api, server: ApiServer) -> None:
    """Deleting a collection, posting to an object."""
    server.put(CONFIG, {"metadata": {"name": "one"}})
    assert _refusal(api.delete, CONFIG) == (405, "MethodNotAllowed")
    assert _refusal(api.post, f"{CONFIG}/one", b"{}") == (405, "MethodNotAllowed")


def test_a_change_has_a_new_version_and_none_has_none(api: Api, server: ApiServer) -> None:
    """A patch that changes nothing wakes nobody."""
    made = _create(api, name="one")
    changed = _patch(api, "one", {"data": {"b": "2"}})
    assert changed["data"] == {"a": "1", "b": "2"}
    assert int(changed["metadata"]["resourceVersion"]) == int(made["metadata"]["resourceVersion"]) + 1
    assert _patch(api, "one", {"data": {"b": "2"}}) == changed
    assert server.store.version == int(changed["metadata"]["resourceVersion"])


def test_a_change_of_an_old_version_is_a_conflict(api: Api) -> None:
    """So is one of another object of the same name; without a version the last one wins."""
    old = _create(api, name="one")
    _patch(api, "one", {"data": {"a": "2"}})
    stale = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "data": {"a": "3"}}
    assert _refusal(_patch, api, "one", stale) == (409, "Conflict")
    assert _refusal(_patch, api, "one", {"metadata": {"uid": "another"}}) == (409, "Conflict")
    assert _patch(api, "one", {"data": {"a": "3"}})["data"] == {"a": "3"}


def test_identity_cannot_be_changed(api: Api) -> None:
    """Another name is refused; what else the server says stays as it was."""
    made = _create(api, name="one")
    assert _refusal(_patch, api, "one", {"metadata": {"name": "two"}}) == (400, "BadRequest")
    changed = _patch(api, "one", {"kind": "Secret", "metadata": {"creationTimestamp": None, "labels": {"a": "b"}}})
    assert changed["kind"] == "ConfigMap"
    assert changed["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


def test_patches_of_both_kinds_are_applied_and_others_are_not(api: Api) -> None:
    """Merge and JSON patches; strategic merge and apply are not spoken here."""
    _create(api, name="one")
    assert _patch(api, "one", [{"op": "add", "path": "/data/b", "value": "2"}], JSON_PATCH)["data"]["b"] == "2"
    assert _refusal(_patch, api, "one", [{"op": "remove", "path": "/data/x"}], JSON_PATCH) == (422, "Invalid")
    for other in ("application/strategic-merge-patch+json", "application/apply-patch+yaml"):
        assert _refusal(_patch, api, "one", {}, other) == (415, "UnsupportedMediaType")
    assert _refusal(_patch, api, "one", 3) == (400, "BadRequest")


def test_status_is_written_through_its_own_path(api: Api, server: ApiServer) -> None:
    """And only there: each path leaves the other's part as it is."""
    server.put(paths.NODES, {"metadata": {"name": "n"}, "spec": {"unschedulable": False}, "status": {"phase": "old"}})
    change = json.dumps({"spec": {"unschedulable": True}, "status": {"phase": "new"}}).encode()
    main = json.loads(api.patch(paths.node("n"), change))
    assert (main["spec"], main["status"]) == ({"unschedulable": True}, {"phase": "old"})
    server.put(paths.NODES, {"metadata": {"name": "n"}, "spec": {"unschedulable": False}, "status": {"phase": "old"}})
    status = json.loads(api.patch(f"{paths.node('n')}/status", change))
    assert (status["spec"], status["status"]) == ({"unschedulable": False}, {"phase": "new"})


def test_deleting_needs_what_it_supposes(api: Api) -> None:
    """Preconditions on UID and version; then it is gone."""
    made = _create(api, name="one")
    path = f"{CONFIG}/one"
    for wrong in ({"uid": "another"}, {"resourceVersion": "1"}):
        assert _refusal(api.delete, path, json.dumps({"preconditions": wrong}).encode()) == (409, "Conflict")
    api.delete(path, json.dumps({"preconditions": {"uid": made["metadata"]["uid"]}}).encode())
    assert _refusal(api.get, path) == _refusal(api.delete, path) == (404, "NotFound")


def test_finalizers_hold_an_object(api: Api) -> None:
    """It is marked, and goes with the last of them."""
    _create(api, name="one", finalizers=["acme.com/x"])
    marked = json.loads(api.delete(f"{CONFIG}/one"))
    assert marked["metadata"]["deletionTimestamp"]
    _patch(api, "one", {"metadata": {"finalizers": None}})
    assert _refusal(api.get, f"{CONFIG}/one") == (404, "NotFound")


def test_tests_put_and_remove_past_all_checks(server: ApiServer) -> None:
    """Objects as a test wants them; the identity stays when one is replaced."""
    first = server.put(paths.PODS, {"metadata": {"name": "p", "namespace": "team"}, "spec": {"nodeName": "n"}})
    second = server.put(
        paths.PODS, {"metadata": {"name": "p", "namespace": "team"}, "status": {"phase": "Running"}, "spec": {}}
    )
    assert first["metadata"]["uid"] == second["metadata"]["uid"]
    assert second["status"] == {"phase": "Running"}
    assert [item["metadata"]["name"] for item in server.objects(paths.NAMESPACES)] == ["default", "kube-system", "team"]
    assert server.objects(paths.pods("default")) == []
    server.remove(paths.pod("team", "p"))
    assert server.objects(paths.PODS) == []


def test_it_says_what_it_is(api: Api) -> None:
    """Version, health and kinds, which clients ask for first."""
    assert json.loads(api.get("/version"))["major"] == "1"
    assert api.get("/readyz") == b"ok"
    assert json.loads(api.get("/api"))["versions"] == ["v1"]
    groups = {group["name"] for group in json.loads(api.get("/apis"))["groups"]}
    assert groups == {"admissionregistration.k8s.io", "apps", "batch", "coordination.k8s.io", "scheduling.k8s.io"}
    names = {one["name"] for one in json.loads(api.get("/api/v1"))["resources"]}
    assert names >= {"pods", "pods/binding", "nodes/status", "resourcequotas", "events"}
    assert json.loads(api.get("/apis/coordination.k8s.io/v1"))["resources"][0]["kind"] == "Lease"


def test_it_listens_on_loopback_alone(server: ApiServer) -> None:
    """Nobody outside this machine can reach it."""
    assert server.url.startswith("http://127.0.0.1:")
    assert server._listener is not None
    assert server._listener._socket.getsockname()[0] == "127.0.0.1"
