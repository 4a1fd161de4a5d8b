"""NVIDIA GPUs for hetero: discovery by NVML, shares kept by the CUDA preload library or by MIG."""

from __future__ import annotations

from importlib.metadata import version

from hetero.hookspecs import hookimpl
from hetero.vendor import Vendor
from hetero_nvidia.discovery import NvmlDiscovery
from hetero_nvidia.enforcement import GpuEnforcement
from hetero_nvidia.names import VENDOR, WORDS
from hetero_nvidia.resources import RESOURCES
from hetero_nvidia.simulation import SimulatedGpus
from hetero_nvidia.splitting import GpuSplitting

nvidia = Vendor(
    name=VENDOR,
    title="NVIDIA GPU",
    version=version("hetero-nvidia"),
    resources=(RESOURCES,),
    discovery=NvmlDiscovery(),
    splitting=GpuSplitting(),
    enforcement=GpuEnforcement(),
    simulation=SimulatedGpus(),
    words=WORDS,
)


@hookimpl
def hetero_register_vendors() -> list[Vendor]:
    """The one vendor of this package."""
    return [nvidia]
