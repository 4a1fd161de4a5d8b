"""The entry point of ``hetero``: says what is missing when the command line's libraries are not installed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C has ended: 128 and the number of the signal."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code; see :mod:`hetero.cli.failures` for the codes."""
    _open_streams()
    try:
        run = _command_line()
        _leave(run(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:  # while modules are loaded, before or after the command has its own way to end
        _leave(INTERRUPTED)


def _command_line() -> Callable[[Sequence[str]], int]:
    """What runs a command; loading it is most of what a short command takes."""
    try:
        from hetero.cli.group import run
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("hetero", ""):
            raise
        sys.exit(f"hetero: the command line needs {error.name}: pip install 'hetero[cli]'")
    return run


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
