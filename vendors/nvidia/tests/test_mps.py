"""What a slice tells MPS: where the daemon listens, how much memory and how many threads; without one, nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hetero_nvidia import mps
from hetero_nvidia.enforcement import GpuEnforcement

from hetero.model.allocation import Grant, Slice

Grants = Callable[..., Grant]
Slices = Callable[..., Slice]

VARIABLES = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of MPS, and no daemon in the default place."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(mps, "DEFAULT_DIRECTORY", str(tmp_path / "default"))


@pytest.fixture
def pipes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A directory in which a daemon listens, and the variable that names it."""
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes/control")
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path / "pipes"))
    return tmp_path / "pipes"


def told(held: Slice) -> dict[str, str]:
    """The variables of MPS that the program gets."""
    return {name: value for name, value in GpuEnforcement().prepare(held).env.items() if "_MPS_" in name}


def test_a_slice_under_mps_has_its_memory_and_its_threads(grant: Grants, slice_of: Slices, pipes: Path) -> None:
    """In MiB by the program's position, in percent, and the way to the daemon."""
    assert told(slice_of(grant(memory=3000, cores=30))) == {
        "CUDA_MPS_PIPE_DIRECTORY": str(pipes),
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "30",
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=3000M",
    }


def test_each_gpu_has_its_own_memory(grant: Grants, slice_of: Slices, pipes: Path) -> None:
    """By position: GPU 5 of the machine is the program's first."""
    held = slice_of(grant(5, memory=1024, cores=50), grant(2, memory=2048, cores=50))
    assert told(held)["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == "0=1024M,1=2048M"


@pytest.mark.parametrize("cores", [0, 100])
def test_all_of_the_compute_is_no_percentage(grant: Grants, slice_of: Slices, pipes: Path, cores: int) -> None:
    """Neither 0 nor 100 is a limit."""
    assert "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE" not in told(slice_of(grant(cores=cores)))


def test_loans_are_not_held_by_a_percentage(grant: Grants, slice_of: Slices, pipes: Path) -> None:
    """A program keeps the percentage that it started with, so one of policy conserve would never use a loan."""
    variables = told(slice_of(grant(cores=30), policy="conserve"))
    assert "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE" not in variables
    assert "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT" in variables


@pytest.mark.parametrize("name", VARIABLES[1:])
def test_what_the_user_set_stays(
    grant: Grants, slice_of: Slices, pipes: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Who runs MPS may divide the GPU in his own way; the other variable is still told."""
    monkeypatch.setenv(name, "7")
    assert set(told(slice_of(grant(cores=30)))) == set(VARIABLES) - {name}


def test_without_a_daemon_nothing_is_told(grant: Grants, slice_of: Slices, monkeypatch: pytest.MonkeyPatch) -> None:
    """No directory, or one in which nobody listens any more."""
    assert told(slice_of(grant(cores=30))) == {}
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "/nowhere")
    assert told(slice_of(grant(cores=30))) == {}


def test_a_file_is_no_daemon(grant: Grants, slice_of: Slices, pipes: Path) -> None:
    """A daemon's end is a socket or a pipe."""
    (pipes / "control").unlink()
    (pipes / "control").touch()
    assert told(slice_of(grant(cores=30))) == {}


@pytest.fixture
def listening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A socket in the default place; from there, since a socket's path must be short."""
    (tmp_path / "default").mkdir()
    monkeypatch.chdir(tmp_path / "default")
    with socket.socket(socket.AF_UNIX) as daemon:
        daemon.bind("control")
        yield tmp_path / "default"


def test_a_daemon_in_the_default_place_is_found(grant: Grants, slice_of: Slices, listening: Path) -> None:
    """And its place is told, so that the program asks there whatever its own default is."""
    assert told(slice_of(grant(cores=30)))["CUDA_MPS_PIPE_DIRECTORY"] == str(listening)
