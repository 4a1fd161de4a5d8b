"""The products: their names by PCI device id, and what the driver's documents say of their compute units.

Source: the tables of hcu-dcgm (b223b72) and dcu-dcgm, pkg/dcgm.
"""

from __future__ import annotations

PCI_VENDOR = 0x1D94

NAMES: dict[int, str] = {
    0x54B7: "Z100",
    0x55B7: "Z100L",
    0x51B7: "Z200SM_80",
    0x56B7: "Z200SM_81",
    0x55C7: "Z200SM_71",
    0x61A7: "K500SM_B",
    0x61C7: "K500SM_B",
    0x61B7: "K500SM",
    0x61D7: "K500SM",
    0x61E7: "K500SM",
    0x62B7: "K100",
    0x62C7: "K100-LC",
    0x6210: "K100_AI",
    0x6211: "K100_LC_E_AI",
    0x6212: "K100_LC_AI",
    0x6213: "K100_AI_i",
    0x62A0: "K500SM_AI",
    0x62B0: "K500SM_AI",
    0x6310: "BW200",
    0x6311: "BW200_LC",
    0x631A: "BW1000_H",
    0x6320: "BW150",
    0x6321: "BW100_LC",
    0x632A: "BW151",
    0x6330: "BW500SM",
    0x6360: "BW10",
    0x636A: "BW11",
    0x6370: "BW100",
    0x637A: "BW101",
    0x6423: "BW1500B",
    0x6430: "BW1100",
    0x6431: "BW1000_LC",
    0x6436: "BW3000B",
    0x6437: "BW3000B",
}
"""PCI device id to the product."""

COMPUTE_UNITS: dict[str, int] = {
    "Z100": 60,
    "Z100L": 60,
    "K100": 120,
    "K100_AI": 120,
    "K100_LC_AI": 120,
    "K100_LC_E_AI": 128,
    "BW200": 80,
    "BW100": 80,
}
"""Product to its compute units, where the documents say."""


def name_of(device_id: int) -> str:
    """The product with this PCI device id; empty when it is not one that is known."""
    return NAMES.get(device_id, "")


def device_id_of(name: str) -> int:
    """The first PCI device id of a product, for simulated cards; 0 when it is not one that is known."""
    return next((device_id for device_id, one in NAMES.items() if one == name), 0)
