"""How columns share a terminal: whole words, then spare columns, then the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.cli.widths import LONGEST, SHORTEST, Need, fitted, need

NEEDS = st.lists(
    st.builds(
        lambda least, more, spare: Need(least, least + more, spare),
        st.integers(0, LONGEST),
        st.integers(0, 60),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize(
    ("texts", "number", "found"),
    [
        (["model", "NVIDIA GeForce RTX 3060"], False, Need(7, 23)),
        (["memory", "12288 MiB"], True, Need(9, 9)),
        (["found", "x" * 70], False, Need(LONGEST, 70)),
        (["names", "one\ntwo three"], False, Need(5, 9)),
        (["型号", "昇腾"], False, Need(4, 4)),
        ([""], False, Need(0, 0)),
    ],
)
def test_a_column_needs_its_longest_word(texts: list[str], number: bool, found: Need) -> None:
    """A number is one word, a path may be broken, and wide letters take two cells."""
    assert need(texts, number=number) == found


@pytest.mark.parametrize(
    ("room", "widths"),
    [
        (100, [10, 40, 30]),
        (84, [10, 40, 30]),
        (83, [10, 39, 30]),
        (60, [10, 23, 23]),
        (34, [10, 10, 10]),
        (33, [10, None, 21]),
        (22, [10, None, 10]),
        (21, [9, None, 10]),
        (17, []),
    ],
)
def test_the_widest_gives_way_and_a_spare_one_goes(room: int, widths: list[int | None]) -> None:
    """With gaps of two between the columns that stay."""
    assert fitted([Need(10, 10), Need(10, 40, spare=True), Need(10, 30)], room, 2) == widths


def test_of_spare_columns_the_one_that_needs_most_goes_first() -> None:
    """So that few are left out, and identities before figures."""
    needs = [Need(20, 40, spare=True), Need(4, 4, spare=True), Need(10, 10)]
    assert fitted(needs, 20, 2) == [None, 4, 10]
    assert fitted(needs, 12, 2) == [None, None, 10]
    assert fitted(needs, 9, 2) == [None, None, 9]


@given(needs=NEEDS, room=st.integers(0, 200), gap=st.integers(0, 3))
def test_what_is_kept_fits_and_has_its_words(needs: list[Need], room: int, gap: int) -> None:
    """For any columns and any terminal: what stays fits, short words are whole, only spare ones miss."""
    widths = fitted(needs, room, gap)
    kept = [(one, width) for one, width in zip(needs, widths, strict=False) if width is not None]
    assert all(min(one.least, SHORTEST) <= width <= one.most for one, width in kept)
    assert all(one.spare for one, width in zip(needs, widths, strict=False) if width is None)
    if kept:
        assert sum(width for _, width in kept) + gap * (len(kept) - 1) <= room
