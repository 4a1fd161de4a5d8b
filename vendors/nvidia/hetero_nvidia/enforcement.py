"""A share of a GPU as the surroundings of its program: which GPUs it sees, its limits, the preload library."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hetero_native

from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits, Grant, Slice
from hetero.vendor import Enforcement, Finding
from hetero_nvidia import mps, names


class PreloadEnforcement(Enforcement):
    """Limits kept by a library between the program and the driver."""

    region = True

    def prepare(self, held: Slice) -> ContainerEdits:
        """The variables are those that images and tools know today; the region, where there is one, wins over them."""
        if any(grant.device.model.mode for grant in held.grants):
            raise EnforcementError("this release places MIG instances, but does not make them; turn MIG mode off")
        gpus = ",".join(grant.device.uuid for grant in held.grants)
        env = {names.VISIBLE_TO_DRIVER: gpus, names.VISIBLE_TO_TOOLKIT: gpus, **_limits(held.grants)}
        if held.region:
            env[names.REGION] = held.region
        if held.priority is not None:
            env[names.PRIORITY] = str(held.priority)
        env |= mps.variables(os.environ, [grant.share.memory for grant in held.grants], _threads(held))
        nodes = dict.fromkeys(path for grant in held.grants for path in grant.device.paths)
        return ContainerEdits(env=env, device_nodes=tuple(nodes), preload=(str(_library()),))

    def check(self) -> Iterator[Finding]:
        """Whether the preload library is there and the loader of this machine takes it."""
        try:
            library = _library()
        except EnforcementError as error:
            yield Finding(
                subject=names.PRELOAD, ok=False, detail=str(error), advice="reinstall hetero-native (make build)"
            )
            return
        complaint = _loaders_complaint(library)
        yield Finding(
            subject=names.PRELOAD,
            ok=not complaint,
            detail=complaint or str(library),
            advice="build hetero-native on this machine (make build)" if complaint else "",
        )


def _limits(grants: tuple[Grant, ...]) -> dict[str, str]:
    limits = {f"{names.MEMORY_LIMIT}_{index}": f"{grant.share.memory}m" for index, grant in enumerate(grants)}
    cores = _cores(grants)
    return {**limits, names.CORE_LIMIT: str(cores)} if 0 < cores < 100 else limits


def _cores(grants: tuple[Grant, ...]) -> int:
    return max(grant.share.cores for grant in grants)  # one ask, one percentage: they are all the same


def _threads(held: Slice) -> int:
    """Percent of active threads under MPS; what a program started with it keeps, so loans leave it out."""
    return _cores(held.grants) if held.policy == "cap" else 0


def _library() -> Path:
    try:
        return hetero_native.library(names.PRELOAD)
    except FileNotFoundError as error:
        raise EnforcementError(str(error)) from error


def _loaders_complaint(library: Path) -> str:
    """What the dynamic loader says to the library on standard error; it starts the program regardless."""
    answer = subprocess.run(
        ["true"], env={**os.environ, "LD_PRELOAD": str(library)}, capture_output=True, text=True, check=False
    )
    return answer.stderr.strip()
