"""A driver that is missing, of another version, fails, tells nonsense or hangs, beside one that is well.

The libraries are the simulated ones, loaded by `hetero doctor` as it would load the real ones; the faults are theirs.
Starting a machine takes a second, so each vendor has one machine, on which one fault comes after the other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.native, pytest.mark.journey]

DEADLINE_S = 2
"""Seconds after which a driver counts as hanging here; the simulated ones answer at once."""

Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Chip:
    """A vendor's card, and where its library is.

    Attributes:
        card: As in a machine file.
        library: The file that discovery opens.
        place: How the directory of the simulated library ends.
    """

    card: dict[str, Any]
    library: str
    place: str


CHIPS = {
    "cambricon": Chip({"vendor": "cambricon", "model": "MLU590-M9", "memory": 80675}, "libcndev.so", "sim/cndev"),
    "hygon": Chip({"vendor": "hygon", "model": "K100_AI", "memory": 65520}, "librocm_smi64.so", "sim/hydmi"),
    "ascend": Chip({"vendor": "ascend", "model": "910B4", "memory": 32768}, "libdcmi.so", "sim/dcmi"),
    "nvidia": Chip({"vendor": "nvidia", "model": "NVIDIA L4", "memory": 23034}, "libnvidia-ml.so.1", "sim"),
}

SCRIPT = r"""
look() { echo "== $1"; hetero doctor --output json; }
look well
echo "* * fail $CODE" > $FAULTS; look fails
echo "* * garbage" > $FAULTS; look nonsense
echo "* * hang" > $FAULTS; look hangs
rm $FAULTS; look recovered
others() { echo $LD_LIBRARY_PATH | tr : '\n' | grep -v "/$PLACE\$" | paste -sd :; }
LD_LIBRARY_PATH=$(others) look missing
mkdir other broken
ln -s $(ldconfig -p | awk '$1 == "libm.so.6" { print $NF; exit }') other/$LIBRARY
echo text > broken/$LIBRARY
HETERO_DRIVER_PATH=$PWD/other look other
HETERO_DRIVER_PATH=$PWD/broken look broken
"""


USES = """
use() {
    hetero devices --output json > devices-$1
    hetero top --once > top-$1
    hetero run --vendor $BESIDE --memory 1g -- echo has run > run-$1
    ! hetero run --vendor $BROKEN --memory 1g -- echo has run 2> refusal-$1
}
set -e
echo "* * fail $CODE" > $FAULTS; use fails
echo "* * garbage" > $FAULTS; use nonsense
echo "* * hang" > $FAULTS; use hangs
"""


@pytest.fixture(params=CHIPS)
def name(request: pytest.FixtureRequest) -> str:
    """A vendor whose driver fails."""
    return str(request.param)


def beside(name: str) -> str:
    """The vendor whose driver is well throughout."""
    return "cambricon" if name == "nvidia" else "nvidia"


def played(name: str, script: str, directory: Path) -> str:
    """What a script prints on a machine with a card of this vendor and one that is well, as they are configured."""
    chip = CHIPS[name]
    machine, settings, state = directory / "machine.yaml", directory / "hetero.yaml", directory / "state"
    machine.write_text(yaml.safe_dump({"cards": [chip.card, CHIPS[beside(name)].card]}))
    settings.write_text(yaml.safe_dump({"drivers": {"deadline_s": DEADLINE_S, "prepare_s": DEADLINE_S}}))
    told = {
        "HETERO_CONFIG": str(settings),
        "HETERO_RUNTIME_DIR": str(directory / "runtime"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "FAULTS": str(state / name / "faults"),
        "PLACE": chip.place,
        "LIBRARY": chip.library,
        "BROKEN": name,
        "BESIDE": beside(name),
        "CODE": "2",
    }
    command = ["hetero", "sim", "run", "--machine", machine, "--state", state, "--", "bash", "-c", script]
    answer = subprocess.run(command, env=told, cwd=directory, capture_output=True, text=True, timeout=600, check=False)
    assert answer.returncode in (0, 1), (
        answer.stdout + answer.stderr
    )  # `hetero doctor` ends with 1 when all is not well
    assert "Traceback" not in answer.stderr
    return answer.stdout


@pytest.fixture
def seen(name: str, tmp_path: Path) -> dict[str, Rows]:
    """What `hetero doctor` finds while each of the faults lasts, by the fault and the part."""
    parts = played(name, SCRIPT, tmp_path).split("== ")[1:]
    assert len(parts) == 8, parts
    return {part.partition("\n")[0]: _rows(part.partition("\n")[2]) for part in parts}


def _rows(text: str) -> Rows:
    """The findings; of several about one part the worst."""
    found: Rows = {}
    for row in json.loads(text)["findings"]:
        if found.get(row["part"], {}).get("state") != "problem":
            found[row["part"]] = row
    return found


WORDS: dict[str, Callable[[Chip], list[str]]] = {
    "fails": lambda _: ["answered"],
    "nonsense": lambda _: [],
    "hangs": lambda _: [f"did not come back from 'devices' within {DEADLINE_S} s"],
    "other": lambda _: ["another version"],
    "broken": lambda chip: [f"broken/{chip.library}", "file too short"],
}


def test_whatever_is_wrong_with_one_driver_is_told_and_hides_no_other(name: str, seen: dict[str, Rows]) -> None:
    """Each fault has its reason; the other vendor's card is well throughout, and this one when the fault is gone."""
    for fault, rows in seen.items():
        assert rows[f"{beside(name)} device 0"]["state"] == "ok", (fault, rows)
        assert rows[f"{beside(name)} driver"]["state"] == "ok", (fault, rows)
    for fault in ("well", "recovered"):
        assert seen[fault][f"{name} device 0"]["state"] == "ok", fault
        assert seen[fault][f"{name} driver"]["state"] == "ok", fault
    assert seen["missing"][f"{name} driver"]["state"] == "absent"
    for fault, words in WORDS.items():
        wrong = [row for part, row in seen[fault].items() if part.startswith(name) and row["state"] == "problem"]
        assert wrong, (fault, seen[fault])
        said = " ".join(row["detail"] for row in wrong)
        assert all(word in said for word in words(CHIPS[name])), (fault, said)
        assert all(row["advice"] for row in wrong), (fault, wrong)


def test_the_other_driver_is_used_meanwhile(name: str, tmp_path: Path) -> None:
    """Its card is listed, shown and given to programs; of the broken one a reason is told, and no traceback."""
    played(name, USES, tmp_path)
    for fault in ("fails", "nonsense", "hangs"):
        listing = json.loads((tmp_path / f"devices-{fault}").read_text())
        well = {device["vendor"] for device in listing["devices"] if device["healthy"]}
        assert well == {beside(name)}, fault
        told = {one["vendor"]: one["reason"] for one in listing["failures"]}
        told |= {one["vendor"]: one["health"] for one in listing["devices"] if not one["healthy"]}
        assert told[name], fault
        assert (tmp_path / f"top-{fault}").read_text(), fault
        assert (tmp_path / f"run-{fault}").read_text() == "has run\n", fault
        refusal = (tmp_path / f"refusal-{fault}").read_text()
        assert "hetero: " in refusal, fault
        assert "Traceback" not in refusal, fault
