"""One slice, many processes: the limit holds for all of them together, and the dead give back what they held."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
from simulated import BUILD, Machine

from hetero.enforcement import region

LIMIT = {"CUDA_DEVICE_MEMORY_LIMIT": "2g"}


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL, to our own child alone."""
    assert process.pid > 0
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout:
        process.stdout.close()


def holding(machine: Machine, mib: int) -> subprocess.Popen[str]:
    """A process that has so much memory and keeps it."""
    process = machine.start("hold", "--mib", str(mib), **LIMIT)
    assert process.stdout
    assert process.stdout.readline() == "holding\n"
    return process


def test_racing_processes_never_exceed_the_limit(machine: Machine) -> None:
    """Eight processes allocate and free at random; what they hold together is never more than the limit."""
    answer = machine.run("race", "--limit", "2g", "--seconds", "2", "--limit-check", **LIMIT)
    assert answer.returncode == 0, answer.stdout


def test_racing_threads_of_all_calls_never_exceed_the_limit(machine: Machine, granted: Callable[[str], int]) -> None:
    """Four processes of three threads each, by every call; afterwards the whole limit is there again."""
    mixed = ("race", "--limit", "1025m", "--processes", "4", "--threads", "3", "--mixed", "--seconds", "2")
    limit = {"CUDA_DEVICE_MEMORY_LIMIT": "1025m"}
    answer = machine.run(*mixed, "--limit-check", **limit)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert granted(machine.run("fill", "--step", "2m", **limit).stdout) == 1024


def test_a_race_without_limit_is_noticed(machine: Machine) -> None:
    """The check above can fail: without the library the same race goes beyond 2 GiB."""
    answer = machine.bare().run("race", "--limit", "2g", "--seconds", "1", "--limit-check")
    assert answer.returncode == 1


def test_processes_share_one_limit(machine: Machine, granted: Callable[[str], int]) -> None:
    """What one holds, another does not get; afterwards it does."""
    first = holding(machine, 1536)
    assert granted(machine.run("fill", **LIMIT).stdout) == 512
    kill(first)
    assert granted(machine.run("fill", **LIMIT).stdout) == 2048


def test_what_a_killed_process_held_is_there_before_a_refusal(machine: Machine, granted: Callable[[str], int]) -> None:
    """SIGKILL while holding the whole slice: the very next process gets all of it."""
    for _ in range(5):
        kill(holding(machine, 2048))
        assert granted(machine.run("fill", **LIMIT).stdout) == 2048


def test_death_at_any_moment_leaves_the_sum_right(machine: Machine, granted: Callable[[str], int]) -> None:
    """Processes that are killed amid allocations, 40 times: nothing is lost, nothing is given twice."""
    moments = random.Random(7)
    for _ in range(40):
        process = machine.start("fill", "--cycles", "1000000", "--step", "1m", **LIMIT)
        time.sleep(moments.uniform(0.01, 0.05))  # some are killed before their first call, most within one
        kill(process)
    assert granted(machine.run("fill", **LIMIT).stdout) == 2048


def test_children_share_their_parents_slice(machine: Machine, granted: Callable[[str], int]) -> None:
    """Through a shell and its children, however deep."""
    script = 'hold --mib 1024 >"$0" & until grep -q holding "$0"; do sleep 0.01; done; sh -c \'exec fill\'; kill $!'
    said = machine.directory / "said"
    said.touch()
    assert granted(machine.run("sh", "-c", script, str(said), **LIMIT).stdout) == 1024


def test_slices_of_their_own_do_not_meet(machine: Machine, granted: Callable[[str], int]) -> None:
    """Two regions are two slices, even on one card."""
    first = holding(machine, 2048)
    other = str(machine.directory / "other")
    answer = machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT="1g", CUDA_DEVICE_MEMORY_SHARED_CACHE=other)
    assert granted(answer.stdout) == 1024
    kill(first)


def test_namespaces_of_process_ids_do_not_hide_who_lives(machine: Machine, granted: Callable[[str], int]) -> None:
    """Two processes that are both the first of their namespace: each counts while it lives, and no longer."""
    apart = ["unshare", "--pid", "--fork", "--kill-child"]
    allowed = subprocess.run([*apart, "true"], capture_output=True, text=True, check=False)
    if allowed.returncode:
        pytest.skip(f"no namespace can be made here: {allowed.stderr.strip()}")
    first, second = (machine.start(*apart, "hold", "--mib", "512", **LIMIT) for _ in range(2))
    assert [one.stdout and one.stdout.readline() for one in (first, second)] == ["holding\n"] * 2
    found = region.read(machine.directory / "region").processes
    assert [(one.pid, one.memory[0]) for one in found] == [(1, 512 << 20)] * 2
    assert all(region.alive(one) and one.host_pid > 1 for one in found)
    assert granted(machine.run("fill", **LIMIT).stdout) == 1024
    kill(first)
    assert granted(machine.run(*apart, "fill", **LIMIT).stdout) == 1536
    kill(second)


def test_no_child_waits_for_a_thread_that_its_parent_has(machine: Machine) -> None:
    """A fork amid launches and allocations: the child's calls are refused by the driver, and it ends."""
    answer = machine.run(str(BUILD / "tests/forked"), CUDA_DEVICE_MEMORY_LIMIT="2g", CUDA_DEVICE_SM_LIMIT="90")
    assert answer.stdout == "100 of 100 children ended by themselves\n", answer.stderr
