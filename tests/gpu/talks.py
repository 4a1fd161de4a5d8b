"""Programs that are talked to while they run: a line in, a line of JSON out; bare, in a slice, or by ``hetero run``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.gpu.runs import PROGRAMS

HETERO = (sys.executable, "-c", "from hetero.cli.main import main; main()")
PATIENCE = 30.0
"""Seconds for a program to end once nobody talks to it any more."""


class Talk:
    """A program that runs.

    Args:
        process: It.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Of the command itself, which may be ``hetero run``."""
        return self._process.pid

    def tell(self, line: str = "") -> None:
        """Send it a line."""
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Its next line of JSON.

        Raises:
            ValueError: It ended instead.
        """
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise ValueError(f"{self._process.args!r} ended without an answer")
        return json.loads(line)

    def ask(self, line: str = "") -> Any:
        """Send it a line, and hear the answer."""
        self.tell(line)
        return self.hear()


@contextmanager
def talking(command: tuple[str, ...], environment: Mapping[str, str]) -> Iterator[Talk]:
    """A program in the background that ends when nobody talks to it any more, and with the block at the latest."""
    process = subprocess.Popen(command, env=dict(environment), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Talk(process)
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.close()
        process.wait(PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        process.terminate()  # passed on by `hetero run`, which would leave its program behind if it were killed
        process.wait(PATIENCE)
    process.stdout.close()


def program(name: str, *words: str) -> tuple[str, ...]:
    """The command of a Python program of this folder."""
    return (sys.executable, str(PROGRAMS / name), *words)


def in_directory(directory: Path) -> dict[str, str]:
    """The environment in which ``hetero`` keeps its slices there."""
    return {**os.environ, "HETERO_RUNTIME_DIR": str(directory)}


def by_hetero(
    directory: Path,
    *command: str,
    memory: int = 2048,
    cores: int | None = None,
    priority: int = 1,
    policy: str = "cap",
) -> tuple[tuple[str, ...], dict[str, str]]:
    """What runs a command in a slice as a user does.

    Args:
        directory: The runtime directory.
        command: The program.
        memory: MiB.
        cores: Percent of the card's time; None for no limit.
        priority: 0 goes first.
        policy: Of compute: ``cap`` or ``conserve``.

    Returns:
        Command and environment.
    """
    limit = ("--cores", str(cores)) if cores is not None else ()
    words = ("run", "--memory", f"{memory}m", *limit, "--policy", policy, "--priority", str(priority), "--", *command)
    return (*HETERO, *words), in_directory(directory)


def hetero(directory: Path, *words: str) -> None:
    """Run a command of ``hetero`` to its end.

    Raises:
        subprocess.CalledProcessError: It ended badly.
    """
    subprocess.run((*HETERO, *words), env=in_directory(directory), check=True, timeout=60)
