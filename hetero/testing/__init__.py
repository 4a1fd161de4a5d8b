"""For authors of vendors: a fake vendor to look at and to test against, and the conformance suite.

A vendor's own tests may import it; nothing that runs in production does. The suite needs pytest and hypothesis.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hetero.testing.fake import fake_device, fake_devices, fake_node, fake_vendor

if TYPE_CHECKING:
    from hetero.testing.conformance import VendorConformance

__all__ = ["VendorConformance", "fake_device", "fake_devices", "fake_node", "fake_vendor"]

_SUITE = (
    "conformance",
    "subject",
    "elsewhere",
    "splitting_rules",
    "position_rules",
    "enforcement_rules",
    "discovery_rules",
    "fault_rules",
)


def __getattr__(name: str) -> Any:
    """Load the suite when it is asked for: the fake vendor alone needs none of the libraries for tests."""
    if name != "VendorConformance":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import pytest  # noqa: PLC0415

    # Before the suite is imported, or a failing rule would not show the values that it compared.
    pytest.register_assert_rewrite(*(f"{__name__}.{module}" for module in _SUITE))
    from hetero.testing.conformance import VendorConformance  # noqa: PLC0415

    globals()[name] = VendorConformance  # asked once
    return VendorConformance
