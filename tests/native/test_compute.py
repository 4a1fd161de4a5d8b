"""A share of a card's time. Ratios with room to spare: the machine that runs the tests is shared, too."""

from __future__ import annotations

import re
import struct

import pytest
from simulated import Machine


def busy(output: str) -> float:
    """Percent of the time that ``burn`` got."""
    return float(re.findall(r"busy ([\d.]+) %", output)[-1])


def account(machine: Machine) -> tuple[int, int, int]:
    """Busy and throttled ns and launches of the slice's first device, as its region has them."""
    data = (machine.directory / "region").read_bytes()
    busy_ns, throttled_ns, launches = struct.unpack_from("<QQQ", data, 4096 + 208)
    return busy_ns, throttled_ns, launches


@pytest.mark.parametrize("percent", [20, 70])
def test_a_slice_gets_the_share_that_it_asked(machine: Machine, percent: int) -> None:
    """Alone on a card; without the limit the same program takes all of it."""
    answer = machine.run("burn", "--seconds", "2", CUDA_DEVICE_SM_LIMIT=str(percent))
    assert busy(answer.stdout) == pytest.approx(percent, abs=10)


@pytest.mark.parametrize("call", ["plain", "extended", "cooperative"])
def test_no_launch_goes_round_the_limit(machine: Machine, call: str) -> None:
    """cuLaunchKernel, cuLaunchKernelEx and cuLaunchCooperativeKernel are held to the same share."""
    answer = machine.run("burn", "--seconds", "1", "--launch", call, CUDA_DEVICE_SM_LIMIT="30")
    assert busy(answer.stdout) == pytest.approx(30, abs=12)


def test_what_a_slice_used_is_in_its_region(machine: Machine) -> None:
    """Busy time is what the program measured, and the time that it was held back is counted."""
    answer = machine.run("burn", "--seconds", "2", CUDA_DEVICE_SM_LIMIT="40")
    busy_ns, throttled_ns, launches = account(machine)
    assert busy_ns == pytest.approx(busy(answer.stdout) / 100 * 2e9, rel=0.3)
    assert throttled_ns > 0
    assert launches >= int(re.findall(r"launches (\d+)", answer.stdout)[-1])


@pytest.mark.parametrize("limit", ["0", "100"])
def test_no_limit_holds_nobody_back(machine: Machine, limit: str) -> None:
    """0 and 100 percent: no time in the queue, and use is known nevertheless, by samples."""
    machine.run("burn", "--seconds", "1", CUDA_DEVICE_SM_LIMIT=limit, CUDA_DEVICE_MEMORY_LIMIT="1g")
    busy_ns, throttled_ns, launches = account(machine)
    assert throttled_ns == 0
    assert busy_ns > 0.5e9
    assert launches > 0


def test_two_slices_share_a_card(machine: Machine) -> None:
    """30 and 60 percent at once: each gets its own, whatever the other does."""
    commands = {percent: ["burn", "--seconds", "3"] for percent in (30, 60)}
    running = {
        percent: machine.start(
            *command,
            CUDA_DEVICE_SM_LIMIT=str(percent),
            CUDA_DEVICE_MEMORY_SHARED_CACHE=str(machine.directory / f"region{percent}"),
        )
        for percent, command in commands.items()
    }
    got = {percent: busy(program.communicate()[0]) for percent, program in running.items()}
    assert got[30] == pytest.approx(30, abs=10)
    assert got[60] == pytest.approx(60, abs=15)
