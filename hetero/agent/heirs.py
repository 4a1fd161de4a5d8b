"""Which of an agent's vendors another agent serves when this one ends for good: they have moved, and are not gone."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

import msgspec

from hetero import log
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.objects import Metadata, Object

_log = log.logger("agent")

VENDORS = "HETERO_VENDORS"
"""Variable of an agent's container: the names of the vendors that it serves, separated by blanks."""


class _Variable(Object, frozen=True):
    name: str = ""
    value: str = ""


class _Container(Object, frozen=True):
    env: tuple[_Variable, ...] | None = None


class _PodSpec(Object, frozen=True):
    containers: tuple[_Container, ...] = ()


class _Template(Object, frozen=True):
    spec: _PodSpec = _PodSpec()


class _Spec(Object, frozen=True):
    template: _Template = _Template()


class _DaemonSet(Object, frozen=True):
    """As much of a DaemonSet as says whom it serves."""

    metadata: Metadata
    spec: _Spec = _Spec()

    def vendors(self) -> Iterator[str]:
        """Those that its agents serve; none when it is being deleted."""
        if not self.metadata.deletion_timestamp:
            for container in self.spec.template.spec.containers:
                for variable in container.env or ():
                    if variable.name == VENDORS:
                        yield from variable.value.split()


class Server(Protocol):
    """As much of an API server as is needed (:class:`hetero.kube.client.Api`)."""

    def get(self, path: str) -> bytes:
        """What is at a path."""


def heirs(server: Server, namespace: str, daemonset: str, agent: str, vendors: Collection[str]) -> frozenset[str]:
    """The vendors that the DaemonSet of another agent serves; all of them where nobody can say.

    Args:
        server: The API server.
        namespace: Of this agent's DaemonSet.
        daemonset: Its name.
        agent: This agent's name, which ends that; empty for the one that vendors share.
        vendors: Those of this agent.
    """
    shared = daemonset.removesuffix(f"-{agent}") if agent else daemonset
    names = {shared, *(f"{shared}-{vendor}" for vendor in vendors)} - {daemonset}
    found: set[str] = set()
    for name in sorted(names):
        try:
            found.update(_served(server, namespace, name))
        except (ApiError, msgspec.MsgspecError) as error:
            _log.warning("who serves this agent's vendors from now on is not known", reason=str(error))
            return frozenset(vendors)
    return frozenset(found & set(vendors))


def _served(server: Server, namespace: str, name: str) -> frozenset[str]:
    path = paths.grouped("apps/v1", "daemonsets", name, namespace=namespace)
    try:
        return frozenset(msgspec.json.decode(server.get(path), type=_DaemonSet).vendors())
    except ApiError as error:
        # The chart lets an agent read those that there may be: what it may not read is none of them.
        if error.status in (403, 404):
            return frozenset()
        raise
