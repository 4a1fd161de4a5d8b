"""What a pod that asks devices must not say beside its asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hetero.config import AdmissionSettings

if TYPE_CHECKING:
    from tests.admission.conftest import ContainerMaker, PodMaker, Review

NPU, MEMORY = "fake.example/npu", "fake.example/npumem"
SLICE = {NPU: "1", MEMORY: "1024"}
PRIVILEGED = {"privileged": True}


def test_a_placement_is_the_schedulers(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """A pod that brings one along could name devices that nobody gave it."""
    answer = reviewed(pod(container(limits=SLICE), annotations={"hetero.io/placement": '{"v": 1}'}))
    assert answer.fields == ["metadata.annotations[hetero.io/placement]"]
    assert "scheduler alone" in answer.messages[0]


def test_a_pod_must_not_choose_its_node(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """No scheduler would see it, and its devices would be charged nowhere."""
    document = pod(container(limits=SLICE))
    document["spec"]["nodeName"] = "n1"
    answer = reviewed(document)
    assert answer.fields == ["spec.nodeName"]
    assert "nodeSelector" in answer.messages[0]


@pytest.mark.parametrize("init", [False, True])
def test_a_privileged_container_asks_no_device(
    reviewed: Review, pod: PodMaker, container: ContainerMaker, init: bool
) -> None:
    """It sees every device of its node, so a share would be none; a setting lets it in all the same."""
    privileged = container("x", SLICE, securityContext=PRIVILEGED)
    document = pod(container(), init=[privileged]) if init else pod(privileged)
    answer = reviewed(document)
    assert answer.fields == [f"spec.{'initContainers' if init else 'containers'}[0].securityContext.privileged"]
    assert reviewed(document, settings=AdmissionSettings(allow_privileged=True)).allowed


@pytest.mark.parametrize("context", [None, {}, {"privileged": False}, {"privileged": None}, {"runAsUser": 0}])
def test_other_security_contexts_are_no_matter(
    reviewed: Review, pod: PodMaker, container: ContainerMaker, context: Any
) -> None:
    """Root without privileges stays within its container."""
    assert reviewed(pod(container(limits=SLICE, securityContext=context))).allowed


def test_a_privileged_neighbour_is_no_matter(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """The rule is about the container that asks, not about its pod."""
    assert reviewed(pod(container(limits=SLICE), container("b", securityContext=PRIVILEGED))).allowed


@pytest.mark.parametrize(("request_", "limit"), [("1", "2"), ("2", "1"), ("x", "1"), (None, "1")])
def test_requests_are_what_limits_are(
    reviewed: Review, pod: PodMaker, container: ContainerMaker, request_: str, limit: str
) -> None:
    """Kubernetes takes an extended resource only so; the sentence has both amounts."""
    answer = reviewed(pod(container(resources={"limits": {NPU: limit}, "requests": {NPU: request_}})))
    assert answer.fields == [f"spec.containers[0].resources.requests[{NPU}]"]
    assert f"differs from the limit '{limit}'" in answer.messages[0]


@pytest.mark.parametrize("kind", ["limits", "requests"])
def test_amounts_that_no_vendor_reads_are_whole_as_well(
    reviewed: Review, pod: PodMaker, container: ContainerMaker, kind: str
) -> None:
    """A priority alone asks nothing of its vendor; what another vendor is asked beside it must not cover it up."""
    amounts = {"other.example/npu-priority": "1.5", NPU: "1"}
    answer = reviewed(pod(container(resources={kind: amounts})))
    assert answer.fields == [f"spec.containers[0].resources.{kind}[other.example/npu-priority]"]


def test_a_wrong_amount_is_told_once(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """By its vendor, who knows best what may stand there."""
    answer = reviewed(pod(container(limits={NPU: "1", "fake.example/npucores": "1.5"})))
    assert answer.fields == ["spec.containers[0].resources.limits[fake.example/npucores]"]


def test_an_amount_may_be_spelt_in_two_ways(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """What counts is the number."""
    assert reviewed(pod(container(resources={"limits": {NPU: "2"}, "requests": {NPU: "2000m"}}))).allowed


def test_other_resources_may_ask_less_than_their_limit(
    reviewed: Review, pod: PodMaker, container: ContainerMaker
) -> None:
    """As Kubernetes has it for those that it counts itself, and whatever others do with theirs."""
    resources = {
        "limits": {**SLICE, "cpu": "2", "else.example/x": "2"},
        "requests": {"cpu": "1", "else.example/x": "1"},
    }
    assert reviewed(pod(container(resources=resources))).allowed


def test_containers_have_names_of_their_own(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """A placement speaks of them by name, init containers included."""
    answer = reviewed(pod(container("a", SLICE), container("b"), init=[container("b")]))
    assert answer.fields == ["spec.containers[1].name"]
    assert answer.messages == ["'b' is the name of spec.initContainers[0] too; give each container a name of its own"]


def test_rules_are_for_pods_that_ask_devices(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """Every other pod may do as it likes, one that names a device's resource with none of it included."""
    for limits in ({"cpu": "1"}, {NPU: "0"}):
        document = pod(
            container(limits=limits, securityContext=PRIVILEGED), annotations={"hetero.io/placement": "mine"}
        )
        document["spec"]["nodeName"] = "n1"
        assert reviewed(document).response == {"uid": "7f0b", "allowed": True}
