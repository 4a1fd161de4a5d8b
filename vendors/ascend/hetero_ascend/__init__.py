"""Huawei Ascend NPUs for hetero: discovery by DCMI, vNPUs by template, rings and modules."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from hetero.hookspecs import hookimpl
from hetero.vendor import Feature, Vendor
from hetero_ascend.dcmi import Dcmi
from hetero_ascend.discovery import DcmiDiscovery
from hetero_ascend.enforcement import NpuEnforcement
from hetero_ascend.names import RESOURCES, VENDOR, WORDS
from hetero_ascend.simulation import SimulatedNpus
from hetero_ascend.splitting import NpuSplitting

try:
    _VERSION = version("hetero-ascend")
except PackageNotFoundError:  # a checkout that is on the path and not installed
    _VERSION = "0"

_DCMI = Dcmi()

ascend = Vendor(
    name=VENDOR,
    title="Huawei Ascend NPU",
    version=_VERSION,
    resources=RESOURCES,
    discovery=DcmiDiscovery(_DCMI),
    splitting=NpuSplitting(),
    enforcement=NpuEnforcement(_DCMI),
    simulation=SimulatedNpus(),
    missing={
        Feature.MEMORY_PERCENTAGE: "today's clusters have no name for it; ask for MiB",
        Feature.PRIORITY: "neither vNPUs nor hami-vnpu-core know one program to go before another",
    },
    words=WORDS,
)


@hookimpl
def hetero_register_vendors() -> list[Vendor]:
    """The one vendor of this package."""
    return [ascend]
