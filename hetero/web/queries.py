"""What may be asked of each page: the parameters of its address, checked and described by the same struct."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

MOST = 200
"""Items of one page."""

Text = Annotated[str, msgspec.Meta(max_length=253)]
Offset = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST)]
Order = Literal["asc", "desc"]


class Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A page that takes no parameters; what the others share."""


class Paged(Query, frozen=True, kw_only=True):
    """A list that is looked at in parts.

    Attributes:
        search: Words that must all occur in name, namespace, vendor, model or identity, in any case.
        offset: How many items come before.
        limit: How many there are at most, up to 200.
    """

    search: Text = ""
    offset: Offset = 0
    limit: Limit = 50


class NodesQuery(Paged, frozen=True, kw_only=True):
    """Nodes.

    Attributes:
        vendor: Only nodes with cards of this vendor.
        sort: By name, by the ratio of memory or compute that is promised, by how many cards or slices.
        order: Which comes first.
    """

    vendor: Text = ""
    sort: Literal["name", "memory", "compute", "cards", "slices"] = "name"
    order: Order = "asc"


class CardsQuery(Paged, frozen=True, kw_only=True):
    """Cards.

    Attributes:
        vendor: Only of this vendor.
        model: Only of this product, as the driver spells it.
        node: Only of this node.
        state: ``idle``: well and promised to nobody; ``full``: no slot, memory or compute is left; ``shared``: in use,
            with room; ``unhealthy``.
        sort: By node, by the ratio of memory or compute that is promised, by what is left (the idlest first), by
            temperature, by power. What is not known comes last.
        order: Which comes first.
    """

    vendor: Text = ""
    model: Text = ""
    node: Text = ""
    state: Literal["", "idle", "shared", "full", "unhealthy"] = ""
    sort: Literal["node", "memory", "compute", "idle", "temperature", "power"] = "node"
    order: Order = "asc"


class WorkloadsQuery(Paged, frozen=True, kw_only=True):
    """Pods that hold devices or wait for them.

    Attributes:
        namespace: Only of this namespace.
        vendor: Only with devices of this vendor, or waiting for them.
        state: ``running``, ``placed`` (it has its node, and no slice yet) or ``waiting``.
        sort: By namespace and name, by age (the oldest first), by memory or compute promised.
        order: Which comes first.
    """

    namespace: Text = ""
    vendor: Text = ""
    state: Literal["", "running", "placed", "waiting"] = ""
    sort: Literal["name", "since", "memory", "compute"] = "name"
    order: Order = "asc"


class QuotasQuery(Paged, frozen=True, kw_only=True):
    """Limits of ResourceQuotas.

    Attributes:
        namespace: Only of this namespace.
    """

    namespace: Text = ""


class HistoryQuery(Query, frozen=True, kw_only=True):
    """What was, from Prometheus.

    Attributes:
        of: What it is about.
        name: Which: a node's name, a card's identity, or namespace and pod with a slash between; empty for the cluster.
        range: How far back.
    """

    of: Literal["cluster", "node", "card", "workload"] = "cluster"
    name: Text = ""
    range: Literal["1h", "6h", "1d", "7d"] = "1h"
