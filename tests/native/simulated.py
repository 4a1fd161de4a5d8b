"""A simulated machine without the command line: cards, and programs on them with the preload library."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build/native"

DRIVER = "driver_version = 580.159.04\ncuda_version = 13.0\n"

CARD = """
[card]
uuid = GPU-7c5a1f02-4a9b-5d3e-8f10-2b6c9d0e1a3{index}
name = NVIDIA GeForce RTX 3060
memory_mib = {memory}
pci = 00000000:0{index}:00.0
minor = {index}
context_mib = {context}
ns_per_iteration = 1000
"""


def uuid(index: int) -> str:
    """The identity of a simulated card."""
    return f"GPU-7c5a1f02-4a9b-5d3e-8f10-2b6c9d0e1a3{index}"


@dataclass
class Machine:
    """A simulated machine.

    Attributes:
        directory: Its state.
        variables: What programs on it find in their environment.
    """

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)

    def cards(self, *memory: int, context: int = 0) -> None:
        """Give it cards of so many MiB each."""
        cards = [CARD.format(index=index, memory=size, context=context) for index, size in enumerate(memory)]
        (self.directory / "cards.conf").write_text(DRIVER + "".join(cards))

    def virtual(self, *settings: str) -> None:
        """Give it one card and a clock of its own: seconds of it pass in a moment."""
        lines = "".join(f"{line}\n" for line in ("clock = virtual", *settings))
        card = CARD.format(index=0, memory=12288, context=0)
        (self.directory / "cards.conf").write_text(DRIVER + lines + card)
        self.variables["LD_PRELOAD"] = f"{BUILD / 'libvgpu.so'}:{BUILD / 'sim/libsimclock.so'}"

    def environment(self, **limits: str) -> dict[str, str]:
        """The environment of a program in a slice with these limits."""
        return {**self.variables, **limits}

    def run(self, *command: str, **limits: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; the small programs are on its path."""
        return subprocess.run(
            list(command), env=self.environment(**limits), capture_output=True, text=True, check=False, timeout=600
        )

    def start(self, *command: str, stdin: int | None = None, **limits: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            list(command), env=self.environment(**limits), stdin=stdin, stdout=subprocess.PIPE, text=True
        )

    def bare(self) -> Machine:
        """The same machine without the preload library."""
        kept = {name: value for name, value in self.variables.items() if name != "LD_PRELOAD"}
        return Machine(self.directory, kept)


def machine_in(directory: Path) -> Machine:
    """A machine with one card of 12 GiB whose contexts take nothing, and a slice whose region is ``region``."""
    made = Machine(
        directory,
        {
            "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}",
            "HETERO_SIM_DIR": str(directory),
            "LD_LIBRARY_PATH": str(BUILD / "sim"),
            "LD_PRELOAD": str(BUILD / "libvgpu.so"),
            "CUDA_DEVICE_MEMORY_SHARED_CACHE": str(directory / "region"),
        },
    )
    made.cards(12288)
    return made
