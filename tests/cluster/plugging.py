"""A device plugin by itself, in a process on a node: each container is told who it is, and nothing is looked up.

``python -m tests.cluster.plugging``; while ``/run/refuse`` is there, containers have to wait for the reason in it. At
SIGTERM it writes what the calls took.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from hetero import instruments, metrics
from hetero.allocation import cdi_folder
from hetero.allocation.api import methods
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.allocation.plugin import Plugin, Surroundings, threads
from hetero.allocation.slots import numbered
from hetero.errors import Unbound
from hetero.model.allocation import ContainerEdits, DeviceNode, Mount

RESOURCE = "acme.com/npu"
SLOTS = 40
REFUSE = Path("/run/refuse")
ODD = "two\nlines = \"quoted\" $HOME 'ünï'"


class Pods:
    """All are alive, and each container is to find itself, a device and a file."""

    def live(self, pod_uid: str) -> bool:
        """Yes."""
        return bool(pod_uid)

    def edits(self, held: Held) -> ContainerEdits:
        """What a slice has, as far as a runtime cares."""
        if REFUSE.exists():
            raise Unbound(REFUSE.read_text())
        return ContainerEdits(
            env={"MINE": f"{held.pod_uid}/{held.container}", "ODD": ODD},
            mounts=(Mount(host_path="/etc/hostname", container_path="/etc/hetero/limits"),),
            device_nodes=(DeviceNode(host_path="/dev/zero", container_path="/dev/acme0"),),
        )


def main() -> None:
    """Serve until SIGTERM."""
    folder = CdiFolder(Path(cdi_folder.FOLDER))
    folder.prepare()
    plugin = Plugin(RESOURCE, Pods(), Surroundings(Path(methods.FOLDER), folder, threads()))
    plugin.offer(numbered(SLOTS, SLOTS))
    plugin.start()
    signal.sigwait([signal.SIGTERM])
    plugin.stop()
    print(instruments.exposition([metrics.prestart_seconds, metrics.cdi_files, metrics.registrations]), flush=True)
    sys.exit(0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main()
