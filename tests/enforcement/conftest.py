"""Slices of one fake device, programs that hold them, and a simulated machine whose real runtime reads regions."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from simulated import Machine, machine_in

from hetero.enforcement.slices import LocalSlice
from hetero.model.allocation import Grant, Slice
from hetero.model.share import Share
from hetero.testing.fake import fake_device


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with one card of 12 GiB whose slice has the region ``region``, if any."""
    return machine_in(tmp_path)


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., LocalSlice]:
    """``record("a")`` is the record of a slice of that id."""

    def make(slice_id: str, vendor: str = "fake") -> LocalSlice:
        grant = Grant(device=fake_device(), share=Share(quantities={"memory": 1024}))
        held = Slice(id=slice_id, grants=(grant,), directory=str(tmp_path / slice_id))
        return LocalSlice(vendor=vendor, held=held, command=("sleep", "1"), created_ns=1)

    return make


class Script:
    """A Python program that talks by lines; whoever waits for it gets an end of file after a minute."""

    def __init__(self, code: str, words: Sequence[str], inherited: Sequence[int]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=tuple(inherited),
        )
        self._alarm = threading.Timer(60, self.process.kill)
        self._alarm.start()

    def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def tell(self, line: str = "") -> None:
        """Give it a line."""
        assert self.process.stdin
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def end(self) -> int:
        """Close its input and wait for its end."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(timeout=600)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self.process.pid > 0
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=600)

    def close(self) -> None:
        """Leave nothing behind."""
        self._alarm.cancel()
        if self.process.poll() is None:
            self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


@pytest.fixture
def script() -> Iterator[Callable[..., Script]]:
    """``script(code, *words, inherited=[...])`` starts a program; those still running at the end are killed."""
    started: list[Script] = []

    def start(code: str, *words: str, inherited: Sequence[int] = ()) -> Script:
        started.append(Script(code, words, inherited))
        return started[-1]

    yield start
    for one in started:
        one.close()
