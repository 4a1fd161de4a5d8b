"""The preload library with no command line: limits from the environment alone, against the simulated driver."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "build/native"

CARD = """\
driver_version = 580.159.04
cuda_version = 13.0

[card]
uuid = GPU-7c5a1f02-4a9b-5d3e-8f10-2b6c9d0e1a30
name = NVIDIA GeForce RTX 3060
memory_mib = 12288
sm_count = 28
clock_mhz = 1777
numa = 0
pci = 00000000:01:00.0
minor = 0
context_mib = {context}
compute_major = 8
compute_minor = 6
nvlink =
mig_mode = 0
health = ok
ns_per_iteration = 1000
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A simulated machine with one card of 12 GiB whose contexts take nothing."""
    (tmp_path / "cards.conf").write_text(CARD.format(context=0))
    return {
        "PATH": os.environ["PATH"],
        "HETERO_SIM_DIR": str(tmp_path),
        "LD_LIBRARY_PATH": str(BUILD / "sim"),
        "LD_PRELOAD": str(BUILD / "libvgpu.so"),
        "CUDA_DEVICE_MEMORY_SHARED_CACHE": str(tmp_path / "region"),
    }


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the small programs."""
    program, *arguments = command
    return subprocess.run(
        [BUILD / "bin" / program, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_every_query_tells_the_slice(environment: dict[str, str]) -> None:
    """cuDeviceTotalMem, cuMemGetInfo and NVML all say 2048 MiB."""
    answer = run({**environment, "CUDA_DEVICE_MEMORY_LIMIT": "2g"}, "cardinfo")
    totals = [line.split()[-2] for line in answer.stdout.splitlines() if "otal" in line]
    assert totals == ["2048", "2048", "2048"]


@pytest.mark.parametrize("api", ["alloc", "managed", "pitch", "async", "create"])
def test_each_allocation_call_gets_exactly_the_limit(environment: dict[str, str], api: str) -> None:
    """32 steps of 64 MiB fit into 2 GiB, the 33rd is out of memory, and all of it can be had again."""
    answer = run({**environment, "CUDA_DEVICE_MEMORY_LIMIT": "2g"}, "fill", "--api", api, "--cycles", "50")
    assert "granted 2048 MiB in 32 steps, then CUDA_ERROR_OUT_OF_MEMORY" in answer.stdout
    assert answer.returncode == 0


def test_a_malformed_limit_gives_no_memory(environment: dict[str, str]) -> None:
    """Memory fails closed, from the context on, and one line says which variable is wrong."""
    answer = run({**environment, "CUDA_DEVICE_MEMORY_LIMIT": "-2g"}, "fill")
    ours, programs = answer.stderr.splitlines()
    assert "CUDA_DEVICE_MEMORY_LIMIT='-2g'" in ours
    assert "CUDA_ERROR_OUT_OF_MEMORY" in programs
    assert "granted" not in answer.stdout


@pytest.mark.parametrize("limit", ["0", ""])
def test_no_limit_is_the_whole_card(environment: dict[str, str], limit: str) -> None:
    """0 and unset mean no limit, as they do today."""
    del environment["CUDA_DEVICE_MEMORY_SHARED_CACHE"]
    answer = run({**environment, "CUDA_DEVICE_MEMORY_LIMIT": limit}, "fill")
    assert "granted 12288 MiB" in answer.stdout
    assert not answer.stderr


def test_a_limit_beyond_the_card_is_the_card(environment: dict[str, str]) -> None:
    """A limit larger than the card changes nothing."""
    answer = run({**environment, "CUDA_DEVICE_MEMORY_LIMIT": "64g"}, "fill")
    assert "granted 12288 MiB" in answer.stdout


def test_what_a_context_takes_counts_to_the_slice(environment: dict[str, str], tmp_path: Path) -> None:
    """Of 2 GiB with a context of 512 MiB, 1536 MiB are left."""
    (tmp_path / "cards.conf").write_text(CARD.format(context=512))
    answer = run({**environment, "CUDA_DEVICE_MEMORY_LIMIT": "2g"}, "fill")
    assert "granted 1536 MiB in 24 steps" in answer.stdout
