"""Cambricon MLUs for hetero: discovery by cndev, slices that the kernel driver keeps (dynamic sMLU)."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from hetero.hookspecs import hookimpl
from hetero.vendor import Feature, Vendor
from hetero_cambricon.cndev import Cndev
from hetero_cambricon.discovery import CndevDiscovery
from hetero_cambricon.enforcement import SmluEnforcement
from hetero_cambricon.names import RESOURCES, VENDOR, WORDS
from hetero_cambricon.simulation import SimulatedMlus
from hetero_cambricon.splitting import MluSplitting


def _version() -> str:
    try:
        return version("hetero-cambricon")
    except PackageNotFoundError:  # imported from a directory
        return "0.1.0"


_cndev = Cndev()

cambricon = Vendor(
    name=VENDOR,
    title="Cambricon MLU",
    version=_version(),
    resources=(RESOURCES,),
    discovery=CndevDiscovery(_cndev),
    splitting=MluSplitting(),
    enforcement=SmluEnforcement(_cndev),
    simulation=SimulatedMlus(),
    missing={
        Feature.MEMORY_PERCENTAGE: "no resource name of today asks for it; name the memory in units of 256 MiB",
        Feature.PRIORITY: "the kernel driver keeps the quotas, and knows no priorities",
        Feature.PARTITION: "static instances (MIM) are read and cannot be given yet; slices are dynamic (sMLU)",
    },
    words=WORDS,
)


@hookimpl
def hetero_register_vendors() -> list[Vendor]:
    """The one vendor of this package."""
    return [cambricon]
