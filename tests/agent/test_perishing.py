"""An agent that is killed at any step of making a slice: the next one makes it whole, or clears it up whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import perishing
import pytest


@pytest.fixture(params=sorted(perishing.STEPS))
def left(request: Any, tmp_path: Path, scene: Any) -> tuple[Path, bytes]:
    """What a killed agent has left, and the pod that it was about."""
    pod = json.dumps(scene.manifest(scene.placement()))
    killed = subprocess.run(
        [sys.executable, perishing.__file__, tmp_path, request.param, pod], timeout=600, check=False
    )
    assert killed.returncode == -9
    return tmp_path, pod.encode()


def _files(place: Path) -> list[str]:
    found = [path for name in ("run", "lib", "instances") for path in (place / name).rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(place)) for path in found if path.name != ".lock")


def test_the_next_start_makes_the_slice_whole(left: Any, tmp_path_factory: Any) -> None:
    """The same as if nothing had happened, and no half of a file beside it."""
    place, pod = left
    fresh = tmp_path_factory.mktemp("fresh")
    edits, expected = (perishing.edits(perishing.slices(where), pod) for where in (place, fresh))
    shown = [(mount.host_path, mount.container_path, mount.read_only) for mount in expected.mounts]
    assert [(one.host_path, one.container_path, one.read_only) for one in edits.mounts] == [
        (host.replace(str(fresh), str(place)), inside, closed) for host, inside, closed in shown
    ]
    assert edits.env == expected.env
    assert _files(place) == _files(fresh)


def test_what_is_over_is_cleared_up_whole(left: Any) -> None:
    """Record, files and instance, where the pod has gone meanwhile."""
    place, _ = left
    slices = perishing.slices(place)
    slices.sweep(lambda _: True)
    slices.sweep_libraries()
    assert _files(place) == []
    assert slices.records.ids() == []
