"""A runtime that reads a CDI folder as containerd does: ``… prestart_runtime <CDI folder>``, until its input ends."""

from __future__ import annotations

import sys
from pathlib import Path

from hetero.testing.kubelet_runtime import FakeRuntime


def main(cdi: Path) -> None:
    """Read, whenever something changes."""
    with FakeRuntime(cdi):
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
