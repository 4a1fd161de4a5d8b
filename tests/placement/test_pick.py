"""Which of the devices that have room: what goes before what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hetero.model.ask import Ask, Selection
from hetero.model.device import Device
from hetero.model.policy import DevicePolicy
from hetero.placement.pick import Picker
from hetero.testing.fake import FakeSplitting, fake_device, fake_vendor

Combinations = Callable[[Sequence[Device], int], Any]

ALIKE = [0.5, 0.5, 0.5, 0.5]


class Wired(FakeSplitting):
    """A chip whose sets of devices matter."""

    def __init__(self, combinations: Combinations) -> None:
        super().__init__("fake")
        self._combinations = combinations
        self.offered: list[list[int]] = []

    def combinations(self, devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
        self.offered.append([device.index for device in devices])
        return self._combinations(devices, count)  # type: ignore[no-any-return]


def _last(devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
    """The highest indexes, from the highest down."""
    yield tuple(sorted(devices, key=lambda device: -device.index)[:count])


def _pick(
    score: Sequence[float],
    count: int = 1,
    *,
    policy: str = "spread",
    numa: Sequence[int] = (),
    together: bool = False,
    wired: Wired | None = None,
    **others: Any,
) -> list[int] | None:
    devices = [fake_device(index, numa=number) for index, number in enumerate(numa or [-1] * len(score))]
    vendors = {"fake": fake_vendor(splitting=wired)}
    ask = Ask(vendor="fake", count=count, selection=Selection(same_numa=together))
    return Picker(vendors, DevicePolicy.parse(policy)).pick(ask, devices, np.array(score), node="n", **others)


def test_the_best_scores_are_taken_and_of_equal_ones_the_first() -> None:
    """Same input, same devices."""
    assert _pick([0.1, 0.9, 0.5, 0.9], 3) == [1, 3, 2]
    assert _pick(ALIKE, 2) == [0, 1]


@pytest.mark.parametrize("policy", ["spread", "numa", "topology-aware"])
def test_too_few_devices_are_none(policy: str) -> None:
    """Whatever is preferred."""
    assert _pick([], policy=policy) is None
    assert _pick([0.5], 2, policy=policy) is None
    assert _pick([0.5, 0.5, 0.5], 2, policy=policy, numa=[0, 1, 2], together=True) is None


def test_what_the_pod_has_anyway_goes_before_the_score() -> None:
    """An init container takes what its successors get, and costs nothing more."""
    extra = np.array([0.2, 0.0, 0.2, 0.0])
    assert _pick([0.9, 0.1, 0.8, 0.3], 3, extra=extra) == [3, 1, 0]


def test_one_numa_node_must_have_all_when_the_ask_says_so() -> None:
    """The best of those that have enough; a better device elsewhere does not count."""
    assert _pick([0.9, 0.2, 0.3, 0.4], 2, numa=[0, 1, 1, 1], together=True) == [3, 2]
    assert _pick([0.9, 0.1, 0.8, 0.8], 2, numa=[0, 0, 1, 1], together=True) == [2, 3]


def test_one_numa_node_is_preferred_when_the_policy_says_so() -> None:
    """Where none has enough, devices of several are taken all the same."""
    assert _pick([0.9, 0.2, 0.3, 0.4], 2, numa=[0, 1, 1, 1], policy="numa,spread") == [3, 2]
    assert _pick([0.9, 0.2, 0.3, 0.4], 2, numa=[0, 1, 1, 1], policy="spread,numa") == [0, 3]
    assert _pick([0.9, 0.2, 0.3], 3, numa=[0, 1, 2], policy="numa") is not None


def test_the_vendors_sets_decide_among_equal_devices() -> None:
    """Wiring is the vendor's business, in the order in which the program shall see the devices."""
    assert _pick(ALIKE, 2, wired=Wired(_last)) == [3, 2]


def test_the_policy_goes_before_the_vendors_sets() -> None:
    """Who has not asked for the best links gets the emptiest devices: the vendor chooses among those only."""
    wired = Wired(_last)
    assert _pick([0.5, 0.9, 0.9, 0.9, 0.1], 2, wired=wired) == [3, 2]
    assert _pick([0.9, 0.8, 0.7], 2, wired=wired) == [0, 1]
    assert wired.offered == [[1, 2, 3]]


def test_topology_aware_goes_before_the_order() -> None:
    """All that have room are offered, best first."""
    wired = Wired(_last)
    assert _pick([0.1, 0.9, 0.5, 0.7], 2, policy="topology-aware", wired=wired) == [3, 2]
    assert wired.offered == [[1, 3, 2, 0]]


def test_a_single_device_is_the_policys_unless_topology_is_asked_for() -> None:
    """Then it is the one that leaves the best sets whole."""
    wired = Wired(_last)
    assert _pick(ALIKE, 1, wired=wired) == [0]
    assert wired.offered == []
    assert _pick(ALIKE, 1, wired=wired, policy="topology-aware") == [3]


def test_a_set_lies_on_one_numa_node_when_asked() -> None:
    """The vendor is offered the devices of that node alone; by preference, where it has enough."""
    for policy, together in (("topology-aware", True), ("spread", True), ("numa", False), ("spread,numa", False)):
        wired = Wired(_last)
        numa = [0, 1, 0, 1, 0]
        assert _pick([0.5] * 5, 2, policy=policy, numa=numa, together=together, wired=wired) == [4, 2]
        assert wired.offered == [[0, 2, 4]], policy


def test_without_sets_the_order_holds() -> None:
    """Nothing yielded means that any set is as good."""
    with capture_logs() as lines:
        assert _pick([0.1, 0.2, 0.2], 2, policy="topology-aware", wired=Wired(lambda devices, count: iter(()))) == [
            1,
            2,
        ]
    assert lines == []


def _broken(devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
    raise ArithmeticError("crossed wires")


def _broken_late(devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
    yield from _broken(devices, count)


@pytest.mark.parametrize(
    "combinations",
    [
        _broken,
        _broken_late,
        lambda devices, count: [tuple(devices)[: count - 1]],
        lambda devices, count: [tuple(devices)[: count + 1]],
        lambda devices, count: [(devices[0],) * count],
        lambda devices, count: [(*tuple(devices)[:count], devices[0])],
        lambda devices, count: [(devices[0], fake_device(9))],
        lambda devices, count: [()],
        lambda devices, count: [("fake-0", "fake-1")],
        lambda devices, count: None,
    ],
)
def test_a_bad_set_is_ignored_and_logged(combinations: Combinations) -> None:
    """A vendor's mistake costs its preference, not the placement."""
    with capture_logs() as lines:
        found = _pick(ALIKE, 2, wired=Wired(combinations))
    assert found == [0, 1]
    assert [(line["event"], line["vendor"], line["node"]) for line in lines] == [("combinations failed", "fake", "n")]


_CANDIDATES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.3, 0.3, 1.0]), st.integers(-1, 2), st.sampled_from([0.0, 0.5])), max_size=8
)
_CHAINS = st.sampled_from(["spread", "binpack", "numa", "spread,numa", "topology-aware", "topology-aware,numa"])


@settings(deadline=None)
@given(_CANDIDATES, st.integers(1, 6), _CHAINS, st.booleans(), st.booleans())
def test_devices_are_found_whenever_there_are_enough(
    candidates: list[tuple[float, int, float]], count: int, policy: str, together: bool, sets: bool
) -> None:
    """Preferences never cost a fit: so many different devices, on one NUMA node when they must be."""
    score, numa, extra = ([one[index] for one in candidates] for index in range(3))
    wired = Wired(_last) if sets else None
    options: dict[str, Any] = {"policy": policy, "numa": numa, "together": together, "extra": np.array(extra)}
    found = _pick(score, count, wired=wired, **options)
    most = max((numa.count(number) for number in numa), default=0) if together else len(candidates)
    assert (found is not None) == (most >= count)
    if found is not None:
        assert len(set(found)) == len(found) == count
        assert not together or len({numa[place] for place in found}) == 1
        assert _pick(score, count, wired=wired, **options) == found


@settings(deadline=None)
@given(_CANDIDATES, st.integers(1, 6))
def test_nothing_better_is_left_where_the_score_alone_decides(
    candidates: list[tuple[float, int, float]], count: int
) -> None:
    """First what costs least more, then the score."""
    score, extra = ([one[index] for one in candidates] for index in (0, 2))
    found = _pick(score, count, extra=np.array(extra))
    if found is not None:
        keys = [(extra[place], -score[place], place) for place in range(len(score))]
        assert [keys[place] for place in found] == sorted(keys)[:count]
