"""Widgets keep to limits by themselves: the program only has to be told."""

from __future__ import annotations

from hetero.model.allocation import ContainerEdits, Slice
from hetero.vendor import Enforcement


class VariablesOnly(Enforcement):
    """Variables in the order of the slice's devices."""

    def prepare(self, held: Slice) -> ContainerEdits:
        """Which widgets the program may use, and how much of each."""
        return ContainerEdits(
            env={
                "TOY_VISIBLE_DEVICES": ",".join(grant.device.uuid for grant in held.grants),
                "TOY_MEMORY_MIB": ",".join(str(grant.share.memory) for grant in held.grants),
                "TOY_CORES_PERCENT": ",".join(str(grant.share.cores) for grant in held.grants),
            }
        )
