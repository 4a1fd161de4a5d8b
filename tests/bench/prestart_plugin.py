"""The plugin that is measured: ``… prestart_plugin <kubelet's folder> <CDI folder>``, until its input ends."""

from __future__ import annotations

import sys
from pathlib import Path

from hetero import log
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.allocation.plugin import Plugin, Surroundings, threads
from hetero.allocation.slots import numbered
from hetero.model.allocation import ContainerEdits, Mount

RESOURCE = "acme.com/npu"
SLOTS = 200


class Pods:
    """All are alive; what they get has the size of what a vendor gives."""

    def live(self, pod_uid: str) -> bool:
        """Yes."""
        return bool(pod_uid)

    def edits(self, held: Held) -> ContainerEdits:
        """Some variables, files and devices."""
        return ContainerEdits(
            env={f"VARIABLE_{number}": f"{held.pod_uid}/{held.container}" for number in range(8)},
            mounts=tuple(Mount(host_path=f"/a/{number}", container_path=f"/b/{number}") for number in range(5)),
            device_nodes=tuple(f"/dev/acme{number}" for number in range(4)),
        )


def main(kubelet: Path, cdi: Path) -> None:
    """Serve."""
    log.configure("error")
    plugin = Plugin(RESOURCE, Pods(), Surroundings(kubelet, CdiFolder(cdi), threads()))
    plugin.offer(numbered(SLOTS, SLOTS))
    plugin.start()
    sys.stdin.read()
    plugin.stop()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
