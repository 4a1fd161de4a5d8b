"""Runs the user's command as if nobody stood between: its signals, its exit code, its terminal."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from hetero.cli.failures import say

NOT_EXECUTABLE = 126
NOT_FOUND = 127

# What a terminal, a supervisor or a user sends to the process that they started.
FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
    signal.SIGWINCH,
)


@dataclass(frozen=True)
class Chore:
    """What is done every now and again while the command runs; it is quick and never raises.

    Attributes:
        action: What is done; returns the seconds until it wants to be done again.
    """

    action: Callable[[], float]


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    inherited: Sequence[int] = (),
    directory: str | None = None,
    chores: Sequence[Chore] = (),
) -> int:
    """Run a command to its end.

    Args:
        command: Program and arguments; the program is looked up in the ``PATH`` of ``environment``.
        environment: All of its variables.
        inherited: Descriptors that it keeps open.
        directory: Where it runs; None for the present directory.
        chores: Done meanwhile, by this process itself: a thread or a process of its own could outlive it.

    Returns:
        Its exit code; 128 plus the signal's number when a signal ended it; 127 and 126 when it could not be started.
    """
    waiting: list[int] = []
    with _waking() as awake, _forwarding(waiting) as target:
        try:
            child = subprocess.Popen(list(command), env=dict(environment), pass_fds=tuple(inherited), cwd=directory)
        except FileNotFoundError as error:
            missing = error.filename or command[0]
            say(f"{missing}: there is no such {'directory' if missing == directory else 'command'}")
            return NOT_FOUND
        except OSError as error:
            say(f"{command[0]}: cannot be executed: {error.strerror}")
            return NOT_EXECUTABLE
        except ValueError as error:  # a word with a zero byte, a variable with "=" in its name
            say(f"{command[0]!r}: cannot be executed: {error}")
            return NOT_EXECUTABLE
        target.append(child)
        for number in waiting:
            child.send_signal(number)
        code = _wait(child, awake, chores)
    return code if code >= 0 else 128 - code


def _wait(child: subprocess.Popen[bytes], awake: int, chores: Sequence[Chore]) -> int:
    due = [0.0 for _ in chores]
    while (code := child.poll()) is None:
        for index, chore in enumerate(chores):
            if time.monotonic() >= due[index]:
                due[index] = chore.action() + time.monotonic()
        left = max(0.0, min(due) - time.monotonic()) if due else None
        if select.select([awake], [], [], left)[0]:
            os.read(awake, 4096)
    return code


@contextlib.contextmanager
def _waking() -> Iterator[int]:
    """A descriptor that can be read after every signal.

    A signal that comes right before a system call does not end its waiting, and Python would run the handler only
    after it, with the command's end. What can be read already ends it at once.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)


@contextlib.contextmanager
def _forwarding(waiting: list[int]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Pass signals on; those that come before there is a child are kept in ``waiting``."""
    children: list[subprocess.Popen[bytes]] = []

    def forward(number: int, _: FrameType | None) -> None:
        if not children:
            waiting.append(number)
        elif not _from_terminal(number):
            # Popen knows whether the child was reaped: its pid is never used after that.
            children[0].send_signal(number)

    # What is ignored here (nohup, a job in the background) the child ignores too, and goes on.
    heard = [number for number in FORWARDED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, forward) for number in heard}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes, and lets the exit code be kept
    try:
        yield children
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _from_terminal(number: int) -> bool:
    """True for keys: the terminal sends those to the child itself, and twice would be once too often."""
    if number not in (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH):
        return False
    try:
        # By its name: standard input may be a pipe while the keys still come from the terminal.
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
