"""Prepares one slice again and again in processes of their own, each dying at another line of the vendor's code.

What a crash leaves behind has to be made good by the next attempt, and to be taken away by a release without one.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from hetero.model.allocation import ContainerEdits, Slice
from hetero.vendor import Enforcement

CRASHES = 64
"""Lines at which a process is ended, at most, evenly spread over those that prepare a slice."""

_DEAD = 99

Look = Callable[[], str]
"""Tells what instances the chips have now, in one word for each state."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a process that prepared a slice left.

    Attributes:
        edits: The result.
        files: Path below the slice's directory to content; directories have none.
        hardware: What instances the chips had then.
    """

    edits: ContainerEdits
    files: dict[str, bytes]
    hardware: str = ""


class Failed(Exception):
    """A process that should have prepared the slice ended in another way."""


class Bench:
    """Starts from the same beginning each time.

    Args:
        enforcement: The vendor's.
        held: The slice; what is in its directory now is the beginning.
        look: Asked in this process, which never enforces anything itself.
    """

    def __init__(self, enforcement: Enforcement, held: Slice, look: Look = str) -> None:
        self._enforcement = enforcement
        self._held = held
        self._look = look
        self._directory = Path(held.directory)
        self._aside = Path(tempfile.mkdtemp())
        self._beginning = shutil.copytree(self._directory, self._aside / "beginning")
        self.before = look()

    def close(self) -> None:
        """Leave the slice's directory as it was."""
        self._begin()
        shutil.rmtree(self._aside)

    def written(self, watched: Callable[[Callable[[], Any]], tuple[str, ...]]) -> tuple[str, ...]:
        """What an undisturbed process changes, as ``watched`` sees it in that process."""
        return msgspec.json.decode(in_a_child(lambda: watched(self._prepare)), type=tuple[str, ...])

    def whole(self) -> tuple[Outcome, int]:
        """The outcome of an undisturbed process, and how many lines it took."""
        self._begin()
        edits, lines = msgspec.json.decode(in_a_child(self._counted), type=tuple[ContainerEdits, int])
        return self._outcome(edits), lines

    def crashes(self, lines: int) -> tuple[tuple[Outcome, ...], tuple[str, ...]]:
        """What is mended and what is left, for lines spread over all that prepare the slice."""
        at = tuple(_spread(lines))
        return tuple(map(self.mended, at)), tuple(map(self.left, at))

    def mended(self, line: int) -> Outcome:
        """The outcome after another process died before its ``line``-th line."""
        self._crash(line)
        return self._outcome(msgspec.json.decode(in_a_child(self._prepare), type=ContainerEdits))

    def left(self, line: int) -> str:
        """What the chips have when the slice of a process that died there is released, without a new attempt."""
        self._crash(line)
        in_a_child(self._release)
        return self._look()

    def _crash(self, line: int) -> None:
        def die() -> None:
            self._reset()
            _traced(self._root(), self._prepare, last=line)

        in_a_child(die, dies=True)

    def _outcome(self, edits: ContainerEdits) -> Outcome:
        return Outcome(edits=edits, files=_files(self._directory), hardware=self._look())

    def _prepare(self) -> ContainerEdits:
        return self._enforcement.prepare(self._held)

    def _release(self) -> None:
        self._enforcement.release(self._held)

    def _counted(self) -> tuple[ContainerEdits, int]:
        return _traced(self._root(), self._prepare)

    def _root(self) -> str:
        """The code that counts as the vendor's: its package, within a namespace or not, or its one module."""
        parts = type(self._enforcement).__module__.split(".")
        modules = (sys.modules.get(".".join(parts[:end])) for end in range(1, len(parts) + 1))
        files = (getattr(module, "__file__", None) for module in modules)  # a namespace has none
        top = Path(next(filter(None, files)))
        return str(top.parent) + os.sep if top.name == "__init__.py" else str(top)

    def _begin(self) -> None:
        in_a_child(self._reset)

    def _reset(self) -> None:
        """In a child: this process never enforces anything."""
        self._release()
        shutil.rmtree(self._directory)
        shutil.copytree(self._beginning, self._directory)


def in_a_child(action: Callable[[], Any], *, dies: bool = False) -> bytes:
    """Run an action in a process of its own and take what it returns, as JSON; nothing when it died as it was to.

    Raises:
        Failed: The process ended in another way than by returning or by dying as it was to.
    """
    # Unlinked on sight: neither a crash of the child nor one of this process leaves it behind.
    with tempfile.TemporaryFile(buffering=0) as answer:
        child = os.fork()
        if child == 0:
            _end(action, answer.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        answer.seek(0)
        told = answer.read()
    if status and not (dies and status == _DEAD):
        raise Failed(told.decode() or f"the process ended with {status}")
    return told


def _end(action: Callable[[], Any], answer: int) -> None:
    """The rest of a child's life: nothing of the parent's may run in it."""
    try:
        os.write(answer, msgspec.json.encode(action()))
    except BaseException as error:
        os.write(answer, f"{type(error).__name__}: {error}".encode())
        os._exit(1)
    os._exit(0)


def _traced(root: str, action: Callable[[], Any], last: int = 0) -> tuple[Any, int]:
    """Count the lines of the vendor's code that an action runs; end the process before line number ``last``."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(root):
            return None
        if event == "line":
            count += 1
            if count == last:
                os._exit(_DEAD)
        return trace

    sys.settrace(trace)
    try:
        result = action()
    finally:
        sys.settrace(None)
    return result, count


def _spread(lines: int) -> Iterator[int]:
    """Line numbers from 2: before the first line nothing can have happened."""
    yield from range(2, lines + 1, lines // CRASHES + 1)


def _files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else b""
        for path in sorted(directory.rglob("*"))
    }
