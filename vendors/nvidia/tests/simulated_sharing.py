"""The rules that every vendor keeps, on a simulated machine whose GPUs are shared: run by ``test_simulated.py``."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

import partitioned
from hetero_nvidia import nvidia

from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.testing import VendorConformance

UUIDS = [f"GPU-{number}1111111-2222-3333-4444-555555555555" for number in range(3)]
A100, H100 = partitioned.A100, partitioned.H100
SURROUNDINGS = partitioned.make_machine(
    partitioned.directory(),
    {**H100, "uuid": UUIDS[0], "links": {1: 18}},
    {**H100, "uuid": UUIDS[1], "links": {0: 18}},
    {**A100, "uuid": UUIDS[2], "numa": 1},
)


class TestShared(VendorConformance):
    """Two linked H100 and an A100, none of which is in MIG mode."""

    vendor = nvidia
    package = "hetero_nvidia"
    surroundings = SURROUNDINGS
    identities = tuple(UUIDS)
    faults = partitioned.broken(SURROUNDINGS)
    examples = 20

    def hardware(self) -> object:
        """The instances of GPUs in MIG mode, which nothing here may bring about."""
        return partitioned.made()

    def illness(self) -> AbstractContextManager[None]:
        """All GPUs report a critical error, and are reset."""
        return partitioned.ill(SURROUNDINGS)

    def own_asks(self, model: DeviceModel) -> Iterable[Ask]:
        """Both ways of splitting, of which this machine has one."""
        yield Ask(vendor=nvidia.name, mode="hami-core", memory=1000)
        yield Ask(vendor=nvidia.name, mode="mig", memory=1000)
