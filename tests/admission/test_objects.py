"""A pod of the API becomes the pod that a manifest's reader gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hetero.admission import objects
from hetero.admission.asks import pod_ask
from hetero.admission.workloads import pods
from hetero.kube.objects import Pod
from hetero.model.ask import Traits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hetero.vendor import Vendor
    from tests.admission.conftest import ContainerMaker, PodMaker

NPU, MEMORY = "fake.example/npu", "fake.example/npumem"


def _decoded(document: dict[str, Any]) -> Pod:
    return msgspec.convert(document, Pod)


def test_it_asks_what_its_manifest_asks(
    pod: PodMaker, container: ContainerMaker, vendors: Mapping[str, Vendor]
) -> None:
    """One reader for files, one for the API, the same asks: containers, sidecars, annotations, requests alone."""
    document = pod(
        container("a", {NPU: 1, "cpu": "1"}),
        container("b", resources={"requests": {MEMORY: "8"}}),
        init=[container("i", {NPU: 2}), container("s", {MEMORY: 4}, restartPolicy="Always"), container("j", {NPU: 1})],
        namespace="team",
        annotations={"hetero.io/node-policy": "spread", "fake.example/use-models": "F1"},
        labels={"a": "b"},
    )
    [manifest] = pods(document)
    of_api = objects.read(_decoded(document))
    assert pod_ask(of_api, vendors, strict=False) == pod_ask(manifest, vendors)
    assert (of_api.labels, of_api.path, of_api.kind) == ({"a": "b"}, "spec", "Pod")


def test_fields_are_named_as_they_are_written(pod: PodMaker, container: ContainerMaker) -> None:
    """Limits where both are given, requests where they stand alone, by the position of the container."""
    document = pod(container(), container("b", resources={"limits": {NPU: "1"}, "requests": {NPU: "1", MEMORY: "8"}}))
    one = objects.read(_decoded(document)).containers[1]
    assert one.field(NPU) == f"spec.containers[1].resources.limits[{NPU}]"
    assert one.field(MEMORY) == f"spec.containers[1].resources.requests[{MEMORY}]"


@pytest.mark.parametrize(
    ("metadata", "named", "name", "namespace"),
    [
        ({"name": "p", "namespace": "team"}, "other", "p", "team"),
        ({"generateName": "web-"}, "team", "web-", "team"),
        ({}, "", "", "default"),
    ],
)
def test_a_pod_under_way_is_named_as_far_as_it_is(
    metadata: dict[str, str], named: str, name: str, namespace: str
) -> None:
    """Its own metadata before what the request says."""
    pod = objects.read(_decoded({"metadata": metadata}), named)
    assert (pod.name, pod.namespace) == (name, namespace)


@pytest.mark.parametrize("nothing", [None, {}, {"limits": None, "requests": None}])
def test_null_is_as_left_out(nothing: Any) -> None:
    """The API has both."""
    document = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "resources": nothing}]}}
    [container] = objects.read(_decoded(document)).containers
    assert (container.limits, container.requested, container.restart_policy) == ({}, (), "")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, Traits(best_effort=True)),
        ({"activeDeadlineSeconds": 0}, Traits(terminating=True, best_effort=True)),
        ({"priorityClassName": "high"}, Traits(priority_class="high", best_effort=True)),
        ({"containers": [{"name": "c", "resources": {"limits": {"cpu": "1"}}}]}, Traits()),
        ({"initContainers": [{"name": "c", "resources": {"requests": {"memory": "1"}}}]}, Traits()),
        ({"containers": [{"name": "c", "resources": {"limits": {NPU: "1"}}}]}, Traits(best_effort=True)),
        ({"containers": [{"name": "c", "resources": {"limits": {"cpu": "0", "memory": 0}}}]}, Traits(best_effort=True)),
        ({"containers": [{"name": "c", "resources": {"limits": {"cpu": "much"}}}]}, Traits()),
    ],
)
def test_scopes_of_quotas_look_at_more_than_the_asks(spec: dict[str, Any], expected: Traits) -> None:
    """A deadline, a class of priority, and whether any of the machine itself is asked."""
    assert objects.traits(_decoded({"metadata": {"name": "p"}, "spec": spec})) == expected
