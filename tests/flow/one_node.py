"""Pods on a simulated node, played by a program that does a node's part: what it tells of them in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

Given = dict[str, Any]
Pods = dict[str, list[dict[str, Any]]]
"""By name, each with the limits of its containers."""


def told(place: Path, program: Path, cards: list[Given], pods: Pods, **variables: str) -> Given:
    """What the program says of these pods.

    Args:
        place: Where the machine is kept: in ``it``.
        program: Given the file with the pods.
        cards: Of the machine.
        pods: What is played.
        variables: Of the program's environment, beside the path.
    """
    machine, manifest = place / "machine.yaml", place / "pods.yaml"
    machine.write_text(yaml.safe_dump({"cards": cards}))
    manifest.write_text(yaml.safe_dump_all([_pod(name, containers) for name, containers in pods.items()]))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["hetero", "sim", "run", "--machine", machine, "--state", place / "it", "--"]
    answer = subprocess.run(
        [*command, sys.executable, program, manifest],
        env={"PATH": path, "PYTHONPATH": os.environ.get("PYTHONPATH", ""), **variables},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    found: Given = json.loads(answer.stdout)
    return found


def _pod(name: str, containers: list[dict[str, Any]]) -> Given:
    made = [
        {"name": f"c{number}", "image": "none.example/none", "resources": {"limits": limits}}
        for number, limits in enumerate(containers)
    ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": made}}
