"""A pod of the API, with as much of it as admission works with.

What comes from an API server has its shape already, so nothing is checked here but what the vendors read.
"""

from __future__ import annotations

from hetero.admission.containers import Container
from hetero.admission.workloads import Pod
from hetero.errors import InvalidValue
from hetero.kube import objects
from hetero.model.ask import Traits
from hetero.model.quantity import parse_quantity

_MACHINE = ("cpu", "memory")


def read(pod: objects.Pod, namespace: str = "") -> Pod:
    """The pod as a manifest's reader would give it.

    Args:
        pod: As the API has it. One that has no name yet goes by what its name will begin with.
        namespace: Where the pod's own metadata has none: a pod under review may leave it to its request.
    """
    metadata = pod.metadata
    return Pod(
        name=metadata.name or metadata.generate_name,
        namespace=metadata.namespace or namespace or "default",
        annotations=metadata.notes,
        labels=metadata.labels or {},
        containers=_containers("spec.containers", pod.spec.containers),
        init_containers=_containers("spec.initContainers", pod.spec.init_containers or ()),
    )


def traits(pod: objects.Pod) -> Traits:
    """What the scopes of quotas look at. Whether a pod affinity crosses namespaces is not read: False."""
    containers = (*pod.spec.containers, *(pod.spec.init_containers or ()))
    return Traits(
        terminating=pod.spec.active_deadline_seconds is not None,
        best_effort=not any(_asks_machine(container.resources) for container in containers),
        priority_class=pod.spec.priority_class_name or "",
    )


def _asks_machine(resources: objects.Requirements | None) -> bool:
    if resources is None:
        return False
    return any(
        _more_than_nothing(amounts[name])
        for amounts in (resources.limits, resources.requests)
        for name in _MACHINE
        if amounts and name in amounts
    )


def _more_than_nothing(amount: object) -> bool:
    """Source: Kubernetes, pkg/apis/core/v1/helper/qos, ComputePodQOS: what is 0 is as good as not said."""
    try:
        return parse_quantity(amount, "") > 0
    except InvalidValue:
        return True


def _containers(path: str, containers: tuple[objects.Container, ...]) -> tuple[Container, ...]:
    return tuple(_container(f"{path}[{index}]", one) for index, one in enumerate(containers))


def _container(path: str, container: objects.Container) -> Container:
    resources = container.resources or objects.Requirements()
    limits, requests = resources.limits or {}, resources.requests or {}
    alone = tuple(name for name in requests if name not in limits)
    return Container(
        name=container.name,
        path=path,
        limits={**limits, **{name: requests[name] for name in alone}},
        requested=alone,
        restart_policy=container.restart_policy or "",
    )
