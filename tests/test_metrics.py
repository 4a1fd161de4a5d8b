"""Metrics: there before the first event, right from many threads, and written so that Prometheus reads them."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import metrics
from hetero.metrics import Counter, Gauge, Histogram


def test_all_metrics_are_declared_once() -> None:
    """Every metric of the module is in the list, under a name of its own that ends as names of its kind do."""
    declared = {one for one in vars(metrics).values() if isinstance(one, Counter | Gauge | Histogram)}
    assert declared == set(metrics.ALL)
    names = [one.name for one in metrics.ALL]
    assert len(set(names)) == len(names)
    endings = {"counter": "_total", "gauge": "", "histogram": "_seconds"}
    assert all(re.fullmatch(rf"hetero_[a-z_]+{endings[one.kind]}", one.name) for one in metrics.ALL)
    assert all(one.help.endswith(".") for one in metrics.ALL)


def test_a_counter_begins_at_zero() -> None:
    """None happened is not the same as nobody looked."""
    assert Counter("hetero_x_total", "X.").value() == 0
    assert Counter("hetero_x_total", "X.", "kind").value("any") == 0


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5))))
def test_labels_are_counted_apart(events: list[tuple[str, int]]) -> None:
    """Each label value has the sum of its own events."""
    counter = Counter("hetero_x_total", "X.", "kind")
    for label, amount in events:
        counter.add(label, amount)
    for label in "ab":
        assert counter.value(label) == sum(amount for one, amount in events if one == label)


def test_no_event_is_lost_between_threads() -> None:
    """Eight threads, a thousand events each."""
    counter = Counter("hetero_x_total", "X.")
    threads = [threading.Thread(target=lambda: [counter.add() for _ in range(1000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value() == 8000


def test_labels_are_counted_right_between_threads() -> None:
    """Threads that count the same and different labels at once: a label's first event is not lost either."""
    counter = Counter("hetero_x_total", "X.", "kind")
    begin = threading.Barrier(8)

    def work(own: str) -> None:
        begin.wait()
        for number in range(200):
            counter.add("all")
            counter.add(own)
            counter.add(f"round {number}")

    threads = [threading.Thread(target=work, args=(f"thread {index}",)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.value("all") == 1600
    assert {counter.value(f"thread {index}") for index in range(8)} == {200}
    assert {counter.value(f"round {number}") for number in range(200)} == {8}


def test_asking_is_not_counting() -> None:
    """A label value that was looked up has still not happened."""
    counter = Counter("hetero_x_total", "X.", "kind")
    assert [counter.value("a"), counter.value("a")] == [0, 0]
    counter.add("a", 3)
    assert (counter.value("a"), counter.value("b"), counter.value()) == (3, 0, 0)


def test_a_counter_says_what_it_counts() -> None:
    """Name, meaning and label are what an exposition shows."""
    counter = Counter("hetero_x_total", "X happened.", "kind")
    assert (counter.name, counter.help, counter.label) == ("hetero_x_total", "X happened.", "kind")
    assert Counter("hetero_x_total", "X happened.").label == ""


def test_no_counter_goes_back() -> None:
    """A number that falls would read as a restart of the process."""
    counter = Counter("hetero_x_total", "X.")
    counter.add(amount=2)
    with pytest.raises(ValueError, match=r"hetero_x_total only grows"):
        counter.add(amount=-1)
    assert counter.value() == 2


def test_a_label_is_one_word() -> None:
    """A label is a name of its own; what it may hold is not built into the metric's name."""
    assert all(re.fullmatch(r"[a-z]*", one.label) for one in metrics.ALL)
    assert {one.name: one.label for one in metrics.ALL}["hetero_plugin_failures_total"] == "plugin"


def test_a_gauge_is_as_last_set() -> None:
    """It may fall, and each label value has its own."""
    gauge = Gauge("hetero_x", "X.", "kind")
    gauge.set(3, "a")
    gauge.set(1.5, "a")
    assert (gauge.value("a"), gauge.value("b")) == (1.5, 0)
    assert list(gauge.lines()) == ['hetero_x{kind="a"} 1.5']
    assert list(Gauge("hetero_x", "X.").lines()) == ["hetero_x 0"]


@given(st.lists(st.floats(0, 100, allow_nan=False)))
def test_every_observation_is_in_the_buckets_that_reach_it(values: list[float]) -> None:
    """A bucket counts all that are not greater than its end, the last one all; count and sum are theirs."""
    histogram = Histogram("hetero_x_seconds", "X.", buckets=(0.5, 1.0, 50.0))
    for value in values:
        histogram.observe(value)
    samples = dict(line.split(" ") for line in histogram.lines())
    for end in (0.5, 1.0, 50.0):
        name = f'hetero_x_seconds_bucket{{le="{end:g}"}}'
        assert int(samples[name]) == sum(value <= end for value in values)
    assert int(samples['hetero_x_seconds_bucket{le="+Inf"}']) == int(samples["hetero_x_seconds_count"]) == len(values)
    assert float(samples["hetero_x_seconds_sum"]) == pytest.approx(sum(values))
    assert (histogram.count(), histogram.sum()) == (len(values), pytest.approx(sum(values)))


def test_a_histogram_exists_before_its_first_observation() -> None:
    """Without a label its buckets are there, at zero; with one there is nothing to name yet."""
    assert 'hetero_x_seconds_bucket{le="+Inf"} 0' in Histogram("hetero_x_seconds", "X.").lines()
    assert list(Histogram("hetero_x_seconds", "X.", "path").lines()) == []


def test_durations_are_told_apart_by_path() -> None:
    """Each label value has buckets of its own, with its label before the bucket's."""
    histogram = Histogram("hetero_x_seconds", "X.", "path", buckets=(1.0,))
    histogram.observe(0.5, "/a")
    histogram.observe(2, "/b")
    assert list(histogram.lines()) == [
        'hetero_x_seconds_bucket{path="/a",le="1"} 1',
        'hetero_x_seconds_bucket{path="/a",le="+Inf"} 1',
        'hetero_x_seconds_sum{path="/a"} 0.5',
        'hetero_x_seconds_count{path="/a"} 1',
        'hetero_x_seconds_bucket{path="/b",le="1"} 0',
        'hetero_x_seconds_bucket{path="/b",le="+Inf"} 1',
        'hetero_x_seconds_sum{path="/b"} 2',
        'hetero_x_seconds_count{path="/b"} 1',
    ]


def test_the_exposition_has_meaning_kind_and_samples() -> None:
    """One block for each metric, ended by a line feed; what would end a label value is escaped."""
    counter = Counter("hetero_x_total", "X.", "kind")
    counter.add('say "hi"\n\\')
    assert metrics.exposition([counter]) == (
        '# HELP hetero_x_total X.\n# TYPE hetero_x_total counter\nhetero_x_total{kind="say \\"hi\\"\\n\\\\"} 1\n'
    )


def test_the_exposition_has_every_metric() -> None:
    """Also those that nothing has happened to."""
    text = metrics.exposition()
    for one in metrics.ALL:
        assert f"# TYPE {one.name} {one.kind}\n" in text
    assert "hetero_expired_grants_total 0\n" in text or metrics.expired_grants.value()
