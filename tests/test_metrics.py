"""Counters: there before the first event, never going back, right from many threads."""

from __future__ import annotations

import re
import threading

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
