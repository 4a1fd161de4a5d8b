"""What is special about pods: defaults, what is refused, binding, how they end.

Source: Kubernetes, ``pkg/registry/core/pod`` (storage and strategy), ``pkg/apis/core/validation``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from hetero.errors import InvalidValue
from hetero.model.quantity import parse_quantity
from hetero.testing.apiserver.refusals import Refused, conflict, invalid, refused
from hetero.testing.apiserver.resources import Target
from hetero.testing.apiserver.store import Store, Stored

Item = dict[str, Any]

GRACE = 30
"""Seconds that a pod on a node has to end."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

CHANGEABLE = ("activeDeadlineSeconds", "tolerations", "schedulingGates", "terminationGracePeriodSeconds")
"""Fields of a pod's spec that may change after it was created; so may its images."""


def defaulted(item: Item) -> Item:
    """A new pod with the defaults that matter to scheduling."""
    spec = item.get("spec")
    if not isinstance(spec, Mapping):
        raise invalid("Pod", _named(item), "spec.containers: Required value")
    lists = {
        field: [_with_requests(one) for one in spec[field]]
        for field in ("containers", "initContainers")
        if isinstance(spec.get(field), list)
    }
    defaults = {"schedulerName": "default-scheduler", "restartPolicy": "Always"}
    return {**item, "spec": {**defaults, **spec, **lists}, "status": {"phase": "Pending"}}


def _named(item: Item) -> str:
    """Its name, or one like that which will be generated for it."""
    metadata = item["metadata"]
    return str(metadata.get("name") or f"{metadata.get('generateName', '')}00000")


def _with_requests(container: Any) -> Any:
    """Requests default to limits, resource by resource."""
    resources = container.get("resources") if isinstance(container, Mapping) else None
    if not isinstance(resources, Mapping) or not isinstance(resources.get("limits"), Mapping):
        return container
    requests = {**resources["limits"], **(resources.get("requests") or {})}
    return {**container, "resources": {**resources, "requests": requests}}


def check(item: Item) -> None:
    """Refuse a new pod that the API server would not take.

    Raises:
        Refused: With the field (422).
    """
    name, spec = _named(item), item["spec"]
    if len(name) > 253 or not _NAME.fullmatch(name):
        raise invalid("Pod", name, f'metadata.name: Invalid value: "{name}"')
    if not isinstance(spec.get("containers"), list) or not spec["containers"]:
        raise invalid("Pod", name, "spec.containers: Required value")
    problems = [problem for field in ("containers", "initContainers") for problem in _problems(spec, field)]
    if problems:
        raise invalid("Pod", name, ", ".join(problems))
    _check_notes(name, item["metadata"])


def _check_notes(name: str, metadata: Mapping[str, Any]) -> None:
    for field in ("annotations", "labels"):
        notes = metadata.get(field) or {}
        if not isinstance(notes, Mapping) or not all(isinstance(value, str) for value in notes.values()):
            raise refused(400, f'Pod "{name}": metadata.{field} is no map of strings')


def _problems(spec: Mapping[str, Any], field: str) -> Iterator[str]:
    names: set[str] = set()
    for index, container in enumerate(spec.get(field) or []):
        path = f"spec.{field}[{index}]"
        if not isinstance(container, Mapping):
            raise refused(400, f"{path} is no container")
        name = container.get("name", "")
        if not isinstance(name, str) or not _LABEL.fullmatch(name):
            yield f'{path}.name: Invalid value: "{name}"'
        if name in names:
            yield f'{path}.name: Duplicate value: "{name}"'
        names.add(name)
        yield from _resource_problems(f"{path}.resources", container.get("resources") or {})


def _resource_problems(path: str, resources: Mapping[str, Any]) -> Iterator[str]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    read = {
        field: {resource: _quantity(f"{path}.{field}[{resource}]", amount) for resource, amount in amounts.items()}
        for field, amounts in (("limits", limits), ("requests", requests))
    }
    for field, amounts in read.items():
        for resource, amount in amounts.items():
            if amount < 0:
                yield f'{path}.{field}[{resource}]: Invalid value: "{amount}": must be greater than or equal to 0'
            if _extended(resource) and amount % 1:
                yield f'{path}.{field}[{resource}]: Invalid value: "{amount}": must be an integer'
    for resource in filter(_extended, {**limits, **requests}):
        if read["limits"].get(resource) != read["requests"].get(resource):
            yield f"{path}.requests[{resource}]: must be equal to {resource} limit of {limits.get(resource)}"


def _quantity(path: str, amount: Any) -> Decimal:
    try:
        return parse_quantity(amount, path)
    except InvalidValue:
        raise refused(400, f"{path}: quantities must match the regular expression") from None


def _extended(resource: str) -> bool:
    """True for resources that are counted whole and cannot be over-committed."""
    domain, slash, _ = resource.rpartition("/")
    return bool(slash) and not domain.endswith("kubernetes.io")


def check_update(before: Item, after: Item) -> None:
    """Refuse a change of what is fixed once a pod exists.

    Raises:
        Refused: 422.
    """
    if _fixed(before.get("spec") or {}) != _fixed(after.get("spec") or {}):
        name = before["metadata"]["name"]
        raise invalid("Pod", name, "spec: Forbidden: pod updates may not change fields other than images, tolerations")
    _check_notes(before["metadata"]["name"], after["metadata"])


def _fixed(spec: Mapping[str, Any]) -> Item:
    kept = {key: value for key, value in spec.items() if key not in CHANGEABLE}
    for field in ("containers", "initContainers"):
        if field in kept:
            kept[field] = [{key: value for key, value in one.items() if key != "image"} for one in kept[field]]
    return kept


def bind(store: Store, target: Target, binding: Any) -> None:
    """Assign a pod to a node, and merge the binding's annotations into the pod's, as one step.

    Raises:
        Refused: The pod is not there (404); it is another one than the UID says, has a node already, is being deleted
            or is not ready to be scheduled (409).
    """
    metadata, node = _checked_binding(target, binding)

    def change(before: Stored | None) -> Item:
        if before is None:
            raise refused(404, f'pods "{target.name}" not found')
        _check_bindable(target.name, before.item, metadata.get("uid"))
        annotations = {**(before.item["metadata"].get("annotations") or {}), **(metadata.get("annotations") or {})}
        status = before.item.get("status") or {}
        scheduled = {"type": "PodScheduled", "status": "True"}
        others = [one for one in status.get("conditions") or [] if one.get("type") != "PodScheduled"]
        return {
            **before.item,
            "metadata": {**before.item["metadata"], **({"annotations": annotations} if annotations else {})},
            "spec": {**before.item["spec"], "nodeName": node},
            "status": {**status, "conditions": [*others, scheduled]},
        }

    store.write(target.resource, target.key, change)


def _checked_binding(target: Target, binding: Any) -> tuple[Mapping[str, Any], str]:
    metadata = (binding.get("metadata") or {}) if isinstance(binding, Mapping) else None
    if metadata is None or metadata.get("name") not in (None, "", target.name):
        raise refused(400, "name in URL does not match name in Binding object")
    node = binding.get("target") or {}
    if node.get("kind") not in (None, "", "Node") or not node.get("name"):
        # The real one forgets to make a Status of this, so that it becomes an internal error.
        raise refused(500, f"target: Invalid value: {node!r}")
    return metadata, node["name"]


def _check_bindable(name: str, pod: Item, uid: str | None) -> None:
    there = pod["metadata"]["uid"]
    if uid not in (None, "", there):
        raise conflict("pods", name, f"Precondition failed: UID in precondition: {uid}, UID in object meta: {there}")
    if "deletionTimestamp" in pod["metadata"]:
        raise _unbindable(name, f"pod {name} is being deleted, cannot be assigned to a host")
    if assigned := pod["spec"].get("nodeName"):
        raise _unbindable(name, f'pod {name} is already assigned to node "{assigned}"')
    if pod["spec"].get("schedulingGates"):
        raise _unbindable(name, f"pod {name} has non-empty .spec.schedulingGates")


def _unbindable(name: str, why: str) -> Refused:
    return conflict("pods/binding", name, why)


def grace(pod: Item, asked: int | None) -> int:
    """Seconds that a pod has before it goes: none without a node, or when it is over."""
    if not pod["spec"].get("nodeName") or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    default: int = pod["spec"].get("terminationGracePeriodSeconds", GRACE)
    return default if asked is None else asked
