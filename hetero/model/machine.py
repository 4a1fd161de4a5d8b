"""A simulated machine: which cards it pretends to have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from hetero.errors import InvalidValue

T = TypeVar("T", bound=msgspec.Struct)


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated card.

    Attributes:
        vendor: Whose simulated driver shows it.
        settings: The vendor's keys with their values, checked and completed by the vendor.
    """

    vendor: str
    settings: dict[str, Any]


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine file describes.

    Attributes:
        name: Name of the machine.
        cards: The cards, in the order of the driver.
        drivers: Vendor name to settings of its driver (versions and the like).
    """

    name: str
    cards: tuple[Card, ...]
    drivers: dict[str, dict[str, Any]] = {}


def checked(settings: Mapping[str, Any], kind: type[T], field: str) -> T:
    """The keys of a card or driver as the record that describes them; keys in YAML may be numbers.

    Args:
        settings: As written.
        kind: What they must be; it should forbid unknown fields.
        field: Where they stand in the file.

    Raises:
        InvalidValue: With the very key that is wrong, where it is about one.
    """
    known = kind.__struct_encode_fields__
    unknown = [key for key in settings if key not in known] if kind.__struct_config__.forbid_unknown_fields else []
    if unknown:
        reason = f"is given for a key that is not known; known are {', '.join(known)}"
        raise InvalidValue(f"{field}.{unknown[0]}", settings[unknown[0]], reason)
    try:
        return msgspec.convert(settings, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(settings, field, str(error)) from error


def _invalid(settings: Mapping[str, Any], field: str, complaint: str) -> InvalidValue:
    place = re.search(r" - at .*`\$\.(\w+)", complaint)
    if place is None:
        return InvalidValue(field, dict(settings), f"cannot be used: {complaint}")
    return InvalidValue(f"{field}.{place[1]}", settings[place[1]], f"cannot be used: {complaint[: place.start()]}")
