"""Images of all nodes of a run: imported once, then shared as files that nobody changes."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.processes import Program, until

SECONDS = 90.0
SOCKET = "/proc/self/cwd/socket"
"""In the directory that the programs run in: the path of a socket may have 104 signs, and directories have more."""


class Store:
    """What a containerd keeps, ready for any number of nodes.

    A layer is never written to once it is there, so the nodes' files are other names of the same ones: the second node
    costs neither time nor memory.

    Args:
        binaries: Where the programs are.
        directory: On the file system of the nodes.
    """

    def __init__(self, binaries: Path, directory: Path) -> None:
        self._binaries = binaries
        self._directory = directory
        self.root = directory / "root"

    def fill(self, archives: Iterable[Path]) -> None:
        """Import images, by a containerd that runs for no longer than that."""
        self._directory.mkdir(parents=True)
        (self._directory / "config.toml").write_text(
            f'version = 3\nroot = "{self.root}"\nstate = "{self._directory / "state"}"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{SOCKET}"\n'
        )
        program = Program("images", self._here("containerd", "--config", "config.toml"), self._directory)
        program.start()
        try:
            until(
                lambda: not self._ctr("version").returncode, "containerd answers", seconds=SECONDS, programs=[program]
            )
            for archive in archives:
                done = self._ctr("images", "import", str(archive))
                assert done.returncode == 0, f"{archive.name}: {done.stderr}"
        finally:
            program.stop()

    def give(self, place: Path) -> None:
        """Make a containerd's directory with all images: all files shared, but for the tables that it writes to."""
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "--archive", "--link", str(self.root), str(place)], check=True)
        for table in self.root.glob("io.containerd.*/*.db"):
            own = place / table.relative_to(self.root)
            own.unlink()
            shutil.copy2(table, own)

    def _here(self, program: str, *words: str) -> list[str]:
        return ["env", f"--chdir={self._directory}", str(self._binaries / program), *words]

    def _ctr(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = self._here("ctr", "--address", SOCKET, "--namespace", "k8s.io", *words)
        return subprocess.run(command, capture_output=True, text=True, check=False)
