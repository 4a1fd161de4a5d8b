"""A share by software: what hami-vnpu-core, a library between the program and the runtime of the chip, is told.

Source: Project-HAMi/hami-vnpu-core, its README, and Project-HAMi/ascend-device-plugin, internal/server/allocate.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hetero.driver import host
from hetero.errors import EnforcementError
from hetero.model.allocation import Grant, Mount
from hetero_ascend.modes import SOFT_DIRECTORY
from hetero_ascend.names import VENDOR

LIBRARY = f"{SOFT_DIRECTORY}/libvnpu.so"
SHARED_REGION = "/usr/local/hami-shared-region"

MEMORY_QUOTA = "NPU_MEM_QUOTA"  # MiB on each chip
CORE_SHARE = "NPU_PRIORITY"  # percent of each chip
GLOBAL_REGISTRY = "NPU_GLOBAL_SHM_PATH"
LOCAL_STATE = "NPU_LOCAL_SHM_PATH"

_REGION_INSIDE = "/hami-shared-region"
_STATE_INSIDE = "/hami-vnpu-shmem"


def environment(grants: Sequence[Grant], places: Sequence[int]) -> dict[str, str]:
    """The variables of a container.

    Args:
        grants: Its shares of chips.
        places: Number of each chip.

    Raises:
        EnforcementError: The shares differ: the library keeps one limit, which holds on each chip.
    """
    limits = {(grant.share.memory, grant.share.cores) for grant in grants}
    if len(limits) > 1:
        told = ", ".join(f"{memory} MiB and {cores} percent" for memory, cores in sorted(limits))
        raise EnforcementError(
            f"hami-vnpu-core keeps one limit for all chips of a container, so its shares must be alike: {told}"
        )
    [(memory, cores)] = limits
    return {
        MEMORY_QUOTA: str(memory),
        CORE_SHARE: str(cores or 100),
        GLOBAL_REGISTRY: f"{_REGION_INSIDE}/{places[0]}_global_registry",
        LOCAL_STATE: f"{_STATE_INSIDE}/vnpu_local_shmem",
    }


def mounts(directory: str) -> tuple[Mount, ...]:
    """What a container needs of the machine, and a directory of its own for the library's state.

    Args:
        directory: Of the slice.

    Raises:
        EnforcementError: The library is not installed.
    """
    for path in (LIBRARY, SHARED_REGION):
        if not host(VENDOR, path).exists():
            raise EnforcementError(f"{path} is not there; install hami-vnpu-core, or set HETERO_ASCEND_MODE=vnpu")
    state = Path(directory, "vnpu-shmem")
    state.mkdir(exist_ok=True)
    state.chmod(0o777)  # the program may be anybody
    return (
        Mount(host_path=SOFT_DIRECTORY, container_path="/hami-vnpu-core"),
        Mount(host_path=SHARED_REGION, container_path=_REGION_INSIDE, read_only=False),
        Mount(host_path=str(state), container_path=_STATE_INSIDE, read_only=False),
    )
