"""Nodes, and one node with its cards. Pure."""

from __future__ import annotations

from collections import Counter

import numpy as np

from hetero.model.device import CORES, MEMORY
from hetero.placement.columns import Rows
from hetero.web.cards import card
from hetero.web.finding import Search, models, page
from hetero.web.known import Column
from hetero.web.queries import NodesQuery
from hetero.web.records import Amount, NodeDetail, Nodes, NodeSummary
from hetero.web.scene import Numbers, Scene, value

NOT_YET = "its agent has not been asked yet"


def nodes(scene: Scene, query: NodesQuery) -> Nodes:
    """A page of nodes."""
    shape = scene.shape
    chosen = Search(query.search, shape).nodes & (shape.sizes > 0)
    if query.vendor:
        having = np.bincount(shape.node_of[models(shape, vendor=query.vendor)], minlength=chosen.size)
        chosen &= having > 0
    found = np.flatnonzero(chosen)
    key = _key(scene, query.sort)
    shown = page(found, key, falling=query.order == "desc", offset=query.offset, limit=query.limit)
    return Nodes(freshness=scene.freshness, total=int(found.size), items=tuple(summaries(scene, shown)))


def node(scene: Scene, name: str) -> NodeDetail | None:
    """One node; None when there is none of that name with devices."""
    place = scene.shape.places.get(name)
    if place is None or not scene.shape.sizes[place]:
        return None
    [shown] = summaries(scene, [place])
    cards = tuple(card(scene, row) for row in scene.shape.of(place))
    return NodeDetail(freshness=scene.freshness, node=shown, cards=cards)


def summaries(scene: Scene, places: list[int]) -> list[NodeSummary]:
    """These nodes."""
    of: Rows = np.full(len(scene.shape.devices), len(places), dtype=np.intp)
    for number, place in enumerate(places):
        rows = scene.shape.of(place)
        of[rows.start : rows.stop] = number
    memory, compute = scene.sums(of, len(places) + 1)
    return [_summary(scene, place, memory[number], compute[number]) for number, place in enumerate(places)]


def _summary(scene: Scene, place: int, memory: Amount, compute: Amount) -> NodeSummary:
    shape, name, rows = scene.shape, scene.shape.names[place], scene.shape.of(place)
    found = [shape.devices[row].model for row in rows]
    reported = value(scene.known.times, place)
    return NodeSummary(
        name=name,
        vendors=tuple(sorted({one.vendor for one in found})),
        models=dict(sorted(Counter(one.name for one in found).items())),
        cards=len(rows),
        unhealthy=int((~scene.healthy[rows.start : rows.stop]).sum()),
        slices=int(scene.slices[rows.start : rows.stop].sum()),
        memory=memory,
        compute=compute,
        reported=reported,
        problem=scene.known.problems.get(name, "" if reported is not None else NOT_YET),
    )


def _key(scene: Scene, sort: str) -> Column | Numbers | None:
    shape = scene.shape
    count = len(shape.names)
    if sort == "cards":
        return shape.sizes
    if sort == "slices":
        return np.bincount(shape.node_of, scene.slices, minlength=count)
    if sort in ("memory", "compute"):
        name = MEMORY if sort == "memory" else CORES
        used = np.bincount(shape.node_of, scene.used(name), minlength=count)
        return used / np.maximum(np.bincount(shape.node_of, scene.capacity(name), minlength=count), 1)
    return None
