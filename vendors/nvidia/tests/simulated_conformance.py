"""The rules that every vendor keeps, on a simulated machine with GPUs in MIG mode: run by ``test_simulated.py``."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

import partitioned
from hetero_nvidia import nvidia

from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.testing import VendorConformance

SURROUNDINGS = partitioned.environment()


class TestSimulated(VendorConformance):
    """Two A100 in MIG mode and an H100 that is shared by software; models of all layouts."""

    vendor = nvidia
    package = "hetero_nvidia"
    models = (
        nvidia.splitting.model("NVIDIA A100-SXM4-40GB", 40960, "mig"),
        nvidia.splitting.model("NVIDIA A30", 24576, "mig"),
        nvidia.splitting.model("NVIDIA B200", 183359, "mig"),
    )
    surroundings = SURROUNDINGS
    faults = partitioned.broken(SURROUNDINGS)
    examples = 20

    def hardware(self) -> object:
        """The instances of both GPUs in MIG mode."""
        return partitioned.made()

    def illness(self) -> AbstractContextManager[None]:
        """All GPUs report a critical error, and are reset."""
        return partitioned.ill(SURROUNDINGS)

    def own_asks(self, model: DeviceModel) -> Iterable[Ask]:
        """Both ways of splitting."""
        yield Ask(vendor=nvidia.name, mode="mig", memory=1000)
        yield Ask(vendor=nvidia.name, mode="hami-core", memory=1000)
