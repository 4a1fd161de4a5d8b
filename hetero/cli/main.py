"""The entry point of ``hetero``: says what is missing when the command line's libraries are not installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code; see :mod:`hetero.cli.failures` for the codes."""
    try:
        from hetero.cli.group import run
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("hetero", ""):
            raise
        sys.exit(f"hetero: the command line needs {error.name}: pip install 'hetero[cli]'")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
