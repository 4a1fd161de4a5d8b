"""The rules that every vendor keeps, applied to this one."""

from __future__ import annotations

from hetero_nvidia import nvidia

from hetero.testing import VendorConformance


class TestNvidia(VendorConformance):
    """GPUs of every size, and one that is partitioned by hardware."""

    vendor = nvidia
    package = "hetero_nvidia"
    models = (
        nvidia.splitting.model("NVIDIA GeForce RTX 3060", 12288),
        nvidia.splitting.model("NVIDIA H100 80GB HBM3", 81559),
        nvidia.splitting.model("Tesla K80", 11441),
        nvidia.splitting.model("NVIDIA A100-SXM4-40GB", 40960, "mig"),
    )
