"""What is behind each path of the interface, as a table: parameters, answer, and who makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hetero.web import cards, nodes, overview, quotas, records, workloads
from hetero.web.detail import Details
from hetero.web.problems import Refused
from hetero.web.queries import CardsQuery, NodesQuery, Query, QuotasQuery, WorkloadsQuery
from hetero.web.scene import Scene

Parts = Mapping[str, str]
"""The variable parts of a path."""

Make = Callable[[Scene, Parts, Any], records.Record]


@dataclass(frozen=True)
class Page:
    """A path that is read.

    Attributes:
        path: With its variable parts in braces.
        answer: What it answers.
        make: Makes that of a scene.
        query: Its parameters.
        missing: There may be nothing at the path.
        summary: What it is, in a few words.
    """

    path: str
    answer: type[records.Record]
    make: Make
    summary: str
    query: type[Query] = Query
    missing: bool = False


def _node(scene: Scene, parts: Parts, _: Query) -> records.Record:
    found = nodes.node(scene, parts["name"])
    if found is None:
        raise Refused(404, f"there is no node {parts['name']} with devices; /api/v1/nodes lists those that there are")
    return found


def pages(details: Details) -> tuple[Page, ...]:
    """All pages.

    Args:
        details: Looks at single workloads.
    """

    def one(scene: Scene, parts: Parts, _: Query) -> records.Record:
        found = details.of(scene, parts["namespace"], parts["pod"])
        if found is None:
            name = f"{parts['namespace']}/{parts['pod']}"
            raise Refused(404, f"there is no pod {name} that asks for devices; /api/v1/workloads lists those that do")
        return found

    path = "/workloads/{namespace}/{pod}"
    return (*LISTS, Page(path, records.WorkloadDetail, one, "One workload", missing=True))


LISTS = (
    Page("/overview", records.Overview, lambda scene, *_: overview.overview(scene), "The cluster at a glance"),
    Page("/nodes", records.Nodes, lambda scene, _, query: nodes.nodes(scene, query), "Nodes", NodesQuery),
    Page("/nodes/{name}", records.NodeDetail, _node, "One node and its cards", missing=True),
    Page("/cards", records.Cards, lambda scene, _, query: cards.cards(scene, query), "Cards", CardsQuery),
    Page(
        "/workloads",
        records.Workloads,
        lambda scene, _, query: workloads.workloads(scene, query),
        "Pods that hold devices or wait for them",
        WorkloadsQuery,
    ),
    Page("/quotas", records.Quotas, lambda scene, _, query: quotas.quotas(scene, query), "Limits", QuotasQuery),
)
