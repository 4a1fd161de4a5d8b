"""A pod of the API, with as much of it as admission works with.

What comes from an API server has its shape already, so nothing is checked here but what the vendors read.
"""

from __future__ import annotations

from hetero.admission.containers import Container
from hetero.admission.workloads import Pod
from hetero.kube import objects


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
