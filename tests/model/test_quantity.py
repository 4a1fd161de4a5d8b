"""Amounts as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.model.quantity import parse_count, parse_percent, parse_size


@pytest.mark.parametrize(
    ("text", "mib"),
    [("2g", 2048), ("2GiB", 2048), ("1.5g", 1536), ("512m", 512), ("1048576", 1), ("1T", 1048576), (" 64 mb ", 64)],
)
def test_sizes_are_read_in_powers_of_1024(text: str, mib: int) -> None:
    """Units count in powers of 1024 with or without i and b, in any case."""
    assert parse_size(text, "--memory") == mib


@pytest.mark.parametrize("text", ["", "2x", "-1g", "g", "1g2", "0", "1023k", "nan", "1e3"])
def test_a_wrong_size_names_field_and_value(text: str) -> None:
    """A wrong size is refused with the field, the value and what to write."""
    with pytest.raises(InvalidValue, match="--memory") as caught:
        parse_size(text, "--memory")
    assert caught.value.value == text


@pytest.mark.parametrize("text", ["0", "101", "-1", "3.5", "x", ""])
def test_a_wrong_percentage_is_refused(text: str) -> None:
    """Percentages are whole numbers from 1 to 100."""
    with pytest.raises(InvalidValue):
        parse_percent(text, "--cores")


@given(st.integers(0, 2**31 - 1))
def test_whole_numbers_are_counts_in_every_spelling(number: int) -> None:
    """A count is the same as a number, a string and in thousandths."""
    assert {parse_count(spelt, "f") for spelt in (number, str(number), f"{number}000m")} == {number}


@pytest.mark.parametrize("value", [-1, "-1", 0.5, "0.5", "500m", "x", "", None, True, [], "2kk"])
def test_a_wrong_count_is_refused(value: object) -> None:
    """Negative, fractional and malformed quantities are refused."""
    with pytest.raises(InvalidValue):
        parse_count(value, "f")
