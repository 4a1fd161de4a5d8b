"""The priority of a new pod is that of its class.

Source: Kubernetes, ``plugin/pkg/admission/priority``; "Pod Priority and Preemption".
"""

from __future__ import annotations

from typing import Any

from hetero.testing.apiserver.refusals import refused
from hetero.testing.apiserver.resources import RESOURCES
from hetero.testing.apiserver.store import Store

CLASSES = RESOURCES["scheduling.k8s.io/v1", "priorityclasses"]

BUILT_IN = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
"""Classes that every cluster has."""


def admitted(store: Store, item: dict[str, Any]) -> dict[str, Any]:
    """The pod with the priority of the class that it names, or of the default one.

    Raises:
        Refused: There is no such class, or the pod brings a priority of its own that is another one (403).
    """
    spec = item["spec"]
    name = spec.get("priorityClassName") or ""
    value = _value(store, name) if name else _default(store)
    if spec.get("priority") not in (None, value):
        raise refused(403, f"the integer value of priority ({spec['priority']}) must not be provided in pod spec")
    return {**item, "spec": {**spec, "priority": value}}


def _value(store: Store, name: str) -> int:
    if name in BUILT_IN:
        return BUILT_IN[name]
    found = store.get(CLASSES, ("", name))
    if found is None:
        raise refused(403, f"no PriorityClass with name {name} was found")
    return int(found.item["value"])


def _default(store: Store) -> int:
    with store.changed:
        classes = [stored.item for stored in store.collection(CLASSES).objects.values()]
    return min((int(one["value"]) for one in classes if one.get("globalDefault")), default=0)
