"""The declarations: each once, named as Prometheus names things, and exported by those who count it."""

from __future__ import annotations

import re

import pytest

from hetero import metrics
from hetero.instruments import Counter, Family, Gauge, Histogram, Samples

UNITS = ("_bytes", "_ratio", "_seconds", "_celsius", "_watts")


def test_all_metrics_are_declared_once() -> None:
    """Every metric of the module is in the list, under a name of its own that ends as names of its kind do."""
    declared = {one for one in vars(metrics).values() if isinstance(one, Counter | Gauge | Histogram | Family)}
    assert declared == set(metrics.ALL)
    names = [one.name for one in metrics.ALL]
    assert len(set(names)) == len(names)
    endings = {"counter": "_total", "gauge": "", "histogram": "_seconds"}
    assert all(re.fullmatch(rf"hetero_[a-z_]+{endings[one.kind]}", one.name) for one in metrics.ALL)
    assert all(one.help.endswith(".") for one in metrics.ALL)


def test_units_are_base_units() -> None:
    """No name speaks of milliseconds, megabytes or percent; a unit stands at the end, before what says it counts."""
    for one in metrics.ALL:
        assert not re.search(r"_(ms|millis|mib|mb|gb|percent|percentage)(_|$)", one.name), one.name
        for unit in UNITS:
            assert unit not in one.name or one.name.removesuffix("_total").endswith(unit), one.name


def test_a_label_is_one_word() -> None:
    """A label is a name of its own; what it may hold is not built into the metric's name."""
    assert all(re.fullmatch(r"[a-z]+", label) for one in metrics.ALL for label in one.labels)
    assert {one.name: one.labels for one in metrics.ALL}["hetero_plugin_failures_total"] == ("plugin",)


@pytest.mark.parametrize("process", metrics.EVERY)
def test_a_process_exports_its_own_metrics(process: str) -> None:
    """Also those that nothing has happened to, and none of another's: what it never counts is not "none"."""
    text = metrics.exposition(process)
    told = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    assert told == [(one.name, one.kind) for one in metrics.ALL if process in one.by]
    assert ("hetero_api_failures_total", "counter") in told
    assert ("hetero_slice_launches_total" in text) == (process == "agent")


def test_every_metric_is_exported_by_somebody() -> None:
    """And by processes that there are."""
    assert all(one.by and set(one.by) <= set(metrics.EVERY) for one in metrics.ALL)


def test_metrics_without_a_label_are_there_before_their_first_event() -> None:
    """None happened is not the same as nobody looked."""
    text = metrics.exposition("scheduler")
    assert "hetero_expired_grants_total 0\n" in text or metrics.expired_grants.value()


def test_outcomes_that_are_known_are_there_before_the_first_of_them() -> None:
    """At 0, of counters that name them: an increase is seen of a series that was there before."""
    counter = Counter("hetero_x_total", "help", "outcome", starts=("good", "bad"))
    assert list(counter.lines()) == ['hetero_x_total{outcome="bad"} 0', 'hetero_x_total{outcome="good"} 0']
    counter.add("bad")
    counter.add("unheard of")
    assert [line.split()[-1] for line in counter.lines()] == ["1", "0", "1"]


def test_families_are_told_as_they_were_collected() -> None:
    """The samples of one scrape are in that one alone."""
    samples = Samples()
    samples.add(metrics.slice_processes, ("n", "lab", "train", "main", "fake", "fake-0", "0"), 3)
    line = (
        'hetero_slice_processes{node="n",namespace="lab",pod="train",container="main",vendor="fake",'
        'device="fake-0",position="0"} 3\n'
    )
    assert line in metrics.exposition("agent", samples)
    assert line not in metrics.exposition("agent")
