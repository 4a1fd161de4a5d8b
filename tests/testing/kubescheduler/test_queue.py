"""Who is next: priority, arrival, back-off; and nobody is forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hetero.testing.kubescheduler.queue import Queue

STEPS = st.lists(st.tuples(st.sampled_from(["add", "later", "shelve", "wake", "next"]), st.integers(0, 5)), max_size=60)


def test_priority_comes_before_arrival() -> None:
    """A later pod of higher priority is next; among equals the first one is."""
    queue = Queue()
    for uid, priority in (("a", 0), ("b", 10), ("c", 10)):
        queue.add(uid, priority)
    assert [queue.next(0.0) for _ in range(4)] == ["b", "c", "a", None]


def test_one_that_failed_waits_longer_each_time() -> None:
    """Doubled after each failure, up to a limit."""
    queue = Queue(first=1.0, longest=3.0)
    queue.add("a")
    now = 0.0
    for delay in (1.0, 2.0, 3.0, 3.0):
        assert queue.next(now) == "a"
        queue.later("a", now)
        assert queue.due(now) == delay
        assert queue.next(now + delay - 0.01) is None
        now += delay


def test_one_that_fits_nowhere_waits_for_a_change() -> None:
    """However long it takes; then it is tried at once where there is nothing else to do."""
    queue = Queue(first=1.0)
    queue.add("a")
    assert queue.next(0.0) == "a"
    queue.shelve("a")
    assert queue.next(1000.0) is None
    queue.wake(1000.0)
    assert queue.next(1000.0) == "a"


def test_one_that_changes_itself_is_tried_again_alone() -> None:
    """Others wait on; a change of one that does not wait is nothing."""
    queue = Queue(first=1.0)
    for uid in ("a", "b"):
        queue.add(uid)
        assert queue.next(0.0) == uid
        queue.shelve(uid)
    queue.changed("b", 5.0)
    queue.changed("unknown", 5.0)
    assert [queue.next(9.0) for _ in range(2)] == ["b", None]


def test_one_that_was_woken_lets_others_go_first() -> None:
    """Until its back-off is over; then priority and arrival count again."""
    queue = Queue(first=1.0)
    queue.add("a")
    assert queue.next(0.0) == "a"
    queue.shelve("a")
    queue.wake(0.0)
    queue.add("b")
    queue.add("c")
    assert queue.next(0.5) == "b"
    assert [queue.next(1.0) for _ in range(3)] == ["a", "c", None]


def test_one_that_is_bound_has_no_turn() -> None:
    """Wherever it waited."""
    queue = Queue()
    queue.add("a")
    queue.remove("a")
    assert queue.next(0.0) is None
    queue.add("a")
    assert queue.next(0.0) == "a"
    queue.later("a", 0.0)
    queue.remove("a")
    assert queue.next(100.0) is None


@given(STEPS)
def test_nobody_is_forgotten(steps: list[tuple[str, int]]) -> None:
    """After any history, a wake and enough time give every pod its turn once."""
    queue, now, out = Queue(), 0.0, set()
    known: set[str] = set()
    for step, number in steps:
        now += 0.01
        uid = f"pod-{number}"
        if step == "add":
            queue.add(uid)
            known.add(uid)
        elif step == "wake":
            queue.wake(now)
        elif step == "next":
            out |= {queue.next(now)} - {None}
        elif uid in out:
            getattr(queue, step)(*((uid, now) if step == "later" else (uid,)))
            out.discard(uid)
    queue.wake(now)
    found = [uid for _ in range(20) if (uid := queue.next(now + 100.0)) is not None]
    assert sorted(found) == sorted(known - out)
