"""A simulated machine with GPUs in MIG mode, for tests in this process and for the processes that they start.

NVML belongs to a process and is never closed, so all tests of a process share one machine: they ask for it here.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from hetero_nvidia.instances import Instances
from hetero_nvidia.nvml import Nvml
from hetero_nvidia.simulation import SimulatedGpus

from hetero.model.machine import Machine

A100 = {"model": "NVIDIA A100-SXM4-40GB", "memory": 40960, "sms": 108, "compute": "8.0"}
H100 = {"model": "NVIDIA H100 80GB HBM3", "memory": 81559, "sms": 132, "compute": "9.0"}


def make_machine(directory: Path, *cards: dict[str, Any]) -> dict[str, str]:
    """A machine with these cards, on which an instance that is made again has its old identity.

    Returns:
        The environment of its programs.
    """
    gpus = SimulatedGpus()
    checked = tuple(gpus.card(settings, f"cards[{index}]") for index, settings in enumerate(cards))
    edits = gpus.prepare(Machine(name="test", cards=checked), directory)
    (directory / "faults").touch()  # so that the library looks for faults later
    cards_conf = directory / "cards.conf"
    cards_conf.write_text(cards_conf.read_text().replace("[card]\n", "[card]\nmig_same_uuids = 1\n"))
    return {**edits.env, "HETERO_DRIVER_PATH": edits.library_path[0], "LD_LIBRARY_PATH": edits.library_path[0]}


@cache
def directory() -> Path:
    """Of the machine that the tests of this process share."""
    path = Path(tempfile.mkdtemp(prefix="hetero-mig-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


@cache
def environment() -> dict[str, str]:
    """Of the shared machine: two A100 in MIG mode and an H100 that is not."""
    mig = {**A100, "mig": True}
    return make_machine(directory(), {**mig, "links": {1: 12}}, {**mig, "links": {0: 12}}, {**H100})


def made() -> list[object]:
    """The instances of each GPU in MIG mode, as the driver lists them."""
    instances = Instances(Nvml())
    return [instances.listed(gpu) for gpu in instances.partitioned()]


def change(before: str, after: str, where: Path | None = None) -> None:
    """Change ``cards.conf`` as an accident would change the machine; a reader never sees half of it."""
    path = (where or directory()) / "cards.conf"
    fresh = path.with_suffix(".new")
    fresh.write_text(path.read_text().replace(before, after))
    fresh.replace(path)


@contextmanager
def ill(surroundings: Mapping[str, str]) -> Iterator[None]:
    """All GPUs of a machine report a critical error, and are reset at the end."""
    where = Path(surroundings["HETERO_SIM_DIR"])
    change("health = ok", "health = xid:79", where)
    yield
    change("health = xid:79", "health = ok", where)


def broken(surroundings: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """What may be wrong with a machine's driver, each as variables on top of the machine's own."""
    home = Path(surroundings["HETERO_SIM_DIR"])
    nowhere = home / "nowhere"
    nowhere.mkdir()
    unreadable = home / "unreadable"
    unreadable.mkdir()
    (unreadable / "libnvidia-ml.so.1").write_text("of another machine")
    old = ("GetMigMode", "GetMemoryInfo_v2", "GetFieldValues", "GetNumaNodeId", "GetTemperature", "GetPowerUsage")
    silent = ("nvmlSystemGetDriverVersion", "nvmlDeviceGetUUID", "nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo_v2")
    # A GPU without an identity is no device: `hetero doctor` tells of it.
    questions = ("GetName", "GetPciInfo_v3", "GetMemoryInfo_v2", "GetMigMode", "GetMinorNumber", "GetTemperature")
    garbage = {
        f"garbage of {question}": _faulty(home, question, f"nvmlDevice{question} * garbage") for question in questions
    }
    return {
        "missing": {"HETERO_DRIVER_PATH": str(nowhere), "LD_LIBRARY_PATH": ""},
        "unreadable": {"HETERO_DRIVER_PATH": str(unreadable)},
        "not loaded": {"HETERO_SIM_DIR": ""},
        "old": _faulty(home, "old", *(f"nvmlDevice{name} * fail 13" for name in old)),
        "errors": _faulty(home, "errors", "* * fail 999"),
        "errors of the count": _faulty(home, "count", "nvmlDeviceGetCount_v2 * fail 999"),
        "silent": _faulty(home, "silent", *(f"{name} * fail 0" for name in silent)),
        "garbage": _faulty(home, "garbage", "* * garbage"),
        **garbage,
        "hangs": _faulty(home, "hangs", "nvmlDeviceGetCount_v2 * hang"),
    }


def _faulty(home: Path, name: str, *lines: str) -> dict[str, str]:
    """A copy of the machine whose driver has these faults."""
    directory = home / "faulty" / name
    directory.mkdir(parents=True)
    shutil.copy(home / "cards.conf", directory)
    (directory / "faults").write_text("".join(f"{line}\n" for line in lines))
    return {"HETERO_SIM_DIR": str(directory)}
