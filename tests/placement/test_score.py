"""What is best among places that fit: fullness, the two policies, and the plugins' say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hetero.model.ask import Weights
from hetero.model.device import CORES, MEMORY, SLOTS, Device, Quantities
from hetero.placement import Policy
from hetero.placement.score import arranged, column_weights, fullness, opinion, preferred, scale, used_part
from hetero.testing.fake import fake_device

LEFT = {"memory": 5}


class Says:
    """A scorer with one answer, or one failure, for everything."""

    def __init__(self, answer: Any, name: str = "says") -> None:
        self.name = name
        self.answer = answer
        self.asked: list[tuple[str, str, Quantities]] = []

    def score(self, node: str, device: Device, left: Quantities) -> float:
        self.asked.append((node, device.uuid, dict(left)))
        left.clear()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


def _fullness(used: list[int], capacity: list[int]) -> float:
    return float(fullness(np.array([used]), np.array([capacity]))[0])


@pytest.mark.parametrize(
    ("used", "capacity", "full"),
    [
        ([0, 0, 0], [10, 100, 100], 0.0),
        ([10, 100, 100], [10, 100, 100], 1.0),
        ([5, 100, 0], [10, 100, 100], 0.5),
        ([3, 0], [10, 0], 0.3),
        ([0, 0], [0, 0], 0.0),
        ([], [], 0.0),
    ],
)
def test_fullness_is_the_mean_of_the_fractions_that_there_are(
    used: list[int], capacity: list[int], full: float
) -> None:
    """A dimension that a device lacks says nothing about how full it is; what has nothing is empty."""
    assert _fullness(used, capacity) == full


def test_equal_fullness_compares_equal() -> None:
    """Sums of fractions taken in another order may differ in the last bit, and a tie must stay a tie."""
    assert _fullness([1, 2, 3], [10, 10, 10]) == _fullness([3, 2, 1], [10, 10, 10])
    assert _fullness([1, 1, 1], [3, 3, 3]) == _fullness([2, 1, 0], [3, 3, 3])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1)), min_size=1, max_size=5))
def test_fullness_is_a_fraction(columns: list[tuple[int, int]]) -> None:
    """From 0 to 1 for whatever is within its capacity."""
    capacity = [max(pair) for pair in columns]
    assert 0 <= _fullness([min(pair) for pair in columns], capacity) <= 1


def test_binpack_prefers_the_fullest_and_spread_the_emptiest() -> None:
    """Both scores are from 0 to 1, higher is better."""
    after = np.array([0.0, 0.25, 1.0])
    assert preferred(Policy.BINPACK, after).tolist() == [0.0, 0.25, 1.0]
    assert preferred(Policy.SPREAD, after).tolist() == [1.0, 0.75, 0.0]


@pytest.mark.parametrize(
    ("weights", "full"),
    [
        (Weights(), 0.5),
        (Weights(slots=0, cores=0, memory=1), 0.9),
        (Weights(slots=1, cores=0, memory=0), 0.1),
        (Weights(slots=2, cores=1, memory=1), (2 * 0.1 + 0.5 + 0.9) / 4),
    ],
)
def test_weights_say_how_much_each_dimension_counts(weights: Weights, full: float) -> None:
    """A tenth of the slots, half of the compute and nine tenths of the memory are taken."""
    columns = column_weights(weights, [SLOTS, MEMORY, CORES])
    assert float(fullness(np.array([[1, 90, 50]]), np.array([[10, 100, 100]]), columns)[0]) == pytest.approx(full)


def test_a_dimension_without_a_weight_of_its_own_counts_once() -> None:
    """Whatever else a chip runs out of is as important as by default."""
    assert column_weights(Weights(slots=0, cores=2, memory=3), ["tiles", MEMORY, SLOTS, CORES]).tolist() == [1, 3, 0, 2]


def test_a_device_without_any_dimension_that_counts_is_empty() -> None:
    """Only compute counts, and the chip has none to split."""
    assert fullness(np.array([[5, 0]]), np.array([[10, 0]]), np.array([0.0, 1.0])).tolist() == [0.0]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 10**6), st.integers(0, 10**6)), min_size=1, max_size=5).filter(
        lambda columns: any(weight for weight, _, _ in columns)
    )
)
def test_weights_in_proportion_mean_the_same(columns: list[tuple[int, int, int]]) -> None:
    """Ten times each weight is no other wish; and the score stays a fraction."""
    weights, capacity, used = (np.array(column, dtype=np.int64) for column in zip(*columns, strict=True))
    used = np.minimum(used, capacity)
    once = float(fullness(used, capacity, weights.astype(np.float64)))
    assert 0 <= once <= 1
    assert float(fullness(used, capacity, weights * 10.0)) == pytest.approx(once, abs=1e-8)


def test_a_models_scale_serves_all_its_devices() -> None:
    """What a unit adds hangs on the model alone, so that scoring a cluster is one multiplication."""
    capacity = np.array([[10, 1000, 0], [4, 0, 100]])
    rows = np.array([0, 1, 0, 1])
    used = np.array([[1, 10, 0], [4, 0, 50], [10, 1000, 0], [0, 0, 0]])
    assert used_part(used, scale(capacity)[rows]).tolist() == fullness(used, capacity[rows]).tolist()
    assert used_part(used, scale(capacity)[rows]).tolist() == [0.055, 0.75, 1.0, 0.0]


def _arranged(score: list[float], numa: list[int], count: int, *, first: bool) -> list[int]:
    found = arranged(np.array(score), np.array(numa, dtype=np.intp), count, numa_first=first)
    return [int(position) for position in found]


@pytest.mark.parametrize(
    ("score", "numa", "count", "chosen"),
    [
        ([0.9, 0.1, 0.8, 0.8], [0, 0, 1, 1], 2, [2, 3]),  # the better pair, not the one with the best device
        ([0.9, 0.8, 0.8, 0.1], [0, 1, 1, 0], 1, [0]),
        ([0.5, 0.5, 0.5, 0.5], [1, 0, 1, 0], 2, [1, 3]),  # all alike: the lower number
        ([0.9, 0.1, 0.2, 0.3], [0, 1, 1, 1], 3, [3, 2, 1]),  # only one node has three
        ([0.9, 0.5, 0.5, 0.4, 0.4], [0, 1, 1, 2, 2], 3, [1, 2, 3]),  # none has three: as few nodes as can be
        ([0.1, 0.2], [-1, -1], 2, [1, 0]),
    ],
)
def test_lying_together_goes_before_the_score(
    score: list[float], numa: list[int], count: int, chosen: list[int]
) -> None:
    """``numa`` in front: one NUMA node, the best of those that have enough."""
    assert _arranged(score, numa, count, first=True)[:count] == chosen


@pytest.mark.parametrize(
    ("score", "numa", "count", "chosen"),
    [
        ([0.9, 0.1, 0.8, 0.8], [0, 0, 1, 1], 2, [0, 2]),  # the score decides
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 1, 2], 2, [1, 2]),  # nothing but NUMA is left to decide
        ([0.9, 0.5, 0.5, 0.5], [2, 0, 1, 2], 2, [0, 3]),  # beside what is taken anyway
        ([0.9, 0.5, 0.5, 0.5, 0.5], [3, 0, 1, 1, 0], 3, [0, 1, 4]),
        ([0.5, 0.5, 0.5, 0.1], [0, 1, 1, 0], 3, [1, 2, 0]),
    ],
)
def test_lying_together_decides_among_equal_scores(
    score: list[float], numa: list[int], count: int, chosen: list[int]
) -> None:
    """``numa`` behind: no device is taken that the policy likes less."""
    assert _arranged(score, numa, count, first=False)[:count] == chosen


def test_nothing_to_arrange_is_arranged() -> None:
    """No device, and fewer than asked."""
    for first in (True, False):
        assert _arranged([], [], 2, first=first) == []
        assert _arranged([0.5], [0], 2, first=first) == [0]


_DEVICES = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(-1, 2)), max_size=8)


@settings(deadline=None)
@given(_DEVICES, st.integers(1, 8), st.booleans())
def test_arranging_keeps_every_device(devices: list[tuple[float, int]], count: int, first: bool) -> None:
    """It is an order, and the same one each time."""
    score, numa = [one[0] for one in devices], [one[1] for one in devices]
    order = _arranged(score, numa, count, first=first)
    assert sorted(order) == list(range(len(devices)))
    assert _arranged(score, numa, count, first=first) == order


@settings(deadline=None)
@given(_DEVICES, st.integers(1, 8))
def test_one_numa_node_is_found_where_there_is_one(devices: list[tuple[float, int]], count: int) -> None:
    """In front: whenever a NUMA node has enough, and then the best sum of those. Behind: never a worse score."""
    score, numa = [one[0] for one in devices], [one[1] for one in devices]
    sums = {
        number: sum(sorted((s for s, n in devices if n == number), reverse=True)[:count])
        for number in set(numa)
        if numa.count(number) >= count
    }
    together = _arranged(score, numa, count, first=True)[:count]
    if sums:
        assert len({numa[position] for position in together}) == 1
        assert sum(score[position] for position in together) == max(sums.values())
    plain = [score[position] for position in _arranged(score, numa, count, first=False)]
    assert plain[:count] == sorted(score, reverse=True)[:count]


def test_without_plugins_there_is_no_opinion() -> None:
    """Nobody to ask is no opinion."""
    assert opinion([], "n", fake_device(), LEFT) == 0.0


def test_opinions_add_up() -> None:
    """Every plugin has a say, for and against; whole numbers and numpy's are numbers."""
    assert opinion([Says(0.5), Says(-2), Says(np.float32(0.25))], "n", fake_device(), LEFT) == -1.25


def test_a_scorer_is_told_node_device_and_what_would_be_left() -> None:
    """What it does with what it was told is its own: the next scorer is told the same."""
    first, second = Says(0), Says(0)
    opinion([first, second], "n", fake_device(4), LEFT)
    assert first.asked == second.asked == [("n", "fake-4", {"memory": 5})]
    assert LEFT == {"memory": 5}


@pytest.mark.parametrize("answer", [RuntimeError("broke"), math.nan, math.inf, -math.inf, None, "much"])
def test_a_scorer_that_fails_has_no_opinion_and_the_others_are_heard(answer: Any) -> None:
    """One bad plugin must not stop placement, and its name is in the log."""
    with capture_logs() as lines:
        assert opinion([Says(answer, "bad"), Says(0.5)], "n", fake_device(), LEFT) == 0.5
    assert [(line["log_level"], line["scorer"], line["node"], line["device"]) for line in lines] == [
        ("error", "bad", "n", "fake-0")
    ]


def test_the_log_says_what_a_scorer_raised() -> None:
    """The author of the plugin finds the reason there."""
    with capture_logs() as lines:
        opinion([Says(RuntimeError("broke"))], "n", fake_device(), LEFT)
    assert (lines[0]["event"], lines[0]["reason"]) == ("scorer failed", "broke")


def test_good_scorers_leave_no_lines() -> None:
    """The log is for what went wrong."""
    with capture_logs() as lines:
        opinion([Says(0.5), Says(0)], "n", fake_device(), LEFT)
    assert lines == []
