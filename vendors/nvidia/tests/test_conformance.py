"""The rules that every vendor keeps, applied to this one."""

from __future__ import annotations

from hetero_nvidia import nvidia

from hetero.testing import VendorConformance
from hetero.testing.splitting_rules import SplittingRules


class TestNvidia(VendorConformance):
    """GPUs of every size."""

    vendor = nvidia
    package = "hetero_nvidia"
    models = (
        nvidia.splitting.model("NVIDIA GeForce RTX 3060", 12288),
        nvidia.splitting.model("NVIDIA H100 80GB HBM3", 81559),
        nvidia.splitting.model("Tesla K80", 11441),
    )


class TestPartitioned(SplittingRules):
    """GPUs that are partitioned by hardware, of both layouts."""

    vendor = nvidia
    package = "hetero_nvidia"
    models = (
        nvidia.splitting.model("NVIDIA A100-SXM4-40GB", 40960, "mig"),
        nvidia.splitting.model("NVIDIA A30", 24576, "mig"),
        nvidia.splitting.model("NVIDIA B200", 183359, "mig"),
    )
