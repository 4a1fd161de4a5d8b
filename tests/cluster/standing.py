"""A cluster that stays: `make cluster-up` leaves it running for a person, `make cluster-down` removes every trace.

Its namespaces end with one process outside of them, the keeper, whose process id is in a file of the tree, and which
ends when that file goes, as with ``make clean``. What a person needs lies beside it: commands that reach the cluster
from where they are, and a log.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import namespace
from tests.cluster.node import cgroups
from tests.cluster.node.entered import child_of
from tests.cluster.processes import until

PLACE = Path(__file__).parents[2] / "build/cluster"
SECONDS_TO_BEGIN = 60.0
SECONDS_TO_START = 300.0
SECONDS_TO_END = 60.0


class Trouble(Exception):
    """The cluster did not come up, or did not go; the text is for the person who asked for it."""


class Standing:
    """The cluster that a directory stands for, up or not.

    Args:
        place: With the keeper's process id, the commands and the log; there as long as the cluster is.
    """

    def __init__(self, place: Path = PLACE) -> None:
        self.place = place
        self.log = place / "log"
        self._keeper = place / "keeper"
        self._facts = place / "facts.json"

    @property
    def is_up(self) -> bool:
        """True while its keeper runs."""
        return bool(self._pid())

    def nodes(self) -> list[str]:
        """The names of its nodes, once it is up."""
        return list(json.loads(self._facts.read_text())["nodes"])

    def up(self, programs: Path, images: Mapping[str, Path], machines: Mapping[str, Path]) -> None:
        """Start it and return when all nodes are Ready.

        Args:
            programs: Where they are.
            images: That every node has.
            machines: The nodes' names, and what their chips are.

        Raises:
            Trouble: It did not come up; nothing of it is left but the log.
        """
        self.place.mkdir(parents=True, exist_ok=True)
        (self.place / "state").mkdir(exist_ok=True)
        asked = {"machines": machines, "images": images}
        told = {kind: {name: str(file) for name, file in files.items()} for kind, files in asked.items()}
        words = [sys.executable, "-m", "tests.cluster.keeper", str(self.place), str(programs), json.dumps(told)]
        with self.log.open("wb") as log:
            # Nobody's child: it goes on when who started it ends.
            subprocess.run(
                ["setsid", "--fork", *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=PLACE.parents[1], check=True,
            )  # fmt: skip
        try:
            until(self._keeper.exists, "its keeper runs", seconds=SECONDS_TO_BEGIN)
            until(lambda: self._facts.exists() or not self.is_up, "its nodes are Ready", seconds=SECONDS_TO_START)
            self._write_commands(programs, child_of(child_of(self._pid())))
        except BaseException as error:
            tail = self.log.read_text(errors="replace").splitlines()[-30:]
            self.end()
            raise Trouble("\n".join(["the cluster did not come up:", *tail])) from error

    def down(self) -> None:
        """End it, look whether anything is left, and forget it.

        Raises:
            Trouble: Something is left.
        """
        facts = json.loads(self._facts.read_text()) if self._facts.exists() else {}
        self.end()
        left = [f"process {pid}" for pid in namespace.left_in(facts["net"])] if facts else []
        left += [f"mount {line.split()[4]}" for line in _mounts() if f" {self.place / 'state'}" in line]
        if left:
            raise Trouble(f"the cluster is down, but of it is left: {', '.join(left)}")
        subprocess.run(["rm", "-rf", str(self.place)], check=True)

    def end(self) -> None:
        """End the keeper, and with it everything; its groups too, if it could not do that any more."""
        if pid := self._pid():
            os.kill(pid, signal.SIGTERM)
            until(lambda: not self._pid(), "the cluster has ended", seconds=SECONDS_TO_END)
        self._keeper.unlink(missing_ok=True)
        cgroups.sweep()

    def _pid(self) -> int:
        """The keeper's, 0 when it is gone; a process that happens to have its id now is not it."""
        try:
            name = self._keeper.read_text()
            pid = int(name.rsplit("-", 2)[1])
        except (OSError, ValueError, IndexError):
            return 0
        return pid if cgroups.name_of(pid) == name and not _zombie(pid) else 0

    def _write_commands(self, programs: Path, inside: int) -> None:
        """Commands that a person calls by their path, from wherever; files are found where the person is."""
        facts = json.loads(self._facts.read_text())
        network = f"nsenter --target {inside} --net"
        helm = " ".join(
            f"HELM_{kind}_HOME='{self.place / '.helm' / kind.lower()}'" for kind in ("CACHE", "CONFIG", "DATA")
        )
        enter = f"{network} env KUBECONFIG='{self.place / 'kubeconfig'}' {helm}"
        cases = "\n".join(f"{name}) pid={pid} ;;" for name, pid in facts["nodes"].items())
        usage = f"""*) echo "node NAME COMMAND...: {", ".join(facts["nodes"])}" >&2; exit 2 ;;"""
        node = "nsenter --target $pid --mount --uts --ipc --net --pid -- env -i PATH=$PATH TERM=$TERM HOME=/root"
        within = f"nsenter --target {inside} --mount --pid --net"
        for name, text in {
            "kubectl": f"exec {enter} '{programs / 'kubectl'}' \"$@\"",
            "helm": f"exec {enter} '{programs / 'helm'}' \"$@\"",
            "hetero": f"exec {enter} '{PLACE.parents[1] / '.venv/bin/hetero'}' \"$@\"",
            "node": f'case "$1" in\n{cases}\n{usage}\nesac\nshift\nexec {within} -- {node} "$@"',
        }.items():
            (self.place / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.place / name).chmod(0o755)


def _zombie(pid: int) -> bool:
    """True for one that has ended and that only its parent, which may be this process, has not asked for yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def _mounts() -> list[str]:
    return Path("/proc/self/mountinfo").read_text().splitlines()
