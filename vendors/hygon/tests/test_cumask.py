"""Masks of compute units."""

from __future__ import annotations

import pytest
from hetero_hygon import cumask
from hypothesis import given
from hypothesis import strategies as st

masks = st.integers(0, 2**128 - 1)


@given(masks)
def test_a_mask_is_its_two_words(mask: int) -> None:
    """Split and joined it is the same, and each word fits 64 bits."""
    low, high = cumask.words(mask)
    assert max(low, high) < 2**64
    assert cumask.joined(low, high) == mask


@given(masks, masks)
def test_masks_overlap_when_a_unit_is_in_both(one: int, other: int) -> None:
    """Two that do not overlap have as many units together as each for itself."""
    apart = cumask.size(one) + cumask.size(other) == cumask.size(one | other)
    assert cumask.overlaps(one, other) != apart


def test_the_low_word_comes_first() -> None:
    """Unit 64 is the lowest of the second word."""
    assert cumask.words(1 << 64) == (0, 1)
    assert cumask.words((1 << 128) - 1) == (2**64 - 1, 2**64 - 1)


@pytest.mark.parametrize("mask", [-1, 1 << 128])
def test_what_two_words_cannot_hold_is_refused(mask: int) -> None:
    """Rather than cut off."""
    with pytest.raises(ValueError, match="no mask of 128 units"):
        cumask.words(mask)


@given(st.integers(0, 100), st.integers(1, 128))
def test_units_are_the_least_that_serve(percent: int, total: int) -> None:
    """Rounded up, never to more than there are; 0 percent is no limit."""
    units = cumask.units_of(percent, total)
    assert 1 <= units <= total
    wanted = (percent or 100) * total
    assert units * 100 >= wanted > (units - 1) * 100
