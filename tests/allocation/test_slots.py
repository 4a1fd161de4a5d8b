"""Slots are counted, not chosen: those that nobody holds are withdrawn first, and followers learn of every change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.allocation.held import Slot
from hetero.allocation.slots import Offered, numbered

COUNTS = st.integers(0, 40)


@given(total=COUNTS, healthy=COUNTS, held=st.sets(st.integers(0, 45)))
def test_as_many_are_healthy_as_there_are(total: int, healthy: int, held: set[int]) -> None:
    """Whoever holds what; the names are those of the first slots, each once, whatever is withdrawn."""
    slots = numbered(total, healthy, {f"slot-{number:04}" for number in held})
    assert [slot.id for slot in slots] == [f"slot-{number:04}" for number in range(total)]
    assert sum(slot.healthy for slot in slots) == min(total, healthy)


@given(total=COUNTS, healthy=COUNTS, held=st.sets(st.integers(0, 39)))
def test_what_is_held_is_withdrawn_last(total: int, healthy: int, held: set[int]) -> None:
    """A held slot is withdrawn only when there is no other left."""
    ids = {f"slot-{number:04}" for number in held}
    slots = numbered(total, healthy, ids)
    if any(not slot.healthy and slot.id in ids for slot in slots):
        assert not any(slot.healthy and slot.id not in ids for slot in slots)


def test_slots_come_back() -> None:
    """A device that recovers gives all of them back, and the same list as before is no change."""
    assert numbered(2, 2) == (Slot("slot-0000"), Slot("slot-0001"))
    assert numbered(2, 1) == (Slot("slot-0000"), Slot("slot-0001", healthy=False))
    assert numbered(2, 1, {"slot-0001"}) == (Slot("slot-0000", healthy=False), Slot("slot-0001"))
    assert numbered(0, 5) == ()


# Followers

Leave = Callable[[], None]


class Follower:
    """Somebody who follows, and may leave."""

    def __init__(self, offered: Offered) -> None:
        self.seen: list[tuple[Slot, ...]] = []
        self.leave: Leave = lambda: None
        self._seen = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._follow, args=(offered,))
        self._thread.start()

    def wait(self) -> None:
        """For the next list."""
        assert self._seen.acquire(timeout=120)

    def join(self) -> None:
        """Until it was sent away."""
        self._thread.join(120)
        assert not self._thread.is_alive()

    def _follow(self, offered: Offered) -> None:
        for slots in offered.follow(self._here):
            self.seen.append(slots)
            self._seen.release()

    def _here(self, leave: Leave) -> bool:
        self.leave = leave
        return True


@pytest.fixture
def offered() -> Iterator[Offered]:
    """Nothing yet."""
    one = Offered(lambda: None)
    yield one
    one.end()


def test_a_follower_sees_what_is_there_and_every_change(offered: Offered) -> None:
    """And nothing when the same is offered again."""
    assert not offered.known
    assert offered.put(numbered(2, 2))
    follower = Follower(offered)
    follower.wait()
    assert not offered.put(numbered(2, 2))
    assert offered.put(numbered(2, 1))
    follower.wait()
    assert follower.seen == [numbered(2, 2), numbered(2, 1)]
    assert (offered.known, offered.followers) == (True, 1)
    offered.end()
    follower.join()


def test_who_comes_before_anything_is_offered_waits(offered: Offered) -> None:
    """An empty list in between would be taken for none at all; an offer of nothing is one."""
    follower = Follower(offered)
    offered.put(())
    follower.wait()
    assert follower.seen == [()]
    follower.leave()
    follower.join()


def test_a_slow_follower_misses_versions_and_not_the_last(offered: Offered) -> None:
    """What is offered now is what counts."""
    offered.put(numbered(1, 1))
    lists = offered.follow(lambda _: True)
    assert next(lists) == numbered(1, 1)
    for total in range(2, 9):
        offered.put(numbered(total, total))
    assert next(lists) == numbered(8, 8)


def test_who_leaves_is_counted_out() -> None:
    """While waiting for a change as well; whoever wants to know is told each time."""
    counts: list[int] = []
    offered = Offered(lambda: counts.append(offered.followers))
    offered.put(numbered(1, 1))
    follower = Follower(offered)
    follower.wait()
    follower.leave()
    follower.join()
    assert counts == [0, 1, 0]


def test_who_is_gone_already_gets_nothing(offered: Offered) -> None:
    """The caller hung up before the first answer."""
    offered.put(numbered(1, 1))
    assert list(offered.follow(lambda _: False)) == []
    assert offered.followers == 0


def test_after_the_end_nobody_is_followed(offered: Offered) -> None:
    """Those who wait are sent away, those who come later too."""
    first = Follower(offered)
    offered.put(())
    first.wait()
    offered.end()
    first.join()
    later = Follower(offered)
    later.join()
    assert later.seen == []
