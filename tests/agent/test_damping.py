"""A device that fails goes at once, and comes back the later the more often it fails."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.agent.damping import AGAIN, FIRST, FORGOTTEN, LONGEST, WORDS, Damper, wait
from hetero.model.device import Device, Health
from hetero.testing.fake import fake_device

SECOND = 1.0


class Flapping:
    """One device, its time, and what was shown of it."""

    def __init__(self) -> None:
        self.damper = Damper()
        self.now = 1000.0
        self.shown: list[Health] = []

    def look(self, reason: str = "", after: float = SECOND) -> Health:
        """So much later it is not well for a reason, or is well."""
        self.now += after
        [device] = self.damper.damped([_device(reason)], self.now)
        self.shown.append(device.health)
        return device.health

    @property
    def changes(self) -> int:
        """How often others were told something new; each is a request."""
        return sum(one != other for one, other in zip(self.shown, self.shown[1:], strict=False))

    @property
    def returns(self) -> int:
        """How often it was offered again."""
        pairs = zip(self.shown, self.shown[1:], strict=False)
        return sum(after.ok and not before.ok for before, after in pairs)


def _device(reason: str = "", number: int = 0) -> Device:
    return fake_device(number, health=Health(ok=not reason, reason=reason))


@pytest.fixture
def one() -> Flapping:
    """A device that was always well."""
    made = Flapping()
    made.look()
    return made


def test_a_device_that_fails_once_goes_and_comes_at_once(one: Flapping) -> None:
    """As when its driver is loaded anew: nobody waits for anything."""
    assert one.look("too hot") == Health(ok=False, reason="too hot")
    assert one.look() == Health(ok=True)


def test_a_device_that_fails_again_has_to_stay_well(one: Flapping) -> None:
    """The reason says what it waits for, and is the same while it is ill and while it waits."""
    for _ in range(2):
        one.look("too hot")
        last = one.look()
    assert last == one.look("too hot") == Health(ok=False, reason=f"too hot; {AGAIN}")
    one.look()
    assert not one.look(after=wait(3) - 0.1).ok
    assert one.look(after=0.2).ok


def test_one_that_flaps_each_second_is_told_of_three_times(one: Flapping) -> None:
    """Gone, back, gone: for hours after that not one request."""
    for number in range(7200):
        one.look("bus" if number % 2 else "")
    assert one.changes == 3
    assert not one.shown[-1].ok


def test_a_reason_with_a_figure_in_it_is_told_now_and_then(one: Flapping) -> None:
    """A device at 91 degrees and then at 92 is the same news; what it is later is told as well."""
    for number in range(300):
        one.look(f"{number} degrees")
    assert one.changes <= 1 + 300 / WORDS
    assert int(one.shown[-1].reason.split()[0]) >= 300 - WORDS


def test_a_new_failure_has_its_own_reason(one: Flapping) -> None:
    """However soon after the last one it comes, if the device was offered in between."""
    one.look("too hot")
    one.look()
    assert one.look("fell off the bus").reason.startswith("fell off the bus")


def test_what_was_long_ago_is_forgotten(one: Flapping) -> None:
    """It fails as for the first time."""
    for _ in range(6):
        one.look("bus")
        one.look()
    one.look(after=FORGOTTEN)
    one.look()
    one.look("too hot")
    assert one.look().ok


def test_devices_are_damped_one_by_one() -> None:
    """Others of the node are as they are, in their order, and one that is gone leaves nothing."""
    damper = Damper()
    for now in range(6):
        devices = [_device("bus" if now % 2 else "", 0), _device(number=1)]
        shown = damper.damped(devices, float(now))
    assert [(device.uuid, device.health.ok) for device in shown] == [("fake-0", False), ("fake-1", True)]
    assert shown[1] is devices[1]
    damper.damped([_device()], 7.0)
    damper.damped([], 7.0 + FORGOTTEN)
    assert damper._records == {}


def test_waits_grow_to_a_limit() -> None:
    """None at first, doubled from then on; also after more failures than a power can have."""
    assert [wait(number) for number in (1, 2, 3, 4)] == [0.0, FIRST, 2 * FIRST, 4 * FIRST]
    assert wait(100) == wait(1_000_000) == LONGEST


LOOKS = st.lists(
    st.tuples(st.sampled_from(["", "", "bus", "hot"]), st.sampled_from([0.5, 1.0, 5.0, FIRST, 70.0, LONGEST])),
    max_size=200,
)


@given(LOOKS)
def test_whatever_a_device_does_it_is_never_offered_ill_and_seldom_comes_back(looks: list[tuple[str, float]]) -> None:
    """Not well as soon as it is not; and back so often as waits that double have room for in the time, at most."""
    one = Flapping()
    one.look()
    for reason, after in looks:
        assert one.look(reason, after).ok <= (not reason)
    passed = one.now - 1000.0
    steps = 2 + math.ceil(math.log2(LONGEST / FIRST))
    assert one.returns <= steps * (1 + passed / FORGOTTEN) + passed / LONGEST


@given(LOOKS)
def test_whatever_it_did_it_is_offered_when_it_stays_well(looks: list[tuple[str, float]]) -> None:
    """After five minutes at the latest."""
    one = Flapping()
    for reason, after in looks:
        one.look(reason, after)
    one.look()
    assert one.look(after=LONGEST) == Health(ok=True)
