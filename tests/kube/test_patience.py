"""Delays between tries, and how much is said about one object."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hetero.kube import talk
from hetero.kube.backoff import Backoff
from hetero.kube.failures import LONGEST_WAIT, retry_after
from hetero.kube.talk import BURST, EVERY, Talk


def test_delays_double_up_to_the_longest() -> None:
    """Each between half and all of its step."""
    backoff = Backoff(first=1.0, longest=8.0)
    for step in (1.0, 2.0, 4.0, 8.0, 8.0, 8.0):
        assert step / 2 <= backoff.next() <= step
    backoff.reset()
    assert backoff.next() <= 1.0


def test_delays_are_not_in_step() -> None:
    """Replicas that lost the server together do not come back together."""
    assert len({Backoff().next() for _ in range(20)}) > 15


def test_a_server_that_asks_for_more_gets_it() -> None:
    """But who asks for less does not make us faster."""
    assert Backoff(first=0.1).next(7.0) == 7.0
    assert Backoff(first=8.0, longest=8.0).next(0.1) >= 4.0


@given(st.integers(0, 5000))
def test_delays_stay_finite(tries: int) -> None:
    """After any number of failures."""
    backoff = Backoff(first=0.2, longest=10.0)
    backoff._tries = tries
    assert 0.1 <= backoff.next() <= 10.0


@given(st.none() | st.text(max_size=8) | st.floats().map(str) | st.integers().map(str))
def test_any_retry_after_is_seconds_or_nothing(text: str | None) -> None:
    """Never negative, never for ever; dates are not spoken."""
    seconds = retry_after(text)
    assert seconds is None or 0.0 <= seconds <= LONGEST_WAIT


def test_retry_after_is_read() -> None:
    """Seconds, cut at a minute."""
    assert [retry_after(text) for text in ("0", "7", "3600", "-1", "nan", "inf", "soon", "")] == [
        0.0, 7.0, 60.0, 0.0, None, None, None, None,
    ]  # fmt: skip


def test_talk_is_a_burst_and_then_a_trickle() -> None:
    """For each object on its own."""
    now = [0.0]
    said = Talk(lambda: now[0])
    assert [said.allows("a") for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert said.allows("b")
    now[0] += EVERY * 2
    assert [said.allows("a") for _ in range(3)] == [True, True, False]
    now[0] += EVERY * 1000
    assert [said.allows("a") for _ in range(BURST + 1)] == [True] * BURST + [False]


def test_talk_remembers_so_many_objects() -> None:
    """Memory does not grow with the pods of a cluster's life."""
    said = Talk(lambda: 0.0)
    for index in range(talk.OBJECTS + 10):
        said.allows(str(index))
    assert len(said._left) == talk.OBJECTS
