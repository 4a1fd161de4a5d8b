"""Programs of a cluster: started with a log of their own, waited for by condition, ended by their own process id."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


class GaveUp(AssertionError):
    """A condition did not come true in time; the text has what was seen last and the tails of the logs."""


class Program:
    """A program and its log.

    Args:
        name: What it is called in messages, and its log.
        command: With all arguments.
        directory: Where its log goes.
        environment: Its variables; those of this process when None.
    """

    def __init__(
        self, name: str, command: Sequence[str], directory: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._command = list(command)
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again if it ran before; the log goes on."""
        assert not self.running, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
            )

    @property
    def running(self) -> bool:
        """True from start to end."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the running program."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Exit code of a program that ended."""
        return None if self._process is None else self._process.poll()

    def kill(self) -> None:
        """End it at whatever instruction it is."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal, e.g. to stop it for a while."""
        os.kill(self.pid, number)

    def stop(self, seconds: float = 10.0) -> int | None:
        """Ask it to end, and make it when it does not in time; its exit code."""
        if self._process is None:
            return None
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()
        return self.code

    def tail(self, lines: int = 30) -> str:
        """The end of its log, under its name."""
        text = self.log.read_text(errors="replace").splitlines()[-lines:] if self.log.exists() else []
        state = "running" if self.running else f"ended with {self.code}"
        return "\n".join([f"--- {self.name} ({state})", *(line[:400] for line in text)])


def until(
    condition: Callable[[], T], what: str, *, seconds: float, programs: Iterable[Program] = (), every: float = 0.05
) -> T:
    """Wait until the condition is true, and return its value.

    Raises:
        GaveUp: It did not become true in time, or a program that it needs has ended.
    """
    programs = list(programs)
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        ended = [program.name for program in programs if not program.running]
        if ended or time.monotonic() > deadline:
            why = f"{', '.join(ended)} ended" if ended else f"not within {seconds:g} s"
            raise GaveUp("\n".join([f"{what}: {why}", *(program.tail() for program in programs)]))
        time.sleep(every)
    return value
