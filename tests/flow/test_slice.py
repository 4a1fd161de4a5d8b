"""One slice of a device, end to end: real processes, the real preload library, a simulated card.

Starting a machine takes a second, so each test is one script on one machine; ``== name`` begins a section of what it
prints.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.native

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "build/native/bin"
MANIFEST = ROOT / "examples/manifests/gpu-pod.yaml"
FULL = "then CUDA_ERROR_OUT_OF_MEMORY"

HELPERS = """
exec 2>&1
trap 'kill $(jobs -p) 2>/dev/null' EXIT
poll() { for _ in $(seq 1500); do "$@" && return; sleep 0.02; done; echo "gave up: $*"; exit 1; }
count() { [ "$(cat $2 2>/dev/null | grep -c -e holding -e OUT_OF_MEMORY)" -eq $1 ]; }
gone() { ! kill -0 $1 2>/dev/null; }
until_holding() { poll count $# "$*"; }
export -f poll count until_holding
"""

Sections = dict[str, str]


@pytest.fixture
def on_machine(tmp_path: Path) -> Callable[..., Sections]:
    """Runs a script on a simulated machine and returns what it printed, section by section."""

    def run(script: str, machine: str = "nvidia-12g") -> Sections:
        path = os.pathsep.join([str(Path(sys.executable).parent), str(PROGRAMS), os.environ["PATH"]])
        removed = ("HETERO_", "CUDA_", "LD_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(removed)}
        file = ROOT / f"examples/machines/{machine}.yaml"
        answer = subprocess.run(
            ["hetero", "sim", "run", "--machine", file, "--", "bash", "-c", f"{HELPERS}{script}"],
            env={**environment, "PATH": path, "COLUMNS": "200"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout + answer.stderr
        parts = re.split(r"^== (.+)\n", answer.stdout, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))

    return run


def _totals(text: str) -> list[int]:
    """The totals that ``cardinfo`` prints: cuDeviceTotalMem, cuMemGetInfo, NVML."""
    return [int(line.split()[-2]) for line in text.splitlines() if "otal" in line]


def _json(text: str) -> Any:
    return json.loads(text[text.index("{") :])


def test_every_query_tells_the_size_of_the_slice(on_machine: Callable[..., Sections]) -> None:
    """The card has 12288 MiB outside; inside, every call of the driver and of NVML tells the share.

    It holds for sizes, for percentages, for the manifest, and against a program that changes its variables: the region
    that ``hetero run`` made wins over them.
    """
    seen = on_machine(f"""
        echo == outside; cardinfo
        echo == size; hetero run --memory 2g -- cardinfo
        echo == percent; hetero run --memory 40% -- cardinfo
        echo == manifest; hetero run -f {MANIFEST} -- cardinfo
        hetero run --memory 1g -- bash -c '
            echo == other; CUDA_DEVICE_MEMORY_LIMIT=8g CUDA_DEVICE_MEMORY_LIMIT_0=8g cardinfo
            unset CUDA_DEVICE_MEMORY_LIMIT CUDA_DEVICE_MEMORY_LIMIT_0 CUDA_DEVICE_SM_LIMIT
            echo == unset; cardinfo
            echo == granted; CUDA_DEVICE_MEMORY_LIMIT_0=8g fill'
    """)
    totals = {name: _totals(text) for name, text in seen.items() if name != "granted"}
    assert totals == {
        "outside": [12288] * 3,
        "size": [2048] * 3,
        "percent": [4915] * 3,
        "manifest": [1024] * 3,
        "other": [1024] * 3,
        "unset": [1024] * 3,
    }
    assert f"granted 1024 MiB in 16 steps, {FULL}" in seen["granted"]


def test_each_allocation_call_gets_all_of_the_slice_and_no_more(on_machine: Callable[..., Sections]) -> None:
    """32 steps of 64 MiB by each of the five calls, not 33; after freeing they are had again, ten thousand times."""
    seen = on_machine("""
        hetero run --memory 2g -- bash -c '
            for api in alloc managed pitch async create; do echo == $api; fill --api $api --cycles 10000; done'
    """)
    assert seen == {
        api: f"{api}: granted 2048 MiB in 32 steps, {FULL}\n{api}: the same in all 10000 cycles\n"
        for api in ("alloc", "managed", "pitch", "async", "create")
    }


def test_processes_of_one_slice_share_its_limit(on_machine: Callable[..., Sections]) -> None:
    """Eight that race never hold more than the limit together; of eight that come and stay, as many as fit are served.

    Those that come one by one also prove that a process that lives keeps no other from joining the slice.
    """
    seen = on_machine("""
        echo == race
        hetero run --memory 2g -- race --limit 2g --processes 8 --seconds 2 --limit-check
        echo == stay
        hetero run --memory 2g -- bash -c '
            for n in 1 2 3 4 5 6 7 8; do hold --mib 300 > $n 2>&1 & done
            until_holding 1 2 3 4 5 6 7 8  # or refused
            cat ? | grep -c holding
            kill -KILL $(jobs -p -r); wait'
    """)
    assert "8 of 8 processes ended well" in seen["race"]
    assert "limit 2048 MiB: kept" in seen["race"]
    assert seen["stay"].splitlines()[0] == "6"  # 6 × 300 MiB fit into 2048, 7 do not


def test_memory_of_a_killed_process_is_given_back(on_machine: Callable[..., Sections]) -> None:
    """SIGKILL runs no clean-up; still the next allocation finds the memory before it is refused."""
    seen = on_machine("""
        hetero run --memory 2g -- bash -c '
            for n in 1 2 3; do
                hold --mib 2000 > holder$n & until_holding holder$n
                echo == held $n; fill --step 16m
                { kill -KILL %%; wait; } 2>/dev/null
                echo == freed $n; fill --step 16m
            done'
    """)
    for n in (1, 2, 3):
        assert f"granted 48 MiB in 3 steps, {FULL}" in seen[f"held {n}"]
        assert f"granted 2048 MiB in 128 steps, {FULL}" in seen[f"freed {n}"]


def test_slices_stand_side_by_side_on_one_card(on_machine: Callable[..., Sections]) -> None:
    """Both are in ``top`` and ``devices``; a third sees what they took; when they end, the card is free again."""
    seen = on_machine("""
        hetero run --memory 2g --cores 30 -- hold --mib 512 > one &
        hetero run --memory 40% --cores 20 -- hold --mib 1000 > two &
        until_holding one two
        echo == top; hetero top --once --interval 0.1
        echo == json; hetero top --interval 0.1 --output json
        echo == devices; hetero devices --output json
        echo == third; hetero run --memory 7g -- true; echo code $?
        echo == fits; hetero run --memory 5g -- cardinfo
        kill %1 %2; wait
        echo == after; hetero devices --output json
    """)
    rows = {row["memory_limit_mib"]: row for row in _json(seen["json"])["slices"]}
    assert {limit: (row["memory_used_mib"], row["compute_limit_percent"]) for limit, row in rows.items()} == {
        2048: (512, 30),
        4915: (1000, 20),
    }
    assert {row["device"] for row in rows.values()} == {0}
    assert [process["name"] for row in rows.values() for process in row["processes"]] == ["hold", "hold"]
    assert "512 / 2048 MiB" in seen["top"]
    assert "1000 / 4915 MiB" in seen["top"]
    [device] = _json(seen["devices"])["devices"]
    assert (device["slices"], device["sliced_memory_mib"], device["sliced_cores_percent"]) == (2, 2048 + 4915, 50)
    assert f"largest free {12288 - 2048 - 4915} MiB, asked 7168 MiB" in seen["third"]
    assert "code 2" in seen["third"]
    assert _totals(seen["fits"]) == [5120] * 3
    [device] = _json(seen["after"])["devices"]
    assert (device["slices"], device["sliced_memory_mib"]) == (0, 0)


def test_a_slice_lives_as_long_as_its_program(on_machine: Callable[..., Sections]) -> None:
    """SIGKILL of ``hetero run`` frees nothing while its program holds memory; once that ends, all is free."""
    seen = on_machine("""
        hetero run --memory 7g -- hold --mib 100 > one & run=$!
        until_holding one
        program=$(cat /proc/$run/task/$run/children)
        { kill -KILL $run; wait $run; } 2>/dev/null
        echo == orphan; hetero devices --output json
        echo == refused; hetero run --memory 7g -- true; echo code $?
        kill -KILL $program; poll gone $program
        echo == free; hetero run --memory 7g -- cardinfo
        echo == after; hetero devices --output json
    """)
    assert _json(seen["orphan"])["devices"][0]["sliced_memory_mib"] == 7168
    assert "asked 7168 MiB" in seen["refused"]
    assert "code 2" in seen["refused"]
    assert _totals(seen["free"]) == [7168] * 3
    assert _json(seen["after"])["devices"][0]["slices"] == 0


def test_an_idle_share_is_lent_and_comes_back(on_machine: Callable[..., Sections]) -> None:
    """30 and 70 by the real clock: the first has most of the card while the second rests, who has most within seconds.

    Whoever led the lending is killed before the second comes: others take over.
    """
    seen = on_machine("""
        burning() { hetero run --memory 1g --cores $1 --policy conserve -- burn --report --seconds $2 \\
            --kernel-ns 2000000 --iterations 2000 > $3; }
        hetero run --memory 1g --cores 0 --policy conserve -- hold --mib 1 > leader & leader=$!
        until_holding leader
        program=$(cat /proc/$leader/task/$leader/children)
        burning 30 9 small & small=$!
        sleep 4; { kill -KILL $leader; wait $leader; } 2>/dev/null
        burning 70 4 large
        wait $small; kill -KILL $program
        echo == small; cat small
        echo == large; cat large
    """)
    small, large = (_shares(seen[name]) for name in ("small", "large"))
    assert statistics.median(small[1:3]) >= 60, small
    assert statistics.mean(large[1:3]) >= 60, large


def _shares(text: str) -> list[float]:
    """Percent of the card in each second, as ``burn --report`` tells."""
    return [float(share) for share in re.findall(r"last second.*busy ([\d.]+) %", text)]


def test_signals_and_exit_codes_pass_through(on_machine: Callable[..., Sections]) -> None:
    """A shell or a supervisor sees the program, not the two commands around it."""
    seen = on_machine("""
        echo == code; hetero run --memory 1g -- bash -c "exit 7"; echo $?
        echo == killed; hetero run --memory 1g -- bash -c 'kill -KILL $$'; echo $?
        hetero run --memory 1g -- hold --mib 1 > one & until_holding one
        echo == signal; kill -TERM $!; wait $!; echo $?
        loop='trap "echo caught; exit 9" USR1; echo holding; while :; do sleep 0.02; done'
        hetero run --memory 1g -- bash -c "$loop" > two &
        until_holding two; kill -USR1 $!; wait $!; code=$?
        echo == handled; cat two; echo $code
        echo == missing; hetero run --memory 1g -- no-such-command; echo $?
        echo == nested; hetero run --memory 2g -- hetero run --memory 1g -- true; echo $?
    """)
    assert seen["code"] == "7\n"
    assert seen["killed"] == "137\n"
    assert seen["signal"].splitlines()[-1] == "143"
    assert seen["handled"] == "holding\ncaught\n9\n"
    assert seen["missing"] == "hetero: no-such-command: there is no such command\n127\n"
    assert "this is a slice already" in seen["nested"]
    assert seen["nested"].splitlines()[-1] == "2"


def test_a_large_machine_counts_contexts_and_gives_two_cards(
    on_machine: Callable[..., Sections], tmp_path: Path
) -> None:
    """What a context takes of the card counts to the slice; two cards of one slice each have their own limit."""
    (tmp_path / "two.yaml").write_text(MANIFEST.read_text().replace("nvidia.com/gpu: 1", "nvidia.com/gpu: 2"))
    seen = on_machine(
        """
        echo == context; hetero run --memory 2g --device 1 -- fill
        echo == two; hetero run -f two.yaml -- cardinfo
        hetero run --memory 1g --device 0 -- hold --mib 1 > one & until_holding one
        echo == devices; hetero devices --output json
        kill $!; wait
        """,
        machine="nvidia-h100-x2",
    )
    assert f"granted 1536 MiB in 24 steps, {FULL}" in seen["context"]  # 2048 less 500 of the context
    assert _totals(seen["two"]) == [1024] * 6
    assert [row["sliced_memory_mib"] for row in _json(seen["devices"])["devices"]] == [1024, 0]


def test_a_slice_outlives_a_launcher_that_closed_what_it_inherited(on_machine: Callable[..., Sections]) -> None:
    """Launchers close descriptors; a process that uses the device keeps the slice all the same, and only so long."""
    seen = on_machine("""
        hetero run --memory 10g -- python3 -c '
import subprocess, time
child = subprocess.Popen(["hold", "--mib", "9000"], start_new_session=True, stdout=open("left", "w"))
open("pid", "w").write(str(child.pid))
while "holding" not in open("left").read(): time.sleep(0.05)'
        echo == while; hetero run --memory 10g -- true || true
        kill -KILL $(cat pid); poll gone $(cat pid)
        echo == after; hetero run --memory 10g -- echo free
    """)
    assert "not enough memory on any device" in seen["while"]
    assert seen["after"] == "free\n"
