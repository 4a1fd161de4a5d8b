"""From one document of a manifest to the pods that it starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from hetero.admission.containers import Container, containers, label
from hetero.admission.fields import Section, located, shown
from hetero.errors import InvalidRequest, InvalidValue

__all__ = ["MOST_PODS", "Container", "Pod", "all_pods", "pods"]

MOST_PODS = 100_000
"""Pods that one document may start. More than any cluster runs is a slip of the keyboard."""

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """One pod, as the template of its workload has it.

    Attributes:
        kind: Of the document that starts it (``Deployment``).
        name: Its own name; the pods of a workload are called ``<workload>-0`` and so on.
        namespace: ``default`` when the document does not say.
        annotations: Its own, i.e. the template's.
        labels: The same.
        containers: At least one.
        init_containers: In the order in which they start, sidecars among them.
        path: Where its spec stands in the document (``spec.template.spec``).
        source: The file; empty when there is none.
    """

    kind: str = "Pod"
    name: str
    namespace: str = "default"
    annotations: Mapping[str, str] = {}
    labels: Mapping[str, str] = {}
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    path: str = "spec"
    source: str = ""

    @property
    def metadata_path(self) -> str:
        """Where its metadata stands in the document (``spec.template.metadata``)."""
        return f"{self.path.removesuffix('spec')}metadata"


class _Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A pod, and how many of it."""

    pod: Pod
    count: int
    numbered: bool

    def pods(self) -> Iterator[Pod]:
        if not self.numbered:
            yield self.pod
            return
        for index in range(self.count):
            yield msgspec.structs.replace(self.pod, name=f"{self.pod.name}-{index}")


def pods(document: object, source: str = "") -> list[Pod]:
    """The pods that a document starts, all at once.

    Args:
        document: One YAML document as a loader returns it. Objects that start no pod (Service, ConfigMap, any
            custom resource) and empty documents give no pods; a ``List`` gives those of its items.
        source: The file, for errors.

    Raises:
        InvalidRequest: With every problem found, each field with the source in front
            (``gpu-pod.yaml: spec.containers[0].name``).
    """
    problems: list[InvalidValue] = []
    workloads = list(_documents(document, problems))
    total = sum(workload.count for workload in workloads)
    if total > MOST_PODS and not problems:
        problems.append(InvalidValue("items", total, f"are too many pods; write at most {MOST_PODS} in one document"))
    if problems:
        raise InvalidRequest(located(source, problems))
    found = [msgspec.structs.replace(pod, source=source) for workload in workloads for pod in workload.pods()]
    _refuse(_clashes(found))
    return found


def all_pods(documents: Iterable[tuple[object, str]]) -> list[Pod]:
    """The pods of several documents, each with its source, in order.

    Raises:
        InvalidRequest: With the problems of all documents; also when two pods of one namespace have the same name.
    """
    found: list[Pod] = []
    problems: list[InvalidValue] = []
    for document, source in documents:
        try:
            found.extend(pods(document, source))
        except InvalidRequest as error:
            problems.extend(error.problems)
    _refuse([*problems, *_clashes(found)])
    return found


def _refuse(problems: Iterable[InvalidValue]) -> None:
    collected = tuple(problems)
    if collected:
        raise InvalidRequest(collected)


def _clashes(found: Iterable[Pod]) -> list[InvalidValue]:
    """Pods that would be taken for one another, one problem for each workload."""
    first: dict[tuple[str, str], Pod] = {}
    problems: dict[str, InvalidValue] = {}
    for pod in found:
        other = first.setdefault((pod.namespace, pod.name), pod)
        if other is not pod:
            where = _named_at(pod)
            reason = f"is the name of a pod of the {other.kind} at {_named_at(other)} too; give one another name"
            problems.setdefault(where, InvalidValue(where, pod.name, reason))
    return list(problems.values())


def _named_at(pod: Pod) -> str:
    where = f"{pod.path.removesuffix('spec').removesuffix('spec.template.')}metadata.name"
    return f"{pod.source}: {where}" if pod.source else where


def _documents(document: object, problems: list[InvalidValue]) -> Iterator[_Workload]:
    if document is None:
        return
    if not isinstance(document, Mapping):
        problems.append(InvalidValue("document", shown(document), "is no object; write apiVersion, kind, metadata"))
        return
    top = Section(document, "", problems)
    if top.values.get("kind") != "List":
        yield from _object(top)
        return
    top.text("apiVersion", required=True)
    for item in top.sections("items"):
        if item.values.get("kind") == "List":
            # A YAML alias can put a list into itself.
            item.refuse("kind", "List", "stands within a List; write its items here instead")
        else:
            yield from _object(item)


def _object(section: Section) -> Iterator[_Workload]:
    version, kind = section.text("apiVersion", required=True), section.text("kind", required=True)
    group = version.rpartition("/")[0]
    if not version or not kind or "." in group:  # a group with a dot is a custom resource's, whatever its kind
        return
    if kind in _REFUSED:
        section.refuse("kind", kind, _REFUSED[kind])
    elif kind in _GROUPS and group not in _GROUPS[kind]:
        proper = f"{_GROUPS[kind][0]}/v1".lstrip("/")
        section.refuse("apiVersion", version, f"has no kind {kind}; write {proper}")
    elif kind in _GROUPS:
        yield _workload(section, kind)
    else:
        _misspelt(section, kind)


def _misspelt(section: Section, kind: str) -> None:
    for known in (*_GROUPS, *_REFUSED, "List"):
        if kind.lower() in (known.lower(), f"{known.lower()}s"):
            section.refuse("kind", kind, f"is no kind; write {known}")


def _workload(section: Section, kind: str) -> _Workload:
    metadata, spec = section.section("metadata", required=True), section.section("spec", required=True)
    name, namespace = _name(metadata), label(metadata, "namespace", required=False)
    count = _COUNTS[kind](spec) if kind in _COUNTS else 1
    if kind in _COUNTS:
        template = spec.section("template", required=True)
        metadata, spec = template.section("metadata"), template.section("spec", required=template.sound)
    pod = Pod(
        kind=kind,
        name=name,
        namespace=namespace or "default",
        annotations=metadata.pairs("annotations"),
        labels=metadata.pairs("labels"),
        containers=containers(spec, "containers", required=True),
        init_containers=containers(spec, "initContainers"),
        path=spec.path,
    )
    _duplicates(spec, pod)
    return _Workload(pod=pod, count=count, numbered=kind in _COUNTS)


def _name(metadata: Section) -> str:
    name = metadata.text("name", required=True)
    if name and not _NAME.fullmatch(name):
        metadata.refuse("name", name, "is no name; write at most 253 lower-case letters, digits, '-' and '.'")
    return name


def _duplicates(spec: Section, pod: Pod) -> None:
    seen: dict[str, str] = {}
    for container in (*pod.init_containers, *pod.containers):
        other = seen.setdefault(container.name, container.path)
        if container.name and other != container.path:
            reason = f"is the name of {other} too; give each container a name of its own"
            spec.problems.append(InvalidValue(f"{container.path}.name", container.name, reason))


def _replicas(spec: Section) -> int:
    return spec.number("replicas", 1, high=MOST_PODS)


def _at_once(spec: Section) -> int:
    """Pods of a job that run side by side.

    Source: Kubernetes documentation, "Jobs", "Controlling parallelism": never more than completions remain.
    """
    parallelism = spec.number("parallelism", 1, high=MOST_PODS)
    return min(parallelism, spec.number("completions", parallelism, high=2**31 - 1))


_GROUPS: Mapping[str, tuple[str, ...]] = {
    "Pod": ("",),
    "ReplicationController": ("",),
    "Deployment": ("apps", "extensions"),
    "ReplicaSet": ("apps", "extensions"),
    "StatefulSet": ("apps",),
    "Job": ("batch",),
}
"""The kinds that start pods, with the groups of the API that have them, today's first."""

_COUNTS: Mapping[str, Callable[[Section], int]] = {
    "ReplicationController": _replicas,
    "Deployment": _replicas,
    "ReplicaSet": _replicas,
    "StatefulSet": _replicas,
    "Job": _at_once,
}
"""How many pods those with a template start."""

_REFUSED: Mapping[str, str] = {
    "DaemonSet": "starts as many pods as there are nodes; write its template as a Pod or a Deployment",
    "CronJob": "starts pods by the clock; write its jobTemplate as a Job",
}
