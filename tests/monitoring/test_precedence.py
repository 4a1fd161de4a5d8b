"""When a slice wants its device, decided without one."""

from __future__ import annotations

from hetero.enforcement.pulse import Pulse
from hetero.monitoring.precedence import HOLD_NS, contested, last_wanted, wants


def pulse(read_ns: int = 10**12, launches: int = 0, busy_ns: int = 0, wanted_ns: int = 0) -> Pulse:
    """A reading of a slice."""
    return Pulse(read_ns, busy_ns, launches, wanted_ns)


def test_a_device_is_contested_when_its_slices_differ() -> None:
    """Not by one, not by equals."""
    assert not contested([])
    assert not contested([3])
    assert not contested([1, 1])
    assert contested([1, 0, 1])


def test_a_launch_since_the_last_look_is_one_now() -> None:
    """By the count of launches or the time used, which a program of an earlier release counts as well."""
    before = pulse(read_ns=10**12)
    for now in (pulse(read_ns=10**12 + 5, launches=1), pulse(read_ns=10**12 + 5, busy_ns=1)):
        assert last_wanted(before, now) == 10**12 + 5
        assert last_wanted(None, now) == 0  # what was before is not known


def test_what_a_program_says_of_the_future_is_not_believed() -> None:
    """Else one word of its would keep all others away for ever."""
    now = pulse(wanted_ns=(1 << 64) - 1)
    assert last_wanted(None, now) == 0
    assert last_wanted(pulse(), pulse(wanted_ns=10**12 - 7)) == 10**12 - 7


def test_a_slice_wants_the_device_for_a_while_after_its_last_launch() -> None:
    """What it launched may run for longer than it takes to launch it."""
    assert wants(10**12, 10**12 + HOLD_NS)
    assert not wants(10**12, 10**12 + HOLD_NS + 1)
    assert not wants(0, HOLD_NS)  # never, on a machine that has just started
