"""A simulated card with the preload library, and what its programs say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from simulated import Machine, machine_in


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with one card of 12 GiB whose contexts take nothing, and a slice whose region is ``region``."""
    return machine_in(tmp_path)


@pytest.fixture
def granted() -> Callable[[str], int]:
    """MiB that ``fill`` says it was granted."""

    def read(output: str) -> int:
        assert "CUDA_ERROR_OUT_OF_MEMORY" in output, output
        return int(output.split("granted ")[1].split(maxsplit=1)[0])

    return read
