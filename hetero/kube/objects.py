"""The objects of the API as far as hetero reads them. Fields that are not here are skipped while decoding.

Source: Kubernetes API reference, core/v1; the names are those of its JSON.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Object(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """What all structs here share: spelling as in the API, unknown fields skipped, nothing written that is empty.

    JSON has no cycles, so the collector of cycles leaves them alone: 40,000 pods are listed in half the time.
    """


class Metadata(Object, frozen=True, kw_only=True):
    """``metadata`` of any object; times as text (RFC 3339), empty where the API has none."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None

    @property
    def notes(self) -> dict[str, str]:
        """The annotations; empty when there are none."""
        return self.annotations or {}


class Requirements(Object, frozen=True):
    """``resources`` of a container."""

    limits: dict[str, Any] | None = None
    requests: dict[str, Any] | None = None


class Container(Object, frozen=True):
    """A container or init container."""

    name: str = ""
    resources: Requirements | None = None
    restart_policy: str | None = None


class PodSpec(Object, frozen=True):
    """``spec`` of a pod."""

    node_name: str | None = None
    scheduler_name: str | None = None
    priority: int | None = None
    priority_class_name: str | None = None
    active_deadline_seconds: int | None = None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] | None = None


class PodStatus(Object, frozen=True):
    """``status`` of a pod."""

    phase: str | None = None
    nominated_node_name: str | None = None


class Pod(Object, frozen=True):
    """A pod."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def over(self) -> bool:
        """True when nothing of it runs or will run again, so that it holds no device."""
        return self.status.phase in ("Succeeded", "Failed")


class Node(Object, frozen=True):
    """A node."""

    metadata: Metadata


class QuotaScope(Object, frozen=True):
    """One expression of a quota's ``scopeSelector``."""

    scope_name: str = ""
    operator: str = ""
    values: tuple[str, ...] | None = None


class QuotaScopes(Object, frozen=True):
    """A quota's ``scopeSelector``."""

    match_expressions: tuple[QuotaScope, ...] | None = None


class QuotaSpec(Object, frozen=True):
    """``spec`` of a ResourceQuota."""

    hard: dict[str, Any] | None = None
    scopes: tuple[str, ...] | None = None
    scope_selector: QuotaScopes | None = None


class ResourceQuota(Object, frozen=True):
    """A ResourceQuota."""

    metadata: Metadata
    spec: QuotaSpec = QuotaSpec()


class ListMetadata(Object, frozen=True):
    """``metadata`` of a list: where a watch goes on, and where the next page is."""

    resource_version: str = ""
    continue_: str | None = msgspec.field(default=None, name="continue")


class Binding(Object, frozen=True):
    """What is posted to ``pods/{name}/binding``.

    The API server merges the annotations into the pod's in the same transaction that sets its node, and refuses with a
    conflict when the UID is another pod's.
    Source: Kubernetes, pkg/registry/core/pod/storage, BindingREST.
    """

    metadata: Metadata
    target: dict[str, str]
