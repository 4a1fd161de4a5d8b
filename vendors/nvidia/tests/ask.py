"""Answers questions about the GPUs that this process sees, one line of JSON each.

NVML belongs to a process and is never closed, so a test that wants another machine starts another process::

    python ask.py DIRECTORY QUESTION...

Questions are ``driver``, ``devices``, ``sample``, and ``health:<card>=<value>``, which changes ``cards.conf`` in the
directory as an accident would change the machine. An error of hetero's is ``{"kind": ..., "text": ...}``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from hetero_nvidia.discovery import NvmlDiscovery

from hetero import log
from hetero.errors import HeteroError


def main(directory: Path, questions: list[str]) -> None:
    """Answer all questions by one discovery, which remembers what it saw."""
    log.configure()
    # The PCI devices of the machine below are not those of the simulated one.
    discovery = NvmlDiscovery(sysfs=directory / "no-sysfs")
    for question in questions:
        try:
            found = _injure(directory, question) if ":" in question else getattr(discovery, question)()
        except HeteroError as error:
            found = {"kind": type(error).__name__, "text": str(error)}
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


def _injure(directory: Path, question: str) -> None:
    card, health = question.removeprefix("health:").split("=")
    before, *cards = (directory / "cards.conf").read_text().split("[card]")
    lines = cards[int(card)].splitlines()
    cards[int(card)] = "\n".join(f"health = {health}" if line.startswith("health") else line for line in lines) + "\n"
    # Replaced rather than rewritten: a reader must never see half a file.
    fresh = directory / "cards.conf.new"
    fresh.write_text("[card]".join([before, *cards]))
    fresh.replace(directory / "cards.conf")


main(Path(sys.argv[1]), sys.argv[2:])
