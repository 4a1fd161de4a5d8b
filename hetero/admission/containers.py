"""One container of a pod's template: what it runs, and what it says of resources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from hetero.admission.fields import Section, shown, spelt
from hetero.errors import InvalidValue
from hetero.model.quantity import parse_quantity

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_RESOURCE = re.compile(r"([A-Za-z0-9.-]+/)?[A-Za-z0-9][A-Za-z0-9_.-]*")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A container as its pod's template has it.

    Attributes:
        name: Unique within the pod.
        path: Where it stands in its manifest (``spec.containers[0]``).
        command: What it runs instead of the image's entry point.
        args: The arguments.
        env: Variables with plain values; those that come from elsewhere (``valueFrom``) are left out.
        working_dir: Where it runs; empty for the image's own.
        limits: ``resources.limits`` with ``resources.requests`` filled in where a limit is missing; as written.
        requested: The names in :attr:`limits` that stand in ``resources.requests`` only.
        restart_policy: Its own, beside the pod's; empty when it has none.
    """

    name: str
    path: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    working_dir: str = ""
    limits: Mapping[str, Any] = {}
    requested: tuple[str, ...] = ()
    restart_policy: str = ""

    @property
    def sidecar(self) -> bool:
        """True for an init container that keeps running beside the containers.

        Source: Kubernetes documentation, "Sidecar Containers".
        """
        return self.restart_policy == "Always"

    def field(self, resource: str) -> str:
        """Where the amount of a resource stands in the manifest."""
        kind = "requests" if resource in self.requested else "limits"
        return f"{self.path}.resources.{kind}[{resource}]"


def ordinary(resource: str) -> bool:
    """True for a resource that Kubernetes itself counts (``cpu``, ``hugepages-2Mi``, ``x.kubernetes.io/y``).

    Source: Kubernetes documentation, "Managing Resources for Containers", "Extended resources": these are the fully
    qualified names outside the domain ``kubernetes.io``.
    """
    domain, slash, _ = resource.rpartition("/")
    return not slash or domain == "kubernetes.io" or domain.endswith(".kubernetes.io")


def containers(spec: Section, key: str, *, required: bool = False) -> tuple[Container, ...]:
    """Read the containers in a field of a pod's ``spec``; what is wrong is noted in the section's problems."""
    return tuple(_container(section) for section in spec.sections(key, required=required))


def label(section: Section, key: str, *, required: bool = True) -> str:
    """Read a name of up to 63 lower-case letters, digits and ``-``.

    Source: Kubernetes documentation, "Object Names and IDs", "RFC 1123 Label Names".
    """
    name = section.text(key, required=required)
    if name and not _LABEL.fullmatch(name):
        section.refuse(key, name, "is no name; write at most 63 lower-case letters, digits and '-'")
    return name


def _container(section: Section) -> Container:
    name = label(section, "name")
    resources = section.section("resources")
    limits = _amounts(resources, "limits")
    requests = _amounts(resources, "requests")
    _compare(resources, limits, requests)
    return Container(
        name=name,
        path=section.path,
        command=section.texts("command"),
        args=section.texts("args"),
        env=_env(section),
        working_dir=section.text("workingDir"),
        limits={**limits, **{name: value for name, value in requests.items() if name not in limits}},
        requested=tuple(name for name in requests if name not in limits),
        restart_policy=_restart_policy(section),
    )


def _env(section: Section) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in section.sections("env"):
        name, value = entry.text("name", required=True), entry.text("value")
        if "=" in name:
            entry.refuse("name", name, "contains '='; write the name alone, and its value under 'value'")
        if entry.values.get("valueFrom") is None:
            found[name] = value
    return found


def _restart_policy(section: Section) -> str:
    policy = section.text("restartPolicy")
    if policy and policy not in _RESTART_POLICIES:
        section.refuse("restartPolicy", policy, f"is no policy; write one of {', '.join(_RESTART_POLICIES)}")
    return policy


def _amounts(resources: Section, key: str) -> dict[str, Any]:
    """The amounts whose names and values have the right shape; the vendors read the numbers of their own."""
    section = resources.section(key)
    found: dict[str, Any] = {}
    for name, value in section.values.items():
        where = f"{key}[{spelt(name)}]"
        if not isinstance(name, str) or not _RESOURCE.fullmatch(name):
            resources.refuse(where, name, "is no name of a resource; write it as cpu or acme.com/npu")
        elif shown(value) is not value and value is not None:
            resources.refuse(where, value, "is not a quantity; write a number")
        elif not ordinary(name) or value is None or _number(resources, where, value) is not None:
            found[name] = value
    return found


def _compare(resources: Section, limits: Mapping[str, Any], requests: Mapping[str, Any]) -> None:
    """Hold requests against limits, as the API server does.

    Source: Kubernetes documentation, "Managing Resources for Containers": a request is at most the limit, and equal to
    it for an extended resource.
    """
    for name, request in requests.items():
        if name not in limits or request is None:
            continue
        asked = _number(resources, f"requests[{name}]", request)
        limit = _number(Section({}, resources.path), f"limits[{name}]", limits[name])  # its vendor says what is wrong
        if asked is None or limit is None:
            continue
        if asked > limit:
            resources.refuse(f"requests[{name}]", request, f"is more than the limit {limits[name]!r}; write the same")
        elif asked != limit and not ordinary(name):
            resources.refuse(f"requests[{name}]", request, f"differs from the limit {limits[name]!r}; leave it out")


def _number(resources: Section, where: str, value: object) -> Decimal | None:
    try:
        return parse_quantity(value, resources.at(where))
    except InvalidValue as problem:
        resources.problems.append(problem)
        return None
