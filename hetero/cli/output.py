"""Tables for people and JSON for programs, from the same rows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hetero.cli import widths
from hetero.cli.failures import visible

if TYPE_CHECKING:
    from rich.table import Table

VERSION = 1
"""Version of the JSON. Fields are added within a version, never removed or given another meaning."""

F = TypeVar("F", bound=Callable[..., Any])

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One column: its heading, what it shows of a row, whether it is a number, and left out of a narrow terminal."""

    heading: str
    text: Callable[[Row], str]
    number: bool = False
    spare: bool = False


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


def column(heading: str, key: str, *, number: bool = False, spare: bool = False) -> Column:
    """A column that shows one key of a row in one line; nothing for None."""
    return Column(heading, lambda row: "" if row[key] is None else visible(str(row[key])), number, spare)


def emit_json(**rows: Any) -> None:
    """Print ``{"version": 1, "<name>": [...]}``."""
    click.echo(json.dumps({"version": VERSION, **rows}, indent=2))


def emit_table(rows: Sequence[Row], columns: Sequence[Column], *, title: str = "") -> None:
    """Print a table; without a terminal it is as wide as it needs to be, and without lines."""
    if not sys.stdout.isatty():
        click.echo("\n".join(plain(rows, columns, title=title)))
        return
    from rich.console import Console

    console = Console()
    shown, left_out = narrowed(rows, columns, console.width, title=title)
    console.print(shown)
    if left_out:
        console.print(_plain(f"no room for {', '.join(left_out)}: widen the terminal, or say --output json"))


def narrowed(rows: Sequence[Row], columns: Sequence[Column], width: int, *, title: str = "") -> tuple[Table, list[str]]:
    """The rows as a table for a terminal of that width, and the headings of columns that it has no room for."""
    edges, gap, tight = 2, 3, 2
    needs = [_need(rows, one) for one in columns]
    result = table(rows, columns, title=title)
    if sum(one.most for one in needs) + gap * (len(needs) - 1) + edges <= width:
        return result, []
    found = widths.fitted(needs, width - edges, tight)
    chosen = [(one, cells) for one, cells in zip(columns, found, strict=False) if cells is not None]
    if not chosen:
        return result, []
    result = table(rows, [one for one, _ in chosen], title=title)
    result.padding = (0, 1, 0, 0)
    for made, (_, cells) in zip(result.columns, chosen, strict=True):
        made.width = cells
    left_out = [one.heading for one, cells in zip(columns, found, strict=True) if cells is None]
    return result, [heading for heading in left_out if heading]  # a bar has none, and says nothing of its own


def _need(rows: Sequence[Row], one: Column) -> widths.Need:
    texts = (visible_lines(one.text(row)) for row in rows)
    return widths.need([one.heading, *texts], number=one.number, spare=one.spare)


def plain(rows: Sequence[Row], columns: Sequence[Column], *, title: str = "") -> Iterator[str]:
    """The lines of a table as programs cut it: columns side by side, two spaces between them, nothing wrapped.

    Written out here, for a table of the terminal's library takes a millisecond a row, and a cluster has 60,000.
    """
    from rich.cells import cell_len

    if title:
        yield visible(title)
    heads = [one.heading for one in columns]
    shown = [heads, *([visible_lines(one.text(row)) for one in columns] for row in rows)]
    parts = [part for cells in shown for part in zip_longest(*(cell.split("\n") for cell in cells), fillvalue="")]
    sizes = [[len(text) if text.isascii() else cell_len(text) for text in part] for part in parts]
    widths = [max(column) for column in zip(*sizes, strict=True)]
    for texts, lengths in zip(parts, sizes, strict=True):
        cells = zip(texts, lengths, widths, columns, strict=True)
        yield "  ".join(
            " " * (width - length) + text if column.number else text + " " * (width - length)
            for text, length, width, column in cells
        ).rstrip()


def table(rows: Sequence[Row], columns: Sequence[Column], *, title: str = "", bare: bool = False) -> Table:
    """The rows as a table for a terminal; a bare one has no lines, and cuts off what has no room."""
    from rich import box
    from rich.table import Table

    result = Table(
        title=_plain(title) if title else None,
        title_justify="left",
        box=None if bare else box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for one in columns:
        result.add_column(
            one.heading,
            justify="right" if one.number else "left",
            overflow="ellipsis" if bare else "fold",
            no_wrap=bare,
        )
    for row in rows:
        result.add_row(*(_plain(one.text(row)) for one in columns))
    return result


def _plain(text: str) -> Any:
    # A Text object, so that brackets in a user's words are not read as markup. Lines are the column's own doing.
    from rich.text import Text

    return Text(visible_lines(text))


def visible_lines(text: str) -> str:
    """A text of which only the ends of its lines have an effect on a terminal."""
    return "\n".join(visible(line) for line in text.split("\n"))
