"""Pods of the server in memory: completed, checked, bound and ended as real ones."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer

PODS = paths.pods("default")
POD = paths.pod("default", "p")
BINDING = paths.binding("default", "p")
NPU = "acme.com/npu"


def _pod(name: str = "p", **container: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", **container}]}}


def _create(api: Api, item: Any) -> Any:
    return json.loads(api.post(PODS, json.dumps(item).encode()))


def _bind(api: Api, node: str = "n", **metadata: Any) -> None:
    target = {"kind": "Node", "name": node}
    api.post(BINDING, json.dumps({"metadata": {"name": "p", **metadata}, "target": target}).encode())


def _refused(call: Any, *arguments: Any, **named: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(*arguments, **named)
    return caught.value


def test_a_new_pod_is_completed(api: Api) -> None:
    """Defaults that scheduling looks at; requests follow limits; nobody writes a status with the pod."""
    item = _pod(resources={"limits": {NPU: "2", "cpu": "1"}, "requests": {"cpu": "500m"}})
    made = _create(api, {**item, "status": {"phase": "Running"}})
    spec = made["spec"]
    assert (spec["schedulerName"], spec["restartPolicy"], spec["priority"]) == ("default-scheduler", "Always", 0)
    assert spec["containers"][0]["resources"]["requests"] == {NPU: "2", "cpu": "500m"}
    assert made["status"] == {"phase": "Pending"}


@pytest.mark.parametrize(
    ("item", "status"),
    [
        ({"metadata": {"name": "p"}}, 422),
        ({"metadata": {"name": "p"}, "spec": {"containers": []}}, 422),
        ({"metadata": {"name": "p"}, "spec": {"containers": [3]}}, 400),
        (_pod("Not a name"), 422),
        (_pod(name="p", resources={"limits": {NPU: "1.5"}}), 422),
        (_pod(name="p", resources={"limits": {NPU: "-1"}}), 422),
        (_pod(name="p", resources={"limits": {NPU: "many"}}), 400),
        (_pod(name="p", resources={"requests": {NPU: "1"}}), 422),
        (_pod(name="p", resources={"limits": {NPU: "2"}, "requests": {NPU: "1"}}), 422),
        ({**_pod(), "metadata": {"name": "p", "annotations": {"a": 1}}}, 400),
        ({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c"}, {"name": "c"}]}}, 422),
        ({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "C_1"}]}}, 422),
    ],
)
def test_what_a_real_server_would_not_take_is_refused(api: Api, item: Any, status: int) -> None:
    """Names, containers, quantities; whole numbers of extended resources, with limits equal to requests."""
    assert _refused(_create, api, item).status == status


@pytest.mark.parametrize("amount", ["1", 1, "1k", "2Ki", "1e3", "1000m", "2.0", "0.5k"])
def test_whole_amounts_are_taken(api: Api, amount: Any) -> None:
    """However they are written."""
    assert _create(api, _pod(resources={"limits": {NPU: amount}}))


def test_a_running_pods_spec_is_fixed(api: Api) -> None:
    """Images may change; resources and the node may not."""
    _create(api, _pod(image="a"))
    assert api.patch(POD, json.dumps({"spec": {"containers": [{"name": "c", "image": "b"}]}}).encode())
    assert _refused(api.patch, POD, b'{"spec":{"nodeName":"n"}}').status == 422
    more = {"spec": {"containers": [{"name": "c", "image": "b", "resources": {"limits": {NPU: "1"}}}]}}
    assert _refused(api.patch, POD, json.dumps(more).encode()).status == 422
    assert _refused(api.patch, POD, b'{"metadata":{"annotations":{"a":1}}}').status == 400


# Priority


@pytest.fixture
def classes(server: ApiServer) -> str:
    """Where priority classes live; there is one named high."""
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    server.put(path, {"metadata": {"name": "high"}, "value": 1000})
    return path


def _of_class(name: str, **spec: Any) -> dict[str, Any]:
    item = _pod()
    return {**item, "spec": {**item["spec"], "priorityClassName": name, **spec}}


@pytest.mark.parametrize(("name", "value"), [("high", 1000), ("system-node-critical", 2_000_001_000), ("", 0)])
def test_a_pods_priority_is_that_of_its_class(api: Api, classes: str, name: str, value: int) -> None:
    """Without a class it is 0; whoever writes the same number does no harm."""
    assert _create(api, _of_class(name, priority=value))["spec"]["priority"] == value


def test_a_default_class_is_for_who_names_none(api: Api, server: ApiServer, classes: str) -> None:
    """If the cluster has one."""
    server.put(classes, {"metadata": {"name": "usual"}, "value": 7, "globalDefault": True})
    assert _create(api, _pod())["spec"]["priority"] == 7


def test_nobody_takes_a_priority(api: Api, classes: str) -> None:
    """Neither of a class that is not there nor by writing a number."""
    assert _refused(_create, api, _of_class("higher")).status == 403
    assert _refused(_create, api, _of_class("high", priority=2000)).status == 403


# Binding


def test_a_binding_assigns_and_annotates_in_one_step(api: Api) -> None:
    """The node, the annotations merged into the pod's, and the condition that says so; one new version."""
    item = _pod()
    item["metadata"]["annotations"] = {"kept": "1", "replaced": "old"}
    made = _create(api, item)
    _bind(api, uid=made["metadata"]["uid"], annotations={"replaced": "new", "added": "2"})
    bound = json.loads(api.get(POD))
    assert bound["spec"]["nodeName"] == "n"
    assert bound["metadata"]["annotations"] == {"kept": "1", "replaced": "new", "added": "2"}
    assert bound["status"]["conditions"] == [{"type": "PodScheduled", "status": "True"}]
    assert int(bound["metadata"]["resourceVersion"]) == int(made["metadata"]["resourceVersion"]) + 1


def test_a_bound_pod_is_not_bound_again(api: Api) -> None:
    """Not even to the same node: who lost an answer has to read the pod."""
    _create(api, _pod())
    _bind(api)
    error = _refused(_bind, api, annotations={"a": "b"})
    assert (error.status, error.reason) == (409, "Conflict")
    assert 'pods/binding "p": pod p is already assigned to node "n"' in error.message
    assert "a" not in json.loads(api.get(POD))["metadata"].get("annotations", {})


def test_another_pod_of_that_name_is_not_bound(api: Api) -> None:
    """The UID is a precondition."""
    made = _create(api, _pod())
    error = _refused(_bind, api, uid="another")
    assert error.status == 409
    assert f"UID in precondition: another, UID in object meta: {made['metadata']['uid']}" in error.message


def test_what_is_not_there_is_not_bound(api: Api) -> None:
    """Not found is another answer than a conflict."""
    assert _refused(_bind, api).status == 404


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}}, "is being deleted"),
        ({"spec": {"schedulingGates": [{"name": "wait"}]}}, "non-empty .spec.schedulingGates"),
    ],
)
def test_pods_that_may_not_be_scheduled_are_not_bound(api: Api, server: ApiServer, change: Any, words: str) -> None:
    """A conflict that says why."""
    server.put(paths.PODS, {**_pod(), **change})
    error = _refused(_bind, api)
    assert error.status == 409
    assert words in error.message


@pytest.mark.parametrize(
    ("binding", "status"),
    [
        ([], 400),
        ({"metadata": {"name": "q"}, "target": {"name": "n"}}, 400),
        ({"metadata": {"name": "p"}}, 500),
        ({"metadata": {"name": "p"}, "target": {"kind": "Pod", "name": "n"}}, 500),
    ],
)
def test_bindings_that_say_nothing_are_refused(api: Api, binding: Any, status: int) -> None:
    """A name that is not the path's, no target, one that is no node."""
    _create(api, _pod())
    assert _refused(api.post, BINDING, json.dumps(binding).encode()).status == status


def test_of_many_bindings_at_once_one_wins(api: Api) -> None:
    """The others are told of the conflict."""
    _create(api, _pod())

    def attempt(index: int) -> bool:
        try:
            _bind(api, f"n{index}", annotations={"by": str(index)})
        except ApiError as error:
            return error.status != 409
        return True

    with ThreadPoolExecutor(8) as threads:
        won = [index for index, good in enumerate(threads.map(attempt, range(24))) if good]
    bound = json.loads(api.get(POD))
    assert [bound["spec"]["nodeName"]] == [f"n{index}" for index in won]
    assert bound["metadata"]["annotations"] == {"by": str(won[0])}


# Ending


def test_a_pod_without_a_node_goes_at_once(api: Api) -> None:
    """Nobody has to stop it."""
    _create(api, _pod())
    api.delete(POD)
    assert _refused(api.get, POD).status == 404


def test_a_pod_on_a_node_is_marked_until_its_node_is_done(api: Api) -> None:
    """The kubelet, or whoever plays it, deletes it with no grace; the mark does not move on."""
    _create(api, _pod())
    _bind(api)
    marked = json.loads(api.delete(POD))["metadata"]
    assert (marked["deletionGracePeriodSeconds"], bool(marked["deletionTimestamp"])) == (30, True)
    assert json.loads(api.delete(POD))["metadata"] == marked
    api.delete(POD, b'{"gracePeriodSeconds":0}')
    assert _refused(api.get, POD).status == 404


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_goes_at_once(api: Api, phase: str) -> None:
    """Nothing of it runs any more."""
    _create(api, _pod())
    _bind(api)
    api.patch(f"{POD}/status", json.dumps({"status": {"phase": phase}}).encode())
    api.delete(POD)
    assert _refused(api.get, POD).status == 404
