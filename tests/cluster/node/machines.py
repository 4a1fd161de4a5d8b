"""The machines that a cluster's nodes are, where nobody says others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MACHINES = Path(__file__).parents[3] / "examples/machines"
NODES = {
    "nvidia": MACHINES / "nvidia-h100-x2.yaml",
    "cambricon": MACHINES / "cambricon-mlu590-x8.yaml",
    "hygon": MACHINES / "hygon-k100-x2.yaml",
    "ascend": MACHINES / "ascend-910b3-x8.yaml",
}
"""Nodes by name, and the files that describe their chips."""

SPARE = ("spare-1", "spare-2", "spare-3", "spare-4")
"""Names of nodes that a scenario may add, with chips of its own choice."""


def named(files: Sequence[str]) -> dict[str, Path]:
    """Nodes for machine files, each called as its file is; one that comes again gets a number."""
    names: dict[str, Path] = {}
    for file in files:
        name = wanted = Path(file).stem.lower().replace("_", "-")
        number = 1
        while name in names:
            number += 1
            name = f"{wanted}-{number}"
        names[name] = Path(file).absolute()
    return names or dict(NODES)
