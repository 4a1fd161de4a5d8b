"""Amounts as people write them: sizes, percentages, Kubernetes quantities. All sizes are whole MiB."""

from __future__ import annotations

import re
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_FLOOR, Context, Decimal
from typing import TypeGuard

from hetero.errors import InvalidValue

MIB = 1024 * 1024
MAX_COUNT = 2**31 - 1

# The usual context rounds to 28 digits: then 0.999… is a whole number.
_EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)i?b?", re.IGNORECASE | re.ASCII)
_UNIT_MIB = {"": Decimal(1) / MIB, "k": Decimal(1) / 1024, "m": Decimal(1), "g": Decimal(1024), "t": Decimal(MIB)}
_PERCENT = re.compile(r"(?P<number>\d{1,3})\s*%?", re.ASCII)
_KUBERNETES = re.compile(r"(?P<sign>[+-]?)(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<suffix>[a-zA-Z]*|[eE][+-]?\d+)", re.ASCII)
_SUFFIX = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip


def parse_size(text: str, field: str) -> int:
    """Read a size of memory such as ``2g``, ``512MiB`` or ``1.5 GiB``.

    Units are powers of 1024 with or without ``i`` and ``b``, in any case, as the peers' environment variables
    have them; a bare number is bytes.

    Args:
        text: What the user wrote.
        field: Where it stands, for the error.

    Returns:
        Whole MiB, rounded down, from 1 to :data:`MAX_COUNT`.

    Raises:
        InvalidValue: It is no size, less than 1 MiB, or more than any device has.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidValue(field, text, "is not a size; write a number and a unit, such as 512m or 2g")
    size = _EXACT.multiply(Decimal(match["number"]), _UNIT_MIB[match["unit"].lower()])
    if size < 1:
        raise InvalidValue(field, text, "is less than 1 MiB; write a unit, such as 512m or 2g")
    if size > MAX_COUNT:
        raise InvalidValue(field, text, "is more than any device has; write a size, such as 512m or 2g")
    return int(size.to_integral_value(ROUND_FLOOR))


def parse_percent(text: str, field: str, *, low: int = 1) -> int:
    """Read a whole percentage, with or without ``%``, from ``low`` to 100.

    Raises:
        InvalidValue: It is no whole number in that range.
    """
    match = _PERCENT.fullmatch(text.strip())
    if match is None or not low <= int(match["number"]) <= 100:
        raise InvalidValue(field, text, f"is not a percentage; write a whole number from {low} to 100")
    return int(match["number"])


def parse_count(value: object, field: str, *, low: int = 0, high: int = MAX_COUNT) -> int:
    """Read a Kubernetes quantity that must be a whole number, as extended resources are.

    Every spelling that the API server takes is understood (``2``, ``"2"``, ``2k``, ``2Ki``, ``2e3``, ``2000m``);
    the value has to come out whole.
    Source: k8s.io/apimachinery pkg/api/resource, "Quantity"; extended resources are integers (Kubernetes
    documentation, "Managing Resources for Containers").

    Args:
        value: A YAML number or string.
        field: Where it stands, for the error.
        low: Least value allowed.
        high: Greatest value allowed.

    Raises:
        InvalidValue: It is no quantity, not whole, negative, or outside ``low`` to ``high``.
    """
    number = int(value) if _plain(value) else _whole(value, field)
    if not low <= number <= high:
        raise InvalidValue(field, value, f"is out of range; write a whole number from {low} to {high}")
    return int(number)


def _plain(value: object) -> TypeGuard[str]:
    """True for a few digits and nothing else, as nearly every amount in a cluster is written."""
    return type(value) is str and len(value) < 10 and value.isascii() and value.isdecimal()


def _whole(value: object, field: str) -> Decimal:
    number = parse_quantity(value, field)
    if number < 0:
        raise InvalidValue(field, value, "is negative; write a whole number")
    if number != number.to_integral_value():
        raise InvalidValue(field, value, "is a fraction; write a whole number")
    return number


def parse_quantity(value: object, field: str) -> Decimal:
    """Read any Kubernetes quantity, fractions and negative ones included, e.g. to compare two.

    Args:
        value: A YAML number or string.
        field: Where it stands, for the error.

    Returns:
        The number in the resource's own unit (cores, bytes, devices).

    Raises:
        InvalidValue: It is no quantity.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)  # not by its text: Python prints no number of more than 4300 digits
    match = _KUBERNETES.fullmatch(str(value).strip()) if isinstance(value, float | str) else None
    if match is None:
        raise InvalidValue(field, value, "is not a quantity; write a whole number, such as 1024")
    factor = _factor(match["suffix"])
    if factor is None:
        suffix = match["suffix"]
        raise InvalidValue(field, value, f"has the unknown suffix {suffix!r}; write a whole number, such as 1024")
    number = _EXACT.multiply(Decimal(match["number"]), factor)
    return number.copy_negate() if match["sign"] == "-" else number


def _factor(suffix: str) -> Decimal | None:
    """What a suffix or an exponent (of three digits at most, as in the greatest float) multiplies by."""
    if suffix[:1] in ("e", "E") and len(suffix) <= 5 and suffix[1:].lstrip("+-").isdigit():
        return Decimal(1).scaleb(int(suffix[1:]))
    return _SUFFIX.get(suffix)


def format_mib(mib: int) -> str:
    """A size for people: ``1536 MiB``."""
    return f"{mib} MiB"
