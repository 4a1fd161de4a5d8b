"""Grafana's dashboards and the dashboard's own history: every query reads what is exported."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hetero.web import history
from tests.chart import declared

ROOT = Path(__file__).parents[2]
BOARDS = {
    path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "charts/hetero/dashboards").glob("*.json"))
}
WEB = sorted((ROOT / "hetero/web").rglob("*.py"))


def plain(query: str) -> str:
    """With Grafana's variables as values."""
    return query.replace("$__rate_interval", "5m")


def queries(board: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Title of a panel and each of its queries."""
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


QUERIES = [pytest.param(expr, id=f"{name}/{title}") for name, board in BOARDS.items() for title, expr in queries(board)]


@pytest.mark.parametrize("expr", QUERIES)
def test_a_panel_reads_what_is_exported(expr: str) -> None:
    """Every metric and label that it names; counters by their rate."""
    assert list(declared.faults(plain(expr))) == []


@pytest.mark.parametrize("name", BOARDS)
def test_variables_are_those_of_the_dashboard(name: str) -> None:
    """Each that a query names is there, each that is there is used, and its values come from what is exported."""
    variables = {one["name"]: one for one in BOARDS[name]["templating"]["list"]}
    text = json.dumps(BOARDS[name]["panels"]) + "".join(json.dumps(one.get("query")) for one in variables.values())
    assert set(re.findall(r"\$\{?(?!__)(\w+)", text)) == set(variables)
    for one in variables.values():
        if one["type"] == "query":
            [(series, label)] = re.findall(r"label_values\((.+), (\w+)\)", one["query"]["query"])
            assert list(declared.faults(series)) == []
            assert label in declared.labels()[series.partition("{")[0]][1]


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_can_be_loaded_beside_others(name: str) -> None:
    """Its identity is its file's name, every panel has a number, a place, a title and a sentence, and none overlap."""
    board = BOARDS[name]
    assert (board["uid"], board["tags"]) == (name, ["hetero"])
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["title"]
        assert panel["type"] == "row" or panel["description"].endswith(".")


def test_every_family_is_shown_somewhere() -> None:
    """What is measured of devices and slices is of use to somebody who looks."""
    shown = " ".join(expr for board in BOARDS.values() for _, expr in queries(board))
    families = [name for name in declared.labels() if name.startswith(("hetero_device_", "hetero_slice_"))]
    hidden = [name for name in families if name not in shown]
    # One is told by the other of its pair, or is for who looks for a defect.
    assert set(hidden) <= {
        "hetero_device_slots_capacity", "hetero_slice_unmeasured_launches_total", "hetero_slice_processes",
    }  # fmt: skip


HISTORY = [pytest.param(expr, id=f"{what}/{line}") for what, lines in history.QUERIES.items() for line, expr in lines]


@pytest.mark.parametrize("expr", HISTORY)
def test_a_question_about_what_was_reads_what_is_exported(expr: str) -> None:
    """The dashboard's own charts, with a name for each placeholder."""
    assert list(declared.faults(expr)) == []


def named(file: Path) -> set[str]:
    """The metrics that strings of a file name; the words of hetero's packages and commands are none."""
    texts = (node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant))
    found = (name for text in texts if isinstance(text, str) for name in re.findall(r"\bhetero_[a-z_]+[a-z]\b", text))
    return set(found)


def test_the_history_reads_what_is_exported() -> None:
    """The dashboard asks Prometheus for our own names; strings with any other one ask for nothing."""
    known = declared.labels()
    wrong = {f"{file.name}: {name}" for file in WEB for name in named(file) if name not in known}
    assert not wrong
