"""Label and field selectors.

Source: Kubernetes, "Labels and Selectors" and "Field Selectors".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hetero.testing.apiserver.refusals import refused

Test = Callable[[Mapping[str, Any]], bool]
"""Whether an object is selected."""

_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^=!]+?)\s*(?P<operator>==|=|!=)\s*(?P<value>[^=!]*)")


def selector(query: Mapping[str, str]) -> Test:
    """The test that ``labelSelector`` and ``fieldSelector`` of a request make together.

    Raises:
        Refused: One of them cannot be read (400).
    """
    tests = [_label(term) for term in _terms(query.get("labelSelector", ""))]
    tests += [_field(term) for term in query.get("fieldSelector", "").split(",") if term]
    return lambda item: all(test(item) for test in tests)


def _terms(text: str) -> list[str]:
    """Split at commas that are not within brackets."""
    return [term.strip() for term in re.split(r",(?![^(]*\))", text) if term.strip()]


def _label(term: str) -> Test:
    if match := _SET.fullmatch(term):
        values = {value.strip() for value in match["values"].split(",")}
        key, wanted = match["key"], match["operator"] == "in"
        return lambda item: (_labels(item).get(key) in values) is wanted
    if match := _EQUAL.fullmatch(term):
        key, value, equal = match["key"].strip(), match["value"].strip(), match["operator"] != "!="
        return lambda item: (_labels(item).get(key) == value) is equal
    if re.fullmatch(r"!?[A-Za-z0-9._/-]+", term):
        key, there = term.lstrip("!"), not term.startswith("!")
        return lambda item: (key in _labels(item)) is there
    raise refused(400, f"unable to parse requirement: {term!r}")


def _labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}


def _field(term: str) -> Test:
    match = _EQUAL.fullmatch(term)
    if match is None:
        raise refused(400, f"invalid selector: {term!r}; can't understand it")
    path, value, equal = match["key"].split("."), match["value"], match["operator"] != "!="
    return lambda item: (_at(item, path) == value) is equal


def _at(item: Any, path: list[str]) -> str:
    """The text at a dotted path; empty where there is none."""
    for part in path:
        item = item.get(part) if isinstance(item, Mapping) else None
    return "" if item is None else str(item)
