"""Distributions made on the spot: a module and the metadata by which Python finds its entry point."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

METADATA = "Metadata-Version: 2.1\nName: hetero-{name}\nVersion: 1.0\n"

Distribution = Callable[..., EntryPoint]


@pytest.fixture
def distribution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distribution:
    """``distribution(name, code)`` installs ``hetero_<name>`` for this test and returns its entry point."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(name: str, code: str) -> EntryPoint:
        module = f"hetero_{name}_{tmp_path.name.replace('-', '_')}"  # a name that no other test has imported
        (tmp_path / f"{module}.py").write_text(code)
        information = tmp_path / f"hetero_{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(METADATA.format(name=name))
        (information / "entry_points.txt").write_text(f"[hetero]\n{name} = {module}\n")
        [found] = [one for one in distributions(path=[str(tmp_path)]) if one.name == f"hetero-{name}"]
        [entry] = found.entry_points
        return entry

    return install


@pytest.fixture
def hetero(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``hetero("vendors", path=[...])`` runs the command line with more distributions on Python's path."""

    def run(*arguments: str, path: tuple[Path, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from hetero.cli.main import main; main()", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.pathsep.join(map(str, path)),
                "HETERO_RUNTIME_DIR": str(tmp_path / "runtime"),
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run
