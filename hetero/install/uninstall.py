"""Takes from a cluster what an uninstall by Helm would leave: what agents and jobs wrote, not the chart.

The order matters. The webhook goes first, for once nobody answers it pods with devices would be refused. Agents go
before their annotations, for a running agent writes its own again, and clean their nodes on the way. The scheduler goes
before its lease. Pods of users are left alone: those that run keep their slices.

Everything that is gone already is passed over, so it can be run again at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from hetero import log
from hetero.errors import ApiError
from hetero.kube import paths
from hetero.kube.client import Api
from hetero.kube.decoding import Codec
from hetero.kube.objects import Metadata, Object
from hetero.kube.snapshot import snapshot

_log = log.logger("uninstall")

PREFIX = "hetero.io/"
"""Of all annotations of nodes that are ours."""

INSTANCE, COMPONENT = "app.kubernetes.io/instance", "app.kubernetes.io/component"
"""Labels of the chart's objects."""

SELF = "uninstall"
"""The component of the job that runs this."""

AGENTS, SCHEDULERS = ("apps/v1", "daemonsets"), ("apps/v1", "deployments")
JOBS = (("batch/v1", "cronjobs"), ("batch/v1", "jobs"))

Say = Callable[[str], None]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What was installed.

    Attributes:
        namespace: Where.
        name: Of Helm's release, which its objects are labelled with.
        webhook: The MutatingWebhookConfiguration.
        secret: With the webhook's certificate; empty for none.
        lease: Of kube-scheduler's leader; empty for none.
        certificate: cert-manager's, which would make the Secret again; empty for none.
    """

    namespace: str
    name: str
    webhook: str
    secret: str = ""
    lease: str = ""
    certificate: str = ""


class NodeStatus(Object, frozen=True):
    """The amounts of a node."""

    capacity: dict[str, Any] | None = None
    allocatable: dict[str, Any] | None = None


class Node(Object, frozen=True):
    """A node with its amounts, which no other part of hetero reads."""

    metadata: Metadata
    status: NodeStatus | None = None


class Uninstall:
    """Removes one release's traces.

    Args:
        api: The API server.
        release: What was installed.
        totals: Names of the memory and compute that agents write into nodes' status.
        say: Takes a line for each thing that was removed.
        patience: Seconds to wait for pods to end, of agents and then of schedulers.
        pause: Waits between two looks.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(  # noqa: PLR0913  four by name alone
        self,
        api: Api,
        release: Release,
        totals: Iterable[str],
        *,
        say: Say,
        patience: float = 120.0,
        pause: Callable[[], None] = lambda: time.sleep(1),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._release = release
        self._totals = frozenset(totals)
        self._say = say
        self._patience = patience
        self._pause = pause
        self._clock = clock

    def run(self) -> None:
        """Remove everything that is there.

        Raises:
            ApiError: The API server refused, or did not answer; what was removed so far is.
        """
        release = self._release
        self._remove("admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", release.webhook, spread=True)
        if release.certificate:
            self._remove("cert-manager.io/v1", "certificates", release.certificate)
        for version, plural in JOBS:
            for name in self._ours(version, plural):
                self._remove(version, plural, name)
        self._end(*AGENTS)
        self._end(*SCHEDULERS)
        for node in self._nodes():
            self._clean(node)
        if release.secret:
            self._remove("v1", "secrets", release.secret)
        if release.lease:
            self._remove("coordination.k8s.io/v1", "leases", release.lease)

    def _end(self, version: str, plural: str) -> None:
        """Delete the release's workloads of a kind, and wait until their pods are gone."""
        names = self._ours(version, plural)
        for name in names:
            self._remove(version, plural, name, propagation="Foreground")
        until = self._clock() + self._patience
        waiting = [name for name in names if self._there(version, plural, name)]
        while waiting and self._clock() < until:
            self._pause()
            waiting = [name for name in waiting if self._there(version, plural, name)]
        for name in waiting:  # on a node that is away nobody ends a pod; whoever is left there cleans up when it ends
            self._say(f"{plural} {name}: pods are left after {self._patience:g} s, perhaps on a node that is away")

    def _ours(self, version: str, plural: str) -> list[str]:
        """The names of the release's objects of a kind, without the job that runs this."""
        place = paths.grouped(version, plural, namespace=self._release.namespace)
        selector = f"{INSTANCE}={self._release.name},{COMPONENT}!={SELF}"
        found = msgspec.json.decode(self._api.get(place, {"labelSelector": selector}))["items"]
        return [one["metadata"]["name"] for one in found]

    def _there(self, version: str, plural: str, name: str) -> bool:
        return not _absent(lambda: self._api.get(self._path(version, plural, name)))

    def _remove(
        self, version: str, plural: str, name: str, *, spread: bool = False, propagation: str = "Background"
    ) -> None:
        """Delete one object; ``spread`` for kinds that live in no namespace."""
        path = paths.grouped(version, plural, name) if spread else self._path(version, plural, name)
        body = msgspec.json.encode({"propagationPolicy": propagation})
        if not _absent(lambda: self._api.delete(path, body)):
            self._say(f"{plural} {name}: removed")

    def _path(self, version: str, plural: str, name: str) -> str:
        return paths.grouped(version, plural, name, namespace=self._release.namespace)

    def _nodes(self) -> Iterator[Node]:
        """Those that an agent has written to. On others the same totals would be somebody else's."""
        _, nodes = snapshot(self._api, paths.NODES, Codec(Node))
        return (node for node in nodes if _notes(node))

    def _clean(self, node: Node) -> None:
        """The totals first: while its annotations are there a node is found again, should this break off."""
        name, path = node.metadata.name, paths.node(node.metadata.name)
        status = node.status or NodeStatus()
        amounts = {kind: self._amounts(getattr(status, kind)) for kind in ("capacity", "allocatable")}
        if any(amounts.values()):
            self._patch(f"{path}/status", {"status": amounts})
        notes = dict.fromkeys(_notes(node))
        self._patch(path, {"metadata": {"annotations": notes}})
        told = sorted({*notes, *amounts["capacity"], *amounts["allocatable"]})
        self._say(f"node {name}: without {', '.join(told)}")

    def _amounts(self, found: dict[str, Any] | None) -> dict[str, None]:
        return dict.fromkeys(sorted(self._totals & set(found or ())))

    def _patch(self, path: str, document: Any) -> None:
        """A node that is gone meanwhile needs no cleaning."""
        _absent(lambda: self._api.patch(path, msgspec.json.encode(document)))


def _notes(node: Node) -> list[str]:
    return sorted(key for key in node.metadata.annotations or () if key.startswith(PREFIX))


def _absent(request: Callable[[], bytes]) -> bool:
    """True when there was nothing there."""
    try:
        request()
    except ApiError as error:
        if error.status != 404:
            raise
        return True
    return False
