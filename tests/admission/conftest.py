"""Manifests as a YAML loader returns them."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pytest

from hetero.admission.review import QuotaCheck, review
from hetero.config import AdmissionSettings
from hetero.testing.fake import fake_vendor
from hetero.vendor import Vendor


class PodMaker(Protocol):
    def __call__(
        self, *containers: dict[str, Any], init: list[dict[str, Any]] | None = None, **metadata: Any
    ) -> dict[str, Any]: ...


class ContainerMaker(Protocol):
    def __call__(self, name: str = "main", limits: Any = None, **fields: Any) -> dict[str, Any]: ...


class WorkloadMaker(Protocol):
    def __call__(self, kind: str, *, name: str = "web", api: str = "apps/v1", **spec: Any) -> dict[str, Any]: ...


@pytest.fixture
def container() -> ContainerMaker:
    """A container with limits."""

    def make(name: str = "main", limits: Any = None, **fields: Any) -> dict[str, Any]:
        resources = {} if limits is None else {"resources": {"limits": limits}}
        return {"name": name, "image": "image", **resources, **fields}

    return make


@pytest.fixture
def pod(container: ContainerMaker) -> PodMaker:
    """A Pod with these containers, or one that asks nothing."""

    def make(*containers: dict[str, Any], init: list[dict[str, Any]] | None = None, **metadata: Any) -> dict[str, Any]:
        spec: dict[str, Any] = {"containers": list(containers) or [container()]}
        if init is not None:
            spec["initContainers"] = init
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", **metadata}, "spec": spec}

    return make


@pytest.fixture
def workload(container: ContainerMaker) -> WorkloadMaker:
    """A workload whose template has one container that asks nothing."""

    def make(kind: str, *, name: str = "web", api: str = "apps/v1", **spec: Any) -> dict[str, Any]:
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container()]}}
        return {
            "apiVersion": api,
            "kind": kind,
            "metadata": {"name": name},
            "spec": {"template": template, **spec},
        }

    return make


@pytest.fixture
def vendors() -> dict[str, Vendor]:
    """Two vendors with the same words in two domains."""
    return {name: fake_vendor(name) for name in ("fake", "other")}


@dataclass(frozen=True)
class Reviewed:
    """What the webhook answered, and what the API server would make of it."""

    answer: dict[str, Any]
    pod: Any
    patch: list[dict[str, Any]]

    @property
    def response(self) -> dict[str, Any]:
        """The verdict."""
        response: dict[str, Any] = self.answer["response"]
        return response

    @property
    def allowed(self) -> bool:
        """True when the pod is let in."""
        allowed: bool = self.response["allowed"]
        return allowed

    @property
    def fields(self) -> list[str]:
        """Where something is wrong."""
        return [cause["field"] for cause in self.response["status"]["details"]["causes"]]

    @property
    def messages(self) -> list[str]:
        """What is wrong there."""
        return [cause["message"] for cause in self.response["status"]["details"]["causes"]]


class Review(Protocol):
    def __call__(
        self,
        pod: Any,
        *,
        settings: AdmissionSettings | None = None,
        vendors: Mapping[str, Vendor] | None = None,
        quota_check: QuotaCheck | None = None,
        version: str = "v1",
        **request: Any,
    ) -> Reviewed: ...


@pytest.fixture(scope="session")
def reviewed() -> Review:
    """A pod's review, as the API server asks for it and acts upon it."""
    installed = {name: fake_vendor(name) for name in ("fake", "other")}

    def ask(
        pod: Any,
        *,
        settings: AdmissionSettings | None = None,
        vendors: Mapping[str, Vendor] | None = None,
        quota_check: QuotaCheck | None = None,
        version: str = "v1",
        **request: Any,
    ) -> Reviewed:
        usual = {
            "uid": "7f0b",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": "team",
            "object": pod,
            "dryRun": False,
        }
        body = {"apiVersion": f"admission.k8s.io/{version}", "kind": "AdmissionReview", "request": {**usual, **request}}
        sent = json.dumps(body).encode()
        answer = json.loads(review(sent, vendors or installed, settings or AdmissionSettings(), quota_check))
        patch = json.loads(base64.b64decode(answer["response"].get("patch", "W10=")))
        return Reviewed(answer, _patched(json.loads(sent)["request"]["object"], patch), patch)

    return ask


def _patched(document: Any, patch: list[dict[str, Any]]) -> Any:
    """The document after a patch of nothing but ``add``; whatever RFC 6902 would not apply is an error."""
    document = copy.deepcopy(document)
    for operation in patch:
        assert set(operation) == {"op", "path", "value"}
        assert operation["op"] == "add"
        assert operation["path"].startswith("/")
        *parents, last = (step.replace("~1", "/").replace("~0", "~") for step in operation["path"][1:].split("/"))
        place = document
        for step in parents:
            place = place[int(step)] if isinstance(place, list) else place[step]
        assert isinstance(place, dict)
        place[last] = operation["value"]
    return document
