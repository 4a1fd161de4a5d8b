"""Queries against the declarations: every metric that one names is exported, with the labels that it names."""

from __future__ import annotations

from collections.abc import Iterator

from hetero import metrics
from tests.chart import promql

FROM_PROMETHEUS = {"node"}
"""Labels that Prometheus itself puts on each sample of an agent, as the chart's ServiceMonitor tells it to."""

FROM_ANYWHERE = {"instance"}
"""Those that it puts on every sample."""

_PARTS = ("_bucket", "_sum", "_count")


def labels() -> dict[str, tuple[str, set[str]]]:
    """Name of a series to its kind and its labels; the parts of a histogram are counters."""
    found: dict[str, tuple[str, set[str]]] = {}
    for one in metrics.ALL:
        own = {*one.labels, *FROM_ANYWHERE, *(FROM_PROMETHEUS if "agent" in one.by else ())}
        if one.kind == "histogram":
            for part in _PARTS:
                found[one.name + part] = "counter", own | ({"le"} if part == "_bucket" else set())
        else:
            found[one.name] = one.kind, own
    return found


def faults(text: str) -> Iterator[str]:
    """What is wrong with a query, in a sentence each."""
    try:
        query = promql.parse(text)
    except promql.Wrong as error:
        yield str(error)
        return
    known = labels()
    there: set[str] = set()
    for one in query.selectors:
        if one.name not in known:
            yield f"there is no metric {one.name}"
            continue
        kind, has = known[one.name]
        there |= has
        yield from (f"{one.name} has no label {label}" for label in one.matchers if label not in has)
        if (kind == "counter") != (one.within in promql.COUNTERS):
            yield f"{one.name} is a {kind}, and is read by {one.within or 'nobody'}"
    yield from (f"no metric of it has a label {label}" for label in query.groupings if label not in there)
