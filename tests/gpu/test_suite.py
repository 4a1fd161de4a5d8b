"""The suite for a real card, where there is none: it says so, and what it writes of one is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from simulated import BUILD, Machine, machine_in

from tests.bench.figures import Figure
from tests.gpu import __main__ as suite
from tests.gpu import record
from tests.gpu.runs import ROOT, Slice

CARD = {"name": "Acme A1 80GB", "driver": "1.2.3", "memory_mib": "81920"}


def test_without_a_card_it_is_skipped_aloud(tmp_path: Path) -> None:
    """Exit code 0, one sentence, and no record."""
    variables = {**os.environ, "PATH": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-m", "tests.gpu"], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0
    assert answer.stdout == "no NVIDIA card on this machine: skipped, nothing was tested\n"


def test_a_record_tells_card_driver_and_what_falls_short(tmp_path: Path) -> None:
    """Named after card and day; a figure without a reach claims nothing."""
    figures = {
        "Memory": [Figure("granted", 2048, "MiB", "<= 2048"), Figure("lost", 3, "MiB", "<= 2"), Figure("a", 1, "ns")]
    }
    path = record.write(figures, CARD, {"PyTorch": "2.0"}, tmp_path)
    text = path.read_text()
    assert path.name.startswith("acme-a1-80gb-20")
    assert "| driver | 1.2.3 |" in text
    assert "| PyTorch | 2.0 |" in text
    assert "| granted | 2048 MiB | <= 2048 | holds |" in text
    assert "| lost | 3 MiB | <= 2 | **falls short** |" in text
    assert "| a | 1 ns |  |  |" in text


def test_a_part_that_fails_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code tells of it; the page has what could be measured, and which command it was."""

    def broken(brief: bool) -> list[Figure]:
        raise IndexError(brief)

    monkeypatch.setattr(suite, "card", lambda: CARD)
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(suite, "MATRIX", {"Broken": broken, "Whole one": lambda brief: [Figure("brief", brief, "")]})
    assert suite.main(["broken", "whole", "--brief"]) == 1
    (page,) = (tmp_path / "docs/measurements").iterdir()
    text = page.read_text()
    assert "| command | `python -m tests.gpu broken whole --brief` |" in text
    assert "## Whole one" in text
    assert "## Broken" not in text


def test_each_part_has_a_word_of_its_own() -> None:
    """By which it is asked for alone."""
    assert len({suite.word(title) for title in suite.MATRIX}) == len(suite.MATRIX)


def test_a_slice_of_the_suite_is_one_region_of_its_own() -> None:
    """Two slices never share what they count, unless they are told to."""
    first, second = (Slice(memory=1024, cores=30).environment() for _ in range(2))
    assert first["CUDA_DEVICE_MEMORY_LIMIT"] == "1024m"
    assert first["CUDA_DEVICE_SM_LIMIT"] == "30"
    assert first["CUDA_DEVICE_MEMORY_SHARED_CACHE"] != second["CUDA_DEVICE_MEMORY_SHARED_CACHE"]
    assert "CUDA_DEVICE_MEMORY_LIMIT" not in Slice(bare=True).environment()


def answers(machine: Machine, rows: Path, driver: str = ".") -> dict[str, object]:
    """What the comparison with a driver prints."""
    library = {"LD_LIBRARY_PATH": str(BUILD / "sim" / driver)}
    program = ROOT / "tests/gpu/programs/abi_answers.py"
    return dict(json.loads(machine.bare().run(sys.executable, str(program), str(rows), **library).stdout))


def test_the_simulated_driver_answers_as_the_list_says(tmp_path: Path) -> None:
    """The comparison that is made with a real driver finds nothing here either."""
    found = answers(machine_in(tmp_path), ROOT / "native/abi/cuda.list", "cuda-12.4")
    assert found["driver"] == 12040
    assert found["differences"] == []
    assert found["absent"] == []


def test_a_wrong_list_is_noticed(tmp_path: Path) -> None:
    """A version that is not so, and a symbol that no driver has."""
    text = (ROOT / "native/abi/cuda.list").read_text()
    wrong = tmp_path / "wrong.list"
    wrong.write_text(text.replace("cuMemAlloc_v2 | cuMemAlloc | 3020", "cuMemAlloc_v2 | cuMemAlloc | 4000"))
    with wrong.open("a") as file:
        file.write("cuMadeUp | cuMadeUp | 2000 | - | - | ...\n")
    found = answers(machine_in(tmp_path), wrong)
    assert found["absent"] == ["cuMadeUp"]
    assert any(str(line).startswith("cuMemAlloc 3020") for line in found["differences"])


def test_the_steps_of_the_drivers_own_memory_are_charged_as_taken(tmp_path: Path) -> None:
    """The program for a card, on a simulated one: every call answers well, and nothing is charged that is not taken."""
    machine = machine_in(tmp_path)
    machine.cards(12288, context=512)
    program = ROOT / "tests/gpu/programs/driver_memory.py"
    steps = json.loads(machine.run(sys.executable, str(program), CUDA_DEVICE_MEMORY_LIMIT="8g").stdout)
    assert len(steps) == 12
    assert all(code == 0 and charged == taken for _, code, charged, taken in steps), steps
    assert steps[0][2] == 512
    assert steps[-1][2] == 0
