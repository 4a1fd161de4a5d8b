"""What the ResourceQuotas of namespaces allow, and what is taken of it. Pure."""

from __future__ import annotations

from hetero.model.device import CORES, MEMORY
from hetero.web.finding import Search
from hetero.web.queries import QuotasQuery
from hetero.web.records import QuotaLimit, Quotas
from hetero.web.scene import Scene

UNITS = {MEMORY: "MiB", CORES: "percent"}
"""Of amounts; devices have none."""


def quotas(scene: Scene, query: QuotasQuery) -> Quotas:
    """A page of limits, by namespace."""
    search = Search(query.search, scene.shape)
    found = [
        one
        for one in scene.quotas
        if query.namespace in ("", one.namespace)
        and search.text(one.namespace, one.quota, one.limit.resource, one.limit.vendor)
    ]
    shown = found[query.offset : query.offset + query.limit]
    items = tuple(
        QuotaLimit(
            namespace=one.namespace,
            quota=one.quota,
            resource=one.limit.resource,
            unit=UNITS.get(one.limit.dimension, ""),
            limit=one.limit.amount,
            used=one.used,
        )
        for one in shown
    )
    return Quotas(freshness=scene.freshness, total=len(found), items=items)
