"""What the management library says in a slice, to a program that never opens CUDA, as nvidia-smi does not."""

from __future__ import annotations

import re

from simulated import Machine
from test_processes import LIMIT, holding, kill


def memory(output: str) -> list[tuple[int, int, int]]:
    """Used, total and free MiB by each version of the query."""
    return [
        (int(used), int(total), int(free))
        for used, total, free in re.findall(r"memory.*? (\d+)MiB / (\d+)MiB, (\d+)MiB free", output)
    ]


def test_the_card_is_as_large_as_the_slice(machine: Machine) -> None:
    """Both versions of the query; outside the slice the card is itself."""
    assert memory(machine.run("smi", **LIMIT).stdout) == [(0, 2048, 2048)] * 2
    assert {total for _, total, _ in memory(machine.bare().run("smi").stdout)} == {12288}


def test_what_a_process_of_the_slice_holds_is_used(machine: Machine) -> None:
    """It is counted once, and the process is in the list with what it holds."""
    process = holding(machine, 512)
    answer = machine.run("smi", **LIMIT).stdout
    kill(process)
    assert memory(answer) == [(512, 2048, 1536)] * 2
    assert re.findall(r"process +(\d+), (\d+)MiB", answer) == [(str(process.pid), "512")]


def test_what_others_hold_is_not_the_slices(machine: Machine) -> None:
    """A neighbour without a slice fills the card; the slice's numbers do not move."""
    neighbour = machine.bare().start("hold", "--mib", "4096")
    assert neighbour.stdout
    assert neighbour.stdout.readline() == "holding\n"
    answer = machine.run("smi", **LIMIT).stdout
    kill(neighbour)
    assert memory(answer) == [(0, 2048, 2048)] * 2


def test_asking_makes_nothing_of_cuda(machine: Machine) -> None:
    """The management library alone is opened: no context is made by looking."""
    answer = machine.run("sh", "-c", "smi && smi", **LIMIT).stdout
    assert "process" not in answer
    assert memory(answer) == [(0, 2048, 2048)] * 4
