"""A share of a GPU as the surroundings of its program: which GPUs it sees, its limits, the preload library.

A share by software is kept by a library between the program and the driver; an instance by the hardware, and its
program needs nothing but to be shown it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import hetero_native

from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits, Grant, Slice
from hetero.vendor import Enforcement, Finding
from hetero_nvidia import checks, mps, names
from hetero_nvidia.instances import Instances, Made
from hetero_nvidia.nvml import Nvml
from hetero_nvidia.partition import Partition, device_files, is_partitioned


class GpuEnforcement(Enforcement):
    """Limits kept by a library between the program and the driver, or by the hardware.

    Args:
        nvml: The library; one of its own by default.
    """

    region = True

    def __init__(self, nvml: Nvml | None = None) -> None:
        self._nvml = nvml or Nvml()
        self._instances = Instances(self._nvml)
        self._partition = Partition(self._instances)

    def prepare(self, held: Slice) -> ContainerEdits:
        """The variables are those that images and tools know today; the region, where there is one, wins over them."""
        instances = self._partition.make(held)
        # In front, so that a program which is content with what it finds first has a share with limits: CUDA lets it
        # use one instance, or GPUs, and the preload library knows none of the instances.
        shared = [grant for grant in held.grants if not is_partitioned(grant)]
        gpus = ",".join([grant.device.uuid for grant in shared] + [made.uuid for made in instances])
        env = {names.VISIBLE_TO_DRIVER: gpus, names.VISIBLE_TO_TOOLKIT: gpus}
        return ContainerEdits(
            env=env | (_software(held, shared) if shared else {}),
            device_nodes=_nodes(held.grants, instances),
            preload=(str(_library()),) if shared else (),
        )

    def release(self, held: Slice) -> None:
        """Destroy the instances that were made for a slice."""
        self._partition.destroy(held)

    def check(self) -> Iterator[Finding]:
        """The preload library, cards that cannot be described, and the profiles of MIG."""
        yield checks.preloaded(_library)
        yield from checks.cards(self._nvml)
        yield from checks.profiles(self._instances)


def _software(held: Slice, shared: Sequence[Grant]) -> dict[str, str]:
    """What the preload library and MPS read."""
    env = _limits(shared)
    if held.region:
        env[names.REGION] = held.region
    if held.priority is not None:
        env[names.PRIORITY] = str(held.priority)
    return env | mps.variables(os.environ, [grant.share.memory for grant in shared], _threads(held, shared))


def _nodes(grants: Sequence[Grant], instances: Sequence[Made]) -> tuple[str, ...]:
    """The device files, each once."""
    whole = [path for grant in grants for path in grant.device.paths]
    return tuple(dict.fromkeys([*whole, *(path for made in instances for path in device_files(made))]))


def _limits(shared: Sequence[Grant]) -> dict[str, str]:
    limits = {f"{names.MEMORY_LIMIT}_{position}": f"{grant.share.memory}m" for position, grant in enumerate(shared)}
    cores = _cores(shared)
    return {**limits, names.CORE_LIMIT: str(cores)} if 0 < cores < 100 else limits


def _cores(shared: Sequence[Grant]) -> int:
    return max(grant.share.cores for grant in shared)  # one ask, one percentage: they are all the same


def _threads(held: Slice, shared: Sequence[Grant]) -> int:
    """Percent of active threads under MPS; what a program started with it keeps, so loans leave it out."""
    return _cores(shared) if held.policy == "cap" else 0


def _library() -> Path:
    try:
        return hetero_native.library(names.PRELOAD)
    except FileNotFoundError as error:
        raise EnforcementError(str(error)) from error
