"""Manifests as a YAML loader returns them."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

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
