"""Pods and nodes as a scheduler needs them: whole, since the extender is sent all of the pod."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from hetero.kube.objects import Metadata, Object
from hetero.model.quantity import parse_quantity

Amounts = dict[str, Decimal]
"""Amounts by the name of the resource, in the resource's own unit (cores, bytes, devices)."""

PODS = "pods"


class Whole(Object, frozen=True):
    """Any object of the API with all of its specification and status."""

    metadata: Metadata
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
    status: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def name(self) -> str:
        """``metadata.name``."""
        return self.metadata.name

    @property
    def node(self) -> str:
        """Where a pod is bound; empty when it is not."""
        return str(self.spec.get("nodeName") or "")

    @property
    def over(self) -> bool:
        """True for a pod of which nothing runs or will run."""
        return self.status.get("phase") in ("Succeeded", "Failed")


def allocatable(node: Whole) -> Amounts:
    """What a node says that it has."""
    return _amounts(node.status.get("allocatable") or node.status.get("capacity"))


def requests(pod: Whole) -> Amounts:
    """What a pod takes of its node: the sum of its containers, or the most that starting it takes.

    Source: Kubernetes, "Init Containers" and "Sidecar Containers", resource sharing within containers.
    """
    total: Amounts = {}
    for container in pod.spec.get("containers") or ():
        total = _sum(total, _requested(container))
    peak: Amounts = {}
    beside: Amounts = {}
    for container in pod.spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            beside = _sum(beside, _requested(container))
            peak = _most(peak, beside)
        else:
            peak = _most(peak, _sum(beside, _requested(container)))
    return {**_most(_sum(total, beside), peak), PODS: Decimal(1)}


def asked_names(pod: Whole) -> frozenset[str]:
    """Every resource that a container of the pod names."""
    containers: Iterable[Mapping[str, Any]] = [
        *(pod.spec.get("containers") or ()),
        *(pod.spec.get("initContainers") or ()),
    ]
    parts = [part for one in containers for part in (one.get("resources") or {}).values() if isinstance(part, dict)]
    return frozenset(name for part in parts for name in part)


def _requested(container: Mapping[str, Any]) -> Amounts:
    resources = container.get("resources") or {}
    return _amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _amounts(given: Mapping[str, Any] | None) -> Amounts:
    return {name: parse_quantity(value, name) for name, value in (given or {}).items()}


def _sum(one: Amounts, other: Amounts) -> Amounts:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {*one, *other}}


def _most(one: Amounts, other: Amounts) -> Amounts:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in {*one, *other}}
