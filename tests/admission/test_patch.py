"""What a pod is given: the count, the compute of a whole device, and the same amount as limit and as request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from hetero.admission.envelope import ReviewedPod
from hetero.admission.patch import pointer
from hetero.admission.review import Reviewer
from hetero.config import AdmissionSettings
from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest, ResourceName, Resources
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from tests.admission.conftest import ContainerMaker, PodMaker, Review

NPU, MEMORY, CORES = "fake.example/npu", "fake.example/npumem", "fake.example/npucores"
PERCENTAGE = "fake.example/npumem-percentage"
PRIORITY = "fake.example/npu-priority"
INSTANCE = "fake.example/npu-1g"


def _resources(pod: Any, index: int = 0, key: str = "containers") -> dict[str, Any]:
    resources: dict[str, Any] = pod["spec"][key][index]["resources"]
    return resources


@pytest.mark.parametrize(
    ("limits", "given"),
    [
        ({MEMORY: "1024"}, {NPU: "1"}),
        ({CORES: "30"}, {NPU: "1"}),
        ({CORES: "0"}, {NPU: "1"}),
        ({NPU: "2"}, {CORES: "100"}),
        ({NPU: "1", PERCENTAGE: "100"}, {CORES: "100"}),
        ({NPU: "1", MEMORY: "0"}, {CORES: "100"}),
        ({PERCENTAGE: "100"}, {NPU: "1", CORES: "100"}),
        ({NPU: "1", PRIORITY: "0"}, {CORES: "100"}),
        ({NPU: "1", PERCENTAGE: "50"}, {}),
        ({NPU: "1", MEMORY: "1024", CORES: "30"}, {}),
        ({NPU: "1", CORES: "0"}, {}),
        ({NPU: "1", CORES: "100"}, {}),
        ({PRIORITY: "0"}, {}),
        ({NPU: "0"}, {}),
    ],
)
def test_what_is_left_unsaid_is_written(
    reviewed: Review, pod: PodMaker, container: ContainerMaker, limits: dict[str, str], given: dict[str, str]
) -> None:
    """The default count where only amounts are asked, all compute where a whole device is; never over what is said."""
    answer = reviewed(pod(container(limits=limits, resources={"limits": limits, "requests": dict(limits)})))
    for kind in ("limits", "requests"):
        assert _resources(answer.pod)[kind] == {**limits, **given}


def test_a_second_review_changes_nothing(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """The API server may ask again after another webhook has changed the pod."""
    init = [container("i", {NPU: "1"}), container("s", {CORES: "5"}, restartPolicy="Always")]
    once = reviewed(pod(container(limits={MEMORY: "1"}), container("b"), init=init))
    assert once.patch
    again = reviewed(once.pod)
    assert again.allowed
    assert again.patch == []


@pytest.mark.parametrize("kind", ["limits", "requests"])
@pytest.mark.parametrize("other", [{}, {"limits": None, "requests": None}, {"requests": {}}, {"limits": {}}])
def test_an_amount_stands_in_both_places(reviewed: Review, pod: PodMaker, kind: str, other: dict[str, Any]) -> None:
    """Kubernetes takes an extended resource only so, and counts quotas by the requests."""
    written = {"name": "c", "resources": {**other, kind: {MEMORY: "1024", "cpu": "1"}}}
    answer = reviewed(pod(written))
    assert answer.allowed
    resources = _resources(answer.pod)
    for one in ("limits", "requests"):
        assert {name: resources[one][name] for name in (NPU, MEMORY)} == {NPU: "1", MEMORY: "1024"}
    assert [one for one in ("limits", "requests") if "cpu" in resources[one]] == [kind]


@pytest.mark.parametrize(("written", "plain"), [("2", "2"), (2, "2"), ("2k", "2000"), ("2e3", "2000"), ("2000m", "2")])
def test_amounts_are_written_plainly(reviewed: Review, pod: PodMaker, written: Any, plain: str) -> None:
    """Whole numbers as texts, whatever the spelling that they are read from, which itself stays."""
    answer = reviewed(pod({"name": "c", "resources": {"limits": {MEMORY: written}}}))
    assert _resources(answer.pod)["limits"] == {MEMORY: written, NPU: "1"}
    assert _resources(answer.pod)["requests"] == {MEMORY: plain, NPU: "1"}


def test_each_container_is_completed_where_it_stands(
    reviewed: Review, pod: PodMaker, container: ContainerMaker
) -> None:
    """Init containers and sidecars as well, by position; one that asks nothing stays as it is."""
    init = [container("a"), container("b", {MEMORY: "1"}), container("c", {MEMORY: "2"}, restartPolicy="Always")]
    answer = reviewed(pod(container("d"), container("e", {"other.example/npumem": "3"}), init=init))
    assert "resources" not in answer.pod["spec"]["initContainers"][0]
    assert "resources" not in answer.pod["spec"]["containers"][0]
    assert _resources(answer.pod, 1, "initContainers")["limits"] == {MEMORY: "1", NPU: "1"}
    assert _resources(answer.pod, 2, "initContainers")["limits"] == {MEMORY: "2", NPU: "1"}
    assert _resources(answer.pod, 1)["limits"] == {"other.example/npumem": "3", "other.example/npu": "1"}


def test_several_vendors_in_one_container_are_completed(
    reviewed: Review, pod: PodMaker, container: ContainerMaker
) -> None:
    """Each by its own words."""
    answer = reviewed(pod(container(limits={NPU: "1", "other.example/npucores": "10"})))
    assert _resources(answer.pod)["requests"] == {
        NPU: "1",
        CORES: "100",
        "other.example/npu": "1",
        "other.example/npucores": "10",
    }


def test_nothing_else_of_the_pod_changes(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """Claims of a container, other resources, fields that nobody here knows."""
    resources = {"claims": [{"name": "net"}], "limits": {"cpu": "1", MEMORY: "8"}}
    document = pod({**container(), "resources": resources, "futureField": {"a": [1]}}, annotations={"b/c": "d"})
    answer = reviewed(document)
    expected = {"cpu": "1", MEMORY: "8", NPU: "1"}
    assert _resources(answer.pod) == {**resources, "limits": expected, "requests": {MEMORY: "8", NPU: "1"}}
    kept = answer.pod["spec"]["containers"][0]
    assert {key: value for key, value in kept.items() if key != "resources"} == {
        key: value for key, value in document["spec"]["containers"][0].items() if key != "resources"
    }
    assert answer.pod["metadata"] == document["metadata"]


@pytest.mark.parametrize(("key", "step"), [("a/b", "a~1b"), ("a~b", "a~0b"), ("~1", "~01"), ("plain", "plain")])
def test_keys_are_escaped_in_pointers(key: str, step: str) -> None:
    """RFC 6901: the tilde first, so that nothing is escaped twice."""
    assert pointer(key) == step
    assert step.replace("~1", "/").replace("~0", "~") == key


class _Instances(Resources):
    """A family with instances by size, which are no whole devices, and whose compute may not be named with them."""

    def names(self) -> tuple[ResourceName, ...]:
        return (*super().names(), ResourceName(name=INSTANCE, meaning="instances"))

    def asks(self, request: ContainerRequest) -> tuple[Ask, ...]:
        devices = self.ask(request) if {NPU, MEMORY, CORES} & set(request.limits) else None
        instances = int(request.limits.get(INSTANCE, 0))
        return (*([devices] if devices else ()), *(Ask(vendor="fake", template="1g") for _ in range(instances)))

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        if "soft" not in request.annotations and CORES in amounts:
            yield InvalidValue(self.field(request, CORES), request.limits[CORES], "may not be named")


@pytest.mark.parametrize(
    ("limits", "notes", "given"),
    [
        ({INSTANCE: "2"}, {}, {}),
        ({INSTANCE: "1", MEMORY: "5"}, {}, {NPU: "1"}),
        ({MEMORY: "5"}, {}, {NPU: "1"}),
        ({NPU: "1"}, {}, {}),
        ({NPU: "1"}, {"soft": "yes"}, {CORES: "100"}),
        ({NPU: "1", INSTANCE: "1"}, {"soft": "yes"}, {CORES: "100"}),
    ],
)
def test_a_completed_pod_asks_what_it_asked(
    *,
    vendors: dict[str, Vendor],
    pod: PodMaker,
    container: ContainerMaker,
    limits: dict[str, str],
    notes: dict[str, str],
    given: dict[str, str],
) -> None:
    """What would be read as something else, or be refused, is left unsaid: instances are no devices beside them."""
    family = _Instances(vendor="fake", count=NPU, memory=MEMORY, cores=CORES)
    reviewer = Reviewer({"fake": replace(vendors["fake"], resources=(family,))}, AdmissionSettings())
    body = pod(container(limits=limits, resources={"limits": limits, "requests": dict(limits)}), annotations=notes)
    verdict = reviewer.judge(msgspec.json.decode(json.dumps(body), type=ReviewedPod), "default")
    assert not verdict.problems
    added = {one["path"].rpartition("/")[2]: one["value"] for one in verdict.patch if "resources" in one["path"]}
    assert added == {pointer(name): amount for name, amount in given.items()}
