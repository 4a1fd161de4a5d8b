"""What pods of the API ask, read once for all replicas of a workload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from hetero.admission.asks import pod_ask
from hetero.admission.objects import read, traits
from hetero.admission.rules import too_many
from hetero.admission.words import Words
from hetero.errors import InvalidRequest
from hetero.kube import objects
from hetero.model.annotations import PLACEMENT, RETRY
from hetero.model.ask import PodAsk
from hetero.vendor import Vendor

_OURS = (PLACEMENT, RETRY)  # what the scheduler itself writes
_LONG = 8192  # characters of all that a pod says which is remembered
_MOST = 2048  # different pods that are remembered


class Asks:
    """Reads pods. A pod that says what another said before is not read again.

    May be used by several threads: the worst that they do to each other is to read the same twice.

    Args:
        vendors: The installed vendors by name.
    """

    def __init__(self, vendors: Mapping[str, Vendor]) -> None:
        self._words = Words(vendors)
        self._known: dict[Any, PodAsk] = {}

    def read(self, pod: objects.Pod) -> PodAsk:
        """What a pod asks. Resources that belong to no installed vendor are another plugin's business.

        Raises:
            InvalidRequest: With every problem of annotations and containers.
            PluginError: A vendor failed to read its own resources.
        """
        metadata = pod.metadata
        name, namespace = metadata.name, metadata.namespace or "default"
        if not self.asks_devices(pod):
            return PodAsk(name=name, namespace=namespace, uid=metadata.uid)
        said = _said(pod)
        known = self._known.get(said)
        if known is None:
            unread = too_many(pod)
            if unread is not None:
                raise InvalidRequest([unread])
            ask = pod_ask(read(pod), self._words, strict=False)
            known = msgspec.structs.replace(ask, traits=traits(pod))
            self._keep(said, known)
        return msgspec.structs.replace(known, name=name, namespace=namespace, uid=metadata.uid)

    def _keep(self, said: Any, ask: PodAsk) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
        if len(str(said)) <= _LONG:
            self._known[said] = ask

    def asks_devices(self, pod: objects.Pod) -> bool:
        """True when a container names a resource of an installed vendor."""
        owners = self._words.owners
        for container in (*pod.spec.containers, *(pod.spec.init_containers or ())):
            resources = container.resources
            if resources is None:
                continue
            for amounts in (resources.limits, resources.requests):
                if amounts and not owners.keys().isdisjoint(amounts):
                    return True
        return False


def _said(pod: objects.Pod) -> Any:
    """All that a pod says and that may bear on what it asks."""
    notes = tuple(note for note in pod.metadata.notes.items() if note[0] not in _OURS)
    spec = pod.spec
    containers = _containers(spec.containers), _containers(spec.init_containers or ())
    return notes, *containers, spec.priority_class_name, spec.active_deadline_seconds


def _containers(containers: tuple[objects.Container, ...]) -> Any:
    return tuple((one.name, one.restart_policy, _resources(one.resources)) for one in containers)


def _resources(resources: objects.Requirements | None) -> Any:
    if resources is None:
        return None
    return tuple(tuple(_amounts(amounts or {})) for amounts in (resources.limits, resources.requests))


def _amounts(amounts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Amounts as text: 1 and "1" mean the same, and what is neither number nor text can be a key as well."""
    for name, amount in amounts.items():
        yield name, amount if isinstance(amount, str) else repr(amount)
