"""A figure of a benchmark: what it is, what it should be, and whether it holds."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        figure: What was measured, and on what.
        value: The result.
        unit: Its unit.
        reach: What it should be, ``<= N`` or ``>= N``; empty for a figure that is only told.
    """

    figure: str
    value: float
    unit: str
    reach: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the value reaches what it should; None when nothing was said."""
        if not self.reach:
            return None
        sign, number = self.reach.split()
        return bool(_COMPARE[sign](self.value, float(number)))


def write(name: str, figures: Sequence[Figure], directory: Path) -> None:
    """Write ``<directory>/<name>.json``."""
    directory.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(figure), "holds": figure.holds} for figure in figures]
    (directory / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")


def table(figures: Sequence[Figure]) -> str:
    """The figures as lines."""
    wide = max(len(figure.figure) for figure in figures)
    words = {True: "holds", False: "FALLS SHORT", None: ""}
    return "\n".join(
        f"{one.figure:<{wide}}  {one.value:>12.4g} {one.unit:<10} {one.reach:<10} {words[one.holds]}".rstrip()
        for one in figures
    )


def quantile(times: Sequence[float], percent: int) -> float:
    """The value that so many percent do not exceed: one of the values, by the nearest rank."""
    return sorted(times)[max(0, math.ceil(len(times) * percent / 100) - 1)]
