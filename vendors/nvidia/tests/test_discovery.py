"""Which GPUs a machine has and what they do: by the simulated library, and by a fake for what that lacks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hetero_native
import pynvml
import pytest
from hetero_nvidia import nvidia
from hetero_nvidia.discovery import NvmlDiscovery
from hetero_nvidia.nvml import Nvml, text

from hetero.errors import DriverError, DriverFailed, DriverMissing
from hetero.model.device import Device, Health, LinkKind, Process, Sample
from hetero.vendor import Driver

MIB = 1 << 20
RTX = {"model": "NVIDIA GeForce RTX 3060", "memory": 12288, "numa": 0}
H100 = {"model": "NVIDIA H100 80GB HBM3", "memory": 81559, "compute": "9.0"}
UUID = "GPU-7c5a1f02-4a9b-5d3e-8f10-2b6c9d0e1a30"

Simulated = Callable[..., Any]


def test_one_card_is_described_in_full(simulated: Simulated) -> None:
    """Everything that the planner, the allocator and a container need, from a driver with nothing unusual."""
    driver, (device,), (sample,) = simulated({**RTX, "uuid": UUID}).ask("driver", "devices", "sample")
    assert driver == Driver(version="580.159.04", library="libnvidia-ml.so.1", api="13.0")
    assert device == Device(
        uuid=UUID,
        index=0,
        model=nvidia.splitting.model("NVIDIA GeForce RTX 3060", 12288),
        numa=0,
        paths=("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"),
        bus="0000:01:00.0",
    )
    assert sample == Sample(uuid=UUID, memory_used=0, utilization=0, temperature=40, power=60)


def test_two_linked_cards(simulated: Simulated) -> None:
    """Each knows the other by identity, with all 18 links, on its own NUMA node and under its own device file."""
    host = simulated({**H100, "numa": 0, "links": {1: 18}}, {**H100, "numa": 1, "links": {0: 18}})
    ((first, second),) = host.ask("devices")
    assert [(link.peer, link.kind, link.lanes) for link in first.links] == [(second.uuid, LinkKind.DIRECT, 18)]
    assert [(link.peer, link.kind, link.lanes) for link in second.links] == [(first.uuid, LinkKind.DIRECT, 18)]
    assert (first.numa, second.numa) == (0, 1)
    assert (first.paths[0], second.paths[0]) == ("/dev/nvidia0", "/dev/nvidia1")


def test_every_fault_of_a_machine_stays_with_its_card(simulated: Simulated) -> None:
    """MIG, a critical error, a program's own error and a card that was never seen alive, all in one machine."""
    host = simulated(
        {**H100, "mig": True},
        {**H100, "health": "lost"},
        {**H100, "health": "xid:79"},
        {**H100, "health": "xid:13"},
    )
    devices, samples = host.ask("devices", "sample")
    assert [device.index for device in devices] == [0, 2, 3]
    assert [device.model.mode for device in devices] == ["mig", "", ""]
    assert [device.health for device in devices] == [Health(), Health(ok=False, reason="Xid 79"), Health()]
    assert [sample.health for sample in samples] == [device.health for device in devices]
    assert [sample.utilization for sample in samples] == [-1, 0, 0]  # a partitioned card has no single rate


def test_a_card_that_falls_off_the_bus_keeps_its_name(simulated: Simulated) -> None:
    """It stays in the list with its identity and a reason; the other one is as before, and errors of it still count."""
    host = simulated({**RTX, "links": {1: 4}}, {**RTX, "links": {0: 4}})
    before, _, after, samples, _, later = host.ask(
        "devices", "health:0=lost", "devices", "sample", "health:1=xid:79", "devices"
    )
    assert [device.uuid for device in after] == [device.uuid for device in before]
    assert "GPU is lost" in after[0].health.reason
    assert after[0].links == after[1].links == ()
    assert after[1].health == Health()
    assert [sample.health.ok for sample in samples] == [False, True]
    assert later[1].health == Health(ok=False, reason="Xid 79")


@pytest.fixture
def holder(simulated: Simulated) -> Iterator[tuple[Any, int]]:
    """A machine with 12 GiB and a process that holds 512 MiB of it."""
    host = simulated({**RTX, "context": 100})
    command = [hetero_native.program("hold"), "--mib", "512"]
    with subprocess.Popen(command, env=host.environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "holding\n"
            yield host, process.pid
        finally:
            process.kill()


def test_a_sample_says_who_holds_what(holder: tuple[Any, int]) -> None:
    """Memory in MiB with the context included, for the card and for the process that has it."""
    host, pid = holder
    ((sample,),) = host.ask("sample")
    assert sample.memory_used == 612
    assert sample.processes == (Process(pid=pid, memory=612),)


def test_a_machine_without_the_driver_is_told_from_a_broken_one(
    simulated: Simulated, ask: Callable[..., list[Any]], tmp_path: Path
) -> None:
    """No cards.conf stands for a kernel module that is not loaded: the library is there and says what is wrong."""
    environment = {**simulated(RTX).environment, "HETERO_SIM_DIR": str(tmp_path)}
    for failure in ask(tmp_path, environment, "driver", "devices", "sample"):
        assert failure.kind == "DriverFailed"
        assert failure.text.startswith("nvmlInit")
        assert "answered" in failure.text


def test_no_library_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine without NVIDIA's driver every question says which library is missing and what to install."""

    def not_found() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", not_found)
    discovery = NvmlDiscovery(Nvml())
    for question in (discovery.driver, discovery.devices, discovery.sample):
        with pytest.raises(DriverMissing, match="install the NVIDIA driver"):
            question()


def test_the_library_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Creating a discovery opens nothing; the first call does, and the second finds it open."""
    opened: list[int] = []
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: opened.append(1))
    monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", lambda: "580")
    nvml = Nvml()
    NvmlDiscovery(nvml)
    assert opened == []
    nvml.call("nvmlSystemGetDriverVersion")
    nvml.call("nvmlSystemGetDriverVersion")
    assert opened == [1]


def test_an_unsupported_question_is_none_and_any_other_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optional means that the card may not have it, not that errors are swallowed."""
    codes = iter([pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, pynvml.NVML_ERROR_GPU_IS_LOST])

    def fail(handle: object) -> None:
        raise pynvml.NVMLError(next(codes))

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMigMode", fail)
    nvml = Nvml()
    assert nvml.optional("nvmlDeviceGetMigMode", 0) is None
    assert nvml.optional("nvmlDeviceGetMigMode", 0) is None
    with pytest.raises(DriverFailed, match="nvmlDeviceGetMigMode answered 15") as caught:
        nvml.optional("nvmlDeviceGetMigMode", 0)
    assert (caught.value.call, caught.value.code) == ("nvmlDeviceGetMigMode", pynvml.NVML_ERROR_GPU_IS_LOST)


def test_bytes_of_an_old_binding_are_text(nvml: Any, tmp_path: Path) -> None:
    """Some releases of nvidia-ml-py return bytes; an identity must be text, or nothing would ever match it."""
    assert text(b"GPU-1") == text("GPU-1") == "GPU-1"
    nvml.answers |= {
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}".encode(),
        "nvmlDeviceGetName": b"NVIDIA L4",
        "nvmlDeviceGetPciInfo": lambda handle: SimpleNamespace(busId=f"00000000:{handle:02X}:00.0".encode()),
        "nvmlSystemGetDriverVersion": b"470.1",
        "nvmlSystemGetCudaDriverVersion_v2": 11040,
    }
    discovery = NvmlDiscovery(nvml, tmp_path)
    first, _ = discovery.devices()
    assert (first.uuid, first.model.name, first.bus) == ("GPU-0", "NVIDIA L4", "0000:00:00.0")
    assert discovery.driver() == Driver(version="470.1", library="libnvidia-ml.so.1", api="11.4")


def test_what_the_driver_keeps_is_not_given_away(nvml: Any, tmp_path: Path) -> None:
    """Slices that sum to the card's whole memory would run out of it: reserved memory is nobody's."""
    nvml.answers["nvmlDeviceGetMemoryInfo"] = lambda handle, version: SimpleNamespace(
        total=1000 * MIB, reserved=300 * MIB, used=10 * MIB
    )
    discovery = NvmlDiscovery(nvml, tmp_path)
    assert [device.model.capacity["memory"] for device in discovery.devices()] == [700, 700]
    assert [sample.memory_used for sample in discovery.sample()] == [10, 10]


def test_an_old_driver_tells_its_whole_memory(nvml: Any, tmp_path: Path) -> None:
    """Before version 2 of the question there was no word about reserved memory."""

    def first_version(handle: int, version: int = 0) -> SimpleNamespace:
        if version:
            raise DriverFailed("nvmlDeviceGetMemoryInfo_v2", pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, "")
        return SimpleNamespace(total=1000 * MIB, used=310 * MIB)

    nvml.answers["nvmlDeviceGetMemoryInfo"] = first_version
    discovery = NvmlDiscovery(nvml, tmp_path)
    assert [device.model.capacity["memory"] for device in discovery.devices()] == [1000, 1000]
    assert [sample.memory_used for sample in discovery.sample()] == [310, 310]


@pytest.mark.parametrize(("modes", "mode"), [([1, 1], "mig"), ([0, 1], ""), ([0, 0], "")])
def test_the_mode_is_the_one_in_force(nvml: Any, tmp_path: Path, modes: list[int], mode: str) -> None:
    """A change that waits for a reset has not happened yet."""
    nvml.answers["nvmlDeviceGetMigMode"] = modes
    assert NvmlDiscovery(nvml, tmp_path).devices()[0].model.mode == mode


def sysfs(directory: Path, bus: str, vendor: str, node: str) -> None:
    """A PCI device as the kernel shows it."""
    (directory / bus).mkdir()
    (directory / bus / "vendor").write_text(vendor + "\n")
    (directory / bus / "numa_node").write_text(node + "\n")


@pytest.mark.parametrize(
    ("vendor", "node", "numa"),
    [("0x10de", "1", 1), ("0x10de", "-1", -1), ("0x8086", "1", 3), ("0x10de", "none", 3)],
    ids=["the kernel knows", "the kernel knows of none", "another vendor's device", "unreadable"],
)
def test_the_kernel_is_asked_for_the_numa_node_first(
    nvml: Any, tmp_path: Path, vendor: str, node: str, numa: int
) -> None:
    """NVML tells the node only on some platforms; but a foreign device at that address is not our GPU."""
    nvml.answers["nvmlDeviceGetNumaNodeId"] = 3
    sysfs(tmp_path, "0000:3b:00.0", vendor, node)
    assert NvmlDiscovery(nvml, tmp_path).devices()[0].numa == numa


def test_no_word_about_numa_is_minus_one(nvml: Any, tmp_path: Path) -> None:
    """Neither the kernel nor NVML knows: that is no fault of the card."""
    assert [device.numa for device in NvmlDiscovery(nvml, tmp_path).devices()] == [-1, -1]


def test_a_card_without_a_number_has_the_shared_files(nvml: Any, tmp_path: Path) -> None:
    """WSL has no minor numbers; the card can be used all the same."""
    del nvml.answers["nvmlDeviceGetMinorNumber"]
    assert NvmlDiscovery(nvml, tmp_path).devices()[0].paths[0] == "/dev/nvidiactl"


def test_a_card_without_an_identity_hides_no_other(nvml: Any, tmp_path: Path) -> None:
    """It cannot be listed: a name is not made up. The other card is found."""
    for function in ("nvmlDeviceGetHandleByIndex", "nvmlDeviceGetUUID"):
        nvml.fail(function, pynvml.NVML_ERROR_UNKNOWN, on=0)
        discovery = NvmlDiscovery(nvml, tmp_path)
        assert [device.uuid for device in discovery.devices()] == ["GPU-1"]


@pytest.mark.parametrize("function", ["nvmlDeviceGetName", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetPciInfo"])
def test_a_card_that_says_only_who_it_is_is_listed_as_broken(nvml: Any, tmp_path: Path, function: str) -> None:
    """Whichever question fails: with its identity, nothing that could be given, and the reason."""
    nvml.fail(function, pynvml.NVML_ERROR_UNKNOWN, on=0)
    broken, whole = NvmlDiscovery(nvml, tmp_path).devices()
    assert (broken.uuid, broken.index, broken.model.name) == ("GPU-0", 0, "unknown")
    assert broken.model.capacity["memory"] == 0
    assert f"{function} answered" in broken.health.reason
    assert whole.health.ok


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        ("nvmlDeviceGetName", ""),
        ("nvmlDeviceGetMemoryInfo", lambda handle, version=0: SimpleNamespace(total=0, reserved=0, used=0)),
        ("nvmlDeviceGetMemoryInfo", lambda handle, version=0: SimpleNamespace(total=2**63, reserved=0, used=0)),
    ],
)
def test_an_answer_that_cannot_be_is_none(nvml: Any, tmp_path: Path, function: str, answer: Any) -> None:
    """A driver that answers without writing, or writes nonsense, is not believed."""
    nvml.answers[function] = answer
    for device in NvmlDiscovery(nvml, tmp_path).devices():
        assert not device.health.ok
        assert function in device.health.reason


def test_more_cards_than_a_machine_has_are_no_answer(nvml: Any, tmp_path: Path) -> None:
    """A count from nowhere must not keep us asking for hours."""
    nvml.answers["nvmlDeviceGetCount"] = 2**32 - 1
    with pytest.raises(DriverFailed, match="number of GPUs"):
        NvmlDiscovery(nvml, tmp_path).devices()


def test_a_card_that_broke_after_it_was_seen_stays_in_the_list(nvml: Any, tmp_path: Path) -> None:
    """The planner must learn that a card it knows is gone; its place in the list is the old one."""
    discovery = NvmlDiscovery(nvml, tmp_path)
    discovery.devices()
    nvml.fail("nvmlDeviceGetName", pynvml.NVML_ERROR_GPU_IS_LOST, on=1)
    _, lost = discovery.devices()
    assert (lost.uuid, lost.index, lost.model.name) == ("GPU-1", 1, "NVIDIA H100 80GB HBM3")
    assert not lost.health.ok
    assert "nvmlDeviceGetName" in lost.health.reason


def test_a_driver_that_cannot_count_is_a_failure(nvml: Any, tmp_path: Path) -> None:
    """No list at all is not an empty list."""
    nvml.fail("nvmlDeviceGetCount", pynvml.NVML_ERROR_UNKNOWN)
    with pytest.raises(DriverError):
        NvmlDiscovery(nvml, tmp_path).devices()


def test_a_machine_may_have_no_card(nvml: Any, tmp_path: Path) -> None:
    """The driver is there, the card is not: that is an answer, not an error."""
    nvml.answers["nvmlDeviceGetCount"] = 0
    assert list(NvmlDiscovery(nvml, tmp_path).devices()) == []


def test_a_sample_without_rates_or_processes_says_so(nvml: Any, tmp_path: Path) -> None:
    """-1 is no zero: a card that does not tell its rate is not idle, and a process may have unknown memory."""
    del nvml.answers["nvmlDeviceGetUtilizationRates"]
    nvml.answers["nvmlDeviceGetComputeRunningProcesses"] = [
        SimpleNamespace(pid=os.getpid(), usedGpuMemory=None),
        SimpleNamespace(pid=1, usedGpuMemory=5 * MIB + 1),
    ]
    first, _ = NvmlDiscovery(nvml, tmp_path).sample()
    assert first.utilization == -1
    assert first.processes == (Process(pid=os.getpid(), memory=-1), Process(pid=1, memory=5))


def test_a_card_that_fails_while_it_is_sampled_fails_alone(nvml: Any, tmp_path: Path) -> None:
    """It was fine a moment ago: its sample says why it is not, and the other card's is whole."""
    nvml.fail("nvmlDeviceGetUtilizationRates", pynvml.NVML_ERROR_GPU_IS_LOST, on=0)
    broken, whole = NvmlDiscovery(nvml, tmp_path).sample()
    assert not broken.health.ok
    assert "nvmlDeviceGetUtilizationRates answered 15" in broken.health.reason
    assert whole == Sample(uuid="GPU-1", memory_used=100, utilization=7)
