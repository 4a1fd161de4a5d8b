"""Models of all installed vendors, and what can be asked of them in their own words: found out, not written down.

A vendor says which templates it has by what its splitting answers, so that a test of all vendors needs no table of any.
Only the names of products have to be known: a vendor of few products takes no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import MEMORY, DeviceModel
from hetero.model.share import Share
from hetero.plugins import load
from hetero.vendor import Vendor

Product = tuple[str, int, str]
"""Name, MiB, and the mode in which it is split."""

GENERIC: tuple[Product, ...] = tuple(
    (name, memory, "") for name in ("Toy W1", "Alpha 1", "Alpha 1 Ultra", "Beta") for memory in (4096, 8192)
)
"""For vendors that take any name, or these."""

OWN: Mapping[str, tuple[Product, ...]] = {
    "ascend": (
        ("910A", 32768, ""),
        ("910B2", 65536, ""),
        ("910B3", 65536, ""),
        ("910B4", 32768, ""),
        ("910B4", 32768, "hami-core"),
        ("Ascend910", 65536, ""),
        ("310P3", 24576, ""),
    ),
    "cambricon": (("MLU370-X8", 24576, ""), ("MLU590-M9", 80675, ""), ("MLU370-X8", 24576, "whole")),
    "hygon": (("K100_AI", 65520, ""), ("Z100L", 32752, ""), ("K100_AI", 65520, "whole")),
    "nvidia": (
        ("Alpha 1", 4096, ""),
        ("Alpha 1 Ultra", 8192, ""),
        ("NVIDIA A100-SXM4-40GB", 40960, "mig"),
        ("NVIDIA H100 80GB HBM3", 81559, "mig"),
    ),
}
"""For those that take others, or are split in several ways."""


def models(vendor: Vendor) -> list[DeviceModel]:
    """Some models of a vendor, of all families and modes that are known here."""
    found = []
    for product in OWN.get(vendor.name, GENERIC):
        try:
            found.append(vendor.splitting.model(*product))
        except InvalidValue:
            continue
    assert found, f"{vendor.name} has none of the products; add one of its to OWN"
    return found


def templates(vendor: Vendor, model: DeviceModel) -> dict[str, Ask]:
    """The templates of a model, each with an ask that gets it; nothing where shares are free-form."""
    return {
        share.template: ask
        for ask in _sizes(model)
        if isinstance(share := vendor.splitting.split(model, ask), Share) and share.template
    }


def _sizes(model: DeviceModel) -> Iterator[Ask]:
    """Asks from the whole device down, so that the smallest that gets a template is the one that stays."""
    for part in range(64, 0, -1):
        memory = max(1, model.capacity[MEMORY] * part // 64)
        for cores in (57, 43, 28, 15, 0):
            yield Ask(vendor=model.vendor, family=model.family, memory=memory, cores=cores, mode=model.mode)


def vendors() -> dict[str, Vendor]:
    """All that are installed."""
    return dict(load().vendors)
