"""The record of a run on a real card: a page of docs/measurements."""

from __future__ import annotations

import datetime
import os
import platform
import re
from pathlib import Path

from tests.bench.figures import Figure


def write(figures: dict[str, list[Figure]], card: dict[str, str], facts: dict[str, str], directory: Path) -> Path:
    """Write ``<card>-<date>.md``; a run of the same card on the same day takes the place of the one before."""
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    name = re.sub(r"[^a-z0-9]+", "-", card["name"].lower()).strip("-")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}-{date}.md"
    path.write_text(page(figures, card, facts, date))
    return path


def page(figures: dict[str, list[Figure]], card: dict[str, str], facts: dict[str, str], date: str) -> str:
    """The whole page."""
    known = {
        "date": date,
        "card": f"{card['name']}, {card['memory_mib']} MiB",
        "driver": card["driver"],
        "host": f"{os.cpu_count()} cores, {platform.machine()}, Linux, Python {platform.python_version()}",
        **facts,
    }
    lines = [f"# {card['name']}, {date}", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in known.items()]
    for title, rows in figures.items():
        lines += ["", f"## {title}", "", "| figure | value | reach | |", "|---|---|---|---|"]
        lines += [_line(row) for row in rows]
    return "\n".join(lines) + "\n"


def _line(row: Figure) -> str:
    words = {True: "holds", False: "**falls short**", None: ""}
    return f"| {row.figure} | {row.value:.4g} {row.unit} | {row.reach} | {words[row.holds]} |"
