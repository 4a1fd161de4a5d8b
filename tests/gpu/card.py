"""A real card: what the simulated one only stands for. `make test-gpu` runs it; it fails where there is no card.

Not named ``test_*``: `make test` is for machines without a card, and must not skip this in silence.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.figures import Figure
from tests.gpu import kinds
from tests.gpu.priorities import Pairs

SLICE = 8 * 1024  # MiB
STEP = 64


def hetero(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    return subprocess.run(["hetero", *words], capture_output=True, text=True, check=False, timeout=300)


def in_slice(*command: str, memory: int = SLICE, cores: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command in a slice."""
    limit = ["--cores", str(cores)] if cores is not None else []
    return hetero("run", "--memory", f"{memory}m", *limit, "--", *command)


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of this test alone."""
    monkeypatch.setenv("HETERO_RUNTIME_DIR", str(tmp_path))


def granted(output: str) -> int:
    """MiB that ``fill`` was granted before it was refused."""
    found = re.search(r"granted (\d+) MiB in \d+ steps, then CUDA_ERROR_OUT_OF_MEMORY", output)
    assert found, output
    return int(found[1])


def busy(output: str) -> float:
    """Percent of the time that ``burn`` got."""
    return float(re.findall(r"busy ([\d.]+) %", output)[-1])


def test_the_card_is_found() -> None:
    """A healthy device with the identity that the vendor's own tool tells."""
    rows = json.loads(hetero("devices", "--output", "json").stdout)["devices"]
    told = subprocess.run(
        ["nvidia-smi", "--query-gpu=uuid,name", "--format=csv,noheader"], capture_output=True, text=True, check=True
    )
    assert [f"{row['uuid']}, {row['model']}" for row in rows] == told.stdout.strip().splitlines()
    assert all(row["healthy"] for row in rows)


def test_every_query_tells_the_slice() -> None:
    """Totals of the driver API and of NVML are the slice's."""
    answer = in_slice("cardinfo")
    totals = [int(line.split()[-2]) for line in answer.stdout.splitlines() if "otal" in line]
    assert totals == [SLICE] * 3, answer


@pytest.mark.parametrize("api", ["alloc", "managed", "pitch", "async", "create"])
def test_no_call_gets_more_than_the_slice(api: str) -> None:
    """What is granted, and what the context takes, come to the limit and not to a step more; again after freeing."""
    answer = in_slice("fill", "--api", api, "--step", f"{STEP}m", "--cycles", "3")
    assert answer.returncode == 0, answer
    assert SLICE - 2048 < granted(answer.stdout) <= SLICE


def test_racing_processes_stay_within_the_slice() -> None:
    """Eight processes that allocate and free at random never hold more than the limit together."""
    answer = in_slice("race", "--limit", f"{SLICE}m", "--limit-check")
    assert answer.returncode == 0, answer


def test_what_a_killed_process_held_comes_back() -> None:
    """After SIGKILL the next process gets as much as before."""
    script = "fill --step 64m; timeout -s KILL 3 hold --mib 4096; fill --step 64m"
    before, after = in_slice("bash", "-c", script).stdout.strip().splitlines()[0::2]
    assert granted(after) >= granted(before)


@pytest.mark.parametrize("cores", [20, 50, 80])
def test_a_share_of_compute_is_what_was_asked(cores: int) -> None:
    """Alone on the card, to 4 points."""
    assert busy(in_slice("burn", "--seconds", "5", cores=cores).stdout) == pytest.approx(cores, abs=4)


def short(figures: list[Figure]) -> list[str]:
    """Those that fall short of what they should be."""
    return [f"{one.figure}: {one.value:.4g} {one.unit}, not {one.reach}" for one in figures if one.holds is False]


def test_what_a_slice_holds_and_counts_is_what_the_card_tells() -> None:
    """Memory by kind, launches, and what was refused by whom: exact, or as near as NVML rounds."""
    assert short(kinds.measure()) == []


def test_the_higher_priority_goes_first(tmp_path: Path) -> None:
    """It runs as if it were alone, and the lower one, which nobody slows before, is back at full speed at once."""
    assert short(Pairs(tmp_path, seconds=1.0).figures("without limits")) == []


def test_python_programs_see_their_slice() -> None:
    """The runtime API, through a framework: its total is the slice's, and beyond it is out of memory."""
    pytest.importorskip("torch")
    script = (
        "import torch; free, total = torch.cuda.mem_get_info(); print(total >> 20);"
        "x = torch.ones(1 << 28, device='cuda'); print(float(x.sum()));"
        f"\ntry: torch.empty({SLICE} << 20, dtype=torch.uint8, device='cuda')"
        "\nexcept torch.cuda.OutOfMemoryError: print('refused')"
    )
    answer = in_slice(sys.executable, "-c", script)
    assert answer.stdout.split() == [str(SLICE), str(float(1 << 28)), "refused"], answer


def test_nothing_is_left_behind() -> None:
    """No slice outlives its program."""
    in_slice("true")
    assert list(Path(os.environ["HETERO_RUNTIME_DIR"], "slices").iterdir()) == []
