"""Whether a node takes a pod, as far as kube-scheduler's own filters go that matter here.

Source: Kubernetes, "Assigning Pods to Nodes" and "Taints and Tolerations".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from hetero.testing.kubescheduler.records import Amounts, Whole

_OPERATORS: dict[str, Callable[[str | None, list[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: value is not None and int(value) > int(values[0]),
    "Lt": lambda value, values: value is not None and int(value) < int(values[0]),
}


def obstacle(pod: Whole, node: Whole, wanted: Amounts, free: Amounts) -> str:
    """Why a node does not take a pod, in kube-scheduler's words; empty when it does.

    Args:
        pod: The pod.
        node: The node.
        wanted: What the pod takes, without the resources that an extender alone looks after.
        free: What the node has left.
    """
    if node.spec.get("unschedulable"):
        return "node(s) were unschedulable"
    if not _selected(pod, node):
        return "node(s) didn't match Pod's node affinity/selector"
    if taint := _untolerated(pod, node):
        return f"node(s) had untolerated taint {{{taint}}}"
    for name, amount in wanted.items():
        if amount > free.get(name, Decimal(0)):
            return "Too many pods" if name == "pods" else f"Insufficient {name}"
    return ""


def _selected(pod: Whole, node: Whole) -> bool:
    labels = node.metadata.labels or {}
    selector: Mapping[str, str] = pod.spec.get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return False
    affinity = (pod.spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return required is None or any(_term(term, node) for term in required["nodeSelectorTerms"])


def _term(term: Mapping[str, Any], node: Whole) -> bool:
    expressions = term.get("matchExpressions") or ()
    fields = term.get("matchFields") or ()
    if not expressions and not fields:
        return False  # an empty term matches nothing
    labels = node.metadata.labels or {}
    return _all(expressions, labels) and _all(fields, {"metadata.name": node.name})


def _all(expressions: Iterable[Mapping[str, Any]], values: Mapping[str, str]) -> bool:
    return all(_OPERATORS[one["operator"]](values.get(one["key"]), one.get("values") or []) for one in expressions)


def _untolerated(pod: Whole, node: Whole) -> str:
    tolerations = pod.spec.get("tolerations") or ()
    for taint in node.spec.get("taints") or ():
        if taint["effect"] != "PreferNoSchedule" and not any(_tolerates(one, taint) for one in tolerations):
            return f"{taint['key']}: {taint.get('value') or ''}"
    return ""


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint["key"])
    return toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or "")
