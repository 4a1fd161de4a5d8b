"""Which pods a document starts, and what is said of one that cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from hetero.admission.workloads import MOST_PODS, Pod, all_pods, pods
from hetero.errors import InvalidRequest


def _fields(document: object, source: str = "") -> dict[str, str]:
    """The fields that are refused, each with its sentence."""
    with pytest.raises(InvalidRequest) as caught:
        pods(document, source)
    return {problem.field: str(problem) for problem in caught.value.problems}


def _names(document: object) -> list[str]:
    return [pod.name for pod in pods(document)]


def test_a_pod_is_read_with_all_that_it_says() -> None:
    """What the stages after this one need is in the record: names, annotations, what runs, where it stands."""
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "team", "annotations": {"a": "1"}, "labels": {"l": "2"}},
        "spec": {"containers": [{"name": "c", "command": ["sh"]}], "initContainers": [{"name": "i"}]},
    }
    (pod,) = pods(document, "p.yaml")
    assert (pod.kind, pod.name, pod.namespace, pod.source) == ("Pod", "p", "team", "p.yaml")
    assert (dict(pod.annotations), dict(pod.labels)) == ({"a": "1"}, {"l": "2"})
    assert [(one.name, one.path) for one in pod.containers] == [("c", "spec.containers[0]")]
    assert [(one.name, one.path) for one in pod.init_containers] == [("i", "spec.initContainers[0]")]
    assert (pod.path, pod.metadata_path) == ("spec", "metadata")


def test_the_namespace_is_default_when_not_given(pod: Any) -> None:
    """As kubectl has it."""
    assert pods(pod())[0].namespace == "default"


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("Deployment", "apps/v1"),
        ("Deployment", "extensions/v1beta1"),
        ("ReplicaSet", "apps/v1"),
        ("StatefulSet", "apps/v1"),
        ("ReplicationController", "v1"),
    ],
)
def test_replicas_become_numbered_pods(workload: Any, kind: str, api: str) -> None:
    """Every pod of a workload is placed on its own, under a name of its own."""
    assert _names(workload(kind, api=api, replicas=3)) == ["web-0", "web-1", "web-2"]


@pytest.mark.parametrize("spec", [{}, {"replicas": None}, {"replicas": 1}])
def test_a_workload_without_replicas_has_one_pod(workload: Any, spec: dict[str, Any]) -> None:
    """The API server's default; null counts as left out."""
    assert _names(workload("Deployment", **spec)) == ["web-0"]


def test_no_replicas_are_no_pods(workload: Any) -> None:
    """A workload that is scaled down asks nothing."""
    assert pods(workload("Deployment", replicas=0)) == []


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({}, 1),
        ({"parallelism": 4}, 4),
        ({"parallelism": 4, "completions": 2}, 2),
        ({"parallelism": 2, "completions": 40}, 2),
        ({"completions": 40}, 1),
        ({"parallelism": 0}, 0),
    ],
)
def test_a_job_has_as_many_pods_as_run_at_once(workload: Any, spec: dict[str, Any], count: int) -> None:
    """Completions come one after another; what must have room is the parallelism, never more than completions."""
    assert len(pods(workload("Job", api="batch/v1", **spec))) == count


def test_a_template_has_paths_and_annotations_of_its_own(workload: Any) -> None:
    """Annotations of a Deployment are not those of its pods, and errors point into the template."""
    document = workload("Deployment", replicas=2)
    document["metadata"].update(namespace="team", annotations={"of": "the deployment"})
    document["spec"]["template"]["metadata"]["annotations"] = {"of": "the pod"}
    for pod in pods(document):
        assert (pod.kind, pod.namespace, pod.annotations["of"]) == ("Deployment", "team", "the pod")
        assert (pod.path, pod.metadata_path) == ("spec.template.spec", "spec.template.metadata")
        assert pod.containers[0].path == "spec.template.spec.containers[0]"


def test_a_template_needs_no_metadata(workload: Any) -> None:
    """A template without metadata has no annotations; that is no mistake."""
    document = workload("Deployment")
    del document["spec"]["template"]["metadata"]
    assert pods(document)[0].annotations == {}


def test_a_list_gives_the_pods_of_its_items(pod: Any, workload: Any) -> None:
    """What `kubectl get -o yaml` prints can be planned; paths say which item."""
    items = [pod(), {"apiVersion": "v1", "kind": "Service"}, workload("StatefulSet", replicas=2)]
    found = pods({"apiVersion": "v1", "kind": "List", "items": items})
    assert [one.name for one in found] == ["p", "web-0", "web-1"]
    assert [one.path for one in found] == ["items[0].spec", *["items[2].spec.template.spec"] * 2]
    assert [one.metadata_path for one in found][:2] == ["items[0].metadata", "items[2].spec.template.metadata"]


@pytest.mark.parametrize("document", [None, {"apiVersion": "v1", "kind": "List"}])
def test_an_empty_document_is_no_mistake(document: object) -> None:
    """A file often ends with a separator and nothing behind it."""
    assert pods(document) == []


@pytest.mark.parametrize(
    ("api", "kind"),
    [
        ("v1", "Service"),
        ("v1", "ConfigMap"),
        ("v1", "Namespace"),
        ("rbac.authorization.k8s.io/v1", "Role"),
        ("batch.volcano.sh/v1alpha1", "Job"),
    ],
)
def test_objects_that_start_no_pod_are_passed_over(api: str, kind: str) -> None:
    """Manifests hold other objects too; those of a group with a dot are someone's own, whatever their kind."""
    assert pods({"apiVersion": api, "kind": kind}) == []


@pytest.mark.parametrize(("kind", "advice"), [("DaemonSet", "as there are nodes"), ("CronJob", "by the clock")])
def test_a_kind_without_a_number_of_pods_is_refused(workload: Any, kind: str, advice: str) -> None:
    """To pass them over would make a full cluster look empty."""
    assert advice in _fields(workload(kind))["kind"]


@pytest.mark.parametrize(
    ("api", "kind", "field", "advice"),
    [
        ("v1", "pod", "kind", "write Pod"),
        ("apps/v1", "Deployments", "kind", "write Deployment"),
        ("v1", "list", "kind", "write List"),
        ("v1", "Deployment", "apiVersion", "write apps/v1"),
        ("apps/v1", "Pod", "apiVersion", "write v1"),
        ("app/v1", "StatefulSet", "apiVersion", "write apps/v1"),
    ],
)
def test_a_misspelt_kind_is_refused_and_not_passed_over(api: str, kind: str, field: str, advice: str) -> None:
    """A slip must not make pods vanish from the plan."""
    assert advice in _fields({"apiVersion": api, "kind": kind})[field]


@pytest.mark.parametrize("document", [5, "text", [], True, 1.5])
def test_a_document_that_is_no_object_is_refused(document: object) -> None:
    """A file of plain text is YAML too."""
    assert "is no object" in _fields(document)["document"]


@pytest.mark.parametrize("document", [{}, {"metadata": {"name": "p"}}, {"apiVersion": "", "kind": ""}])
def test_a_document_without_kind_and_version_names_both(document: object) -> None:
    """Both are reported at once, and nothing else is guessed."""
    assert list(_fields(document)) == ["apiVersion", "kind"]


def test_the_source_stands_in_front_of_every_field(pod: Any) -> None:
    """With several files, the reader must know which."""
    document = pod(name=None)
    assert list(_fields(document, "gpu-pod.yaml")) == ["gpu-pod.yaml: metadata.name"]


def test_a_problem_in_a_list_names_the_item(pod: Any) -> None:
    """The field leads to the line."""
    items = [pod(), 7, pod(name="Q")]
    found = _fields({"apiVersion": "v1", "kind": "List", "items": items}, "all.yaml")
    assert list(found) == ["all.yaml: items[1]", "all.yaml: items[2].metadata.name"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"metadata": None}, "metadata"),
        ({"metadata": []}, "metadata"),
        ({"metadata": {}}, "metadata.name"),
        ({"metadata": {"generateName": "p-"}}, "metadata.name"),
        ({"metadata": {"name": 7}}, "metadata.name"),
        ({"metadata": {"name": "Upper"}}, "metadata.name"),
        ({"metadata": {"name": "a" * 254}}, "metadata.name"),
        ({"metadata": {"name": "p", "namespace": "a.b"}}, "metadata.namespace"),
        ({"metadata": {"name": "p", "annotations": ["x"]}}, "metadata.annotations"),
        ({"metadata": {"name": "p", "annotations": {"x": 1}}}, "metadata.annotations[x]"),
        ({"metadata": {"name": "p", "annotations": {"x": None}}}, "metadata.annotations[x]"),
        ({"metadata": {"name": "p", "annotations": {1: "x"}}}, "metadata.annotations[1]"),
        ({"metadata": {"name": "p", "labels": {"x": True}}}, "metadata.labels[x]"),
        ({"spec": None}, "spec"),
        ({"spec": "x"}, "spec"),
        ({"spec": {}}, "spec.containers"),
        ({"spec": {"containers": []}}, "spec.containers"),
        ({"spec": {"containers": {}}}, "spec.containers"),
        ({"spec": {"containers": ["x"]}}, "spec.containers[0]"),
        ({"spec": {"containers": [{"name": "c"}], "initContainers": "x"}}, "spec.initContainers"),
    ],
)
def test_each_malformed_field_is_one_problem(pod: Any, change: dict[str, Any], field: str) -> None:
    """One mistake is one sentence: what follows from it is not reported on top."""
    assert list(_fields({**pod(), **change})) == [field]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (None, "spec"),
        ({}, "spec.template"),
        ({"template": 1}, "spec.template"),
        ({"template": {}}, "spec.template.spec"),
        ({"template": {"spec": {}}}, "spec.template.spec.containers"),
    ],
)
def test_a_malformed_template_is_one_problem(workload: Any, spec: object, field: str) -> None:
    """The same for what a workload starts."""
    assert list(_fields({**workload("Deployment"), "spec": spec})) == [field]


@pytest.mark.parametrize("replicas", [-1, 1.5, "3", True, [], MOST_PODS + 1, 10**60])
def test_replicas_that_are_no_sane_number_are_refused(workload: Any, replicas: object) -> None:
    """A slip of the keyboard must not fill the memory; a text is no number, as the API server has it."""
    sentence = _fields(workload("Deployment", replicas=replicas))["spec.replicas"]
    assert f"write a whole number from 0 to {MOST_PODS}" in sentence


def test_a_jobs_numbers_are_both_checked(workload: Any) -> None:
    """Both fields are reported at once."""
    document = workload("Job", api="batch/v1", parallelism=-1, completions="x")
    assert list(_fields(document)) == ["spec.parallelism", "spec.completions"]


def test_the_items_of_a_list_count_together(workload: Any) -> None:
    """Many workloads that are each within the bound must not fill the memory either."""
    items = [workload("Deployment", name=f"w{index}", replicas=MOST_PODS) for index in range(2)]
    found = _fields({"apiVersion": "v1", "kind": "List", "items": items})
    assert list(found) == ["items"]
    assert str(2 * MOST_PODS) in found["items"]


def test_all_problems_come_at_once(pod: Any) -> None:
    """Nobody mends a manifest sentence by sentence."""
    document = pod({"name": "a", "command": "sh"}, {"name": "a"}, {"resources": []}, name="-", annotations={"k": 5})
    assert list(_fields(document)) == [
        "metadata.name",
        "metadata.annotations[k]",
        "spec.containers[0].command",
        "spec.containers[2].name",
        "spec.containers[2].resources",
        "spec.containers[1].name",
    ]


def test_names_of_containers_are_unique_in_the_pod(pod: Any) -> None:
    """Init containers share the names with the containers, for a placement finds its container by name."""
    document = pod({"name": "a"}, {"name": "b"}, init=[{"name": "b"}])
    found = _fields(document)
    assert list(found) == ["spec.containers[1].name"]
    assert "spec.initContainers[0]" in found["spec.containers[1].name"]


def test_two_pods_of_one_name_are_refused(pod: Any, workload: Any) -> None:
    """The planner would take the second for the first, moved: its devices would be charged once."""
    items = [pod(name="web-1"), workload("Deployment", replicas=3), workload("StatefulSet", replicas=2)]
    found = _fields({"apiVersion": "v1", "kind": "List", "items": items}, "f.yaml")
    assert list(found) == ["f.yaml: items[1].metadata.name", "f.yaml: items[2].metadata.name"]
    assert "the Pod at f.yaml: items[0].metadata.name" in found["f.yaml: items[1].metadata.name"]


def test_the_same_name_in_another_namespace_is_another_pod(pod: Any) -> None:
    """Names are unique within a namespace only."""
    found = all_pods([(pod(), "a.yaml"), (pod(namespace="team"), "b.yaml")])
    assert [(one.namespace, one.source) for one in found] == [("default", "a.yaml"), ("team", "b.yaml")]


def test_several_documents_report_all_their_problems(pod: Any) -> None:
    """A wrong file does not hide what is wrong in the next, nor a name that stands twice."""
    documents = [(pod(), "a.yaml"), ({}, "b.yaml"), (pod(name="P"), "c.yaml"), (pod(), "d.yaml")]
    with pytest.raises(InvalidRequest) as caught:
        all_pods(documents)
    assert [problem.field for problem in caught.value.problems] == [
        "b.yaml: apiVersion",
        "b.yaml: kind",
        "c.yaml: metadata.name",
        "d.yaml: metadata.name",
    ]


def test_a_list_within_itself_ends(pod: Any) -> None:
    """A YAML alias can put a list into itself; it is refused rather than followed."""
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "List"}
    document["items"] = [pod(), document]
    assert list(_fields(document)) == ["items[1].kind"]


def test_endless_values_are_not_printed(pod: Any) -> None:
    """Aliases of aliases print as gigabytes from ten lines of YAML; the sentence stays a sentence."""
    bomb: list[Any] = ["x"] * 9
    for _ in range(30):
        bomb = [bomb] * 9
    document = pod({"name": "c", "resources": {"limits": {"fake.example/npu": bomb}}}, name=bomb)
    found = _fields(document)
    assert "a list is no text" in found["metadata.name"]
    assert "a list is not a quantity" in found["spec.containers[0].resources.limits[fake.example/npu]"]


def test_replicas_share_what_is_equal(workload: Any) -> None:
    """A hundred thousand pods cost a hundred thousand names, not as many containers."""
    first, *others = pods(workload("Deployment", replicas=50))
    assert all(other.containers is first.containers for other in others)


def test_a_pod_record_needs_only_a_name() -> None:
    """Tests and other stages make literals."""
    assert Pod(name="p").metadata_path == "metadata"
