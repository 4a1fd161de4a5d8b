"""The rules that every vendor keeps, applied to this one, without a driver.

On machines with a simulated driver: ``simulated_conformance.py`` (some in MIG mode) and ``simulated_sharing.py``.
"""

from __future__ import annotations

from hetero_nvidia import nvidia

from hetero.testing import VendorConformance


class TestNvidia(VendorConformance):
    """GPUs of every size."""

    vendor = nvidia
    package = "hetero_nvidia"
    models = (
        nvidia.splitting.model("NVIDIA GeForce RTX 3060", 12288),
        nvidia.splitting.model("NVIDIA H100 80GB HBM3", 81559),
        nvidia.splitting.model("Tesla K80", 11441),
    )
