"""What a pod that asks devices must not say, beside what its asks themselves may be."""

from __future__ import annotations

from collections.abc import Iterator

from hetero.admission.envelope import ReviewedContainer, ReviewedPod
from hetero.admission.fields import shown
from hetero.admission.words import Words
from hetero.config import AdmissionSettings
from hetero.errors import InvalidValue
from hetero.kube.objects import Pod, Requirements
from hetero.model.annotations import PLACEMENT
from hetero.model.quantity import parse_count, parse_quantity

MOST_CONTAINERS = 256
"""Of a pod that asks devices. The API server sets no limit of its own, and shows pods before it judges them: reading
tens of thousands of containers would keep every other pod waiting for seconds."""


def too_many(pod: Pod) -> InvalidValue | None:
    """Why a pod that asks devices is not even read; None for all that are."""
    count = len(pod.spec.containers) + len(pod.spec.init_containers or ())
    if count <= MOST_CONTAINERS:
        return None
    reason = f"are too many containers for a pod that asks devices; write at most {MOST_CONTAINERS}"
    return InvalidValue("spec.containers", count, reason)


def violations(pod: ReviewedPod, words: Words, settings: AdmissionSettings) -> Iterator[InvalidValue]:
    """Every rule that a new pod breaks, in the order of its fields.

    Args:
        pod: A pod of which a container names an installed vendor's resource.
        words: Of the installed vendors.
        settings: Which rules are off.
    """
    if PLACEMENT in pod.metadata.notes:
        reason = "is written by the scheduler alone; leave it out"
        yield InvalidValue(f"metadata.annotations[{PLACEMENT}]", shown(pod.metadata.notes[PLACEMENT]), reason)
    if pod.spec.node_name:
        reason = "passes the scheduler by, so no device would be charged; use nodeSelector or node affinity"
        yield InvalidValue("spec.nodeName", pod.spec.node_name, reason)
    seen: dict[str, str] = {}
    for path, container in _containers(pod):
        yield from _named_twice(path, container, seen)
        yield from _uncounted(path, container, words)
        yield from _differing(path, container, words)
        if named(container, words) and not settings.allow_privileged:
            yield from _privileged(path, container)


def named(container: ReviewedContainer, words: Words) -> bool:
    """True when a container names a resource of an installed vendor, with whatever amount."""
    resources = container.resources or Requirements()
    return any(name in words.owners for amounts in (resources.limits, resources.requests) for name in amounts or ())


def _containers(pod: ReviewedPod) -> Iterator[tuple[str, ReviewedContainer]]:
    for key, containers in (("initContainers", pod.spec.init_containers or ()), ("containers", pod.spec.containers)):
        for index, container in enumerate(containers):
            yield f"spec.{key}[{index}]", container


def _named_twice(path: str, container: ReviewedContainer, seen: dict[str, str]) -> Iterator[InvalidValue]:
    """Placements speak of containers by their names."""
    other = seen.setdefault(container.name, path)
    if other != path:
        reason = f"is the name of {other} too; give each container a name of its own"
        yield InvalidValue(f"{path}.name", container.name, reason)


def _uncounted(path: str, container: ReviewedContainer, words: Words) -> Iterator[InvalidValue]:
    """Vendors need not read the amounts of a family of which nothing is asked, and Kubernetes counts them as well."""
    resources = container.resources or Requirements()
    for kind, amounts in (("requests", resources.requests), ("limits", resources.limits)):
        for name, amount in (amounts or {}).items():
            if name in words.owners and (kind == "limits" or name not in (resources.limits or {})):
                try:
                    parse_count(amount, f"{path}.resources.{kind}[{name}]")
                except InvalidValue as problem:
                    yield InvalidValue(problem.field, shown(amount), problem.reason)


def _differing(path: str, container: ReviewedContainer, words: Words) -> Iterator[InvalidValue]:
    """An extended resource is asked as much as it is limited.

    Source: Kubernetes documentation, "Managing Resources for Containers", "Extended resources".
    """
    resources = container.resources or Requirements()
    for name, amount in (resources.requests or {}).items():
        limit = (resources.limits or {}).get(name, amount)
        if name in words.owners and limit != amount and not _equal(limit, amount):
            reason = f"differs from the limit {shown(limit)!r}; write the same, or leave it out"
            yield InvalidValue(f"{path}.resources.requests[{name}]", shown(amount), reason)


def _equal(one: object, other: object) -> bool:
    try:
        return parse_quantity(one, "") == parse_quantity(other, "")
    except InvalidValue:
        return False


def _privileged(path: str, container: ReviewedContainer) -> Iterator[InvalidValue]:
    context = container.security_context
    if context is not None and context.privileged:
        reason = "lets the container reach every device of its node, past its share; ask no device, or leave it out"
        yield InvalidValue(f"{path}.securityContext.privileged", True, reason)
