"""Answers questions about the cards that this process sees, one line of JSON each: ``python elsewhere.py QUESTION...``.

A library stays in a process once it is there, so a test that wants another, or none, starts another process. Questions
are those of discovery, and ``check``; ``prepare`` and ``release`` are about the slice in the environment variable
``SLICE``.
"""

from __future__ import annotations

import os
import sys

import msgspec
from hetero_hygon.discovery import DcuDiscovery
from hetero_hygon.enforcement import DriverEnforcement

from hetero import log
from hetero.errors import HeteroError
from hetero.model import wire
from hetero.model.allocation import Slice


def main(questions: list[str]) -> None:
    """Answer all; an error of hetero's is ``{"kind": ..., "text": ...}``."""
    log.configure()
    discovery, enforcement = DcuDiscovery(), DriverEnforcement()
    for question in questions:
        try:
            if question in ("prepare", "release"):
                found = getattr(enforcement, question)(wire.decode(os.environ["SLICE"], Slice))
            elif question == "check":
                found = list(enforcement.check())
            else:
                found = getattr(discovery, question)()
        except HeteroError as error:
            found = {"kind": type(error).__name__, "text": str(error)}
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        sys.stdout.flush()


main(sys.argv[1:])
