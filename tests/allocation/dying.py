"""Binds one container again and again, in processes that are killed at another line each time.

A program of its own: it forks, which a process with gRPC's threads must not. It prints how many lines there were, and
ends with an error when what a killed process left behind was not made good by the next one.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from checkpoints import written

from hetero import log
from hetero.allocation import cdi, cdi_folder, checkpoint, latebinding, openings
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.allocation.latebinding import LateBinding
from hetero.model.allocation import ContainerEdits
from hetero.testing import places

RESOURCE = "acme.com/npu"
HELD = [
    Held(pod_uid=pod, container=container, resource=RESOURCE, ids=("a", "b"), cdi_names=(f"hetero.io/slice={name}",))
    for pod, container, name in (
        ("pod", "warm-up", cdi.device(["a", "b"], "00000001")),
        ("pod", "main", cdi.device(["a", "b"], "00000002")),
    )
]
WATCHED = (cdi_folder.__file__, openings.__file__, latebinding.__file__, __file__)


class Pods:
    """Each container is told who it is."""

    def live(self, pod_uid: str) -> bool:
        """All are."""
        return bool(pod_uid)

    def edits(self, held: Held) -> ContainerEdits:
        """Its name."""
        variables = {"CONTAINER": held.container}
        return ContainerEdits(env=variables)


def bind(place: Path) -> None:
    """What a process does that starts, and is asked at once."""
    folder = CdiFolder(place / "cdi", patience=0.0)
    folder.prepare()
    late = LateBinding(RESOURCE, Pods(), place / checkpoint.NAME, folder, lambda *_: None)
    late.start(["b", "a"])


def killed_at(line: int, place: Path) -> bool:
    """Bind in a process that is killed at this line of its work; False when it was done before."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in WATCHED:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        bind(place)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, f"the process failed before line {line}"
    return False


def expected() -> dict[str, bytes]:
    """The files that there are in the end."""
    names = {held.cdi_names[0].partition("=")[2]: held for held in HELD}
    return {cdi.file_name(name): cdi.spec(name, Pods().edits(held)) for name, held in names.items()}


def files(place: Path) -> dict[str, bytes]:
    """All that is in the folder."""
    found = (place / "cdi").iterdir() if (place / "cdi").exists() else ()
    return {path.name: path.read_bytes() for path in found}


def main() -> None:
    """Kill at the first line, the second, and so on, from an empty folder each time."""
    log.configure("error")
    line, wrong = 0, False
    while not wrong:
        with places.folder() as place:
            (place / checkpoint.NAME).write_bytes(written(HELD))
            if not killed_at(line + 1, place):
                break
            line += 1
            left = files(place)
            wrong = any(left[name] != text for name, text in expected().items() if name in left)
            bind(place)
            wrong = wrong or files(place) != expected()
    sys.stdout.write(str(line))
    sys.exit(f"killed at line {line}, not made good" if wrong else 0)


if __name__ == "__main__":
    main()
