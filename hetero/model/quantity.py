"""Amounts as people write them: sizes, percentages, Kubernetes quantities. All sizes are whole MiB."""

from __future__ import annotations

import re
from decimal import ROUND_FLOOR, Decimal

from hetero.errors import InvalidValue

MIB = 1024 * 1024

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[kmgt]?)i?b?", re.IGNORECASE)
_UNIT_BYTES = {"": 1, "k": 1024, "m": MIB, "g": 1024 * MIB, "t": 1024 * 1024 * MIB}
_KUBERNETES = re.compile(r"(?P<sign>[+-]?)(?P<number>\d+(?:\.\d*)?|\.\d+)(?P<suffix>[a-zA-Z]*|[eE][+-]?\d+)")
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
        Whole MiB, rounded down, at least 1.

    Raises:
        InvalidValue: It is no size, or less than 1 MiB.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidValue(field, text, "is not a size; write a number and a unit, such as 512m or 2g")
    size = Decimal(match["number"]) * _UNIT_BYTES[match["unit"].lower()] / MIB
    mib = int(size.to_integral_value(ROUND_FLOOR))
    if mib < 1:
        raise InvalidValue(field, text, "is less than 1 MiB; write a unit, such as 512m or 2g")
    return mib


def parse_percent(text: str, field: str, *, low: int = 1) -> int:
    """Read a whole percentage, with or without ``%``, from ``low`` to 100.

    Raises:
        InvalidValue: It is no whole number in that range.
    """
    number = text.strip().removesuffix("%").strip()
    if not number.isascii() or not number.isdigit() or not low <= int(number) <= 100:
        raise InvalidValue(field, text, f"is not a percentage; write a whole number from {low} to 100")
    return int(number)


def parse_count(value: object, field: str, *, low: int = 0, high: int = 2**31 - 1) -> int:
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
    number = parse_quantity(value, field)
    if number < 0:
        raise InvalidValue(field, value, "is negative; write a whole number")
    if number != number.to_integral_value():
        raise InvalidValue(field, value, "is a fraction; write a whole number")
    if not low <= number <= high:
        raise InvalidValue(field, value, f"is out of range; write a whole number from {low} to {high}")
    return int(number)


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
    match = None
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        match = _KUBERNETES.fullmatch(str(value).strip())
    if match is None:
        raise InvalidValue(field, value, "is not a quantity; write a whole number, such as 1024")
    suffix = match["suffix"]
    if suffix in _SUFFIX:
        factor = _SUFFIX[suffix]
    elif suffix[:1] in "eE" and len(suffix) <= 4 and suffix[1:].lstrip("+-").isdigit():
        factor = Decimal(10) ** int(suffix[1:])
    else:
        raise InvalidValue(field, value, f"has the unknown suffix {suffix!r}; write a whole number, such as 1024")
    number = Decimal(match["number"]) * factor
    return -number if match["sign"] == "-" else number


def format_mib(mib: int) -> str:
    """A size for people: ``1536 MiB``."""
    return f"{mib} MiB"
