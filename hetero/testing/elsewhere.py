"""The vendor's package in a process of its own, and what this process sees of the chips meanwhile."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from hetero.model import wire
from hetero.model.allocation import ContainerEdits, Slice
from hetero.testing.probe import Answer
from hetero.testing.subject import Subject

PATIENCE_S = 300.0
"""Seconds after which such a process is ended. It is there for one that waits for good; none is meant to come near."""


@dataclass(frozen=True)
class Elsewhere:
    """A slice as another process prepared it, and as this one does.

    Attributes:
        answer: What was seen of the other process.
        directory: The slice's.
        here: The result of this process, after the other's; None when the package cannot be used.
    """

    answer: Answer
    directory: Path
    here: ContainerEdits | None


_SEEN: dict[type[Subject], Elsewhere] = {}


def elsewhere(subject: Subject) -> Elsewhere:
    """What the package does in a process of its own; asked once for each kind of subject."""
    kind = type(subject)
    if kind not in _SEEN:
        with subject.surrounded():
            _SEEN[kind] = _looked_at(subject)
    return _SEEN[kind]


def _looked_at(subject: Subject) -> Elsewhere:
    grants = max(subject.holdings(), key=len)  # of several devices, so that it can die between two of them
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as aside:
        held = subject.slice_of("conformance-elsewhere", grants, directory)
        answer = _probed(subject, held, Path(aside))
        here = subject.vendor.enforcement.prepare(held) if answer.whole else None
        subject.vendor.enforcement.release(held)
        return Elsewhere(answer, Path(held.directory), here)


def _probed(subject: Subject, held: Slice, aside: Path) -> Answer:
    asked, asks = os.pipe()
    answer, complaints = aside / "answer", aside / "stderr"
    command = [sys.executable, "-B", "-m", "hetero.testing.probe", subject.package, subject.vendor.name]
    with complaints.open("w") as errors, os.fdopen(asked) as questions:
        child = subprocess.Popen(
            [*command, str(answer), str(asks)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,  # a package may print
            stderr=errors,
            pass_fds=[asks],
            text=True,
        )
        os.close(asks)
        with ended_after(child, PATIENCE_S):
            _serve(subject, held, questions, child.stdin)
    assert child.returncode == 0, complaints.read_text()
    return msgspec.json.decode(answer.read_bytes(), type=Answer)


def _serve(subject: Subject, held: Slice, questions: IO[str], answers: IO[str] | None) -> None:
    """Give the process its slice, and tell it what the chips have whenever it asks."""
    assert answers is not None
    with contextlib.suppress(BrokenPipeError), answers:
        answers.write(f"{wire.encode(held)}\n")
        answers.flush()
        for _ in questions:
            answers.write(f"{msgspec.json.encode(repr(subject.hardware())).decode()}\n")
            answers.flush()


@contextlib.contextmanager
def ended_after(child: subprocess.Popen[str], seconds: float) -> Iterator[None]:
    """Wait for a process at the end of the block, and end it when it does not end by itself."""
    timer = threading.Timer(seconds, child.kill)
    timer.start()
    try:
        yield
        child.wait()
    finally:
        timer.cancel()
        child.kill()
        child.wait()
