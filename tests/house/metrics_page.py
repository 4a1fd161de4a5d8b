"""Writes the tables of `docs/reference/metrics.md` from the declarations: `make metrics-doc`.

What stands between the marks is made; all else of the page is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path

from hetero import metrics
from hetero.instruments import Metric
from hetero.peer_metrics import Names

PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"
BEGIN = "<!-- made by `make metrics-doc`: {} -->"
END = "<!-- end of what is made -->"
HEAD = "| name | kind | labels | by | meaning |\n|---|---|---|---|---|\n"


def row(metric: Metric) -> str:
    """One line of a table."""
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    cells = (f"`{metric.name}`", metric.kind, labels, ", ".join(metric.by), metric.help)
    return "| " + " | ".join(cells) + " |\n"


def tables() -> dict[str, str]:
    """Ours, and those under other names, by the word at their mark."""
    names = Names(current=True, legacy=True)
    others = [family for process in metrics.EVERY for family in names.of(process)]
    return {"our names": HEAD + "".join(map(row, metrics.ALL)), "other names": HEAD + "".join(map(row, others))}


def page(text: str) -> str:
    """The page with its tables made anew."""
    for word, table in tables().items():
        begin = BEGIN.format(word)
        made = f"{begin}\n\n{table}\n{END}"
        text = re.sub(f"{re.escape(begin)}.*?{re.escape(END)}", lambda _, made=made: made, text, flags=re.DOTALL)  # type: ignore[misc]
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
