"""Two stand-ins for NVML: the simulated library in a process of its own, and a Python object for what that lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pynvml
import pytest
from hetero_nvidia.nvml import Nvml
from hetero_nvidia.simulation import SimulatedGpus
from hetero_nvidia.splitting import gpu_model

from hetero.errors import DriverFailed
from hetero.model.allocation import Grant, Slice
from hetero.model.device import CORES, MEMORY, SLOTS, Device, Sample
from hetero.model.machine import Machine
from hetero.model.share import Share
from hetero.vendor import Driver

ANSWERS = {"driver": Driver, "devices": list[Device], "sample": list[Sample]}
MIB = 1 << 20


class Failure(msgspec.Struct, frozen=True):
    """A question that ended in one of hetero's errors."""

    kind: str
    text: str


class SimulatedMachine:
    """A machine that is there for every process with its environment."""

    def __init__(self, directory: Path, cards: list[dict[str, Any]], driver: Mapping[str, Any]) -> None:
        gpus = SimulatedGpus()
        checked = tuple(gpus.card(settings, f"cards[{index}]") for index, settings in enumerate(cards))
        self._directory = directory
        self._edits = gpus.prepare(Machine(name="test", cards=checked, drivers={"nvidia": dict(driver)}), directory)

    @property
    def environment(self) -> dict[str, str]:
        """Of a process on this machine."""
        return {**os.environ, **self._edits.env, "LD_LIBRARY_PATH": ":".join(self._edits.library_path)}

    def ask(self, *questions: str) -> list[Any]:
        """Answers of one process, in order; see ``ask.py`` for the questions.

        Returns:
            A record of the model for each question, or a :class:`Failure`; None for ``health:<card>=<value>``.
        """
        return _ask(self._directory, self.environment, *questions)


def _ask(directory: Path, environment: dict[str, str], *questions: str) -> list[Any]:
    """Start the process that asks."""
    program = [sys.executable, Path(__file__).with_name("ask.py"), directory, *questions]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(questions), done.stdout + done.stderr
    return [_answer(question, line) for question, line in zip(questions, lines, strict=True)]


def _answer(question: str, line: str) -> Any:
    if line.startswith('{"kind"'):
        return msgspec.json.decode(line, type=Failure)
    return msgspec.json.decode(line, type=ANSWERS.get(question, type(None)))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., SimulatedMachine]:
    """A machine with these cards."""

    def make(*cards: dict[str, Any], driver: Mapping[str, Any] | None = None) -> SimulatedMachine:
        return SimulatedMachine(tmp_path_factory.mktemp("machine"), list(cards), driver or {})

    return make


@pytest.fixture
def ask() -> Callable[..., list[Any]]:
    """Questions to a process with this directory and environment."""
    return _ask


class FakeNvml(Nvml):
    """NVML that answers what a test says; a function without an answer is one that this driver does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}

    def call(self, name: str, *arguments: Any) -> Any:
        """The answer, computed from the arguments where it is a function."""
        if name not in self.answers:
            raise DriverFailed(name, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, "Function Not Found")
        answer = self.answers[name]
        return answer(*arguments) if callable(answer) else answer

    def fail(self, name: str, code: int, *, on: Any = None) -> None:
        """Have a function fail from now on; only for the GPU ``on`` when one is named."""
        before = self.answers.get(name)

        def answer(*arguments: Any) -> Any:
            if on is None or on in arguments:
                raise DriverFailed(name, code, "the card says no")
            return before(*arguments) if callable(before) else before

        self.answers[name] = answer


@pytest.fixture
def nvml() -> FakeNvml:
    """NVML of two H100 with nothing special; a handle is the GPU's index."""
    fake = FakeNvml()
    fake.answers |= {
        "nvmlDeviceGetCount": 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetHandleByUUID": lambda uuid: int(uuid.removeprefix("GPU-")),
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}",
        "nvmlDeviceGetName": "NVIDIA H100 80GB HBM3",
        "nvmlDeviceGetPciInfo": lambda handle: pci(0x3B + handle),
        "nvmlDeviceGetMinorNumber": lambda handle: handle,
        "nvmlDeviceGetMemoryInfo": lambda handle, version=0: SimpleNamespace(
            total=1000 * MIB, reserved=0, used=100 * MIB
        ),
        "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=7, memory=0),
    }
    return fake


def pci(bus: int, domain: int = 0) -> SimpleNamespace:
    """An address as NVML spells it."""
    return SimpleNamespace(busId=f"{domain:08X}:{bus:02X}:00.0")


@pytest.fixture
def grant() -> Callable[..., Grant]:
    """A share of the GPU with this index."""

    def make(index: int = 0, *, memory: int = 1024, cores: int = 0) -> Grant:
        device = Device(
            uuid=f"GPU-{index}",
            index=index,
            model=gpu_model("NVIDIA L4", 23034),
            paths=(f"/dev/nvidia{index}", "/dev/nvidiactl", "/dev/nvidia-uvm"),
        )
        return Grant(device=device, share=Share(quantities={SLOTS: 1, MEMORY: memory, CORES: cores}))

    return make


@pytest.fixture
def slice_of() -> Callable[..., Slice]:
    """A slice with these grants."""

    def make(*grants: Grant, **fields: Any) -> Slice:
        return Slice(id="s", grants=grants, directory="/run/s", **fields)

    return make
