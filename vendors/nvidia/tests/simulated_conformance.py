"""The rules that every vendor keeps, on a simulated machine with GPUs in MIG mode: run by ``test_simulated.py``."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import partitioned
from hetero_nvidia import nvidia
from hetero_nvidia.instances import Instances
from hetero_nvidia.nvml import Nvml

from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.testing import VendorConformance

SURROUNDINGS = partitioned.environment()


def faulty(name: str, *lines: str) -> dict[str, str]:
    """A copy of the machine whose driver has these faults."""
    directory = partitioned.directory() / "faulty" / name
    directory.mkdir(parents=True)
    shutil.copy(partitioned.directory() / "cards.conf", directory)
    (directory / "faults").write_text("".join(f"{line}\n" for line in lines))
    return {"HETERO_SIM_DIR": str(directory)}


def faults() -> Mapping[str, Mapping[str, str]]:
    """What may be wrong with a driver."""
    nowhere = partitioned.directory() / "nowhere"
    nowhere.mkdir()
    absent = {"HETERO_DRIVER_PATH": str(nowhere), "LD_LIBRARY_PATH": ""}
    old = ("GetMigMode", "GetMemoryInfo_v2", "GetFieldValues", "GetNumaNodeId", "GetTemperature", "GetPowerUsage")
    silent = ("nvmlSystemGetDriverVersion", "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo_v2")
    broken = Path(nowhere, "broken")
    broken.mkdir()
    (broken / "libnvidia-ml.so.1").write_text("of another machine")
    return {
        "missing": absent,
        "unreadable": {"HETERO_DRIVER_PATH": str(broken)},
        "not loaded": {"HETERO_SIM_DIR": ""},
        "old": faulty("old", *(f"nvmlDevice{name} * fail 13" for name in old)),
        "errors": faulty("errors", "nvmlDeviceGetCount_v2 * fail 999"),
        "garbage": faulty("garbage", *(f"{name} * fail 0" for name in silent)),
        "hangs": faulty("hangs", "nvmlDeviceGetCount_v2 * stall 1000000"),
    }


class TestSimulated(VendorConformance):
    """Two A100 in MIG mode and an H100 that is shared by software."""

    vendor = nvidia
    package = "hetero_nvidia"
    surroundings = SURROUNDINGS
    faults = faults()
    examples = 20

    def hardware(self) -> object:
        """The instances of both GPUs in MIG mode."""
        instances = Instances(Nvml())
        return [instances.listed(gpu) for gpu in instances.partitioned()]

    @contextmanager
    def illness(self) -> Iterator[None]:
        """All GPUs report a critical error, and are reset."""
        partitioned.change("health = ok", "health = xid:79")
        yield
        partitioned.change("health = xid:79", "health = ok")

    def own_asks(self, model: DeviceModel) -> Iterable[Ask]:
        """Both ways of splitting."""
        yield Ask(vendor=nvidia.name, mode="mig", memory=1000)
        yield Ask(vendor=nvidia.name, mode="hami-core", memory=1000)
