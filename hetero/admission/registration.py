"""What a cluster must be told so that it asks the webhook and the extender, and lets nobody forge a placement.

Objects of the API as plain mappings, made from the vendors' words. Pure.
Sources: Kubernetes API reference, admissionregistration.k8s.io/v1; conditions and policies are stable since 1.30.
kube-scheduler Configuration (v1), "ExtenderManagedResource".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hetero.admission.review import IGNORE
from hetero.admission.words import Words
from hetero.model.annotations import PLACEMENT
from hetero.vendor import Vendor

GROUP = "admissionregistration.k8s.io/v1"
NAME = "pods.hetero.io"
PATH = "/webhook"
"""Where the webhook listens."""

TIMEOUT_S = 5
"""Seconds that the API server waits. A review takes less than a millisecond; what may take longer is the network."""


def webhook(
    vendors: Mapping[str, Vendor], client: Mapping[str, Any], *, spared: Iterable[str] = ("kube-system",)
) -> dict[str, Any]:
    """The MutatingWebhookConfiguration.

    Only pods that name a resource in an installed vendor's domain are sent, so a scheduler that is away holds up no
    others; those it does hold up, for admitted unseen they would wait for ever or take devices that nobody charged.

    Args:
        vendors: The installed vendors by name; at least one.
        client: ``clientConfig``: a ``url`` or a ``service``, and the ``caBundle``.
        spared: Namespaces that are left alone, such as the one that the scheduler itself runs in.
    """
    hook = {
        "name": NAME,
        "admissionReviewVersions": ["v1"],
        "clientConfig": dict(client),
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["pods"],
                "operations": ["CREATE"],
                "scope": "Namespaced",
            }
        ],
        "matchConditions": [{"name": "asks-devices", "expression": condition(vendors)}],
        "namespaceSelector": {
            "matchExpressions": [*_ignoring(), _not_in("kubernetes.io/metadata.name", sorted(spared))]
        },
        "objectSelector": {"matchExpressions": _ignoring()},
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "reinvocationPolicy": "IfNeeded",
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_S,
    }
    return {
        "apiVersion": GROUP,
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": NAME},
        "webhooks": [hook],
    }


def condition(vendors: Mapping[str, Vendor]) -> str:
    """True in CEL for a pod of which a container names a resource in the domain of an installed vendor."""
    domains = sorted({name.rpartition("/")[0] for name in Words(vendors).owners})
    ours = " || ".join(f"r.startsWith('{domain}/')" for domain in domains)
    amounts = " || ".join(
        f"(has(c.resources.{kind}) && c.resources.{kind}.exists(r, {ours}))" for kind in ("limits", "requests")
    )
    containers = "(object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : []))"
    return f"{containers}.exists(c, has(c.resources) && ({amounts}))"


def managed_resources(vendors: Mapping[str, Vendor]) -> list[dict[str, Any]]:
    """``managedResources`` of kube-scheduler's extender: all resources of the vendors, each once.

    Those that a node's status has totals of, kube-scheduler counts as well; the others it leaves to the extender.
    """
    families = [family for vendor in vendors.values() for family in vendor.resources]
    totals = {name for family in families for name in (family.count, family.memory, family.cores)}
    names = dict.fromkeys(one.name for family in families for one in family.names())
    return [{"name": name, "ignoredByScheduler": name not in totals} for name in names]


def placement_policy() -> list[dict[str, Any]]:
    """The ValidatingAdmissionPolicy, and its binding, by which a pod's placement stays what its Binding said.

    A Binding is no update of a pod, so the scheduler itself needs no exception.
    """
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods", "pods/status"],
        "operations": ["UPDATE"],
        "scope": "Namespaced",
    }
    spec = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [
            {
                "expression": f"{_placement('object')} == {_placement('oldObject')}",
                "message": f"{PLACEMENT} is written by the scheduler alone",
                "reason": "Forbidden",
            }
        ],
    }
    name = "placement.hetero.io"
    binding = {"policyName": name, "validationActions": ["Deny"]}
    return [
        {"apiVersion": GROUP, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec},
        {"apiVersion": GROUP, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": binding},
    ]


def _placement(pod: str) -> str:
    annotations = f"{pod}.metadata.annotations"
    return f"(has({annotations}) && '{PLACEMENT}' in {annotations} ? {annotations}['{PLACEMENT}'] : '')"


def _ignoring() -> list[dict[str, Any]]:
    return [_not_in(label, [value]) for label, value in IGNORE]


def _not_in(label: str, values: list[str]) -> dict[str, Any]:
    return {"key": label, "operator": "NotIn", "values": values}
