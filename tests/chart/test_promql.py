"""Queries are read as Prometheus reads them, and what it would refuse is refused."""

from __future__ import annotations

import pytest

from tests.chart import declared, promql

GOOD = [
    "1 + 2 * -3",
    "a",
    'a{b="c",d!="e",f=~"g|h",i!~"j"}',
    "sum by (x, y) (rate(a_total[5m]))",
    "sum(a) by (x)",
    "sum without (x) (a)",
    "histogram_quantile(0.99, sum by (le) (rate(a_bucket[1h30m])))",
    "a and on (x, y) b unless c",
    "a / ignoring (x) group_left (y) b > bool 0.5",
    "topk(10, avg_over_time(a[1h])) or vector(0)",
    "absent(a == 1)",
]
BAD = [
    "", "a +", "(a", "a)", "a{b}", 'a{b="c"', "sum by x (a)", "nonsense(a)", "rate(a)", "a[5m]", "sum(a[5m])",
    "a b", "a{b='c}", "rate(a[5])", "a ! b", "sum by (x", "1 2",
]  # fmt: skip


@pytest.mark.parametrize("text", GOOD)
def test_what_is_a_query_is_read(text: str) -> None:
    """Operators, aggregations and functions, as far as they occur."""
    promql.parse(text)


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_query_is_refused(text: str) -> None:
    """A rule with it would keep Prometheus from loading any of its file."""
    with pytest.raises(promql.Wrong):
        promql.parse(text)


def test_it_is_known_what_a_query_reads() -> None:
    """Names and labels of selectors, and the labels of groupings; not functions, nor what stands in strings."""
    query = promql.parse('sum by (pod) (rate(a_total{x="b{c}"}[5m])) / on (pod) group_left (node) d')
    first, second = query.selectors
    assert (first.name, first.matchers, first.within, first.ranged) == ("a_total", ["x"], "rate", True)
    assert (second.name, second.matchers, second.within, second.ranged) == ("d", [], "", False)
    assert query.groupings == ["pod", "pod", "node"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hetero_scheduler_nodes", ""),
        ('rate(hetero_request_seconds_bucket{path="/bind",le="1"}[5m])', ""),
        ("max by (node) (hetero_agent_ready)", ""),
        ("hetero_nothing", "there is no metric hetero_nothing"),
        ("hetero_request_seconds", "there is no metric hetero_request_seconds"),
        ("hetero_scheduler_nodes{vendor='x'}", "hetero_scheduler_nodes has no label vendor"),
        ("rate(hetero_request_seconds_sum{le='1'}[5m])", "hetero_request_seconds_sum has no label le"),
        ("sum by (vendor) (hetero_scheduler_nodes)", "no metric of it has a label vendor"),
        ("rate(hetero_scheduler_nodes[5m])", "hetero_scheduler_nodes is a gauge, and is read by rate"),
        ("hetero_bindings_total", "hetero_bindings_total is a counter, and is read by nobody"),
        ("hetero_scheduler_nodes >", "'the end' stands where word should"),
    ],
)
def test_queries_are_held_against_the_declarations(text: str, fault: str) -> None:
    """A metric that was renamed, or a label that it does not have, is found here and not by who looks at nothing."""
    assert list(declared.faults(text)) == ([fault] if fault else [])
