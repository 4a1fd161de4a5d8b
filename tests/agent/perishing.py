"""Makes one slice and dies, as by SIGKILL, at a named step of it: ``perishing.py <place> <step> <pod as JSON>``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from hetero.agent import slices as module
from hetero.agent.libraries import Libraries
from hetero.agent.pods import Pod
from hetero.agent.records import Records
from hetero.agent.shares import Shares
from hetero.agent.slices import Slices
from hetero.allocation.held import Held
from hetero.enforcement import limits, region
from hetero.testing.fake import FakeEnforcement, fake_device, fake_vendor

STEPS = {
    "directory": (Records, "write"),
    "record": (region, "create"),
    "region": (limits, "write"),
    "limits": (FakeEnforcement, "prepare"),
    "instance": (Libraries, "held"),
    "library": (Libraries, "text"),
    "all": (module.cdi, "contained"),
}
"""What is there when the process dies: to what is called next."""


class Preloading(FakeEnforcement):
    """With a library, and with something that it makes on the machine."""

    def __init__(self, place: Path) -> None:
        super().__init__("fake", region=True)
        self._place = place

    def prepare(self, held: Any) -> Any:
        made = super().prepare(held)
        (self._place / "instances" / held.id).touch()
        return msgspec.structs.replace(made, preload=(str(self._place / "libfake.so"),))

    def release(self, held: Any) -> None:
        (self._place / "instances" / held.id).unlink(missing_ok=True)


def slices(place: Path) -> Slices:
    """Those of a machine below a directory."""
    from dataclasses import replace

    (place / "instances").mkdir(exist_ok=True)
    (place / "libfake.so").write_bytes(b"code")
    vendor = replace(fake_vendor("fake"), enforcement=Preloading(place))
    return Slices(Records(place / "run"), Libraries(place / "lib"), {"fake": vendor})


def edits(made: Slices, pod: bytes) -> Any:
    """The slice of the pod's container."""
    read = msgspec.json.decode(pod, type=Pod)
    held = Held(pod_uid=read.metadata.uid, container="main", resource="fake.example/npu", ids=("a",), cdi_names=())
    vendors = {"fake": fake_vendor("fake", region=True)}
    return made.edits(Shares("desk", vendors).wanted(read, held, {"fake-0": fake_device()}))


def main(place: Path, step: str, pod: str) -> None:
    """Die there."""
    owner, name = STEPS[step]
    setattr(owner, name, lambda *_, **__: os.kill(os.getpid(), 9))
    edits(slices(place), pod.encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
