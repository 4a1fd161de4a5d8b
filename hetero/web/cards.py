"""Cards: each with what is promised of it, to whom, and what is really used. Pure."""

from __future__ import annotations

import numpy as np

from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.quantity import MIB
from hetero.web.finding import Search, models, page
from hetero.web.known import Column
from hetero.web.pods import Sliver
from hetero.web.queries import CardsQuery
from hetero.web.records import Amount, Card, Cards, SliceOfCard
from hetero.web.scene import Mask, Scene, value

IDLEST = 10
"""Cards that the first page shows."""


def cards(scene: Scene, query: CardsQuery) -> Cards:
    """A page of cards."""
    shape = scene.shape
    chosen = Search(query.search, shape).rows & models(shape, vendor=query.vendor, model=query.model)
    if query.node:
        chosen &= shape.node_of == shape.places.get(query.node, -1)
    if query.state:
        chosen &= in_state(scene, query.state)
    rows = np.flatnonzero(chosen)
    falling, key = query.order == "desc", _key(scene, query.sort)
    shown = page(rows, key, falling=falling, offset=query.offset, limit=query.limit)
    return Cards(freshness=scene.freshness, total=int(rows.size), items=tuple(card(scene, row) for row in shown))


def in_state(scene: Scene, state: str) -> Mask:
    """Which rows are ``idle``, ``shared``, ``full`` or ``unhealthy``; a card that is cordoned and empty is none."""
    if state == "unhealthy":
        return ~scene.healthy
    if state == "idle":
        return scene.idle
    in_use = scene.healthy & ((scene.used(SLOTS) > 0) | (scene.slices > 0))
    full: Mask = np.logical_or.reduce([_nothing_left(scene, name) for name in (SLOTS, MEMORY, CORES)])
    return in_use & full if state == "full" else in_use & ~full


def _nothing_left(scene: Scene, dimension: str) -> Mask:
    capacity = scene.capacity(dimension)
    nothing: Mask = (capacity > 0) & (scene.used(dimension) >= capacity)
    return nothing


def idlest(scene: Scene, count: int = IDLEST) -> list[int]:
    """The rows with most that nobody was promised or uses, the idlest first; those that get no pods left out."""
    rows = np.flatnonzero(scene.healthy & ~scene.cordoned)
    return page(rows, busyness(scene), limit=count)


def busyness(scene: Scene) -> Column:
    """Row to how little is left of it: first what is promised of memory and compute, then what is used."""
    promised: Column = np.round(scene.share(MEMORY) + _promised_compute(scene), 9)
    capacity = np.maximum(scene.capacity(MEMORY), 1) * MIB
    used = np.nan_to_num(scene.known.memory) / capacity + np.nan_to_num(scene.known.compute)
    # Two keys in one: what is used decides between cards of which as much is promised, and never more than that.
    busy: Column = promised + np.clip(used, 0, 4) * 1e-10
    return busy


def _promised_compute(scene: Scene) -> Column:
    return np.where(scene.capacity(CORES) > 0, scene.share(CORES), 0.0)


def _key(scene: Scene, sort: str) -> Column | None:
    if sort == "memory":
        return scene.share(MEMORY)
    if sort == "compute":
        return _promised_compute(scene)
    if sort == "idle":
        return np.where(scene.healthy & ~scene.cordoned, busyness(scene), np.nan)
    return {"temperature": scene.known.temperature, "power": scene.known.power}.get(sort)


def card(scene: Scene, row: int) -> Card:
    """One card."""
    shape = scene.shape
    device, node = shape.devices[row], shape.names[int(shape.node_of[row])]
    temperature = value(scene.known.temperature, row)
    slivers = scene.on_card.get((node, device.uuid), ())
    return Card(
        node=node,
        uuid=device.uuid,
        index=device.index,
        vendor=device.model.vendor,
        model=device.model.name,
        mode=device.model.mode,
        healthy=device.health.ok,
        health=device.health.reason,
        cordoned=bool(scene.cordoned[row]),
        slots=int(scene.capacity(SLOTS)[row]),
        slots_used=int(scene.used(SLOTS)[row]),
        memory=scene.memory(row),
        compute=scene.compute(row),
        others=others(scene, row),
        temperature=None if temperature is None else round(temperature),
        power=value(scene.known.power, row),
        slices=tuple(slice_of(scene, one) for one in slivers),
    )


def others(scene: Scene, row: int) -> dict[str, Amount]:
    """What only this chip has; single places on it, of which it has one each, are left out."""
    model = scene.shape.devices[row].model
    return {
        name: Amount(capacity=amount, allocated=int(scene.used(name)[row]))
        for name, amount in model.capacity.items()
        if name not in (SLOTS, MEMORY, CORES) and amount > 1
    }


def slice_of(scene: Scene, sliver: Sliver) -> SliceOfCard:
    """What one container has of a card."""
    said = scene.known.slice(sliver.node, (sliver.uid, sliver.container, sliver.device), sliver.turn)
    return SliceOfCard(
        namespace=sliver.namespace,
        pod=sliver.pod,
        container=sliver.container,
        memory=sliver.memory * MIB,
        compute=sliver.cores / 100,
        memory_used=said.memory_used if said else None,
        compute_used=said.compute_used if said else None,
        priority=said.priority if said else sliver.priority,
        running=made(scene, sliver),
        yielding=bool(said and said.yielding),
    )


def made(scene: Scene, sliver: Sliver) -> bool:
    """Whether an agent has made a slice. Where the node's agent is not heard, its kubelet is believed."""
    if sliver.node not in scene.known.seen:
        return sliver.running
    return scene.known.slice(sliver.node, (sliver.uid, sliver.container, sliver.device), sliver.turn) is not None
