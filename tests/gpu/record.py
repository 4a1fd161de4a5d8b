"""The record of a run on a real card: a page of docs/measurements.

A run of some parts leaves the others of the page as they are, words that somebody added included, if it was the same
machine in all that the page tells of it. Another machine with that card has a page of its own.
"""

from __future__ import annotations

import datetime
import itertools
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.figures import Figure

COMMAND = "command"
"""The fact that may differ within a page: it then names all commands whose figures it has."""

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_ROW = re.compile(r"^\| ([^|]+) \| (.+) \|$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page as it is in its file.

    Attributes:
        facts: What its first table tells of the run.
        words: What stands between that table and the first part.
        parts: The text of each part, by title, in order.
    """

    facts: Mapping[str, str]
    words: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)


def write(figures: dict[str, list[Figure]], card: dict[str, str], facts: dict[str, str], directory: Path) -> Path:
    """Write ``<card>-<date>.md``, or put these parts into the page that there is.

    Returns:
        The page's path; with a number behind the date where another machine with such a card has that page already.
    """
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    known = {**_known(card, date), **facts}
    name = re.sub(r"[^a-z0-9]+", "-", card["name"].lower()).strip("-")
    directory.mkdir(parents=True, exist_ok=True)
    paths = _paths(directory, f"{name}-{date}")
    path = next(path for path in paths if not path.exists() or _same(parse(path.read_text()).facts, known))
    before = parse(path.read_text()) if path.exists() else Page(known)
    path.write_text(spelled(f"{card['name']}, {date}", merged(before, figures, known)))
    return path


def parse(text: str) -> Page:
    """A page from its text."""
    head, *rest = _SECTION.split(text)
    facts = dict(_ROW.findall(head))
    words = "\n".join(line for line in head.splitlines()[1:] if not line.startswith("|")).strip()
    return Page(facts, words, {title: body.strip() for title, body in zip(rest[::2], rest[1::2], strict=True)})


def merged(before: Page, figures: Mapping[str, Sequence[Figure]], known: Mapping[str, str]) -> Page:
    """The page with these parts in the place of its own, or behind them."""
    kept = set(before.parts) - set(figures)
    commands = [before.facts[COMMAND]] if kept and COMMAND in before.facts else []
    if COMMAND in known and known[COMMAND] not in ", ".join(commands).split(", "):
        commands.append(known[COMMAND])
    facts = {**known, COMMAND: ", ".join(commands)} if commands else known
    return Page(facts, before.words, {**before.parts, **{title: _table(rows) for title, rows in figures.items()}})


def spelled(title: str, page: Page) -> str:
    """The text of a page."""
    facts = "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in page.facts.items())])
    parts = (f"## {name}\n\n{text}" for name, text in page.parts.items())
    return "\n\n".join(filter(None, (f"# {title}", facts, page.words, *parts))) + "\n"


def _known(card: Mapping[str, str], date: str) -> dict[str, str]:
    return {
        "date": date,
        "card": f"{card['name']}, {card['memory_mib']} MiB",
        "driver": card["driver"],
        "host": f"{os.cpu_count()} cores, {platform.machine()}, Linux, Python {platform.python_version()}",
    }


def _paths(directory: Path, name: str) -> Iterable[Path]:
    yield directory / f"{name}.md"
    yield from (directory / f"{name}-{number}.md" for number in itertools.count(2))


def _same(facts: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """One run's machine is the other's."""
    return {**facts, COMMAND: ""} == {**others, COMMAND: ""}


def _table(rows: Iterable[Figure]) -> str:
    return "\n".join(["| figure | value | reach | |", "|---|---|---|---|", *map(_line, rows)])


def _line(row: Figure) -> str:
    words = {True: "holds", False: "**falls short**", None: ""}
    return f"| {row.figure} | {row.value:.4g} {row.unit} | {row.reach} | {words[row.holds]} |"
