"""Tables for people and JSON for programs, from the same rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hetero.cli.failures import visible

if TYPE_CHECKING:
    from rich.table import Table

VERSION = 1
"""Version of the JSON. Fields are added within a version, never removed or given another meaning."""

_ENDLESS = 1_000_000
"""Characters: wider than any row."""

F = TypeVar("F", bound=Callable[..., Any])

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: its heading, what it shows of a row, and whether it is a number."""

    heading: str
    text: Callable[[Row], str]
    number: bool = False


def option(command: F) -> F:
    """The option ``--output table|json``, given to the command as ``form``."""
    choice = click.option(
        "--output",
        "form",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="A table for people, or JSON for programs.",
    )
    return choice(command)


def column(heading: str, key: str, *, number: bool = False) -> Column:
    """A column that shows one key of a row in one line; nothing for None."""
    return Column(heading, lambda row: "" if row[key] is None else visible(str(row[key])), number)


def emit_json(**rows: Any) -> None:
    """Print ``{"version": 1, "<name>": [...]}``."""
    click.echo(json.dumps({"version": VERSION, **rows}, indent=2))


def emit_table(rows: Sequence[Row], columns: Sequence[Column], *, title: str = "") -> None:
    """Print a table; without a terminal it is as wide as it needs to be, and without lines."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    Console(width=None if terminal else _ENDLESS, soft_wrap=not terminal).print(
        table(rows, columns, title=title, plain=not terminal)
    )


def table(rows: Sequence[Row], columns: Sequence[Column], *, title: str = "", plain: bool = False) -> Table:
    """The rows as a table; a plain one has no lines and wraps nothing, so that programs can cut it."""
    from rich import box
    from rich.table import Table

    result = Table(
        title=_plain(title) if title else None,
        title_justify="left",
        box=None if plain else box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for one in columns:
        result.add_column(one.heading, justify="right" if one.number else "left", overflow="fold", no_wrap=plain)
    for row in rows:
        result.add_row(*(_plain(one.text(row)) for one in columns))
    return result


def _plain(text: str) -> Any:
    # A Text object, so that brackets in a user's words are not read as markup. Lines are the column's own doing.
    from rich.text import Text

    return Text("\n".join(visible(line) for line in text.split("\n")))
