"""Who makes way for whom on one device, with slices that say what they want."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.enforcement.pulse import PULSE_SIZE
from hetero.errors import RegionError
from hetero.monitoring.contender import PERIOD_NS, YIELD_NS
from hetero.monitoring.contest import Contest
from hetero.monitoring.precedence import HOLD_NS

START = 10**12


@dataclass
class Slice:
    """In the place of a contender.

    Attributes:
        priority: As a contender's.
        moment: When it last wanted the device.
        broken: Its region cannot be read.
        until: When what it yields ends, as far as it was told.
        told: How often.
        looks: How often it was looked at, by itself or with others.
        alone: How often by itself.
        same_ns: Up to when it was told that nothing had changed.
    """

    priority: int
    moment: int = 0
    broken: bool = False
    until: int = 0
    told: int = 0
    looks: int = 0
    alone: int = 0
    same_ns: int = 0

    @property
    def piece(self) -> memoryview:
        """What stands in the region; of one that is broken, whatever."""
        return memoryview(self.moment.to_bytes(PULSE_SIZE, "little"))

    def wanted(self, _: int, data: bytes | None = None) -> int:
        """As it was told; whoever has read it for others as well has read the right one's."""
        self.looks += 1
        self.alone += data is None
        assert data in (None, bytes(self.piece))
        if self.broken:
            raise RegionError("region", "ends before byte 1")
        return self.moment

    def unchanged(self, until_ns: int) -> None:
        """It is as it was at the last look."""
        self.same_ns = until_ns

    def hold(self, now_ns: int) -> None:
        """It makes way."""
        self.until = now_ns + YIELD_NS
        self.told += 1

    def free(self) -> None:
        """It does not."""
        self.until = 0
        self.told += 1
        if self.broken:
            raise RegionError("region", "cannot be watched: gone")

    def wants(self, now: int) -> bool:
        """By the rule."""
        return not self.broken and self.moment > 0 and now - self.moment <= HOLD_NS


def contest(*slices: Slice) -> Contest:
    """Among these."""
    return Contest(slices)  # type: ignore[arg-type]


def look(looked: Contest, now_ns: int, whole: bool = True) -> bool:
    """Look once, as whoever has read all pieces at once, unless one of them could not be."""
    return looked.look(now_ns, b"".join(looked.pieces) if whole else None)


SLICES = st.lists(
    st.builds(Slice, priority=st.integers(0, 3), broken=st.sampled_from([False] * 5 + [True])), max_size=7
)
STEPS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3 * PERIOD_NS)), min_size=1, max_size=12)


@settings(max_examples=200)
@given(SLICES, STEPS, st.booleans())
def test_whoever_makes_way_does_so_for_one_who_wants_and_goes_before(
    slices: list[Slice], steps: list[tuple[int, int]], at_once: bool
) -> None:
    """At each look, whoever launched meanwhile; whoever has one such before him makes way, and nobody else."""
    looked = contest(*slices)
    now = START
    for launches, passed in steps:
        if launches < len(slices):
            slices[launches].moment = now
        now += passed
        look(looked, now, at_once and not any(one.broken for one in slices))
        for one in slices:
            before = [other for other in slices if other.priority < one.priority and other.wants(now)]
            assert (one.until > now) == bool(before)


@settings(max_examples=60)
@given(SLICES)
def test_of_those_who_want_somebody_has_the_device(slices: list[Slice]) -> None:
    """Nobody waits for one who waits himself."""
    for one in slices:
        one.moment = START
    contest(*slices).look(START)
    wanting = [one for one in slices if one.wants(START)]
    assert not wanting or any(not one.until for one in wanting)


def test_no_more_are_looked_at_than_it_takes() -> None:
    """One that surely wants the device is enough, and is looked at first the next time; those behind are not at all."""
    ends, runs, behind, last = Slice(0), Slice(0, START), Slice(1, START), Slice(2, START)
    looked = contest(last, behind, ends, runs)
    for _ in range(5):
        looked.look(START)
    assert (ends.looks, runs.looks, behind.looks, last.looks) == (1, 5, 0, 0)
    assert (behind.until, last.until) == (START + YIELD_NS,) * 2


def test_one_that_may_have_ended_has_its_equals_looked_at() -> None:
    """It may not want the device at the next look: by then it is known whether another does."""
    first, other, last = Slice(0, START), Slice(0), Slice(1)
    looked = contest(first, other, last)
    looked.look(START)
    assert other.looks == 0
    looked.look(START + HOLD_NS - PERIOD_NS + 1)
    assert (other.looks, last.until > START) == (1, True)


def test_who_makes_way_is_told_seldom() -> None:
    """A period before the end of the time for which it was told; at once when something changes."""
    first, last = Slice(0), Slice(1)
    looked = contest(first, last)
    looked.look(START)
    told = last.told
    for step in range(6):
        now = START + step * PERIOD_NS
        first.moment = now
        looked.look(now)
        assert last.until - now >= 2 * PERIOD_NS
    assert last.told - told == 2
    looked.look(now + HOLD_NS + 1)
    assert last.until == 0


def test_one_that_cannot_be_told_keeps_nobody_else_from_it() -> None:
    """Its file was cut: the others have the device back as before."""
    first, broken, last = Slice(0, START), Slice(1, broken=True), Slice(1, until=1)
    looked = contest(first, broken, last)
    looked.look(START)
    assert last.until == START + YIELD_NS
    looked.look(START + 2 * HOLD_NS)
    assert last.until == 0


def test_no_more_is_read_at_once_than_it_takes() -> None:
    """Up to the one that surely wants the device, and all when it may have ended; each change of that is told."""
    slices = above, ends, runs, behind, _ = Slice(0), Slice(1), Slice(1, START), Slice(2), Slice(3)
    looked = contest(*slices)
    assert len(looked.pieces) == 4
    assert look(looked, START)
    assert looked.pieces == [above.piece, runs.piece]
    assert not look(looked, START + 1)
    above.moment = START + 2
    assert look(looked, START + 2)
    assert looked.pieces == [above.piece]
    later = START + HOLD_NS - PERIOD_NS + 3
    runs.moment = later
    assert not look(looked, later)  # the first still counts, so nobody behind it is looked at
    assert look(looked, later + PERIOD_NS)
    assert looked.pieces == [above.piece, runs.piece]
    assert (ends.alone, runs.alone, behind.alone) == (0, 1, 0)


def test_where_nobody_wants_the_device_what_is_unchanged_costs_nothing() -> None:
    """Slices are not looked at one by one then; as soon as one has changed all know how long they had not."""
    first, second, last = Slice(0), Slice(1), Slice(2)
    looked = contest(first, second, last)
    for step in range(4):
        assert not look(looked, START + step)
    assert (first.looks, second.looks, first.same_ns) == (1, 1, 0)
    second.moment = START + 4
    assert not look(looked, START + 4)  # both are needed as before
    assert (first.looks, first.same_ns, second.same_ns, last.same_ns) == (2, START + 3, START + 3, 0)
    assert (second.until, last.until > START) == (0, True)


def test_a_contest_that_begins_anew_tells_everybody() -> None:
    """One who was told to make way before slices came or went may not have to any more."""
    last = Slice(1, until=START + YIELD_NS)
    look(contest(Slice(0), last), START)
    assert last.until == 0


def test_a_device_without_slices_is_looked_at() -> None:
    """None of their regions could be opened."""
    contest().look(START)
