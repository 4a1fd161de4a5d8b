"""What the scheduler relies on in an API server, shown on the real one and on the one in memory alike."""

from __future__ import annotations

import threading
from typing import Any

import msgspec
import pytest

from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import JSON_PATCH, Api
from hetero.kube.informer import Informer
from hetero.kube.objects import Node
from hetero.model.annotations import PLACEMENT
from tests.cluster.manifests import limits, machine, pod
from tests.cluster.processes import until
from tests.cluster.stage import Stage


def _binding(name: str, uid: str, node: str = "node", **annotations: str) -> bytes:
    metadata = {"name": name, "namespace": "default", "uid": uid, "annotations": annotations}
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": {"kind": "Node", "name": node}}
    return msgspec.json.encode(body)


def _refused(api: Api, method: str, *arguments: Any) -> tuple[int, str]:
    """Code and reason of a request that fails."""
    with pytest.raises(ApiError) as error:
        getattr(api, method)(*arguments)
    return error.value.status, error.value.reason


@pytest.fixture
def waiting(stage: Stage) -> dict[str, Any]:
    """A node, and a pod that nobody schedules."""
    stage.add(machine("node", 1))
    stage.submit(pod("p", limits(memory=1024), annotations={"mine": "kept"}))
    return stage.raw("p")["metadata"]


def test_a_binding_is_merged_into_the_pod(stage: Stage, waiting: dict[str, Any]) -> None:
    """Node and annotations in one step, beside what was there."""
    stage.api.post(paths.binding("default", "p"), _binding("p", waiting["uid"], **{PLACEMENT: "here"}))
    bound = stage.raw("p")
    assert bound["spec"]["nodeName"] == "node"
    assert bound["metadata"]["annotations"] == {"mine": "kept", PLACEMENT: "here"}
    assert bound["metadata"]["uid"] == waiting["uid"]


def test_a_pod_is_bound_once(stage: Stage, waiting: dict[str, Any]) -> None:
    """The second Binding is a conflict, to the same node too, and writes nothing."""
    path = paths.binding("default", "p")
    stage.api.post(path, _binding("p", waiting["uid"], **{PLACEMENT: "first"}))
    for node in ("node", "other"):
        assert _refused(stage.api, "post", path, _binding("p", waiting["uid"], node, **{PLACEMENT: "second"}))[0] == 409
    assert stage.raw("p")["metadata"]["annotations"][PLACEMENT] == "first"


def test_a_binding_of_another_pod_is_refused(stage: Stage, waiting: dict[str, Any]) -> None:
    """One of the same name, deleted and created anew, is another pod."""
    stage.delete("p")
    stage.submit(pod("p", limits(memory=1024)))
    path = paths.binding("default", "p")
    assert _refused(stage.api, "post", path, _binding("p", waiting["uid"]))[0] == 409
    assert "nodeName" not in stage.raw("p")["spec"]
    stage.delete("p")
    assert _refused(stage.api, "post", path, _binding("p", waiting["uid"]))[0] == 404


def test_refusals_have_the_codes_that_are_waited_for(stage: Stage, waiting: dict[str, Any]) -> None:
    """What is not there, what is there already, what is of another version, and a patch that does not apply."""
    path = paths.pod("default", "p")
    assert _refused(stage.api, "get", paths.pod("default", "q")) == (404, "NotFound")
    assert _refused(stage.api, "post", paths.pods("default"), msgspec.json.encode(pod("p"))) == (409, "AlreadyExists")
    stale = b'{"metadata":{"resourceVersion":"1","annotations":{"a":"b"}}}'
    assert _refused(stage.api, "patch", path, stale) == (409, "Conflict")
    absent = b'[{"op":"remove","path":"/metadata/annotations/none"}]'
    assert _refused(stage.api, "patch", path, absent, JSON_PATCH)[0] == 422
    other = b'{"preconditions":{"uid":"00000000-0000-0000-0000-000000000000"},"gracePeriodSeconds":0}'
    assert _refused(stage.api, "delete", path, other) == (409, "Conflict")


def test_annotations_come_and_go_by_merge(stage: Stage, waiting: dict[str, Any]) -> None:
    """A null removes, the others stay; of a node as of a pod."""
    stage.annotate("node", **{"hetero.io/device-cordon": "a,b"})
    stage.annotate("node", **{"hetero.io/device-cordon": None, "more": "x"})
    [node] = msgspec.json.decode(stage.api.get(paths.NODES))["items"]
    notes = node["metadata"]["annotations"]
    assert "hetero.io/device-cordon" not in notes
    assert notes["more"] == "x"
    assert "hetero.io/inventory" in notes


def test_status_is_written_beside_the_rest(stage: Stage, waiting: dict[str, Any]) -> None:
    """A status in a patch of the pod itself is left out, and the other way round."""
    path = paths.pod("default", "p")
    body = b'{"status":{"message":"s"},"metadata":{"annotations":{"new":"n"}}}'
    stage.api.patch(path, body)
    assert "message" not in stage.raw("p")["status"]
    stage.api.patch(f"{path}/status", b'{"status":{"phase":"Running","message":"t"}}')
    found = stage.raw("p")
    assert (found["status"]["phase"], found["status"]["message"]) == ("Running", "t")
    assert found["metadata"]["annotations"]["new"] == "n"


def test_pages_are_of_one_moment(stage: Stage) -> None:
    """What is created while a list is read page by page is not in it."""
    stage.add(*(machine(f"node-{index}", 1) for index in range(7)))
    page = msgspec.json.decode(stage.api.get(paths.NODES, {"limit": "3"}))
    names = [item["metadata"]["name"] for item in page["items"]]
    stage.add(machine("late", 1))
    while following := page["metadata"].get("continue"):
        page = msgspec.json.decode(stage.api.get(paths.NODES, {"limit": "3", "continue": following}))
        names += [item["metadata"]["name"] for item in page["items"]]
    assert names == [f"node-{index}" for index in range(7)]


def test_pods_are_selected_by_node(stage: Stage, waiting: dict[str, Any]) -> None:
    """As an agent on a node asks for its own."""
    query = {"fieldSelector": "spec.nodeName=node"}
    assert msgspec.json.decode(stage.api.get(paths.PODS, query))["items"] == []
    stage.api.post(paths.binding("default", "p"), _binding("p", waiting["uid"]))
    [found] = msgspec.json.decode(stage.api.get(paths.PODS, query))["items"]
    assert found["metadata"]["name"] == "p"


class _Kept:
    """An informer's handler: the nodes as it was told of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.nodes: dict[str, str | None] = {}

    def replace(self, items: list[Node]) -> None:
        with self.lock:
            self.nodes = {item.metadata.name: item.metadata.notes.get("round") for item in items}

    def put(self, item: Node) -> None:
        with self.lock:
            self.nodes[item.metadata.name] = item.metadata.notes.get("round")

    def remove(self, item: Node) -> None:
        with self.lock:
            self.nodes.pop(item.metadata.name, None)


def test_an_informer_keeps_in_step(stage: Stage) -> None:
    """Through creation, change and deletion, and through watches that are cut on the way."""
    kept, names = _Kept(), [f"node-{index:02}" for index in range(20)]
    through = stage.through_proxy()
    informer = Informer(through, paths.NODES, Node, kept)
    informer.start()
    try:
        stage.add(*(machine(name, 1) for name in names))
        for round_ in range(3):
            for name in names:
                stage.annotate(name, round=str(round_))
            stage.proxy.drop_watches()
        for name in names[:5]:
            stage.remove_node(name)
        until(lambda: kept.nodes == dict.fromkeys(names[5:], "2"), "the informer is in step", seconds=60)
    finally:
        informer.stop()
        through.close()
