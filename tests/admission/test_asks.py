"""What a pod asks of the installed vendors, and every reason why it cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hetero.admission.asks import pod_ask
from hetero.admission.policies import COMPUTE_POLICY, DEVICE_POLICY, NODE_POLICY, WEIGHTS
from hetero.admission.workloads import pods
from hetero.errors import InvalidRequest, InvalidValue, PluginError, WireError
from hetero.model.ask import Ask, PodAsk, Selection, Weights
from hetero.model.resources import ContainerRequest, Resources
from hetero.testing.fake import fake_resources, fake_vendor
from hetero.vendor import Vendor

NPU = "fake.example/npu"
MEMORY = "fake.example/npumem"
PERCENTAGE = "fake.example/npumem-percentage"
CORES = "fake.example/npucores"
LIMITS = "spec.containers[0].resources.limits"

Vendors = Mapping[str, Vendor]


def _ask(document: object, vendors: Vendors) -> PodAsk:
    (pod,) = pods(document)
    return pod_ask(pod, vendors)


def _problems(document: object, vendors: Vendors, source: str = "") -> list[InvalidValue]:
    (pod, *_) = pods(document, source)
    with pytest.raises(InvalidRequest) as caught:
        pod_ask(pod, vendors)
    return list(caught.value.problems)


def _fields(document: object, vendors: Vendors) -> list[str]:
    return [problem.field for problem in _problems(document, vendors)]


def test_the_first_manifest_of_every_user_is_read(pod: Any, container: Any, vendors: Vendors) -> None:
    """One slice of a device, so many MiB, so many percent of its compute."""
    ask = _ask(pod(container(limits={NPU: 1, MEMORY: 1024, CORES: 30})), vendors)
    assert (ask.name, ask.namespace) == ("p", "default")
    assert [one.name for one in ask.containers] == ["main"]
    assert ask.containers[0].asks == (Ask(vendor="fake", count=1, memory=1024, cores=30),)


def test_a_container_that_asks_nothing_is_there_without_asks(pod: Any, container: Any, vendors: Vendors) -> None:
    """Positions of containers stay those of the pod."""
    ask = _ask(pod(container("a", {"cpu": 2}), container("b", {NPU: 1}), container("c")), vendors)
    assert [(one.name, len(one.asks)) for one in ask.containers] == [("a", 0), ("b", 1), ("c", 0)]


def test_a_pod_without_devices_asks_none(pod: Any, vendors: Vendors) -> None:
    """Such a pod is placed without any vendor."""
    assert not _ask(pod(), vendors).asks_devices


def test_one_container_may_ask_two_vendors(pod: Any, container: Any, vendors: Vendors) -> None:
    """Each vendor gets the words of its own domain."""
    (main,) = _ask(pod(container(limits={NPU: 1, "other.example/npu": 2})), vendors).containers
    assert [(ask.vendor, ask.count) for ask in main.asks] == [("fake", 1), ("other", 2)]


def test_a_vendor_with_two_families_gives_an_ask_of_each(pod: Any, container: Any) -> None:
    """A vendor's chips of two kinds are two asks, told apart by family."""
    vendor = fake_vendor()
    small = replace(fake_resources(), family="small", count="fake.example/small", memory="", cores="")
    vendors = {"fake": replace(vendor, resources=(*vendor.resources, small))}
    (main,) = _ask(pod(container(limits={NPU: 1, "fake.example/small": 3})), vendors).containers
    assert [(ask.family, ask.count) for ask in main.asks] == [("", 1), ("small", 3)]


def test_requests_alone_ask_too(pod: Any, vendors: Vendors) -> None:
    """Where a limit is missing, the request stands for it."""
    (main,) = _ask(pod({"name": "c", "resources": {"requests": {NPU: 2}}}), vendors).containers
    assert main.asks[0].count == 2


def test_more_than_any_device_has_is_a_sound_ask(pod: Any, container: Any, vendors: Vendors) -> None:
    """How big devices are is known to the planner alone: 13 GiB is for it to refuse, with the reason per node."""
    (main,) = _ask(pod(container(limits={MEMORY: 13312})), vendors).containers
    assert main.asks[0].memory == 13312


def test_annotations_of_the_pod_choose_its_devices(pod: Any, container: Any, vendors: Vendors) -> None:
    """The vendor reads its own annotations, and those of the template rather than of the workload."""
    annotations = {"fake.example/use-models": "F1, F2", "fake.example/avoid-devices": "fake-3"}
    (main,) = _ask(pod(container(limits={NPU: 1}), annotations=annotations), vendors).containers
    assert main.asks[0].selection == Selection(use_models=("F1", "F2"), avoid_devices=("fake-3",))


@pytest.mark.parametrize(
    ("limits", "resource", "reason"),
    [
        ({NPU: -1}, NPU, "is negative"),
        ({NPU: "-1"}, NPU, "is negative"),
        ({MEMORY: 0.5}, MEMORY, "is a fraction"),
        ({MEMORY: "1500m"}, MEMORY, "is a fraction"),
        ({MEMORY: "2gb"}, MEMORY, "gb"),
        ({CORES: 101}, CORES, "from 0 to 100"),
        ({PERCENTAGE: 200}, PERCENTAGE, "from 0 to 100"),
        ({NPU: None}, NPU, "is not a quantity"),
        ({NPU: True}, NPU, "is not a quantity"),
        ({NPU: 0, MEMORY: 5}, NPU, "asks for no device"),
        ({MEMORY: 5, PERCENTAGE: 50}, PERCENTAGE, f"cannot be combined with {MEMORY}"),
    ],
)
def test_an_amount_that_cannot_be_names_field_and_reason(
    pod: Any, vendors: Vendors, limits: dict[str, Any], resource: str, reason: str
) -> None:
    """One clear sentence each, before anything is placed."""
    (problem,) = _problems(pod({"name": "c", "resources": {"limits": limits}}), vendors, "gpu-pod.yaml")
    assert problem.field == f"gpu-pod.yaml: {LIMITS}[{resource}]"
    assert reason in problem.reason
    assert str(problem).startswith(problem.field)


def test_an_amount_among_the_requests_is_named_there(pod: Any, vendors: Vendors) -> None:
    """The field is where the user wrote it, though the vendor calls it a limit."""
    resources = {"requests": {NPU: -1, "x.example/y": 1}, "limits": {MEMORY: "x"}}
    assert _fields(pod({"name": "c", "resources": resources}), vendors) == [
        f"{LIMITS}[{MEMORY}]",
        f"spec.containers[0].resources.requests[{NPU}]",
        "spec.containers[0].resources.requests[x.example/y]",
    ]


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("fake.example/npumemory", MEMORY),
        ("fake.example/npumen", MEMORY),
        ("fake.example/npucore", CORES),
        ("fake.example/NPU", NPU),
        ("other.example/npus", "other.example/npu"),
    ],
)
def test_a_misspelt_resource_gets_the_closest_name(
    pod: Any, container: Any, vendors: Vendors, name: str, close: str
) -> None:
    """A slip within a vendor's domain would otherwise go unseen, and the pod would take the whole device."""
    (problem,) = _problems(pod(container(limits={name: 1})), vendors)
    assert problem.field == f"{LIMITS}[{name}]"
    assert problem.reason.endswith(f"did you mean {close}?")
    assert problem.value == 1


def test_a_misspelt_resource_that_resembles_none_gets_all_names(pod: Any, container: Any, vendors: Vendors) -> None:
    """With nothing close, the vendor's names are listed, and those of no other vendor."""
    (problem,) = _problems(pod(container(limits={"fake.example/zzz": 1})), vendors)
    assert all(name in problem.reason for name in (NPU, MEMORY, PERCENTAGE, CORES, "Fake NPU"))
    assert "other.example" not in problem.reason


def test_a_resource_of_no_installed_vendor_is_refused(pod: Any, container: Any, vendors: Vendors) -> None:
    """The sentence names the field, the reason, and what is installed."""
    (problem,) = _problems(pod(container(limits={"acme.com/gpu": 1})), vendors, "gpu-pod.yaml")
    assert problem.field == f"gpu-pod.yaml: {LIMITS}[acme.com/gpu]"
    assert "belongs to no installed vendor" in problem.reason
    assert problem.reason.endswith("installed are: fake (fake.example), other (other.example)")


@pytest.mark.parametrize("name", ["fakes.example/npu", "FAKE.example/npu", "fake.exmaple/npu"])
def test_a_misspelt_domain_gets_the_closest_name(pod: Any, container: Any, vendors: Vendors, name: str) -> None:
    """A slip in the domain is a slip too."""
    (problem,) = _problems(pod(container(limits={name: 1})), vendors)
    assert "belongs to no installed vendor" in problem.reason
    assert problem.reason.endswith(f"did you mean {NPU}?")


def test_without_any_vendor_every_device_is_refused(pod: Any, container: Any) -> None:
    """A machine without vendor packages says so instead of running the pod without a device."""
    (problem,) = _problems(pod(container(limits={NPU: 1})), {})
    assert problem.reason.endswith("installed are: none")


def test_ordinary_resources_are_nobodys_business(pod: Any, container: Any, vendors: Vendors) -> None:
    """What Kubernetes itself counts never stops a pod, with or without vendors."""
    limits = {
        "cpu": "500m",
        "memory": "1Gi",
        "ephemeral-storage": "1Gi",
        "hugepages-2Mi": "4Mi",
        "storage": 1,
        "attachable-volumes-x": 1,
        "kubernetes.io/batch-cpu": 1,
        "scheduling.kubernetes.io/x": 1,
    }
    assert not _ask(pod(container(limits=limits)), vendors).asks_devices
    assert not _ask(pod(container(limits=limits)), {}).asks_devices


def test_all_problems_come_at_once_in_the_order_of_the_manifest(pod: Any, container: Any, vendors: Vendors) -> None:
    """Annotations, init containers, containers; within a container as its limits are written."""
    document = pod(
        container("a", {"acme.com/gpu": 1, MEMORY: -1, "fake.example/npumemory": 1, CORES: 0.5}),
        container("b"),
        container("c", {"other.example/npu": "x"}),
        init=[container("i", {NPU: -3})],
        annotations={NODE_POLICY[0]: "pack", DEVICE_POLICY[0]: ""},
    )
    assert _fields(document, vendors) == [
        f"metadata.annotations[{NODE_POLICY[0]}]",
        f"metadata.annotations[{DEVICE_POLICY[0]}]",
        f"spec.initContainers[0].resources.limits[{NPU}]",
        f"{LIMITS}[acme.com/gpu]",
        f"{LIMITS}[{MEMORY}]",
        f"{LIMITS}[fake.example/npumemory]",
        f"{LIMITS}[{CORES}]",
        "spec.containers[2].resources.limits[other.example/npu]",
    ]


def test_the_error_says_all_of_it_in_one_text(pod: Any, container: Any, vendors: Vendors) -> None:
    """Who prints the error alone still prints every problem."""
    (one,) = pods(pod(container(limits={NPU: -1, MEMORY: 0.5})))
    with pytest.raises(InvalidRequest, match=r"is negative.*; .*is a fraction") as caught:
        pod_ask(one, vendors)
    assert caught.value.exit_code == 2


def test_annotations_reach_the_ask(pod: Any, vendors: Vendors) -> None:
    """Each in the field of its name."""
    annotations = {NODE_POLICY[1]: "spread", DEVICE_POLICY[1]: "mutex,numa", WEIGHTS[1]: "slot=0,core=0,memory=1"}
    ask = _ask(pod(annotations={**annotations, COMPUTE_POLICY[0]: "conserve"}), vendors)
    assert (ask.node_policy, ask.device_policy, ask.compute_policy) == ("spread", "mutex,numa,spread", "conserve")
    assert ask.weights == Weights(slots=0, cores=0, memory=1)


def test_a_policy_in_a_template_is_named_there(workload: Any, vendors: Vendors) -> None:
    """The field leads to the line that must change."""
    document = workload("Deployment")
    document["spec"]["template"]["metadata"]["annotations"] = {NODE_POLICY[0]: "x"}
    assert _fields(document, vendors) == [f"spec.template.metadata.annotations[{NODE_POLICY[0]}]"]


def test_a_problem_in_a_template_is_named_there(workload: Any, container: Any, vendors: Vendors) -> None:
    """The same for amounts."""
    document = workload("StatefulSet")
    document["spec"]["template"]["spec"]["containers"] = [container(limits={NPU: -1})]
    assert _fields(document, vendors) == [f"spec.template.spec.containers[0].resources.limits[{NPU}]"]


def test_replicas_ask_alike_under_their_own_names(workload: Any, container: Any, vendors: Vendors) -> None:
    """Each is charged on its own."""
    document = workload("Deployment", replicas=2)
    document["spec"]["template"]["spec"]["containers"] = [container(limits={NPU: 1})]
    first, second = (pod_ask(pod, vendors) for pod in pods(document))
    assert (first.name, second.name) == ("web-0", "web-1")
    assert first.containers == second.containers


def _layout(ask: PodAsk) -> tuple[list[str], list[str]]:
    return [one.name for one in ask.init_containers], [one.name for one in ask.containers]


def test_init_containers_come_before_the_containers(pod: Any, container: Any, vendors: Vendors) -> None:
    """They are over when the containers start, so the greater of the two is charged, not the sum."""
    document = pod(container("c", {NPU: 1}), init=[container("i", {NPU: 1}), container("j")])
    assert _layout(_ask(document, vendors)) == (["i", "j"], ["c"])


def test_a_sidecar_is_charged_beside_the_containers(pod: Any, container: Any, vendors: Vendors) -> None:
    """It keeps its devices while the containers run."""
    sidecar = container("s", {NPU: 1}, restartPolicy="Always")
    document = pod(container("c", {NPU: 1}), init=[container("i", {NPU: 1}), sidecar])
    assert _layout(_ask(document, vendors)) == (["i"], ["s", "c"])


def test_an_init_container_after_a_sidecar_is_charged_beside_it(pod: Any, container: Any, vendors: Vendors) -> None:
    """Both hold devices at once; what was over before the sidecar started is not affected, nor who asks nothing."""
    sidecar = container("s", {NPU: 1}, restartPolicy="Always")
    init = [container("before", {NPU: 1}), sidecar, container("after", {NPU: 1}), container("idle")]
    document = pod(container("c", {NPU: 1}), init=init)
    assert _layout(_ask(document, vendors)) == (["before", "idle"], ["s", "after", "c"])


def test_a_sidecar_without_devices_changes_nothing_for_others(pod: Any, container: Any, vendors: Vendors) -> None:
    """A mesh proxy must not make init containers dearer."""
    init = [container("proxy", restartPolicy="Always"), container("i", {NPU: 1})]
    assert _layout(_ask(pod(container("c", {NPU: 1}), init=init), vendors)) == (["i"], ["proxy", "c"])


def test_always_on_a_plain_container_is_no_sidecar(pod: Any, container: Any, vendors: Vendors) -> None:
    """Containers run side by side whatever their policy."""
    document = pod(container("c", {NPU: 1}, restartPolicy="Always"), init=[container("i", {NPU: 1})])
    assert _layout(_ask(document, vendors)) == (["i"], ["c"])


@dataclass(frozen=True, kw_only=True)
class _Pairs(Resources):
    """A chip that is asked in pairs: a vendor's own rule."""

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        if ask.count % 2:
            yield InvalidValue(self.field(request, self.count), ask.count, "is odd; ask for pairs")


def test_a_vendors_own_rule_is_reported_like_any_other(pod: Any, container: Any) -> None:
    """The core need not know a chip's rules to report them."""
    vendors = {"fake": replace(fake_vendor(), resources=(_Pairs(vendor="fake", count=NPU),))}
    assert _fields(pod(container(limits={NPU: 3, "acme.com/gpu": 1})), vendors) == [
        f"{LIMITS}[{NPU}]",
        f"{LIMITS}[acme.com/gpu]",
    ]


@dataclass(frozen=True, kw_only=True)
class _Failing(Resources):
    """A vendor whose reading always ends with this error."""

    error: Exception

    def ask(self, request: ContainerRequest) -> Ask | None:
        raise self.error


def _with_failing(error: Exception) -> dict[str, Vendor]:
    broken = replace(
        fake_vendor("broken"), resources=(_Failing(vendor="broken", count="broken.example/npu", error=error),)
    )
    return {"broken": broken, "fake": fake_vendor()}


def test_a_defect_of_a_vendor_is_named_as_its_own(pod: Any, container: Any) -> None:
    """The user did nothing wrong, and no traceback helps: the vendor's package is at fault, and the text says so."""
    with pytest.raises(PluginError, match=r"broken.*spec.containers\[0\].resources.*KeyError: 'x'") as caught:
        _ask(pod(container(limits={"broken.example/npu": 1})), _with_failing(KeyError("x")))
    assert caught.value.plugin == "broken"
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_defect_of_a_vendor_does_not_stop_pods_of_others(pod: Any, container: Any) -> None:
    """Who does not name its resources never meets it."""
    ask = _ask(pod(container(limits={NPU: 1})), _with_failing(KeyError("x")))
    assert [one.vendor for one in ask.containers[0].asks] == ["fake"]


def test_a_single_problem_of_a_vendor_counts_as_any(pod: Any, container: Any) -> None:
    """A vendor may raise one problem instead of a collection of them."""
    vendors = _with_failing(InvalidValue("somewhere", 1, "is wrong"))
    limits = {"broken.example/npu": 1, NPU: -1}
    assert _fields(pod(container(limits=limits)), vendors) == [f"{LIMITS}[{NPU}]", "somewhere"]


def test_a_typed_failure_of_a_vendor_passes_through(pod: Any, container: Any) -> None:
    """It has its own sentence already."""
    with pytest.raises(WireError, match="damaged"):
        _ask(pod(container(limits={"broken.example/npu": 1})), _with_failing(WireError("damaged")))
