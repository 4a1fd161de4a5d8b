"""What a program's surroundings contain, so that it gets its share and no more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hetero_native
import pytest
from hetero_nvidia.enforcement import GpuEnforcement

from hetero.errors import EnforcementError
from hetero.model.allocation import Grant, Slice

Grants = Callable[..., Grant]
Slices = Callable[..., Slice]

enforcement = GpuEnforcement()


@pytest.fixture(autouse=True)
def without_mps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever daemon this machine has; those of MPS are tested in a file of their own."""
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path / "no-pipes"))


def environment(held: Slice) -> dict[str, str]:
    """The variables that the program gets."""
    return enforcement.prepare(held).env


def test_one_gpu_with_limits(grant: Grants, slice_of: Slices) -> None:
    """The whole environment of the plainest slice, by the names that images and tools know."""
    assert environment(slice_of(grant(memory=3000, cores=30))) == {
        "CUDA_VISIBLE_DEVICES": "GPU-0",
        "NVIDIA_VISIBLE_DEVICES": "GPU-0",
        "CUDA_DEVICE_MEMORY_LIMIT_0": "3000m",
        "CUDA_DEVICE_SM_LIMIT": "30",
    }


def test_two_gpus_have_a_memory_limit_each(grant: Grants, slice_of: Slices) -> None:
    """Limits count positions in the program's eyes, not indices of the machine: GPU 5 is the program's first."""
    variables = environment(slice_of(grant(5, memory=1024, cores=50), grant(2, memory=2048, cores=50)))
    assert variables["CUDA_VISIBLE_DEVICES"] == variables["NVIDIA_VISIBLE_DEVICES"] == "GPU-5,GPU-2"
    assert variables["CUDA_DEVICE_MEMORY_LIMIT_0"] == "1024m"
    assert variables["CUDA_DEVICE_MEMORY_LIMIT_1"] == "2048m"
    assert variables["CUDA_DEVICE_SM_LIMIT"] == "50"


@pytest.mark.parametrize("cores", [0, 100])
def test_all_of_the_compute_is_no_limit(grant: Grants, slice_of: Slices, cores: int) -> None:
    """0 sets no limit and 100 is all there is: neither costs a program the pacing of its launches."""
    assert "CUDA_DEVICE_SM_LIMIT" not in environment(slice_of(grant(cores=cores)))


@pytest.mark.parametrize("cores", [1, 99])
def test_every_other_percentage_is_a_limit(grant: Grants, slice_of: Slices, cores: int) -> None:
    """The ends of the range are limits too."""
    assert environment(slice_of(grant(cores=cores)))["CUDA_DEVICE_SM_LIMIT"] == str(cores)


def test_the_region_is_named_where_there_is_one(grant: Grants, slice_of: Slices) -> None:
    """All processes of a slice find the same region by its path."""
    assert enforcement.region
    assert environment(slice_of(grant(), region="/run/s/region"))["CUDA_DEVICE_MEMORY_SHARED_CACHE"] == "/run/s/region"
    assert "CUDA_DEVICE_MEMORY_SHARED_CACHE" not in environment(slice_of(grant()))


def test_the_highest_priority_is_told_like_any_other(grant: Grants, slice_of: Slices) -> None:
    """0 is a priority, None is none: the two must not be confused."""
    assert environment(slice_of(grant(), priority=0))["CUDA_TASK_PRIORITY"] == "0"
    assert environment(slice_of(grant(), priority=1))["CUDA_TASK_PRIORITY"] == "1"
    assert "CUDA_TASK_PRIORITY" not in environment(slice_of(grant()))


def test_shared_device_files_are_named_once(grant: Grants, slice_of: Slices) -> None:
    """A container runtime refuses a device node that is listed twice; the order is that of the grants."""
    nodes = enforcement.prepare(slice_of(grant(1), grant(0))).device_nodes
    assert nodes == ("/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia0")


def test_the_preload_library_is_the_installed_one(grant: Grants, slice_of: Slices) -> None:
    """One library by its absolute path, and it exists."""
    (library,) = enforcement.prepare(slice_of(grant())).preload
    assert Path(library).is_absolute()
    assert Path(library).name == "libvgpu.so"
    assert Path(library).is_file()


def test_preparing_twice_gives_the_same(grant: Grants, slice_of: Slices, tmp_path: Path) -> None:
    """A container that starts again gets what it had, and nothing is left on the disk by it."""
    held = slice_of(grant(cores=20), grant(1, cores=20), region=str(tmp_path / "region"), priority=1)
    assert enforcement.prepare(held) == GpuEnforcement().prepare(held)
    assert list(tmp_path.iterdir()) == []


def test_a_slice_that_was_never_prepared_can_be_released(grant: Grants, slice_of: Slices) -> None:
    """Release after a crash finds nothing to undo, once or twice."""
    held = slice_of(grant())
    enforcement.release(held)
    enforcement.release(held)


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without native files."""

    def library(name: str) -> Path:
        raise FileNotFoundError(f"{name} is not there; build and install hetero-native")

    monkeypatch.setattr(hetero_native, "library", library)


def test_without_the_library_no_slice_is_made(grant: Grants, slice_of: Slices, missing: None) -> None:
    """A program without the library would have no limits, so it must not start; the sentence says what to install."""
    with pytest.raises(EnforcementError, match="is not there; build and install hetero-native"):
        enforcement.prepare(slice_of(grant()))


def test_doctor_finds_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A good finding names the file and advises nothing; a preload of the user's own does not confuse it."""
    monkeypatch.setenv("LD_PRELOAD", "")
    (finding,) = enforcement.check()
    assert finding.ok
    assert finding.detail == str(hetero_native.library("libvgpu.so"))
    assert finding.advice == ""


def test_doctor_says_what_is_missing(missing: None) -> None:
    """The finding has the reason and the way out."""
    (finding,) = enforcement.check()
    assert not finding.ok
    assert "is not there" in finding.detail
    assert "hetero-native" in finding.advice


def test_doctor_repeats_the_loaders_complaint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The loader starts a program without a library that it cannot read: the limits would be off and nobody told."""
    broken = tmp_path / "libvgpu.so"
    broken.write_text("of another machine")

    def library(name: str) -> Any:
        return broken

    monkeypatch.setattr(hetero_native, "library", library)
    (finding,) = enforcement.check()
    assert not finding.ok
    assert str(broken) in finding.detail
    assert "cannot be preloaded" in finding.detail
    assert "make build" in finding.advice
