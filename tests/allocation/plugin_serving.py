"""A plugin in a process of its own, to be killed: ``plugin_serving.py <kubelet's folder> <CDI folder> <file>``.

While the file is there a container's slice takes for ever to make.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.allocation.plugin import Plugin, Surroundings, threads
from hetero.allocation.slots import numbered
from hetero.model.allocation import ContainerEdits

RESOURCE = "acme.com/npu"


class Pods:
    """Each container is told who it is."""

    def __init__(self, slow: Path) -> None:
        self._slow = slow

    def live(self, pod_uid: str) -> bool:
        """All are."""
        return bool(pod_uid)

    def edits(self, held: Held) -> ContainerEdits:
        """Its name, by and by."""
        while self._slow.exists():
            self._slow.write_text("asked")
            threading.Event().wait(0.01)
        return ContainerEdits(env={"CONTAINER": f"{held.pod_uid}/{held.container}"})


def main(kubelet: Path, cdi: Path, slow: Path) -> None:
    """Serve until SIGTERM."""
    folder = CdiFolder(cdi)
    folder.prepare()
    plugin = Plugin(RESOURCE, Pods(slow), Surroundings(kubelet, folder, threads()))
    plugin.offer(numbered(3, 3))
    plugin.start()
    signal.sigwait([signal.SIGTERM])
    plugin.stop()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main(*map(Path, sys.argv[1:]))
