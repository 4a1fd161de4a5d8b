"""What ``hetero top --cluster`` shows, made of a moment of the cluster; the figures are the dashboard's. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hetero.model.device import MEMORY
from hetero.model.quantity import MIB

if TYPE_CHECKING:
    from hetero.web.records import Amount, Card, Overview, SliceOfCard
    from hetero.web.scene import Scene

SORTS = ("node", "memory", "compute", "idle")

TOLD = 10
"""Different reasons that are listed why the use of nodes is not known, and nodes that each names."""

NAMED = 3


@dataclass(frozen=True)
class Chosen:
    """Which cards, and in which order.

    Attributes:
        node: Only of this node; empty for all.
        namespace: Only those with slices of this namespace, and of their slices only these.
        vendor: Only of this vendor.
        sort: By ``node``; by ``memory`` or ``compute`` that is used, most first, what is not known last; or ``idle``:
            those with most left first.
    """

    node: str = ""
    namespace: str = ""
    vendor: str = ""
    sort: str = "node"


@dataclass(frozen=True)
class Picked:
    """A part of the cards.

    Attributes:
        cards: Those that are shown.
        total: How many were chosen.
        nodes: Names of all nodes with a chosen card.
    """

    cards: tuple[Card, ...]
    total: int
    nodes: frozenset[str]


def pick(scene: Scene, chosen: Chosen, offset: int = 0, limit: int | None = None) -> Picked:
    """The cards that were chosen, or a part of them. O(cards of the cluster), and of those shown."""
    import numpy as np

    from hetero.web import finding

    shape = scene.shape
    wanted = finding.models(shape, vendor=chosen.vendor)
    if chosen.node:
        wanted &= shape.node_of == shape.places.get(chosen.node, -1)
    if chosen.namespace:
        wanted &= _of_namespace(scene, chosen.namespace)
    rows = np.flatnonzero(wanted)
    falling = chosen.sort in ("memory", "compute")
    shown = finding.page(
        rows, _key(scene, chosen.sort), falling=falling, offset=offset, limit=rows.size if limit is None else limit
    )
    nodes = frozenset(shape.names[place] for place in np.unique(shape.node_of[rows]).tolist())
    return Picked(tuple(_card(scene, row, chosen.namespace) for row in shown), int(rows.size), nodes)


def _of_namespace(scene: Scene, namespace: str) -> Any:
    import numpy as np

    wanted = np.zeros(len(scene.shape.devices), dtype=bool)
    for place, slivers in scene.on_card.items():
        row = scene.shape.rows.get(place)
        if row is not None and any(one.namespace == namespace for one in slivers):
            wanted[row] = True
    return wanted


def _key(scene: Scene, sort: str) -> Any:
    import numpy as np

    from hetero.web import cards

    if sort == "memory":
        return scene.known.memory / np.maximum(scene.capacity(MEMORY) * MIB, 1)
    if sort == "compute":
        return scene.known.compute
    return cards.busyness(scene) if sort == "idle" else None


def _card(scene: Scene, row: int, namespace: str) -> Card:
    import msgspec

    from hetero.web import cards

    found = cards.card(scene, row)
    if not namespace:
        return found
    kept = tuple(one for one in found.slices if one.namespace == namespace)
    return msgspec.structs.replace(found, slices=kept)


# Rows


def vendor_rows(shown: Overview, vendor: str = "") -> list[dict[str, Any]]:
    """A row for each vendor, or for the one that is named: others' agents are not asked."""
    return [
        {
            "vendor": one.vendor,
            "nodes": one.nodes,
            "cards": one.cards,
            "idle": one.idle,
            "unhealthy": one.unhealthy,
            "slices": one.slices,
            **amounts(one.memory, one.compute),
        }
        for one in shown.vendors
        if vendor in ("", one.vendor)
    ]


def card_row(card: Card) -> dict[str, Any]:
    """A row for a card."""
    return {
        "node": card.node,
        "device": card.index,
        "uuid": card.uuid,
        "vendor": card.vendor,
        "model": card.model,
        "mode": card.mode,
        "healthy": card.healthy,
        "health": "ok" if card.healthy else card.health,
        "cordoned": card.cordoned,
        "slots": card.slots,
        "slots_used": card.slots_used,
        **amounts(card.memory, card.compute),
        "temperature_celsius": card.temperature,
        "power_watts": card.power,
    }


def slice_row(card: Card, one: SliceOfCard) -> dict[str, Any]:
    """A row for what one container has of a card."""
    return {
        "node": card.node,
        "device": card.index,
        "uuid": card.uuid,
        "vendor": card.vendor,
        "namespace": one.namespace,
        "pod": one.pod,
        "container": one.container,
        "priority": one.priority,
        "memory_limit_mib": mib(one.memory),
        "memory_used_mib": mib(one.memory_used),
        "compute_limit_percent": percent(one.compute) or None,
        "compute_used_percent": percent(one.compute_used),
        "running": one.running,
        "yielding": one.yielding,
    }


def amounts(memory: Amount, compute: Amount) -> dict[str, Any]:
    """The keys that vendors and cards have in common. Compute of one device is 100 percent."""
    return {
        "memory_capacity_mib": mib(memory.capacity),
        "memory_allocated_mib": mib(memory.allocated),
        "memory_used_mib": mib(memory.used),
        "compute_capacity_percent": percent(compute.capacity),
        "compute_allocated_percent": percent(compute.allocated),
        "compute_used_percent": percent(compute.used),
        "compute_shared_percent": percent(compute.shared),
    }


def problem_rows(problems: Mapping[str, str], nodes: Iterable[str]) -> list[dict[str, str]]:
    """A row for each of these nodes whose use, or some of it, is not known."""
    return [{"node": node, "reason": problems[node]} for node in sorted(nodes) if node in problems]


def reasons(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    """The same for people: each reason once, the most nodes first, with some of the nodes."""
    counts = Counter(row["reason"] for row in rows)
    for reason, count in counts.most_common(TOLD):
        nodes = [row["node"] for row in rows if row["reason"] == reason]
        more = f" and {count - NAMED} more" if count > NAMED else ""
        yield f"{', '.join(nodes[:NAMED])}{more}: {reason}"
    if len(counts) > TOLD:
        yield f"and {len(counts) - TOLD} more reasons; --output json has all"


def mib(size: float | None) -> int | None:
    """Whole MiB, rounded up: what is in use is never shown as nothing."""
    return None if size is None else -int(-size // MIB)


def percent(ratio: float | None) -> float | None:
    """Of one device, to a tenth."""
    return None if ratio is None else round(100 * ratio, 1)
