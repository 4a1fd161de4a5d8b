"""Whatever is sent to the webhook is answered, and what it gives a pod is what Kubernetes takes."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hetero.admission.review import review
from hetero.config import AdmissionSettings
from hetero.errors import InvalidValue
from hetero.testing.apiserver import pods as api
from hetero.testing.apiserver.refusals import Refused
from hetero.testing.fake import fake_vendor

if TYPE_CHECKING:
    from tests.admission.conftest import Review

# How long a machine takes says nothing about the code.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

VENDORS = {name: fake_vendor(name) for name in ("fake", "other")}
NAMES = [name.name for vendor in VENDORS.values() for name in vendor.resources[0].names()]
KEYS = (
    "uid kind apiVersion request resource resources subResource operation namespace name object metadata spec limits "
    "requests containers initContainers annotations labels schedulerName nodeName securityContext privileged"
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(60, 2000).map(lambda bits: 1 << bits),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(), max_size=6),
    st.sampled_from(["CREATE", "pods", "AdmissionReview", "admission.k8s.io/v1", "Always", "1", "-1", "1e3", "9" * 99]),
)
keys = st.sampled_from([*KEYS.split(), *NAMES]) | st.text(max_size=4)
shapes = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))

SOUND: dict[str, Any] = {
    "kind": "AdmissionReview",
    "apiVersion": "admission.k8s.io/v1",
    "request": {
        "uid": "u",
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "team",
        "object": {
            "metadata": {
                "generateName": "web-",
                "annotations": {"hetero.io/node-policy": "spread"},
                "labels": {"a": "b"},
            },
            "spec": {
                "schedulerName": "default-scheduler",
                "initContainers": [{"name": "s", "restartPolicy": "Always", "securityContext": {"privileged": False}}],
                "containers": [{"name": "c", "resources": {"limits": {NAMES[0]: "1"}, "requests": {NAMES[0]: "1"}}}],
            },
        },
    },
}

Path = tuple[Any, ...]


def _paths(value: Any, path: Path = ()) -> list[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inner for deeper in _paths(item, (*path, key)))]


def _replaced(path: Path, value: object) -> Any:
    if not path:
        return value
    document = copy.deepcopy(SOUND)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


def _answered(body: bytes) -> None:
    """There is an answer to this very request, or one sentence; nothing else is raised."""
    try:
        answer = json.loads(review(body, VENDORS, AdmissionSettings()))
    except InvalidValue as error:
        _check(error)
        return
    asked = json.loads(body)
    assert answer["kind"] == "AdmissionReview"
    assert answer["apiVersion"] == asked["apiVersion"]
    response = answer["response"]
    assert response["uid"] == asked["request"]["uid"]
    assert response["allowed"] != ("status" in response)
    assert response["allowed"] or "patch" not in response


def _check(error: InvalidValue) -> None:
    assert error.reason
    assert len(str(error).encode(errors="replace")) < 2000


def test_the_sound_review_is_answered_with_a_patch() -> None:
    """The documents below differ from this one in a single place."""
    assert b'"patchType":"JSONPatch"' in review(json.dumps(SOUND).encode(), VENDORS, AdmissionSettings())


@unhurried
@given(st.binary(max_size=60))
def test_any_bytes_are_answered(body: bytes) -> None:
    """JSON or not."""
    _answered(body)


@unhurried
@given(shapes)
def test_any_json_is_answered(document: object) -> None:
    """Of any shape."""
    _answered(json.dumps(document).encode())


@settings(unhurried, max_examples=400)
@given(st.sampled_from(_paths(SOUND)), shapes)
def test_any_value_in_any_place_is_answered(path: Path, value: object) -> None:
    """The same where all around it is sound, so that every reader meets every shape."""
    _answered(json.dumps(_replaced(path, value)).encode())


amounts = st.one_of(
    st.integers(0, 120).map(str),
    st.integers(0, 120),
    st.sampled_from(["2k", "1Ki", "3000m", "2e1", "0", "1.5", "-1", "x", "", None, True, "5000m"]),
)
resource_names = st.sampled_from([*NAMES, "cpu", "memory", "else.example/a~b", "fake.example/npumemory"])
quantities = st.none() | st.dictionaries(resource_names, amounts, max_size=4)
resources = st.none() | st.fixed_dictionaries({}, optional={"limits": quantities, "requests": quantities})
containers = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c", "d", "e"])},
    optional={
        "resources": resources,
        "restartPolicy": st.sampled_from([None, "Always"]),
        "securityContext": st.none() | st.fixed_dictionaries({}, optional={"privileged": st.none() | st.booleans()}),
        "image": st.just("i"),
    },
)
metadata = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("p"),
        "generateName": st.just("p-"),
        "annotations": st.none()
        | st.dictionaries(st.sampled_from(["hetero.io/node-policy", "a/b"]), st.just("spread")),
        "labels": st.none() | st.dictionaries(st.just("hetero.io/webhook"), st.sampled_from(["ignore", "x"])),
    },
)
specs = st.fixed_dictionaries(
    {"containers": st.lists(containers, min_size=1, max_size=3)},
    optional={
        "initContainers": st.none() | st.lists(containers, max_size=3),
        "schedulerName": st.sampled_from([None, "", "default-scheduler", "hetero-scheduler", "volcano"]),
        "nodeName": st.sampled_from([None, "", "n"]),
    },
)
pods = st.fixed_dictionaries({"metadata": metadata, "spec": specs})


def _touched(patch: list[dict[str, Any]]) -> set[tuple[str, int]]:
    steps = [operation["path"].split("/") for operation in patch]
    return {(step[2], int(step[3])) for step in steps if step[2] in ("containers", "initContainers")}


def _whole(amount: object) -> bool:
    return isinstance(amount, str) and amount.isdigit()


@settings(unhurried, max_examples=500)
@given(pods)
def test_what_a_pod_is_given_is_what_kubernetes_takes(reviewed: Review, pod: dict[str, Any]) -> None:
    """The patch applies; limits are requests, in whole numbers; nothing is lost; a second review has nothing to add."""
    answer = reviewed(pod)
    for operation in answer.patch:
        last = operation["value"]
        for amount in [last] if isinstance(last, str) else [*last.values()]:
            inner = amount.values() if isinstance(amount, dict) else [amount]
            assert all(map(_whole, inner)) or operation["path"] == "/spec/schedulerName"
    for key, index in _touched(answer.patch):
        given_ = answer.pod["spec"][key][index]["resources"]
        for name in NAMES:
            limit, request = ((given_.get(kind) or {}).get(name) for kind in ("limits", "requests"))
            assert (limit is None) == (request is None)
            assert limit is None or _number(limit) == _number(request)
    _same_but_for_additions(pod, answer.pod)
    assert _taken(answer.pod) or not _taken(pod)
    if answer.allowed:
        again = reviewed(answer.pod)
        assert (again.allowed, again.patch) == (True, [])


def _taken(pod: dict[str, Any]) -> bool:
    """Whether an API server stores a new pod."""
    try:
        api.check(api.defaulted(pod))
    except Refused:
        return False
    return True


def _number(amount: object) -> Decimal:
    """Of the spellings above."""
    text = str(amount)
    for suffix, factor in (("Ki", Decimal(1024)), ("k", Decimal(1000)), ("m", Decimal("0.001"))):
        if text.endswith(suffix):
            return Decimal(text.removesuffix(suffix)) * factor
    return Decimal(text)


def _same_but_for_additions(before: Any, after: Any) -> None:
    """Whatever was said is still said, but for the scheduler's name."""
    if isinstance(before, dict):
        for key, value in before.items():
            if key != "schedulerName":
                _same_but_for_additions(value, after[key])
    elif isinstance(before, list):
        assert len(before) == len(after)
        for one, other in zip(before, after, strict=True):
            _same_but_for_additions(one, other)
    elif before is not None:
        assert before == after
