"""A simulated card with the preload library, and what its programs say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import BUILD, Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with one card of 12 GiB whose contexts take nothing, and a slice whose region is ``region``."""
    made = Machine(
        tmp_path,
        {
            "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}",
            "HETERO_SIM_DIR": str(tmp_path),
            "LD_LIBRARY_PATH": str(BUILD / "sim"),
            "LD_PRELOAD": str(BUILD / "libvgpu.so"),
            "CUDA_DEVICE_MEMORY_SHARED_CACHE": str(tmp_path / "region"),
        },
    )
    made.cards(12288)
    return made


@pytest.fixture
def granted() -> Callable[[str], int]:
    """MiB that ``fill`` says it was granted."""

    def read(output: str) -> int:
        assert "CUDA_ERROR_OUT_OF_MEMORY" in output, output
        return int(output.split("granted ")[1].split(maxsplit=1)[0])

    return read
