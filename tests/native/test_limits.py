"""The preload library with no command line: limits from the environment alone, against the simulated driver."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from simulated import Machine

ARRAYS = ["array", "array3d", "mipmap"]
CALLS = ["alloc", "alloc1", "managed", "pitch", "async", "pool", "create", "mapped", *ARRAYS, "graph"]
CYCLES = {"managed": 1000, "graph": 1000}
"""Where not 10,000: the host's kernel maps its pages anew each time; a graph is made, launched and ended."""


def test_every_query_tells_the_slice(machine: Machine) -> None:
    """cuDeviceTotalMem, cuMemGetInfo and NVML all say 2048 MiB."""
    answer = machine.run("cardinfo", CUDA_DEVICE_MEMORY_LIMIT="2g")
    totals = [line.split()[-2] for line in answer.stdout.splitlines() if "otal" in line]
    assert totals == ["2048", "2048", "2048"]


@pytest.mark.parametrize("api", CALLS)
def test_each_allocation_call_gets_exactly_the_limit(machine: Machine, api: str) -> None:
    """32 steps of 64 MiB fit into 2 GiB, the 33rd is out of memory; freed time and again, all of it is there again."""
    cycles = str(CYCLES.get(api, 10000))
    answer = machine.run("fill", "--api", api, "--cycles", cycles, CUDA_DEVICE_MEMORY_LIMIT="2g")
    assert "granted 2048 MiB in 32 steps, then CUDA_ERROR_OUT_OF_MEMORY" in answer.stdout
    assert f"the same in all {cycles} cycles" in answer.stdout
    assert answer.returncode == 0


def test_a_malformed_limit_gives_no_memory(machine: Machine) -> None:
    """Memory fails closed, from the context on, and one line says which variable is wrong."""
    answer = machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="-2g")
    ours, programs = answer.stderr.splitlines()
    assert "CUDA_DEVICE_MEMORY_LIMIT='-2g'" in ours
    assert "CUDA_ERROR_OUT_OF_MEMORY" in programs
    assert "granted" not in answer.stdout


@pytest.mark.parametrize("limit", ["0", ""])
def test_no_limit_is_the_whole_card(machine: Machine, limit: str) -> None:
    """0 and unset mean no limit, as they do today."""
    del machine.variables["CUDA_DEVICE_MEMORY_SHARED_CACHE"]
    answer = machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT=limit)
    assert "granted 12288 MiB" in answer.stdout
    assert not answer.stderr


@pytest.mark.parametrize(
    ("limit", "mib"),
    [("2048m", 2048), ("2g", 2048), ("2G", 2048), ("2GiB", 2048), ("1.5g", 1536), ("2147483648", 2048)],
)
def test_limits_are_read_as_people_write_them(
    machine: Machine, granted: Callable[[str], int], limit: str, mib: int
) -> None:
    """Units are powers of 1024 with or without i and b, in any case; a bare number is bytes."""
    assert granted(machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT=limit).stdout) == mib


def test_a_limit_beyond_the_card_is_the_card(machine: Machine) -> None:
    """A limit larger than the card changes nothing."""
    answer = machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="64g")
    assert "granted 12288 MiB" in answer.stdout


@pytest.mark.parametrize("api", ["alloc", "pitch"])
def test_beyond_the_card_only_where_that_is_asked_for(machine: Machine, api: str) -> None:
    """With CUDA_OVERSUBSCRIBE a slice of 2 GiB on a card of 1 GiB has 2 GiB, and says so; without, it has the card."""
    machine.cards(1024)
    for wanted, mib in (("true", 2048), ("false", 1024)):
        machine.variables["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = str(machine.directory / wanted)
        limits = {"CUDA_DEVICE_MEMORY_LIMIT": "2g", "CUDA_OVERSUBSCRIBE": wanted}
        assert f"granted {mib} MiB" in machine.run("fill", "--api", api, "--cycles", "3", **limits).stdout
        assert f"{mib} MiB" in machine.run("cardinfo", **limits).stdout


@pytest.mark.parametrize(
    ("step", "mib"),
    [("4096", 102), ("524288", 102), ("700000", 68), ("1048576", 102), ("1048577", 51), ("3145728", 75)],
)
def test_small_memory_is_charged_as_the_card_hands_it_out(
    machine: Machine, granted: Callable[[str], int], step: str, mib: int
) -> None:
    """In blocks of 2 MiB, shared by what is not larger than 1 MiB; a limit that is no multiple is never exceeded."""
    for api in ("alloc", "managed"):
        assert granted(machine.run("fill", "--api", api, "--step", step, CUDA_DEVICE_MEMORY_LIMIT="103m").stdout) == mib


@pytest.mark.parametrize("api", CALLS)
def test_what_a_killed_process_held_is_there_again(machine: Machine, granted: Callable[[str], int], api: str) -> None:
    """Whichever call it came by: after SIGKILL the whole limit is there for the next process."""
    limits = {"CUDA_DEVICE_MEMORY_LIMIT": "1g"}
    holder = machine.start("fill", "--api", api, "--hold", "60", **limits)
    assert holder.stdout
    assert "1024 MiB" in holder.stdout.readline()
    assert granted(machine.run("fill", **limits).stdout) == 0
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert granted(machine.run("fill", **limits).stdout) == 1024


def test_what_a_context_takes_counts_to_the_slice(machine: Machine) -> None:
    """Of 2 GiB with a context of 512 MiB, 1536 MiB are left."""
    machine.cards(12288, context=512)
    answer = machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="2g")
    assert "granted 1536 MiB in 24 steps" in answer.stdout


def test_each_device_has_its_own_limit(machine: Machine) -> None:
    """The variable with a position wins over the one without."""
    machine.cards(12288, 12288)
    answer = machine.run("cardinfo", CUDA_DEVICE_MEMORY_LIMIT="2g", CUDA_DEVICE_MEMORY_LIMIT_1="3g")
    totals = [line.split()[-2] for line in answer.stdout.splitlines() if "cuDeviceTotalMem" in line]
    assert totals == ["2048", "3072"]


def test_positions_are_those_that_the_program_sees(machine: Machine) -> None:
    """With the visible devices turned round, position 0 is the card that is visible first."""
    machine.cards(12288, 8192)
    answer = machine.run(
        "cardinfo", CUDA_VISIBLE_DEVICES="1,0", CUDA_DEVICE_MEMORY_LIMIT_0="1g", CUDA_DEVICE_MEMORY_LIMIT_1="2g"
    )
    cards = [line for line in answer.stdout.splitlines() if line.startswith("card ")]
    totals = [line.split()[-2] for line in answer.stdout.splitlines() if "cuDeviceTotalMem" in line]
    assert cards[0].endswith("1")
    assert totals == ["1024", "2048"]
