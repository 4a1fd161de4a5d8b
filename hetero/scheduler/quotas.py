"""Keeps the planner's quotas in step with the cluster's ResourceQuotas."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from hetero import log
from hetero.errors import HeteroError
from hetero.kube import objects
from hetero.placement.quota import Quota, read
from hetero.placement.scopes import scopes
from hetero.vendor import Vendor

_log = log.logger("scheduler")


def quota(shown: objects.ResourceQuota, vendors: Mapping[str, Vendor]) -> Quota:
    """What a ResourceQuota says of the vendors' resources.

    Raises:
        InvalidValue: An amount is none, or a scope cannot be used.
    """
    spec = shown.spec
    expressions = (spec.scope_selector or objects.QuotaScopes()).match_expressions or ()
    selected = [(one.scope_name, one.operator, one.values) for one in expressions]
    return read(shown.metadata.name, spec.hard or {}, vendors, scopes(spec.scopes, selected))


class Bank(Protocol):
    """As much of a planner as quotas are put into."""

    def put_quotas(self, namespace: str, quotas: Sequence[Quota]) -> None:
        """All quotas of a namespace."""


class Quotas:
    """Handler of an informer of ResourceQuotas.

    Args:
        planner: What is kept in step.
        vendors: Whose resources count.
        lock: Held while the planner is changed.
        changed: Told when a namespace's quotas have changed.
    """

    def __init__(
        self,
        planner: Bank,
        vendors: Mapping[str, Vendor],
        lock: threading.RLock,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._planner = planner
        self._changed = changed
        self._vendors = vendors
        self._lock = lock
        self._known: dict[str, dict[str, Quota]] = {}

    def replace(self, items: Collection[objects.ResourceQuota]) -> None:
        """These are all quotas."""
        with self._lock:
            namespaces = {*self._known, *(item.metadata.namespace for item in items)}
            before, self._known = self._known, {}
            for item in items:
                self._note(item, before)
            for namespace in namespaces:
                self._tell(namespace)

    def put(self, item: objects.ResourceQuota) -> None:
        """A quota is new or has changed; its status changes with every pod, and that costs a comparison."""
        with self._lock:
            if self._note(item, self._known):
                self._tell(item.metadata.namespace)

    def remove(self, item: objects.ResourceQuota) -> None:
        """A quota is gone."""
        with self._lock:
            if self._known.get(item.metadata.namespace, {}).pop(item.metadata.name, None) is not None:
                self._tell(item.metadata.namespace)

    def _note(self, item: objects.ResourceQuota, before: Mapping[str, Mapping[str, Quota]]) -> bool:
        """Read a quota; true when it says something new. One that cannot be read keeps what it said before."""
        namespace, name = item.metadata.namespace, item.metadata.name
        found: Quota | None
        try:
            found = quota(item, self._vendors)
        except HeteroError as error:
            _log.warning("a quota cannot be used", namespace=namespace, quota=name, reason=str(error))
            found = before.get(namespace, {}).get(name)
        if found is None:
            return False
        there = self._known.setdefault(namespace, {})
        if there.get(name) == found:
            return False
        there[name] = found
        return True

    def _tell(self, namespace: str) -> None:
        there = self._known.get(namespace, {})
        if not there:
            self._known.pop(namespace, None)
        self._planner.put_quotas(namespace, tuple(there.values()))
        self._changed()
