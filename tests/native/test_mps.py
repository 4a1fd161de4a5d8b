"""A process that MPS holds to a part of the card: its kernels' time counts by that part."""

from __future__ import annotations

import os
import statistics

import pytest
from shares import alone
from simulated import Machine


@pytest.fixture
def served(machine: Machine) -> Machine:
    """A machine with a virtual clock on which a control daemon of MPS seems to listen."""
    machine.virtual()
    pipes = machine.directory / "mps"
    pipes.mkdir()
    os.mkfifo(pipes / "control")
    machine.variables["CUDA_MPS_PIPE_DIRECTORY"] = str(pipes)
    return machine


def share(machine: Machine, limit: int, part: str) -> float:
    """Percent of the time that a program got which MPS holds to `part` percent of the processors."""
    machine.variables["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = part
    return statistics.mean(alone(machine, limit, "--workload", "gemm")[1:])


@pytest.mark.parametrize(("part", "expected"), [("30", 100), ("60", 50), ("100", 30), ("0", 30), ("x", 30)])
def test_time_counts_by_the_part_of_the_card(served: Machine, part: str, expected: int) -> None:
    """Who has 30 percent of the processors may use them all the time; what is no part of the card changes nothing."""
    assert share(served, 30, part) == pytest.approx(expected, abs=3)


def test_without_the_daemon_the_variable_changes_nothing(machine: Machine) -> None:
    """A variable alone is no licence: the driver says whether MPS shares the card."""
    machine.virtual()
    machine.variables["CUDA_MPS_PIPE_DIRECTORY"] = str(machine.directory)
    assert share(machine, 30, "10") == pytest.approx(30, abs=3)
