"""Where the native files of hetero are: the preload library, the simulated drivers, the small programs."""

from __future__ import annotations

from pathlib import Path

_LIB = Path(__file__).parent / "lib"


def library(name: str) -> Path:
    """The path of a library, e.g. ``library("sim/libexample.so.1")``.

    Raises:
        FileNotFoundError: This installation does not have it.
    """
    return _found(_LIB / name)


def program(name: str) -> Path:
    """The path of one of the small programs.

    Raises:
        FileNotFoundError: This installation does not have it.
    """
    return _found(_LIB / "bin" / name)


def _found(path: Path) -> Path:
    if path.exists():
        return path
    raise FileNotFoundError(f"{path} is not there; build and install hetero-native (in a checkout: make build)")
