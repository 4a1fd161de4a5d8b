"""Programs that run on a node: started by ``nsenter``, signalled by their own process id."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.processes import Program, until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def command(pid: int, words: Sequence[str]) -> list[str]:
    """The command line that runs ``words`` in all namespaces of a process but its user's, from ``/``."""
    kinds = ["--mount", "--uts", "--ipc", "--net", "--pid"]
    return ["nsenter", "--target", str(pid), *kinds, "env", "-i", f"PATH={PATH}", "HOME=/root", *words]


def child_of(pid: int) -> int:
    """The only child of a process; 0 while it has none."""
    try:
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
    except (OSError, IndexError):
        return 0


class Entered(Program):
    """A program on a node, and its log here.

    Args:
        name: Of its log.
        pid: Of the process whose namespaces it enters.
        words: Its command line.
        directory: Where its log goes.
    """

    def __init__(self, name: str, pid: int, words: Sequence[str], directory: Path) -> None:
        super().__init__(name, command(pid, words), directory)

    @property
    def pid(self) -> int:
        """Of the program itself, which ``nsenter`` waits for."""
        return until(lambda: child_of(super(Entered, self).pid), f"{self.name} runs", seconds=20)

    def kill(self) -> None:
        """End it at whatever instruction it is."""
        self._send(signal.SIGKILL)
        # Not nsenter before it has collected its child: nobody else would, and a node with a zombie does not end.
        self._ended(20)
        super().kill()

    def stop(self, seconds: float = 10.0) -> int | None:
        """Ask it to end, and make it when it does not in time; its exit code."""
        self._send(signal.SIGTERM)
        self._ended(seconds)
        self.kill()
        return self.code

    def _ended(self, seconds: float) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)

    def _send(self, number: int) -> None:
        if self.running and (child := child_of(super().pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)
