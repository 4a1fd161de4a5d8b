"""Counters: there before the first event, never going back, right from many threads."""

from __future__ import annotations

import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import metrics
from hetero.metrics import Counter


def test_all_counters_are_declared_once() -> None:
    """Every counter of the module is in the list, under a name of its own that ends as counters' names do."""
    declared = {one for one in vars(metrics).values() if isinstance(one, Counter)}
    assert declared == set(metrics.ALL)
    names = [one.name for one in metrics.ALL]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"hetero_[a-z_]+_total", name) for name in names)
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


def test_labels_are_not_names() -> None:
    """A label is a word of its own; what it may hold is not built into the counter's name."""
    assert {one.name: one.label for one in metrics.ALL} == {
        "hetero_plugin_failures_total": "plugin",
        "hetero_driver_failures_total": "vendor",
        "hetero_refused_requests_total": "reason",
    }
