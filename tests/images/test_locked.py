"""What an image installs is picked from the one lock, by lists that hold exactly what our packages need."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from images import locked

ROOT = Path(__file__).parents[2]
VENDORS = ["hetero-ascend", "hetero-cambricon", "hetero-hygon", "hetero-nvidia"]
ROOTS = {
    "agent": ["hetero[agent]", *VENDORS],
    "scheduler": ["hetero[scheduler,install]", *VENDORS],
    "build": ["hatchling", "scikit-build-core", "cmake", "ninja", "ziglang"],
}
# Only the asynchronous half of the Kubernetes client needs these, and images/finish.py leaves that out.
ASYNCHRONOUS = {
    "aiohappyeyeballs", "aiohttp", "aiohttp-retry", "aiosignal", "attrs", "frozenlist", "multidict", "propcache",
    "yarl",
}  # fmt: skip
SPARED = {"agent": ASYNCHRONOUS | {"numpy"}, "scheduler": ASYNCHRONOUS, "build": set()}

LOCK = """# A comment
one==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
two==1.0 ; python_full_version < '3.12' \\
    --hash=sha256:cc
two==2.0 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
two-more==3.0 \\
    --hash=sha256:ee
"""


def listed(name: str) -> list[str]:
    """A list of images/."""
    return locked.names((ROOT / f"images/{name}.txt").read_text())


def needed(roots: Iterable[str]) -> set[str]:
    """All that some requirements bring along here, ours apart, as the installed packages tell it."""
    asked: dict[str, set[str]] = {}
    waiting = [Requirement(root) for root in roots]
    while waiting:
        one = waiting.pop()
        extras = ({"", *one.extras}) - asked.get(one.name, set())
        asked.setdefault(one.name, set()).update(extras)
        found = map(Requirement, metadata.requires(one.name) or [])
        waiting += [each for each in found if extras and any(wanted(each, extra) for extra in extras)]
    names = {re.sub(r"[-_.]+", "-", name).lower() for name in asked}
    return {name for name in names if not name.startswith("hetero")}


def wanted(one: Requirement, extra: str) -> bool:
    """True when a package brings it along with an extra."""
    return one.marker is None or one.marker.evaluate({"extra": extra})


@pytest.mark.parametrize("name", ROOTS)
def test_a_list_has_what_is_needed_and_nothing_else(name: str) -> None:
    """A new dependency of ours, or of one of them, is in the image that needs it."""
    assert set(listed(name)) == needed(ROOTS[name]) - SPARED[name]
    assert listed(name) == sorted(listed(name))


@pytest.mark.parametrize("name", ROOTS)
def test_everything_of_a_list_is_locked_with_hashes(name: str) -> None:
    """The program that the Containerfiles call prints it, so the installer refuses whatever else a name leads to."""
    program = [sys.executable, "images/locked.py", f"images/{name}.txt"]
    printed = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pinned = locked.pins(printed)
    assert set(pinned) == set(listed(name))
    assert all("--hash=sha256:" in entry for entries in pinned.values() for entry in entries)


def test_an_entry_comes_whole() -> None:
    """With all hashes; and both entries of a package that has another for older Pythons."""
    assert locked.picked(["two", "one"], LOCK) == (
        "two==1.0 ; python_full_version < '3.12' \\\n    --hash=sha256:cc\n"
        "two==2.0 ; python_full_version >= '3.12' \\\n    --hash=sha256:dd\n"
        "one==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    )


def test_a_list_may_say_why() -> None:
    """Comments and empty lines are not names."""
    assert locked.names("# why\none\n\ntwo-more  # because\n") == ["one", "two-more"]


def test_a_name_that_is_not_locked_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An image is not built without it."""
    (tmp_path / "list.txt").write_text("click\nno-such-package\n")
    assert locked.main([str(tmp_path / "list.txt")]) == 1
    assert capsys.readouterr() == ("", "all.lock does not have 'no-such-package': make lock\n")
