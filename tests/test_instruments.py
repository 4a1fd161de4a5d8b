"""Instruments: there before the first event, right from many threads, and written so that Prometheus reads them."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import instruments
from hetero.instruments import Counter, Family, Gauge, Histogram, Samples


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


def test_a_gauge_is_as_last_set() -> None:
    """It may fall, and each label value has its own."""
    gauge = Gauge("hetero_x", "X.", "kind")
    gauge.set(3, "a")
    gauge.set(1.5, "a")
    assert (gauge.value("a"), gauge.value("b")) == (1.5, 0)
    assert list(gauge.lines()) == ['hetero_x{kind="a"} 1.5']
    assert list(Gauge("hetero_x", "X.").lines()) == ["hetero_x 0"]


def test_a_gauge_is_set_as_a_whole() -> None:
    """A label value that is not named any more is none of it; it is still told, as 0, and not as it once was."""
    gauge = Gauge("hetero_x", "X.", "kind")
    gauge.set_all({"a": 1, "b": 2})
    gauge.set_all({"b": 3, "c": 4})
    assert list(gauge.lines()) == ['hetero_x{kind="a"} 0', 'hetero_x{kind="b"} 3', 'hetero_x{kind="c"} 4']


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
    assert instruments.exposition([counter]) == (
        '# HELP hetero_x_total X.\n# TYPE hetero_x_total counter\nhetero_x_total{kind="say \\"hi\\"\\n\\\\"} 1\n'
    )


LABELS = ("node", "pod")
SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\n"])*",?)*)\})? (-?[0-9.e+-]+)')
PAIR = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\n"])*)"')
PLAIN = {r"\\": "\\", r"\n": "\n", r"\"": '"'}


def read(line: str) -> tuple[str, tuple[str, ...], float]:
    """A sample as Prometheus reads it: name, values of its labels, and its value."""
    found = SAMPLE.fullmatch(line)
    assert found, line
    values = (re.sub(r"\\.", lambda sign: PLAIN[sign[0]], value) for _, value in PAIR.findall(found[2] or ""))
    return found[1], tuple(values), float(found[3])


VALUES = st.tuples(st.text(max_size=8), st.text(max_size=8))
NUMBERS = st.integers(0, 1 << 53) | st.floats(0, 1e12)


@given(st.dictionaries(VALUES, NUMBERS, max_size=5))
def test_what_was_collected_is_read(collected: dict[tuple[str, str], float]) -> None:
    """Whatever the labels hold, each series is there once, with all digits of its value, and in the order of labels."""
    family, samples = Family("hetero_x_bytes", "X.", LABELS), Samples()
    for values, number in collected.items():
        samples.add(family, values, number)
    # A line feed alone ends a line: what else looks like one is text.
    lines = instruments.exposition([family], samples).split("\n")[2:-1]
    assert [read(line) for line in lines] == [("hetero_x_bytes", *one) for one in sorted(collected.items())]


@pytest.mark.parametrize("number", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_not_known_has_no_sample(number: float | None) -> None:
    """Not 0 either: nobody looked, or what was seen is no number."""
    family, samples = Family("hetero_x", "X.", LABELS), Samples()
    samples.add(family, ("a", "b"), number)
    assert list(samples.lines(family)) == []


def test_a_family_keeps_nothing() -> None:
    """The next scrape has what is collected then: a series ends with its thing; meaning and kind stay."""
    family, samples = Family("hetero_x_total", "X.", LABELS, "counter"), Samples()
    samples.add(family, ("a", "b"), 1)
    head = "# HELP hetero_x_total X.\n# TYPE hetero_x_total counter\n"
    assert instruments.exposition([family], samples) == f'{head}hetero_x_total{{node="a",pod="b"}} 1\n'
    assert instruments.exposition([family], Samples()) == instruments.exposition([family]) == head


def test_of_two_samples_of_a_series_the_last_counts() -> None:
    """A series that is told twice would cost the whole scrape."""
    family, samples = Family("hetero_x", "X.", LABELS), Samples()
    samples.add(family, ("a", "b"), 1)
    samples.add(family, ("a", "b"), 2)
    assert list(samples.lines(family)) == ['hetero_x{node="a",pod="b"} 2']


def test_each_label_has_a_value() -> None:
    """One that is missing would be another series."""
    with pytest.raises(ValueError, match="hetero_x has the labels"):
        Samples().add(Family("hetero_x", "X.", LABELS), ("a",), 1)


def test_truths_are_numbers() -> None:
    """A gauge of yes and no is 1 or 0."""
    family, samples = Family("hetero_x", "X.", ("of",)), Samples()
    samples.add(family, ("a",), True)
    samples.add(family, ("b",), False)
    assert list(samples.lines(family)) == ['hetero_x{of="a"} 1', 'hetero_x{of="b"} 0']


@pytest.mark.parametrize("kind", [Counter, Gauge, Histogram])
def test_an_instrument_names_its_labels(kind: type[Counter | Gauge | Histogram]) -> None:
    """As a family does, so that whoever checks queries asks all alike."""
    assert kind("hetero_x", "X.", "path", by=("agent",)).labels == ("path",)
    assert kind("hetero_x", "X.").labels == kind("hetero_x", "X.").by == ()
