"""The entry point of ``hetero``: says what is missing when the command line's libraries are not installed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code; see :mod:`hetero.cli.failures` for the codes."""
    _open_streams()
    try:
        from hetero.cli.group import run
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("hetero", ""):
            raise
        sys.exit(f"hetero: the command line needs {error.name}: pip install 'hetero[cli]'")
    _leave(run(sys.argv[1:] if arguments is None else arguments))


def _leave(code: int) -> NoReturn:
    """End the process. Where a driver hangs, without the destructors of libraries: its own would hang as well."""
    guard: Any = sys.modules.get("hetero.monitoring.guard")
    if guard is not None and guard.hanging():
        os._exit(code)  # what is on its way to the outputs was flushed
    sys.exit(code)


def _open_streams() -> None:
    """Give every process somewhere to write: outputs may be closed (``>&-``), or know fewer letters than we use."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 — for as long as the process lives
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
