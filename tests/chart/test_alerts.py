"""The chart's alerts: they parse, read what there is, and somebody wrote down what to do about each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from hetero import metrics
from tests.chart import declared, promql

ROOT = Path(__file__).parents[2]
GROUPS = yaml.safe_load((ROOT / "charts/hetero/rules/hetero.yaml").read_text())["groups"]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
PAGE = (ROOT / "docs/how-to/alerts.md").read_text()
each = pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])


@each
def test_an_alert_reads_what_is_exported(rule: dict[str, Any]) -> None:
    """Every metric and label that it names."""
    assert list(declared.faults(rule["expr"])) == []


@each
def test_an_alert_compares_with_a_sane_threshold(rule: dict[str, Any]) -> None:
    """It says when it holds, of a ratio no more than there can be, and within an hour."""
    assert re.search(r"(==|>|<) *\d|^absent\(", rule["expr"]), rule["alert"]
    window = max((_minutes(found) for found in re.findall(r"\[(\w+)\]", rule["expr"])), default=0)
    assert window <= 60
    assert _minutes(rule.get("for", "0m")) <= 60
    for ratio in re.findall(r"_ratio\S* (?:>|<) ([\d.]+)", rule["expr"]):
        assert 0 < float(ratio) < 1


@each
def test_an_alert_is_told_in_words(rule: dict[str, Any]) -> None:
    """A severity, and two sentences; the labels that they name are those that the alert has."""
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description"}
    query = promql.parse(rule["expr"])
    known = declared.labels()
    grouped = "by (" in rule["expr"]
    there = set(query.groupings) if grouped else {label for one in query.selectors for label in known[one.name][1]}
    for text in rule["annotations"].values():
        assert text.endswith(".")
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= there


@each
def test_an_alert_about_a_first_event_sees_it(rule: dict[str, Any]) -> None:
    """Prometheus sees no increase in a series that begins with the event: it has to be there before, at 0."""
    counters = {one.name: one for one in metrics.ALL if isinstance(one, metrics.Counter)}
    for name, matched in re.findall(r"increase\((\w+)(\{[^}]*\})?\[\w+\]\)\) > 0", rule["expr"]):
        counter = counters.get(name)
        if counter is not None and counter.label:
            wanted = re.findall(rf'{counter.label}="([^"]+)"', matched)
            assert wanted
            assert set(wanted) <= set(counter.starts)


@each
def test_somebody_wrote_down_what_to_do(rule: dict[str, Any]) -> None:
    """A heading of the page, and something below it."""
    section = re.search(rf"^## {rule['alert']}\n\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, rule["alert"]
    assert len(section[1].split()) >= 20


def test_the_page_has_no_alert_that_is_not_there() -> None:
    """In the order of the rules."""
    assert re.findall(r"^## (Hetero\w+)$", PAGE, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_names_are_unique() -> None:
    """Of groups and of alerts."""
    for names in ([group["name"] for group in GROUPS], [rule["alert"] for rule in RULES]):
        assert len(set(names)) == len(names)


def _minutes(duration: str) -> float:
    return float(duration[:-1]) * {"s": 1 / 60, "m": 1, "h": 60}[duration[-1]]
