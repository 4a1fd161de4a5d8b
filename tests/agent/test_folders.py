"""An agent whose folders were removed from the machine says so, and the next one is well."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from desk import RESOURCE, Desk

from hetero.agent.folders import Folders
from hetero.errors import KubeletError
from hetero.kube import paths
from hetero.testing.apiserver import ApiServer

MOUNTED = """
set -e
cd "$1"
mkdir machine container next
mount -t tmpfs none machine
mkdir machine/cdi
mount --bind machine/cdi container
"$2" -c "$3" "$1/container"
rmdir machine/cdi
mkdir machine/cdi
"$2" -c "$3" "$1/container"
mount --bind machine/cdi next
"$2" -c "$3" "$1/next"
"""
"""What a kubelet and its runtime do for a container, what a person does to the machine, then the next container."""

LOOK = "import sys; from hetero.agent.folders import Folders; print('found', Folders(sys.argv[1:]).lost() or 'well')"


def test_folders_that_are_there_or_can_be_made_are_nobodys_concern(tmp_path: Path) -> None:
    """Also without a mount, where a removed folder is simply missing."""
    (tmp_path / "cdi").mkdir()
    folders = Folders([str(tmp_path / "cdi"), str(tmp_path / "none")])
    assert folders.lost() == ""
    (tmp_path / "cdi").rmdir()
    assert folders.lost() == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts need root")
def test_what_a_mount_has_lost_no_folder_of_the_same_name_brings_back(tmp_path: Path) -> None:
    """On a real mount: lost also when the folder was made anew, and well in the next container."""
    command = ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", str(tmp_path), sys.executable, LOOK]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    before, lost, after = [line for line in said if line.startswith("found ")]
    assert before == after == "found well"
    assert lost.startswith(f"found {tmp_path}/container: removed on the machine")


def test_an_agent_that_lost_its_folder_says_so_and_the_next_one_starts_the_container(scene: Any) -> None:
    """The container's event has the reason, the agent is neither ready nor healthy; then all is as before."""
    with tempfile.TemporaryDirectory(prefix="het") as place, ApiServer() as server:
        desk = Desk(Path(place), server)
        with desk.kubelet, desk.runtime:
            folder = desk.place / "cdi"
            folder.mkdir(exist_ok=True)
            mount = os.open(folder, os.O_RDONLY)
            lost = desk.start(cdi_dir=f"/proc/self/fd/{mount}")
            desk.server.put(paths.pods("lab"), scene.manifest(scene.placement()))
            desk.ready(lost)
            assert lost.broken() == ""
            shutil.rmtree(folder)
            held = desk.kubelet.admit(scene.uid, "main", RESOURCE)
            with pytest.raises(KubeletError, match="was removed on the machine"):
                desk.run(held)
            assert "removed on the machine" in lost.broken()
            assert lost.broken() in lost.waiting()
            desk.wait(lambda: len(desk.events("DevicesRefused")) == 1)
            lost.stop()
            desk.ready(desk.start())
            assert "FAKE_DEVICES=fake-0" in desk.run(held)
            desk.close()
            os.close(mount)
