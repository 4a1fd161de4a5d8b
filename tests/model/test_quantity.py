"""Amounts as people write them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.model.quantity import MAX_COUNT, format_mib, parse_count, parse_percent, parse_quantity, parse_size

ENDLESS = 16**4000
"""More digits than Python prints; YAML spells such a number in hexadecimal."""

WRITTEN = st.text(alphabet="0123456789.-+eEmMgGkKiIbB% \t٣²", max_size=12) | st.text(max_size=6)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WRITTEN | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


def result(parse: Callable[[Any, str], Any], value: Any) -> Any:
    """What is read, or the error that the value is refused with: it names the field and keeps the value."""
    try:
        return parse(value, "--field")
    except InvalidValue as error:
        return (error.field, error.value is value, str(error).startswith("--field: "))


REFUSED = ("--field", True, True)


# --- sizes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("2g", 2048),
        ("2GiB", 2048),
        ("2gb", 2048),
        ("2Gi", 2048),
        ("1.5g", 1536),
        ("512m", 512),
        ("1048576", 1),
        ("1048576b", 1),
        ("2097151", 1),
        ("2097152", 2),
        ("1024k", 1),
        ("2047K", 1),
        ("1T", 1048576),
        ("0.5g", 512),
        ("00512m", 512),
        (" 64 mb ", 64),
    ],
)
def test_sizes_are_read_in_powers_of_1024(text: str, mib: int) -> None:
    """Units count in powers of 1024 with or without i and b, in any case; a bare number is bytes; parts are lost."""
    assert parse_size(text, "--memory") == mib


@pytest.mark.parametrize("text", ["", "2x", "-1g", "+1g", "g", "1g2", "0", "1023k", "nan", "1e3", "1.g", ".5g", "1,5g"])
def test_a_wrong_size_names_field_and_value(text: str) -> None:
    """A wrong size is refused with the field, the value and what to write."""
    with pytest.raises(InvalidValue, match="--memory") as caught:
        parse_size(text, "--memory")
    assert caught.value.value == text
    assert "512m or 2g" in str(caught.value)


def test_a_size_just_below_a_mebibyte_is_too_small() -> None:
    """However many nines: nothing is rounded up to what was not asked."""
    with pytest.raises(InvalidValue, match="is less than 1 MiB"):
        parse_size(f"0.{'9' * 60}m", "--memory")
    assert parse_size(f"1.{'9' * 60}m", "--memory") == 1


@pytest.mark.parametrize("text", [f"{MAX_COUNT + 1}m", "99999999t", f"{'9' * 5000}g"], ids=["next", "many", "endless"])
def test_no_device_has_so_much(text: str) -> None:
    """Sizes end where the counts of a manifest end, so that every amount can be stored."""
    assert parse_size(f"{MAX_COUNT}m", "--memory") == MAX_COUNT
    with pytest.raises(InvalidValue, match="is more than any device has"):
        parse_size(text, "--memory")


@given(st.integers(1, MAX_COUNT))
def test_a_size_for_people_is_read_again(mib: int) -> None:
    """What is shown can be typed."""
    assert parse_size(format_mib(mib), "--memory") == mib


@given(st.integers(1, 2**40))
def test_the_units_agree(kib: int) -> None:
    """KiB and bytes of the same amount are the same, and never more than they come to."""
    if kib < 1024:
        with pytest.raises(InvalidValue):
            parse_size(f"{kib}k", "f")
    else:
        assert parse_size(f"{kib}k", "f") == parse_size(str(kib * 1024), "f") == kib // 1024


@given(WRITTEN)
def test_any_text_is_a_size_or_refused(text: str) -> None:
    """Whatever was typed: a size that a device may have, or one of our sentences."""
    mib = result(parse_size, text)
    assert mib == REFUSED or 1 <= mib <= MAX_COUNT


# --- percentages --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "percent"), [("1", 1), ("100", 100), ("50%", 50), (" 30 % ", 30), ("007", 7)])
def test_percentages_may_carry_their_sign(text: str, percent: int) -> None:
    """With or without ``%``, with blanks around."""
    assert parse_percent(text, "--cores") == percent


@pytest.mark.parametrize("text", ["0", "101", "-1", "+1", "3.5", "x", "", "%", "50%%", "5 0", "٣", "²", "9" * 5000])
def test_a_wrong_percentage_is_refused(text: str) -> None:
    """Percentages are whole numbers from 1 to 100."""
    with pytest.raises(InvalidValue, match="write a whole number from 1 to 100") as caught:
        parse_percent(text, "--cores")
    assert (caught.value.field, caught.value.value) == ("--cores", text)


def test_nothing_may_be_a_percentage() -> None:
    """Where 0 means "no limit", it is taken, and the sentence says so for what is not."""
    assert parse_percent("0", "--cores", low=0) == 0
    with pytest.raises(InvalidValue, match="from 0 to 100"):
        parse_percent("-1", "--cores", low=0)


@given(WRITTEN)
def test_any_text_is_a_percentage_or_refused(text: str) -> None:
    """Whatever was typed."""
    percent = result(parse_percent, text)
    assert percent == REFUSED or 1 <= percent <= 100


# --- counts -------------------------------------------------------------------------------------------------


@given(st.integers(0, MAX_COUNT))
def test_whole_numbers_are_counts_in_every_spelling(number: int) -> None:
    """A count is the same as a number, a string, in thousandths and with an exponent."""
    spellings = (number, str(number), f"+{number}", f"{number}.0", f"{number}000m", f"{number}e0", f"{number}0E-1")
    assert {parse_count(spelt, "f") for spelt in spellings} == {number}


@pytest.mark.parametrize(
    "value", [-1, "-1", 0.5, "0.5", "500m", "x", "", " ", None, True, False, [], {}, b"1", "2kk", "1_000", "1 000"]
)
def test_a_wrong_count_is_refused(value: object) -> None:
    """Negative, fractional and malformed quantities are refused."""
    with pytest.raises(InvalidValue, match="write a whole number") as caught:
        parse_count(value, "f")
    assert caught.value.value is value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (-1, "is negative"),
        ("-1m", "is negative"),
        ("1500m", "is a fraction"),
        (f"1.{'0' * 40}1", "is a fraction"),
        (f"0.{'9' * 40}", "is a fraction"),
        (MAX_COUNT + 1, "is out of range; write a whole number from 0 to 2147483647"),
        ("4Gi", "is out of range"),
        (1e300, "is out of range"),
        (ENDLESS, "is out of range"),
        ("two", "is not a quantity"),
        ("٣", "is not a quantity"),
        ("1e99999", "has the unknown suffix 'e99999'"),
        ("1Kb", "has the unknown suffix 'Kb'"),
        (float("nan"), "is not a quantity"),
        (float("inf"), "is not a quantity"),
    ],
    ids=lambda value: str(value)[:20] if value is not ENDLESS else "endless",
)
def test_the_sentence_says_what_is_wrong_with_a_count(value: object, reason: str) -> None:
    """Each mistake has its own words; digits are those of ASCII, and no digit is rounded away."""
    with pytest.raises(InvalidValue) as caught:
        parse_count(value, "f")
    assert caught.value.reason.startswith(reason)


@given(st.text(alphabet="0123456789٣²", min_size=1, max_size=14))
def test_plain_digits_are_the_quantity_that_they_spell(text: str) -> None:
    """The short way that nearly all amounts take comes out where the long one does."""
    quantity = result(parse_quantity, text)
    if isinstance(quantity, Decimal):
        assert result(parse_count, text) == (int(quantity) if quantity <= MAX_COUNT else REFUSED)
    else:
        assert result(parse_count, text) == REFUSED


def test_counts_have_the_bounds_that_are_given() -> None:
    """Both ends belong to them, and the sentence names both."""
    assert [parse_count(end, "f", low=2, high=5) for end in (2, "5")] == [2, 5]
    for beyond in (1, 6):
        with pytest.raises(InvalidValue, match="from 2 to 5"):
            parse_count(beyond, "f", low=2, high=5)


@given(ANYTHING)
def test_any_value_is_a_count_or_refused(value: Any) -> None:
    """Whatever stands in a manifest."""
    count = result(parse_count, value)
    assert count == REFUSED or 0 <= count <= MAX_COUNT


# --- quantities ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (2, "2"),
        (-2, "-2"),
        (0.25, "0.25"),
        (1e300, "1e300"),
        ("2", "2"),
        ("+2", "2"),
        ("-2", "-2"),
        ("2.", "2"),
        (".5", "0.5"),
        ("1.25", "1.25"),
        ("100m", "0.1"),
        ("5u", "0.000005"),
        ("5n", "0.000000005"),
        ("2k", "2000"),
        ("2M", "2000000"),
        ("2G", "2e9"),
        ("2T", "2e12"),
        ("2P", "2e15"),
        ("2E", "2e18"),
        ("2Ki", "2048"),
        ("2Mi", "2097152"),
        ("2Gi", "2147483648"),
        ("2Ti", "2199023255552"),
        ("2Pi", "2251799813685248"),
        ("2Ei", "2305843009213693952"),
        ("2e3", "2000"),
        ("2E3", "2000"),
        ("2e+3", "2000"),
        ("2e-3", "0.002"),
        ("-1.5Gi", "-1610612736"),
    ],
)
def test_quantities_are_those_of_the_api_server(value: object, number: str) -> None:
    """Source: k8s.io/apimachinery pkg/api/resource, "Quantity": signs, decimal and binary suffixes, exponents."""
    assert parse_quantity(value, "f") == Decimal(number)


@pytest.mark.parametrize("text", ["2K", "2ki", "2g", "2KI", "2kk", "2e", "2eE", "2e3m", "2m3", "2Zi", "2µ"])
def test_suffixes_are_spelt_as_the_api_server_has_them(text: str) -> None:
    """Case counts: m is a thousandth, M a million; an exponent and a suffix exclude each other."""
    with pytest.raises(InvalidValue, match=r"is not a quantity|has the unknown suffix"):
        parse_quantity(text, "f")


@pytest.mark.parametrize("value", [None, True, False, [1], {"a": 1}, b"1", "", ".", "-", "1 k", "0x10", "1/2"])
def test_what_is_no_number_is_no_quantity(value: object) -> None:
    """A truth value is none either, although Python counts with it."""
    with pytest.raises(InvalidValue, match="is not a quantity; write a whole number, such as 1024"):
        parse_quantity(value, "f")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_quantities_are_exact(number: Decimal) -> None:
    """As it is written, so it is compared, also beyond the digits of a float."""
    plain = f"{number:f}"
    assert parse_quantity(plain, "f") == number
    assert parse_quantity(f"{plain}Ki", "f") == number * 1024
    assert parse_quantity(f"{plain}m", "f") * 1000 == number


@given(st.integers(-(10**40), 10**40), st.integers(-(10**40), 10**40))
def test_quantities_can_be_compared(one: int, two: int) -> None:
    """A request against its limit, of any number of digits, as numbers and as text."""
    assert (parse_quantity(one, "f") < parse_quantity(str(two), "f")) == (one < two)


@given(ANYTHING)
def test_any_value_is_a_quantity_or_refused(value: Any) -> None:
    """A finite number, or one sentence with the field."""
    number = result(parse_quantity, value)
    assert number == REFUSED or number.is_finite()
