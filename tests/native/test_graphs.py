"""CUDA graphs in a slice: the memory that they allocate is the slice's, and what they run is as without one."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest
from simulated import Machine

LIMIT = "2g"
HOWS = ("node", "capture", "moved", "upload", "instantiate", "streams", "auto")
FREES = ("memory", "async", "node")


def reserved(output: str) -> list[int]:
    """MiB that the driver had reserved for graphs at the end of each filling."""
    return [int(line.split("reserved ")[1].split(maxsplit=1)[0]) for line in output.splitlines()]


def steps(output: str) -> list[int]:
    """Steps that each filling was granted."""
    return [int(line.split(" steps")[0].split()[-1]) for line in output.splitlines()]


@pytest.mark.parametrize("how", HOWS)
def test_graphs_get_exactly_the_slice(machine: Machine, how: str) -> None:
    """Whatever makes a graph's memory, the slice grants all of its limit and no more, and again after a trim."""
    filled = machine.run(
        "graphs", "fill", "--how", how, "--cycles", "3", "--iterations", "10000", CUDA_DEVICE_MEMORY_LIMIT=LIMIT
    )
    assert filled.returncode == 0, filled.stderr
    assert steps(filled.stdout) == [32] * 3
    assert reserved(filled.stdout) == [2048] * 3
    assert filled.stdout.count("CUDA_ERROR_OUT_OF_MEMORY") == 3


@pytest.mark.parametrize("free", FREES)
def test_whatever_frees_a_graphs_memory_gives_it_back(machine: Machine, free: str) -> None:
    """A free by address, in a stream or by another graph: after a trim the slice is as empty as before."""
    filled = machine.run("graphs", "fill", "--free", free, "--cycles", "2", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
    assert filled.returncode == 0, filled.stderr
    assert steps(filled.stdout) == [32] * 2


@pytest.mark.parametrize(("limit", "step"), [("2000m", "50m"), ("1999m", "64m"), ("100m", "3m"), ("31m", "1m")])
def test_pieces_that_do_not_fit_are_not_given(machine: Machine, limit: str, step: str) -> None:
    """A limit that is no multiple of the driver's pieces is never exceeded, and no whole piece is left."""
    filled = machine.run("graphs", "fill", "--step", step, CUDA_DEVICE_MEMORY_LIMIT=limit)
    assert filled.returncode == 0, filled.stderr
    assert "CUDA_ERROR_OUT_OF_MEMORY" in filled.stdout
    taken, most = reserved(filled.stdout)[0], int(limit[:-1])
    assert taken <= most
    piece = -(-int(step[:-1]) // 32) * 32
    assert most - taken < piece


def test_a_refused_launch_takes_nothing(machine: Machine, granted: Callable[[str], int]) -> None:
    """What graphs hold is not there for others, and what others hold is not there for graphs."""
    other = machine.start("fill", "--step", "1g", "--max", "1", "--hold", "60", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
    try:
        assert other.stdout is not None
        assert "granted" in other.stdout.readline()
        filled = machine.run("graphs", "fill", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
        assert granted(filled.stdout) == 1024
        plain = machine.run("fill", "--step", "64m", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
        assert granted(plain.stdout) == 1024
    finally:
        other.kill()
        other.communicate()


def test_a_killed_processs_graphs_come_back(machine: Machine, granted: Callable[[str], int]) -> None:
    """The memory of a graph that was running belongs to its process, and ends with it."""
    holder = machine.start("graphs", "fill", "--hold", "60", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
    assert holder.stdout is not None
    assert "reserved 2048" in holder.stdout.readline()
    refused = machine.run("graphs", "fill", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
    assert granted(refused.stdout) == 0
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    again = machine.run("fill", "--step", "64m", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
    assert granted(again.stdout) == 2048


def test_graphs_take_of_the_device_that_their_nodes_name(machine: Machine) -> None:
    """Whatever context is current: each device has its own limit."""
    machine.cards(12288, 12288)
    limits = {"CUDA_DEVICE_MEMORY_LIMIT_0": "1g", "CUDA_DEVICE_MEMORY_LIMIT_1": "512m"}
    assert steps(machine.run("graphs", "fill", **limits).stdout) == [16]
    assert steps(machine.run("graphs", "fill", "--on", "1", **limits).stdout) == [8]


def test_threads_that_launch_at_once_leave_the_ledger_right(machine: Machine) -> None:
    """Grants, refusals and trims in four streams; afterwards the slice holds exactly its limit again."""
    crowd = machine.run("graphs", "crowd", "--launches", "400", "--cycles", "2", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
    assert crowd.returncode == 0, crowd.stderr
    assert steps(crowd.stdout) == [32] * 2


@pytest.mark.parametrize(("graphs", "step", "held"), [("1", "1500m", 1504), ("2", "1200m", 1216), ("3", "2g", 2048)])
def test_a_replay_needs_no_more_than_its_first_launch(machine: Machine, graphs: str, step: str, held: int) -> None:
    """Graphs that free what they allocate use the same memory again, also where the slice has no room for another's."""
    replayed = machine.run(
        "graphs", "replay", "--step", step, "--graphs", graphs, "--launches", "300", CUDA_DEVICE_MEMORY_LIMIT=LIMIT
    )
    assert replayed.stdout == f"launched 300, reserved {held} MiB, then stopped\n", replayed.stderr


def test_a_graph_that_the_slice_cannot_hold_is_refused(machine: Machine) -> None:
    """With the driver's own error, at the launch."""
    replayed = machine.run("graphs", "replay", "--step", "2049m", CUDA_DEVICE_MEMORY_LIMIT=LIMIT)
    assert replayed.stdout == "launched 0, reserved 0 MiB, then CUDA_ERROR_OUT_OF_MEMORY\n"


@pytest.mark.parametrize("limits", [{}, {"CUDA_DEVICE_MEMORY_LIMIT": LIMIT, "CUDA_DEVICE_SM_LIMIT": "30"}])
def test_a_capture_records_the_same_in_a_slice(machine: Machine, limits: dict[str, str]) -> None:
    """Neither events nor waits of ours are in a program's graph, however the slice is limited."""
    bare = machine.bare().run("graphs", "nodes")
    inside = machine.run("graphs", "nodes", **limits)
    assert bare.returncode == inside.returncode == 0, inside.stderr
    assert inside.stdout == bare.stdout
    assert inside.stdout.startswith("10 0 ")


@pytest.mark.parametrize("cores", ["0", "50"])
def test_a_training_step_is_captured_and_replayed(machine: Machine, cores: str) -> None:
    """As PyTorch does: a side stream in global mode, an allocator that asks the driver meanwhile, 1000 replays."""
    trained = machine.run("graphs", "train", CUDA_DEVICE_MEMORY_LIMIT="200m", CUDA_DEVICE_SM_LIMIT=cores)
    assert trained.stdout == "replayed 1000 of 16 nodes, all memory is back\n", trained.stderr


def test_wrong_usage_is_told(machine: Machine) -> None:
    """The program that these tests run refuses what it does not know."""
    refused: subprocess.CompletedProcess[str] = machine.run("graphs", "fill", "--how", "magic")
    assert refused.returncode == 2
    assert "expected one of" in refused.stderr
