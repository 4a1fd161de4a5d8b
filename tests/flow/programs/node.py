"""One node's part of a pod's way, on the machine that it runs on: places pods of a manifest and makes their slices.

Prints what each container would be given, as JSON, then lets go of everything and prints what is left of it.
Directories that differ from run to run are written ``$SLICE`` and ``$RUNTIME``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from hetero import plugins
from hetero.admission.asks import pod_ask
from hetero.allocation import local
from hetero.cli.manifests import read_pods
from hetero.enforcement.slices import LocalSlice, SliceStore
from hetero.model.allocation import ContainerEdits
from hetero.model.device import Device, Inventory
from hetero.model.placement import ContainerPlacement, Placement
from hetero.monitoring.guard import guarded
from hetero.monitoring.inventory import discover
from hetero.placement import Planner
from hetero.vendor import Vendor


class Node:
    """This machine.

    Args:
        vendors: By name.
        runtime: Where slices are kept.
    """

    def __init__(self, vendors: Mapping[str, Vendor], runtime: Path) -> None:
        self._vendors = guarded(vendors)
        machine = discover(self._vendors)
        self._devices: dict[str, Device] = {device.uuid: device for device in machine.devices}
        self._planner = Planner(Inventory(nodes=(machine.node,)), self._vendors)
        self._store: SliceStore = local.store(runtime, self._vendors)
        self._runtime = str(runtime)
        self._held: list[local.Prepared] = []

    def run(self, file: Path) -> dict[str, Any]:
        """Place and prepare all pods of a file, one after the other, and release them all."""
        given = [one for pod in read_pods(file) for one in self._pod(pod_ask(pod, self._vendors))]
        return {"containers": given, "left": self._release()}

    def _pod(self, ask: Any) -> Iterable[dict[str, Any]]:
        answer = self._planner.place(ask)
        if not isinstance(answer, Placement):
            yield {"pod": ask.name, "refused": next(iter(answer.refusals.values())).message}
            return
        for container in answer.containers:
            yield {"pod": ask.name, "container": container.container, **self._container(container)}

    def _container(self, placed: ContainerPlacement) -> dict[str, Any]:
        with self._store.locked():
            program = local.Program(("sleep", "infinity"))
            prepared = local.prepare(self._store, self._vendors, placed.devices, self._devices, program)
        self._held.append(prepared)
        return {
            "devices": [[share.vendor, self._devices[share.device].index, share.device] for share in placed.devices],
            "vendors": {
                one.vendor: self._given(one, edits) for one, edits in zip(prepared.slices, prepared.edits, strict=True)
            },
        }

    def _given(self, one: LocalSlice, edits: ContainerEdits) -> Any:
        files = sorted(path for path in Path(one.held.directory).rglob("*") if path.is_file())
        written = {
            str(path.relative_to(one.held.directory)): path.read_text()
            for path in files
            if path.name not in ("slice.json", "lock", "region")
        }
        text = json.dumps({**msgspec.to_builtins(edits), "files": written})
        return json.loads(text.replace(one.held.directory, "$SLICE").replace(self._runtime, "$RUNTIME"))

    def _release(self) -> list[str]:
        for prepared in self._held:
            prepared.close()
        with self._store.locked():
            return [one.held.id for one in self._store.live()]


def main(file: str) -> int:
    """Play the node for the pods of one file."""
    node = Node(plugins.load().vendors, Path(os.environ["HETERO_RUNTIME_DIR"]))
    sys.stdout.write(json.dumps(node.run(Path(file))))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
