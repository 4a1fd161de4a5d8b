"""``hetero top --cluster``: the cards of a whole cluster and what is used of them, once or again and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from hetero.cli import cluster_rows, output
from hetero.cli.cluster_rows import Chosen, Picked
from hetero.cli.context import Context
from hetero.cli.failures import visible
from hetero.cli.live import Access
from hetero.errors import InvalidValue

if TYPE_CHECKING:
    from hetero.cli.cluster_seen import Seen
    from hetero.web.records import Card, Overview
    from hetero.web.scene import Scene

WIDTH = 12
"""Characters of a bar."""

AROUND = 7
"""Lines of a screen that are no cards or vendors: headings, empty ones, and what stands below."""

WIDE, NARROW = 150, 100
"""Columns of a terminal that has room for bars, and for models."""


def run(  # noqa: PLR0913  what is looked at, and how
    context: Context, access: Access, chosen: Chosen, *, namespace: str, interval: float, form: str
) -> None:
    """Look at the cluster.

    Args:
        context: Settings and plugins.
        access: How to reach the API server.
        chosen: What is shown.
        namespace: Where the agents are; empty: where there are any.
        interval: Seconds between two looks; 0 for a single one.
        form: ``table`` or ``json``.

    Raises:
        ApiError: The API server refused, or did not answer.
        InvalidValue: There is no such node, namespace or vendor.
    """
    from hetero.cli.cluster_seen import Seen

    with access.connected() as api:
        seen = Seen(api, context, namespace)
        _check(seen, chosen)
        if form == "json" or not interval:
            seen.ask(cluster_rows.pick(seen.scene(), chosen, limit=0).nodes)
            _once(seen.scene(), chosen, form)
        else:
            _watch(seen, chosen, interval)


def _check(seen: Seen, chosen: Chosen) -> None:
    scene = seen.scene()
    if chosen.node and chosen.node not in scene.shape.places:
        raise InvalidValue("--node", chosen.node, "is no node with devices; hetero top --cluster lists them")
    there = {model.vendor for model in scene.shape.models} | set(scene.vendors)
    if chosen.vendor and chosen.vendor not in there:
        raise InvalidValue("--vendor", chosen.vendor, f"is none that is known; write {' or '.join(sorted(there))}")
    if chosen.namespace and not cluster_rows.pick(scene, chosen, limit=0).total and seen.lacks(chosen.namespace):
        raise InvalidValue("--namespace", chosen.namespace, "is no namespace of the cluster; kubectl get ns lists them")


def _once(scene: Scene, chosen: Chosen, form: str) -> None:
    from hetero.web.overview import overview

    shown, picked = overview(scene), cluster_rows.pick(scene, chosen)
    problems = cluster_rows.problem_rows(scene.known.problems, picked.nodes)
    if form == "json":
        output.emit_json(
            vendors=cluster_rows.vendor_rows(shown, chosen.vendor),
            devices=[cluster_rows.card_row(card) for card in picked.cards],
            slices=[cluster_rows.slice_row(card, one) for card in picked.cards for one in card.slices],
            waiting=shown.waiting_total,
            problems=problems,
        )
        return
    output.emit_table(cluster_rows.vendor_rows(shown, chosen.vendor), VENDORS, title=_title(shown))
    click.echo()
    if nothing := _nothing(picked, chosen):
        click.echo(nothing)
    else:
        output.emit_table(list(lines(picked.cards)), CARDS)
    if problems:
        click.echo("\nnodes whose use, or some of it, is not known:")
        for line in cluster_rows.reasons(problems):
            click.echo(f"  {visible(line)}")


def _nothing(picked: Picked, chosen: Chosen) -> str:
    """Why no card is shown, where a namespace was chosen; empty where one is."""
    if picked.total or not chosen.namespace:
        return ""
    of = f" on node {chosen.node}" if chosen.node else ""
    of += f" on cards of {chosen.vendor}" if chosen.vendor else ""
    return f"no slice is in namespace {visible(chosen.namespace)}{of}"


def _title(shown: Overview) -> str:
    waiting = f"; {shown.waiting_total} wait" if shown.waiting_total else ""
    apart = "" if shown.freshness.in_step else "  (the API server cannot be reached: this is as it was)"
    return f"{shown.nodes} nodes, {shown.cards} cards, {shown.workloads} pods with devices{waiting}{apart}"


def _watch(seen: Seen, chosen: Chosen, interval: float) -> None:
    from rich.console import Console
    from rich.live import Live

    from hetero.cli.keys import Keys

    seen.follow()
    pages = Pages()
    try:
        with Keys() as keys, Live(console=Console(), screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                scene, height = seen.scene(), live.console.height
                picked = cluster_rows.pick(scene, chosen, pages.first, height)
                shown = fitting(picked.cards, _room(height, scene))
                place = _nothing(picked, chosen) or _place(pages.first, len(shown), picked.total)
                live.update(_screen(scene, shown, place, live.console.width), refresh=True)
                seen.ask_on({card.node for card in shown}, interval)
                key = keys.wait(interval)
                if key == "quit":
                    return
                pages.turn(key, len(shown), picked.total)
    finally:
        seen.stop()


class Pages:
    """Where in a list somebody is who turns pages of different lengths.

    Attributes:
        first: The first item of the page.
    """

    def __init__(self) -> None:
        self.first = 0
        self._before: list[int] = []

    def turn(self, key: str, shown: int, total: int) -> None:
        """What a key does.

        Args:
            key: As of :class:`hetero.cli.keys.Keys`.
            shown: Items on this page.
            total: In the list, which may have become shorter.
        """
        if key == "next" and self.first + shown < total:
            self._before.append(self.first)
            self.first += shown
        elif key == "back":
            self.first = self._before.pop() if self._before else 0
        elif key == "first" or self.first >= total:
            self.first = 0
            self._before.clear()


def fitting(cards: tuple[Card, ...], room: int) -> tuple[Card, ...]:
    """The first cards that have room with their slices; one at least, which may be cut off."""
    count = used = 0
    for card in cards:
        used += 1 + len(card.slices)
        if used > room and count:
            break
        count += 1
    return cards[:count]


def _room(height: int, scene: Scene) -> int:
    """Lines for cards and slices."""
    return max(1, height - AROUND - len({model.vendor for model in scene.shape.models}))


def _place(first: int, shown: int, total: int) -> str:
    return f"cards {min(first + 1, total)}-{first + shown} of {total}; space and b turn pages, q ends"


def _screen(scene: Scene, cards: tuple[Card, ...], place: str, width: int) -> Any:
    from rich.console import Group
    from rich.text import Text

    from hetero.web.overview import overview

    shown = overview(scene)
    problems = cluster_rows.problem_rows(scene.known.problems, {card.node for card in cards})
    said = next(cluster_rows.reasons(problems), "")
    return Group(
        Text(_title(shown)),
        output.table(cluster_rows.vendor_rows(shown), _narrowed(VENDORS, width), bare=True),
        Text(),
        output.table(list(lines(cards)), _narrowed(CARDS, width), bare=True),
        Text(),
        Text(place),
        Text(visible(said), no_wrap=True, overflow="ellipsis"),
    )


def _narrowed(columns: tuple[output.Column, ...], width: int) -> list[output.Column]:
    """Without bars and models where there is no room for them: figures first."""
    wide = [one for one in columns if width >= WIDE or one.text not in (_memory_bar, _compute_bar)]
    return [one for one in wide if width >= NARROW or one.heading != "model"]


def lines(cards: tuple[Card, ...]) -> Iterator[dict[str, Any]]:
    """A line for each card, and one below it for each slice."""
    for card in cards:
        yield {**cluster_rows.card_row(card), "what": card.node, "place": card.index, "state": _state(card)}
        for one in card.slices:
            row = cluster_rows.slice_row(card, one)
            yield {
                **row,
                "what": f"  {one.namespace}/{one.pod} {one.container}",
                "place": None,
                "model": "",
                "memory_allocated_mib": row["memory_limit_mib"],
                "memory_capacity_mib": None,
                "compute_allocated_percent": row["compute_limit_percent"],
                "state": _told(row),
            }


def _state(card: Card) -> str:
    if not card.healthy:
        return f"unhealthy: {card.health}"
    if card.cordoned:
        return "cordoned"
    return "" if card.slots_used else "idle"


def _told(row: Mapping[str, Any]) -> str:
    if row["yielding"]:
        return f"priority {row['priority']}, makes way"
    priority = "" if row["priority"] in (None, 1) else f"priority {row['priority']}"
    return priority if row["running"] else "not started"


def bar(used: float | None, promised: float | None, whole: float | None) -> str:
    """What is used, full; what is promised and not used, half full; nothing where a figure is not known."""
    if not whole:
        return ""
    full = min(WIDTH, round(WIDTH * (used or 0) / whole))
    half = max(0, min(WIDTH, round(WIDTH * (promised or 0) / whole)) - full)
    return "█" * full + "▒" * half + "░" * (WIDTH - full - half)


def _memory(row: Mapping[str, Any]) -> str:
    parts = [row["memory_used_mib"], row["memory_allocated_mib"], row["memory_capacity_mib"]]
    shown = [_gib(part) for part in parts]
    return " / ".join(shown if parts[2] is not None else shown[:2]) + " GiB"


def _compute(row: Mapping[str, Any]) -> str:
    used, promised = row["compute_used_percent"], row["compute_allocated_percent"]
    return f"{_whole(used)} / {_whole(promised)} %" if promised else f"{_whole(used)} %"


def _gib(size: int | None) -> str:
    return "-" if size is None else f"{size / 1024:.1f}"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _memory_bar(row: Mapping[str, Any]) -> str:
    whole = row["memory_capacity_mib"]
    return bar(row["memory_used_mib"], row["memory_allocated_mib"], whole)


def _compute_bar(row: Mapping[str, Any]) -> str:
    whole, promised = row.get("compute_capacity_percent"), row["compute_allocated_percent"] or 0
    # What slices without a limit share is not nobody's.
    return bar(row["compute_used_percent"], promised + row.get("compute_shared_percent", 0), whole)


def _of(key: str) -> output.Column:
    return output.column(key, key, number=True)


USED = (
    output.Column("memory used / promised / all", _memory, number=True),
    output.Column("", _memory_bar),
    output.Column("compute used / promised", _compute, number=True),
    output.Column("", _compute_bar),
)
VENDORS = (output.column("vendor", "vendor"), *map(_of, ("nodes", "cards", "idle", "unhealthy", "slices")), *USED)
CARDS = (
    output.column("node, slices", "what"),
    output.column("#", "place", number=True),
    output.column("model", "model"),
    *USED,
    output.column("", "state"),
)
