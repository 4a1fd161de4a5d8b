"""Hygon DCUs for hetero: discovery by rocm_smi, slices as vDCUs that the driver keeps to their limits."""

from __future__ import annotations

from importlib.metadata import version

from hetero.hookspecs import hookimpl
from hetero.vendor import Feature, Vendor
from hetero_hygon.discovery import DcuDiscovery
from hetero_hygon.enforcement import DriverEnforcement
from hetero_hygon.names import RESOURCES, VENDOR, WORDS
from hetero_hygon.simulation import SimulatedDcus
from hetero_hygon.splitting import DcuSplitting

hygon = Vendor(
    name=VENDOR,
    title="Hygon DCU",
    version=version("hetero-hygon"),
    resources=(RESOURCES,),
    discovery=DcuDiscovery(),
    splitting=DcuSplitting(),
    enforcement=DriverEnforcement(),
    simulation=SimulatedDcus(),
    missing={
        Feature.MEMORY_PERCENTAGE: "clusters have no resource for it; write MiB",
        Feature.PRIORITY: "compute units belong to one vDCU each, so none can go before another",
    },
    words=WORDS,
)


@hookimpl
def hetero_register_vendors() -> list[Vendor]:
    """The one vendor of this package."""
    return [hygon]
