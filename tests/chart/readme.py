"""Writes `charts/hetero/README.md` from the comments of `values.yaml`: `make chart-readme`.

A value is told by the comment above it that begins with ``# --``; ``# @default --`` says in words what is too long to
show. Values of vendors after the first are the first one's over again, and need no comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

CHART = Path(__file__).parents[2] / "charts/hetero"
README = CHART / "README.md"

HEAD = """# hetero's chart

Shares accelerators of many vendors between pods: a scheduler with its webhook, and an agent on each node that has
devices. Kubernetes 1.30 and newer. Step by step: [install hetero on a cluster](../../docs/how-to/install.md).

```console
$ helm install hetero charts/hetero -n kube-system --set vendors.NAME.enabled=true
```

What cannot be used is refused with a sentence before anything is installed. The values, generated from `values.yaml` by
`make chart-readme`:

| value | default | meaning |
|---|---|---|
"""


class Value(NamedTuple):
    """A value that the file tells of."""

    path: str
    default: str
    meaning: str

    def row(self) -> str:
        """As a table has it."""
        cells = (f"`{self.path}`", self.default, self.meaning)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def values(text: str) -> Iterator[Value]:
    """The values of a file that have a comment, in its order."""
    lines = text.splitlines()
    for path, line, value in _keys(yaml.compose(text, yaml.SafeLoader), ()):
        told = _comment(lines, line)
        if told.startswith("-- "):
            meaning, _, default = told[3:].partition("@default -- ")
            yield Value(".".join(path), default.strip() or f"`{json.dumps(value)}`", meaning.strip())


def undocumented(text: str, *, beside: tuple[str, ...] = ()) -> list[str]:
    """The values without one, nor within one that has; ``beside`` are those whose keys need none."""
    told = [value.path for value in values(text)]
    found = []
    for path, _, value in _keys(yaml.compose(text, yaml.SafeLoader), ()):
        dotted = ".".join(path)
        within = any(dotted == one or dotted.startswith(f"{one}.") for one in (*told, *beside))
        # What holds documented values needs no word of its own.
        holds = isinstance(value, dict) and any(one.startswith(f"{dotted}.") for one in told)
        if not within and not holds:
            found.append(dotted)
    return found


def readme(text: str) -> str:
    """The page."""
    return HEAD + "".join(f"{value.row()}\n" for value in values(text))


def _keys(node: yaml.Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int, object]]:
    """Each key below a node: where it is, in which line, and what it has."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            where = (*path, key.value)
            yield where, key.start_mark.line, _plain(value)
            yield from _keys(value, where)


def _plain(node: yaml.Node) -> object:
    return yaml.safe_load(yaml.serialize(node))


def _comment(lines: list[str], line: int) -> str:
    """The comment right above a line, in one piece."""
    found: list[str] = []
    while line and (match := re.fullmatch(r"\s*# ?(.*)", lines[line - 1])):
        found.insert(0, match[1])
        line -= 1
        if match[1].startswith("-- "):
            break
    return " ".join(found)


if __name__ == "__main__":
    README.write_text(readme((CHART / "values.yaml").read_text()))
