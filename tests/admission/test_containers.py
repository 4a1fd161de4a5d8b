"""What a container runs, and what it says of resources."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from hetero.admission.containers import ordinary
from hetero.admission.workloads import Container, pods
from hetero.errors import InvalidRequest

NPU = "fake.example/npu"
RESOURCES = "spec.containers[0].resources"

Read = Callable[..., Container]
Refused = Callable[..., dict[str, str]]


@pytest.fixture
def read(pod: Any) -> Read:
    """The container ``c`` with these fields."""
    return lambda **fields: pods(pod({"name": "c", **fields}))[0].containers[0]


@pytest.fixture
def refused(pod: Any) -> Refused:
    """The fields of the container that are refused, each with its sentence."""

    def sentences(**fields: Any) -> dict[str, str]:
        with pytest.raises(InvalidRequest) as caught:
            pods(pod({"name": "c", **fields}))
        return {problem.field: str(problem) for problem in caught.value.problems}

    return sentences


def test_what_it_runs_is_kept_in_order(read: Read) -> None:
    """A placed container can be started on this machine with exactly what the manifest says."""
    container = read(command=["bash", "-c"], args=["sleep 1", ""], workingDir="/tmp")
    assert container.command == ("bash", "-c")
    assert container.args == ("sleep 1", "")
    assert container.working_dir == "/tmp"


def test_a_container_may_say_nothing(read: Read) -> None:
    """All but the name is the image's business; null counts as left out."""
    bare = Container(name="c", path="spec.containers[0]")
    assert read() == bare
    assert read(command=None, args=None, env=None, resources=None, workingDir=None) == bare


def test_plain_variables_are_read_and_others_left_out(read: Read) -> None:
    """A value that comes from a Secret is known on the node only; a name without a value is set to nothing."""
    env = [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {}}}, {"name": "C"}]
    assert read(env=env).env == {"A": "1", "C": ""}


def test_the_last_of_two_variables_holds(read: Read) -> None:
    """As the kubelet has it."""
    assert read(env=[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]).env == {"A": "2"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "Two Words"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "a.b"}, "name"),
        ({"command": "sleep 1"}, "command"),
        ({"command": ["sleep", 1]}, "command[1]"),
        ({"command": [None]}, "command[0]"),
        ({"args": {"a": 1}}, "args"),
        ({"args": ["a\0b"]}, "args[0]"),
        ({"args": ["\ud800"]}, "args[0]"),
        ({"workingDir": 5}, "workingDir"),
        ({"env": {"A": "1"}}, "env"),
        ({"env": ["A=1"]}, "env[0]"),
        ({"env": [{"value": "1"}]}, "env[0].name"),
        ({"env": [{"name": "", "value": "1"}]}, "env[0].name"),
        ({"env": [{"name": "A=B", "value": "1"}]}, "env[0].name"),
        ({"env": [{"name": "A", "value": 1}]}, "env[0].value"),
        ({"env": [{"name": "A", "value": date(2024, 1, 1)}]}, "env[0].value"),
        ({"restartPolicy": "always"}, "restartPolicy"),
        ({"resources": []}, "resources"),
        ({"resources": {"limits": []}}, "resources.limits"),
        ({"resources": {"limits": "2"}}, "resources.limits"),
        ({"resources": {"requests": 2}}, "resources.requests"),
        ({"resources": {"limits": {5: 1}}}, "resources.limits[5]"),
        ({"resources": {"limits": {"a b": 1}}}, "resources.limits[a b]"),
        ({"resources": {"limits": {"a/b/c": 1}}}, "resources.limits[a/b/c]"),
        ({"resources": {"limits": {"": 1}}}, "resources.limits[]"),
        ({"resources": {"limits": {"a\n": 1}}}, r"resources.limits['a\n']"),
        ({"resources": {"limits": {NPU: [1]}}}, f"resources.limits[{NPU}]"),
        ({"resources": {"limits": {NPU: {"amount": 1}}}}, f"resources.limits[{NPU}]"),
        ({"resources": {"limits": {NPU: 1 << 20000}}}, f"resources.limits[{NPU}]"),
        ({"resources": {"limits": {NPU: "9" * 1000}}}, f"resources.limits[{NPU}]"),
        ({"resources": {"limits": {"cpu": "two"}}}, "resources.limits[cpu]"),
        ({"resources": {"requests": {"memory": "1Gb"}}}, "resources.requests[memory]"),
    ],
)
def test_each_malformed_field_is_one_problem(refused: Refused, fields: dict[str, Any], field: str) -> None:
    """One mistake, one sentence, at the field where it stands."""
    assert list(refused(**fields)) == [f"spec.containers[0].{field}"]


def test_limits_are_kept_as_written(read: Read) -> None:
    """The vendor reads the numbers of its own, in every spelling; a malformed one is the vendor's to explain."""
    limits = {NPU: "2k", "fake.example/npumem": -1, "cpu": "500m", "memory": "1Gi", "hugepages-2Mi": None}
    assert read(resources={"limits": limits}).limits == limits


def test_a_request_fills_in_for_a_missing_limit(read: Read) -> None:
    """Some manifests write requests alone; an error then points to where the amount stands."""
    container = read(resources={"limits": {NPU: 1}, "requests": {NPU: 1, "fake.example/npumem": 5}})
    assert container.limits == {NPU: 1, "fake.example/npumem": 5}
    assert container.field(NPU) == f"{RESOURCES}.limits[{NPU}]"
    assert container.field("fake.example/npumem") == f"{RESOURCES}.requests[fake.example/npumem]"


@pytest.mark.parametrize(
    ("name", "request_", "limit"),
    [
        ("cpu", "500m", 1),
        ("cpu", 1, "1000m"),
        ("memory", "1G", "1Gi"),
        ("memory", None, "1Gi"),
        ("memory", "1Gi", None),
        (NPU, "2", 2),
        (NPU, "2000m", "2"),
        (NPU, 1, "one"),
    ],
)
def test_a_request_within_its_limit_passes(read: Read, name: str, request_: Any, limit: Any) -> None:
    """Amounts are compared as numbers, not as text; a malformed limit of a vendor is left to the vendor."""
    assert read(resources={"requests": {name: request_}, "limits": {name: limit}}).limits[name] == limit


@pytest.mark.parametrize(
    ("name", "request_", "limit", "reason"),
    [
        ("cpu", 2, "1500m", "'1500m'"),
        ("memory", "1Gi", "1G", "is more than the limit '1G'"),
        (NPU, 2, 1, "is more than the limit 1"),
        (NPU, 1, 2, "differs from the limit 2"),
        (NPU, "one", 1, "is not a quantity"),
    ],
)
def test_a_request_against_its_limit_is_refused(
    refused: Refused, name: str, request_: Any, limit: Any, reason: str
) -> None:
    """The API server refuses it too: more than the limit, or another number where nothing can be overcommitted."""
    found = refused(resources={"requests": {name: request_}, "limits": {name: limit}})
    assert list(found) == [f"{RESOURCES}.requests[{name}]"]
    assert reason in found[f"{RESOURCES}.requests[{name}]"]


@pytest.mark.parametrize(
    ("policy", "sidecar"), [("Always", True), ("Never", False), ("OnFailure", False), (None, False)]
)
def test_only_a_container_that_always_restarts_is_a_sidecar(read: Read, policy: str | None, sidecar: bool) -> None:
    """The one sign by which Kubernetes tells a sidecar from an init container."""
    assert read(restartPolicy=policy).sidecar is sidecar


@pytest.mark.parametrize(
    "name",
    [
        "cpu", "memory", "ephemeral-storage", "storage", "pods", "hugepages-2Mi", "hugepages-1Gi",
        "attachable-volumes-csi-x.y.z", "kubernetes.io/batch-cpu", "node.kubernetes.io/thing",
    ],
)  # fmt: skip
def test_what_kubernetes_counts_itself_is_ordinary(name: str) -> None:
    """Such names are nobody's device."""
    assert ordinary(name)


@pytest.mark.parametrize("name", [NPU, "example/thing", "notkubernetes.io/thing", "kubernetes.io.example/thing"])
def test_a_name_of_another_domain_is_not_ordinary(name: str) -> None:
    """A domain that merely looks like Kubernetes' own is someone else's."""
    assert not ordinary(name)
