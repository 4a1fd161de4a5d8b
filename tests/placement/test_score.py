"""What is best among places that fit: fullness, the two policies, and the plugins' say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hetero.errors import InvalidValue, UserError
from hetero.model.device import Device, Quantities
from hetero.placement import Policy
from hetero.placement.score import fullness, opinion, preferred
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


@pytest.mark.parametrize("text", ["binpack", "spread"])
def test_policies_are_written_as_in_manifests(text: str) -> None:
    """The word of the annotation is the policy."""
    assert Policy(text) == text


@pytest.mark.parametrize("value", ["Binpack", "", "random", 3, None])
def test_another_word_is_no_policy_and_the_error_says_which_are(value: object) -> None:
    """A user's mistake is a user's error, with what to write instead."""
    with pytest.raises(InvalidValue, match="write binpack or spread") as caught:
        Policy(value)
    assert isinstance(caught.value, UserError)
    assert (caught.value.field, caught.value.value) == ("policy", value)


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
