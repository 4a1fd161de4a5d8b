"""A simulated machine: which cards it pretends to have."""

from __future__ import annotations

from typing import Any

import msgspec


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
