"""What ``hetero doctor`` looks at: the preload library, cards that cannot be described, and the profiles of MIG."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from hetero import log
from hetero.errors import DriverError, EnforcementError
from hetero.vendor import Finding
from hetero_nvidia import names
from hetero_nvidia.instances import Instances
from hetero_nvidia.nvml import Nvml, told

_log = log.logger("nvidia")


def preloaded(library: Callable[[], Path]) -> Finding:
    """Whether the preload library is there and the loader of this machine takes it."""
    try:
        path = library()
    except EnforcementError as error:
        return Finding(
            subject=names.PRELOAD, ok=False, detail=str(error), advice="reinstall hetero-native (make build)"
        )
    complaint = _loaders_complaint(path)
    return Finding(
        subject=names.PRELOAD,
        ok=not complaint,
        detail=complaint or str(path),
        advice="build hetero-native on this machine (make build)" if complaint else "",
    )


def cards(nvml: Nvml) -> Iterator[Finding]:
    """One finding for each card that has no identity, and so is no device; none where there is no driver."""
    try:
        count = int(nvml.call("nvmlDeviceGetCount"))
    except DriverError as error:
        _log.info("cards cannot be looked at", reason=str(error))  # the driver's own finding says so
        return
    for index in range(count):
        try:
            handle = nvml.call("nvmlDeviceGetHandleByIndex", index)
            told("nvmlDeviceGetUUID", nvml.call("nvmlDeviceGetUUID", handle))
        except DriverError as error:
            yield Finding(
                subject=f"card {index}",
                ok=False,
                detail=str(error),
                advice="look for it in the kernel's log (dmesg), and reset the card or restart the machine",
            )


def profiles(instances: Instances) -> Iterator[Finding]:
    """One finding for each GPU in MIG mode; none where there is no driver."""
    try:
        for gpu in instances.partitioned():
            problems = instances.differences(gpu)
            yield Finding(
                subject=f"MIG on {gpu}",
                ok=not problems,
                detail="; ".join(problems) or "the driver's profiles are those that hetero counts with",
                advice="turn MIG mode off there, or use a hetero that knows this board" if problems else "",
            )
    except DriverError as error:
        _log.info("MIG cannot be looked at", reason=str(error))


def _loaders_complaint(library: Path) -> str:
    """What the dynamic loader says to the library on standard error; it starts the program regardless."""
    answer = subprocess.run(
        ["true"], env={**os.environ, "LD_PRELOAD": str(library)}, capture_output=True, text=True, check=False
    )
    return answer.stderr.strip()
