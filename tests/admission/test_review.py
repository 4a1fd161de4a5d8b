"""The webhook's verdict on a pod: taken over and completed, refused with every reason, or left as it is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

from hetero import metrics
from hetero.admission.review import DEFAULT_SCHEDULER, Reviewer, review
from hetero.config import AdmissionSettings
from hetero.errors import InvalidValue
from hetero.model.ask import PodAsk
from hetero.model.resources import ContainerRequest, Resources
from hetero.model.share import Reason, Refusal
from hetero.testing.fake import fake_resources, fake_vendor

if TYPE_CHECKING:
    from tests.admission.conftest import ContainerMaker, PodMaker, Review

NPU, MEMORY, CORES = "fake.example/npu", "fake.example/npumem", "fake.example/npucores"
SLICE = {NPU: "1", MEMORY: "1024"}
MAIN = "spec.containers[0]"


def _scheduled(pod: dict[str, Any], name: str | None) -> dict[str, Any]:
    pod["spec"]["schedulerName"] = name
    return pod


def test_a_pod_that_asks_devices_is_taken_over(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """The API server writes ``default-scheduler`` into pods that name none; ours places them instead."""
    answer = reviewed(_scheduled(pod(container(limits=SLICE)), DEFAULT_SCHEDULER))
    assert answer.allowed
    assert answer.pod["spec"]["schedulerName"] == "hetero-scheduler"


def test_a_pod_without_devices_stays_as_it_is(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """Nothing is said of it at all."""
    answer = reviewed(_scheduled(pod(container(limits={"cpu": "1"}), container("b")), DEFAULT_SCHEDULER))
    assert answer.response == {"uid": "7f0b", "allowed": True}


@pytest.mark.parametrize("named", [None, "", DEFAULT_SCHEDULER, "hetero-scheduler"])
def test_what_is_ours_is_looked_at(reviewed: Review, pod: PodMaker, container: ContainerMaker, named: str) -> None:
    """A pod that names no scheduler, the default one or ours."""
    assert not reviewed(_scheduled(pod(container(limits={NPU: "-1"})), named)).allowed
    admitted = reviewed(_scheduled(pod(container(limits=SLICE)), named))
    assert admitted.pod["spec"]["schedulerName"] == "hetero-scheduler"


def test_another_schedulers_pod_stays_as_it_is(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """Even one that we would refuse: what it asks is that scheduler's business."""
    answer = reviewed(_scheduled(pod(container(limits={NPU: "-1"})), "volcano"))
    assert answer.response == {"uid": "7f0b", "allowed": True}


@pytest.mark.parametrize(
    ("settings", "named", "becomes"),
    [
        (AdmissionSettings(overwrite_default_scheduler=False), DEFAULT_SCHEDULER, DEFAULT_SCHEDULER),
        (AdmissionSettings(overwrite_default_scheduler=False), "", "hetero-scheduler"),
        (AdmissionSettings(overwrite_any_scheduler=True), "volcano", "hetero-scheduler"),
        (AdmissionSettings(scheduler_name="shared"), DEFAULT_SCHEDULER, "shared"),
        (AdmissionSettings(scheduler_name=DEFAULT_SCHEDULER), DEFAULT_SCHEDULER, DEFAULT_SCHEDULER),
    ],
)
def test_settings_say_whose_pods_are_taken_over(  # noqa: PLR0917
    reviewed: Review,
    pod: PodMaker,
    container: ContainerMaker,
    settings: AdmissionSettings,
    named: str,
    becomes: str,
) -> None:
    """All but those of other schedulers, none but ours, or every one; and what ours is called."""
    answer = reviewed(_scheduled(pod(container(limits=SLICE)), named), settings=settings)
    assert answer.pod["spec"]["schedulerName"] == becomes


@pytest.mark.parametrize("label", ["hetero.io/webhook", "hami.io/webhook"])
def test_a_label_opts_out(reviewed: Review, pod: PodMaker, container: ContainerMaker, label: str) -> None:
    """Ours and the one that manifests have today; any other value opts out of nothing."""
    wrong = container(limits={NPU: "-1"})
    assert reviewed(pod(wrong, labels={label: "ignore"})).response == {"uid": "7f0b", "allowed": True}
    assert not reviewed(pod(wrong, labels={label: "please"})).allowed


@pytest.mark.parametrize(
    "request_fields",
    [
        {"operation": "UPDATE"},
        {"operation": "DELETE", "object": None},
        {"operation": "CONNECT"},
        {"subResource": "status"},
        {"subResource": "ephemeralcontainers", "operation": "UPDATE"},
        {"resource": {"group": "apps", "version": "v1", "resource": "deployments"}},
        {"resource": {"group": "metrics.k8s.io", "version": "v1", "resource": "pods"}},
    ],
)
def test_only_new_pods_are_looked_at(
    reviewed: Review, pod: PodMaker, container: ContainerMaker, request_fields: dict[str, Any]
) -> None:
    """Changes, parts and other kinds pass, whatever the webhook's registration lets through."""
    wrong = pod(container(limits={NPU: "-1"}))
    answer = reviewed(**{"pod": wrong, **request_fields})
    assert answer.response == {"uid": "7f0b", "allowed": True}


def test_all_problems_come_at_once_with_their_fields(
    reviewed: Review, pod: PodMaker, container: ContainerMaker
) -> None:
    """Of annotations, of the spec and of each container, as the API server's own validation gives them."""
    document = pod(
        container(limits={NPU: "1.5"}, securityContext={"privileged": True}),
        container("b", {MEMORY: "x", CORES: "101"}),
        annotations={"hetero.io/node-policy": "best", "hetero.io/placement": "{}"},
    )
    document["spec"]["nodeName"] = "n1"
    answer = reviewed(document)
    assert answer.fields == [
        "metadata.annotations[hetero.io/placement]",
        "spec.nodeName",
        f"{MAIN}.securityContext.privileged",
        "metadata.annotations[hetero.io/node-policy]",
        f"{MAIN}.resources.limits[{NPU}]",
        f"spec.containers[1].resources.limits[{MEMORY}]",
        f"spec.containers[1].resources.limits[{CORES}]",
    ]
    status = answer.response["status"]
    assert (status["status"], status["reason"], status["code"]) == ("Failure", "Invalid", 422)
    assert all(cause["reason"] == "FieldValueInvalid" for cause in status["details"]["causes"])
    assert all(field in status["message"] for field in answer.fields)
    assert "patch" not in answer.response


def test_a_refused_pod_is_named(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """By its name, or by what its name will begin with while the API server has not made it up."""
    wrong = container(limits={NPU: "-1"})
    assert reviewed(pod(wrong)).response["status"]["details"]["name"] == "p"
    assert reviewed(pod(wrong), name="q").response["status"]["details"]["name"] == "q"
    unnamed = {**pod(wrong), "metadata": {"generateName": "web-"}}
    assert reviewed(unnamed).response["status"]["details"]["name"] == "web-"


def test_a_pod_that_has_no_name_yet_is_completed(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """Those of a workload come so."""
    answer = reviewed({**pod(container(limits={MEMORY: "1024"})), "metadata": {"generateName": "web-"}})
    assert answer.pod["spec"]["containers"][0]["resources"]["limits"][NPU] == "1"


def test_a_refusal_is_logged_with_the_pod_and_counted(
    reviewed: Review, pod: PodMaker, container: ContainerMaker
) -> None:
    """Whoever runs the cluster finds the pod's name beside the sentence."""
    before = metrics.refused_requests.value("Invalid")
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        reviewed(pod(container(limits={NPU: "-1"})))
    [line] = lines
    assert (line["namespace"], line["pod"], line["log_level"]) == ("team", "p", "warning")
    assert "is negative" in line["message"]
    assert metrics.refused_requests.value("Invalid") == before + 1


def test_resources_of_nobody_here_are_somebody_elses(
    reviewed: Review, pod: PodMaker, container: ContainerMaker
) -> None:
    """In a cluster other plugins count resources that no vendor here knows."""
    answer = reviewed(pod(container(limits={**SLICE, "elsewhere.example/fpga": "1"})))
    assert answer.allowed
    assert "warnings" not in answer.response


@pytest.mark.parametrize("limits", [{"fake.example/npumemory": "1024"}, {**SLICE, "fake.example/npumemory": "1024"}])
def test_a_misspelt_resource_is_doubted(
    reviewed: Review, pod: PodMaker, container: ContainerMaker, limits: dict[str, str]
) -> None:
    """With a warning, for it may be another plugin's after all; it is shown to whoever creates the pod."""
    answer = reviewed(pod(container(limits=limits)))
    assert answer.allowed
    [warning] = answer.response["warnings"]
    assert warning == f"fake.example/npumemory is no resource of Fake NPU; did you mean {MEMORY}?"


@pytest.mark.parametrize("limits", [SLICE, {"fake.example/other": "1"}])
def test_a_misspelt_annotation_is_doubted_and_never_refused(
    reviewed: Review, pod: PodMaker, container: ContainerMaker, limits: dict[str, str]
) -> None:
    """Nothing else would say that it changes nothing; whoever creates the pod is shown what was meant."""
    notes = {"hetero.io/node-polcy": "spread", "fake.example/use-model": "X", "prometheus.io/scrape": "true"}
    answer = reviewed(pod(container(limits=limits), annotations=notes))
    assert answer.allowed
    assert answer.response["warnings"] == [
        "annotation fake.example/use-model is none of Fake NPU; did you mean fake.example/use-models?",
        "annotation hetero.io/node-polcy is none of hetero; did you mean hetero.io/node-policy?",
    ]


def test_a_label_among_the_annotations_is_told_so(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """Who wants the webhook to leave a pod alone would wonder why it does not."""
    answer = reviewed(pod(container(limits=SLICE), annotations={"hetero.io/webhook": "ignore"}))
    [warning] = answer.response["warnings"]
    assert warning.endswith("means nothing: it is a label; move it to metadata.labels")


def test_a_warning_is_as_short_as_clients_show(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """However long a name is."""
    limits = {f"fake.example/npumem{'-' * 3}": "1", "fake.example/" + "npu" * 90: "1"}
    answer = reviewed(pod(container(limits=limits), annotations={"hetero.io/" + "x" * 300: "1"}))
    assert len(answer.response["warnings"]) >= 2
    assert all(len(warning) <= 250 for warning in answer.response["warnings"])


def test_only_some_names_are_doubted(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """Each is compared with all that a vendor has, and a pod may have tens of thousands."""
    answer = reviewed(pod(container(limits={f"fake.example/npumem{number:03}": "1" for number in range(1000)})))
    assert len(answer.response["warnings"]) == 16


def test_a_pod_of_very_many_containers_is_refused_unread(
    reviewed: Review, pod: PodMaker, container: ContainerMaker
) -> None:
    """One sentence, whatever is wrong with each of them; without devices there may be any number."""
    many = [container(f"c{number}", limits={NPU: "much"}) for number in range(257)]
    [cause] = reviewed(pod(*many)).response["status"]["details"]["causes"]
    assert cause["field"] == "spec.containers"
    assert cause["message"].startswith("257 are too many containers")
    assert len(reviewed(pod(*many[1:])).response["status"]["details"]["causes"]) == 256
    assert reviewed(pod(*(container(f"c{number}") for number in range(257)))).allowed


def test_the_log_shows_the_beginning_of_a_long_refusal(
    reviewed: Review, pod: PodMaker, container: ContainerMaker
) -> None:
    """Anybody can make it long; the client is told all of it."""
    with capture_logs() as lines:
        answer = reviewed(pod(*(container(f"c{number}", limits={NPU: "much"}) for number in range(200))))
    [line] = [line for line in lines if line["event"] == "pod refused"]
    assert len(line["message"]) == 2048 < len(answer.response["status"]["message"])


def _full(namespace: str, ask: PodAsk) -> Refusal | None:
    return Refusal(reason=Reason.QUOTA, message=f"{ask.name} exceeds quota q of {namespace}")


def test_a_quota_refuses(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """As Kubernetes' own quotas do: forbidden, with the words that people grep for."""
    answer = reviewed(pod(container(limits=SLICE)), quota_check=_full)
    assert not answer.allowed
    status = answer.response["status"]
    assert (status["reason"], status["code"]) == ("Forbidden", 403)
    assert status["message"] == "p exceeds quota q of team [ResourceQuotaNotFit]"
    assert answer.patch == []


def test_a_quota_is_asked_once_for_sound_pods_alone(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """With the namespace of the request, which the pod itself may leave out; a pod without devices takes nothing."""
    asked: list[tuple[str, PodAsk]] = []

    def check(namespace: str, ask: PodAsk) -> Refusal | None:
        asked.append((namespace, ask))
        return None

    for limits in ({NPU: "-1"}, {"cpu": "1"}, {NPU: "0"}, {"fake.example/npu-priority": "1"}):
        reviewed(pod(container(limits=limits)), quota_check=check)
    assert asked == []
    sound = pod(container(limits=SLICE))
    sound["spec"]["priorityClassName"] = "high"
    assert reviewed(sound, quota_check=check).patch
    [(namespace, ask)] = asked
    assert (namespace, ask.namespace, ask.name) == ("team", "team", "p")
    assert (ask.traits.priority_class, ask.traits.best_effort) == ("high", True)


class _Broken(Resources):
    def ask(self, request: ContainerRequest) -> Any:
        raise ZeroDivisionError("inside")


def test_a_vendors_defect_is_an_answer(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """The pod cannot be judged, so it is refused in one sentence that names the vendor; other pods do not notice."""
    words = fake_resources()
    broken = _Broken(vendor="fake", count=words.count, memory=words.memory)
    vendors = {"fake": replace(fake_vendor(), resources=(broken,)), "other": fake_vendor("other")}
    answer = reviewed(pod(container(limits=SLICE)), vendors=vendors)
    status = answer.response["status"]
    assert (answer.allowed, status["reason"], status["code"]) == (False, "InternalError", 500)
    assert status["message"].startswith("plugin fake: it failed to read spec.containers[0].resources")
    assert reviewed(pod(container(limits={"other.example/npu": "1"})), vendors=vendors).patch


def test_a_pod_that_cannot_be_read_is_refused(reviewed: Review) -> None:
    """No API server sends one; it is told what is wrong where, and nothing is thrown."""
    answer = reviewed({"metadata": {"name": "p"}, "spec": {"containers": "none"}})
    assert answer.fields == ["request.object"]
    assert "$.spec.containers" in answer.messages[0]


def test_the_older_version_is_answered_in_kind(reviewed: Review, pod: PodMaker, container: ContainerMaker) -> None:
    """The answer has the version of the question."""
    answer = reviewed(pod(container(limits=SLICE)), version="v1beta1")
    assert answer.answer["apiVersion"] == "admission.k8s.io/v1beta1"
    assert answer.response["patchType"] == "JSONPatch"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "AdmissionReview"),
        (b"[]", "AdmissionReview"),
        (b"\xff", "AdmissionReview"),
        (b'{"kind": "AdmissionReview"}', "AdmissionReview"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": null}', "AdmissionReview"),
        (b'{"kind": "Pod", "apiVersion": "admission.k8s.io/v1", "request": {"uid": "u"}}', "kind"),
        (b'{"kind": "AdmissionReview", "apiVersion": "v2", "request": {"uid": "u"}}', "apiVersion"),
        (b'{"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {"uid": ""}}', "request.uid"),
        (b"[" * 100_000, "AdmissionReview"),
    ],
)
def test_what_is_no_review_is_told_so(body: bytes, field: str) -> None:
    """Without an answer, for there is nobody to give it to: the sentence is for whoever sent it."""
    with pytest.raises(InvalidValue) as caught:
        review(body, {"fake": fake_vendor()}, AdmissionSettings())
    assert caught.value.field == field
    assert len(str(caught.value)) < 500


def test_a_vocabulary_serves_many_reviews(pod: PodMaker, container: ContainerMaker) -> None:
    """One made at the start answers as one made for the occasion, the same each time."""
    request = {
        "uid": "u",
        "resource": {"resource": "pods"},
        "operation": "CREATE",
        "object": pod(container(limits=SLICE)),
    }
    body = json.dumps({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}).encode()
    vendors, settings = {"fake": fake_vendor()}, AdmissionSettings()
    reviewer = Reviewer(vendors, settings)
    assert {reviewer.review(body) for _ in range(3)} == {review(body, vendors, settings)}
