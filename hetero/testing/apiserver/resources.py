"""Which kinds of objects the server has, and what a path means."""

from __future__ import annotations

import re
from urllib.parse import unquote

import msgspec

from hetero.testing.apiserver.refusals import refused


class Resource(msgspec.Struct, frozen=True):
    """One kind of objects.

    Args:
        plural: As in paths.
        kind: As in ``kind``.
        namespaced: Whether its objects live in namespaces.
        api_version: ``v1``, or group and version.
        subresources: Those that can be written.
    """

    plural: str
    kind: str
    namespaced: bool
    api_version: str = "v1"
    subresources: tuple[str, ...] = ()

    @property
    def has_status(self) -> bool:
        """True when its status is written through a subresource alone."""
        return "status" in self.subresources


RESOURCES = {
    (one.api_version, one.plural): one
    for one in (
        Resource("pods", "Pod", True, subresources=("status", "binding")),
        Resource("nodes", "Node", False, subresources=("status",)),
        Resource("namespaces", "Namespace", False, subresources=("status",)),
        Resource("resourcequotas", "ResourceQuota", True, subresources=("status",)),
        Resource("events", "Event", True),
        Resource("configmaps", "ConfigMap", True),
        Resource("secrets", "Secret", True),
        Resource("leases", "Lease", True, "coordination.k8s.io/v1"),
        Resource("daemonsets", "DaemonSet", True, "apps/v1", ("status",)),
        Resource("deployments", "Deployment", True, "apps/v1", ("status",)),
        Resource("jobs", "Job", True, "batch/v1", ("status",)),
        Resource("cronjobs", "CronJob", True, "batch/v1", ("status",)),
        Resource(
            "mutatingwebhookconfigurations",
            "MutatingWebhookConfiguration",
            False,
            "admissionregistration.k8s.io/v1",
        ),
        Resource("priorityclasses", "PriorityClass", False, "scheduling.k8s.io/v1"),
    )
}
"""By version and plural."""

_PATH = re.compile(r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/[^/]+))/(?P<rest>.+)")


class Target(msgspec.Struct, frozen=True):
    """What a path names.

    Args:
        resource: The kind.
        namespace: Empty for all of them, and for kinds that live in none.
        name: Empty for the collection.
        subresource: Empty for the object itself.
    """

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """The object's place in its collection."""
        return self.namespace, self.name


def target(path: str) -> Target:
    """What a path names.

    Raises:
        Refused: There is no such path (404).
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise refused(404, "the server could not find the requested resource")
    version = match["core"] or match["group"]
    parts = [unquote(part) for part in match["rest"].rstrip("/").split("/")]
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 2 and parts[2] != "status":
        namespace, parts = parts[1], parts[2:]
    return _named(version, namespace, parts)


def _named(version: str, namespace: str, parts: list[str]) -> Target:
    plural, name, subresource = (*parts, "", "")[:3]
    resource = RESOURCES.get((version, plural))
    known = resource is not None and (not subresource or subresource in resource.subresources)
    if resource is None or not known or len(parts) > 3 or (namespace and not resource.namespaced):
        raise refused(404, "the server could not find the requested resource")
    return Target(resource, namespace, name, subresource)
