"""What programs print is read as it is meant; what they did not come to is an error that shows their words."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated import Machine, machine_in, uuid

from tests.cluster.images import answers, workload


@pytest.fixture
def card(tmp_path: Path) -> Machine:
    """A simulated machine whose programs are those of the image, on this machine's C library."""
    machine = machine_in(tmp_path)
    machine.variables["LD_LIBRARY_PATH"] = str(workload.PORTABLE / "sim")
    return machine


def run(machine: Machine, program: str, *arguments: str, **limits: str) -> str:
    """What a program of the image prints in a slice."""
    command = str(workload.PORTABLE / "bin" / program)
    preload = {"LD_PRELOAD": str(workload.PORTABLE / "libvgpu.so")} if limits else {"LD_PRELOAD": ""}
    return machine.run(command, *arguments, **preload, **limits).stdout


def test_a_card_and_its_slice_are_told_apart(card: Machine) -> None:
    """Every call that tells a total tells the slice's."""
    (whole,) = answers.cards(run(card, "cardinfo"))
    (slice_,) = answers.cards(run(card, "cardinfo", CUDA_DEVICE_MEMORY_LIMIT="1024m"))
    calls = ("cuDeviceTotalMem", "cuMemGetInfo total", "nvml total")
    assert whole.totals == dict.fromkeys(calls, 12288)
    assert slice_.totals == dict.fromkeys(calls, 1024)
    assert (whole.uuid, whole.name) == (slice_.uuid, slice_.name) == (uuid(0), "NVIDIA GeForce RTX 3060")


def test_several_cards_are_told_in_order(card: Machine) -> None:
    """Each with its own amounts."""
    card.cards(12288, 8192)
    found = answers.cards(run(card, "cardinfo"))
    assert [one.uuid for one in found] == [uuid(0), uuid(1)]
    assert [one.totals["nvml total"] for one in found] == [12288, 8192]


def test_what_was_granted_before_the_refusal(card: Machine) -> None:
    """In MiB."""
    assert answers.granted(run(card, "fill", CUDA_DEVICE_MEMORY_LIMIT="1024m")) == 1024


def test_the_share_of_the_time(card: Machine) -> None:
    """Over the whole run, not of its last second."""
    assert answers.busy(run(card, "burn", "--seconds", "1", "--ns-per-iteration", "1000")) > 0
    printed = "last second: launches 1, kernel 9 ns, wall 1 s, busy 99.0 %\ntotal: launches 1, wall 2 s, busy 30.5 %\n"
    assert answers.busy(printed) == 30.5


def test_a_program_that_failed_is_not_read_as_one_that_did_not(tmp_path: Path) -> None:
    """A refusal for another reason, a run that was cut short, no card at all."""
    with pytest.raises(ValueError, match="CUDA_ERROR_UNKNOWN"):
        answers.granted("alloc: granted 64 MiB in 1 steps, then CUDA_ERROR_UNKNOWN\n")
    with pytest.raises(ValueError, match="busy 9"):
        answers.busy("last second: launches 1, busy 9.0 %\n")
    with pytest.raises(ValueError, match="no device"):
        answers.cards("no device\n")
