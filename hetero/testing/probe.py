"""What a vendor's package does in a process of its own: ``python -m hetero.testing.probe <package> <vendor> <answer>``.

The process imports the package as the core does, watches it by Python's audit events, lets it register, and then
prepares a slice again and again, each time dying at another line of the package: what a crash leaves behind has to
be made good by the next attempt. The slice is read from standard input; the answer is a file with an
:class:`Answer`, because a package may print.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from hetero import plugins
from hetero.hookspecs import PROJECT
from hetero.model import wire
from hetero.model.allocation import ContainerEdits, Slice
from hetero.vendor import Enforcement

CRASHES = 64
"""Lines at which a process is ended, at most, evenly spread over those that prepare a slice."""

_WRITES = {
    "os.mkdir": 0,
    "os.rename": 1,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.link": 1,
    "os.symlink": 1,
    "os.truncate": 0,
}
_STARTS = (
    "subprocess.",
    "os.fork",
    "os.posix_spawn",
    "os.exec",
    "os.system",
    "socket.connect",
    "socket.bind",
)
_PROGRAM = (".py", ".pyc", ".so")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a process that prepared a slice left.

    Attributes:
        edits: The result.
        files: Path below the slice's directory to content; directories have none.
    """

    edits: ContainerEdits
    files: dict[str, bytes]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen.

    Attributes:
        opened: Libraries that the import asked the dynamic loader for, found or not, and those that it mapped.
        started: Processes and connections begun by the import, and threads that live on after it.
        read: Files read by the vendors' hook, beyond modules.
        registered: Vendors that the package registers.
        failure: Why the plugin cannot be used; empty when it can.
        complaint: How preparing failed; empty when it did not.
        written: Files and directories that preparing changed.
        whole: Of an undisturbed process.
        mended: Of processes each of which came after one that died.
    """

    opened: tuple[str, ...]
    started: tuple[str, ...]
    read: tuple[str, ...]
    registered: tuple[str, ...]
    failure: str
    complaint: str = ""
    written: tuple[str, ...] = ()
    whole: Outcome | None = None
    mended: tuple[Outcome, ...] = ()


class Watch:
    """Python's audit events while it is on. There is no way to take a hook out again, so it is switched off."""

    def __init__(self) -> None:
        self._events: list[tuple[str, tuple[Any, ...]]] = []
        self._on = False
        sys.addaudithook(self._see)

    def during(self, action: Callable[[], Any]) -> list[tuple[str, tuple[Any, ...]]]:
        """The events of an action."""
        self._events.clear()
        self._on = True
        try:
            action()
        finally:
            self._on = False
        return list(self._events)

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._on:
            self._events.append((event, arguments))


def main(package: str, vendor: str, answer: str) -> None:
    """Do everything once and write the answer."""
    held = wire.decode(sys.stdin.read(), Slice)
    watch = Watch()
    entry = EntryPoint(name=vendor, value=package, group=PROJECT)
    imported = watch.during(entry.load)
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    registered = watch.during(getattr(entry.load(), "hetero_register_vendors", tuple))
    found = plugins.load([entry])
    seen = Answer(
        opened=tuple(sorted({*_libraries(imported), *_mapped()})),
        started=(*(event for event, _ in imported if event.startswith(_STARTS)), *threads),
        read=tuple(path for path, _ in _opened_files(registered) if not path.endswith(_PROGRAM)),
        registered=tuple(found.vendors),
        failure="; ".join(map(str, found.failures.values())),
    )
    if vendor in found.vendors:
        seen = _with_preparing(seen, watch, found.vendors[vendor].enforcement, held)
    Path(answer).write_bytes(msgspec.json.encode(seen))


def _with_preparing(seen: Answer, watch: Watch, enforcement: Enforcement, held: Slice) -> Answer:
    bench = Bench(enforcement, held)
    try:
        written = bench.written(watch)
        whole, lines = bench.whole()
        mended = tuple(bench.mended(line) for line in _spread(lines))
    except Failed as error:
        return msgspec.structs.replace(seen, complaint=str(error))
    finally:
        bench.close()
    return msgspec.structs.replace(seen, written=written, whole=whole, mended=mended)


class Failed(Exception):
    """A process that should have prepared the slice ended in another way."""


class Bench:
    """Prepares one slice in child processes, from the same beginning each time."""

    def __init__(self, enforcement: Enforcement, held: Slice) -> None:
        self._enforcement = enforcement
        self._held = held
        self._directory = Path(held.directory)
        self._aside = Path(tempfile.mkdtemp())
        self._beginning = shutil.copytree(self._directory, self._aside / "beginning")

    def close(self) -> None:
        """Leave the slice's directory as it was."""
        self._begin()
        shutil.rmtree(self._aside)

    def written(self, watch: Watch) -> tuple[str, ...]:
        """What an undisturbed process changes."""
        return msgspec.json.decode(
            self._child(lambda: tuple(_changed(watch.during(lambda: self._enforcement.prepare(self._held))))),
            type=tuple[str, ...],
        )

    def whole(self) -> tuple[Outcome, int]:
        """The outcome of an undisturbed process, and how many lines it took."""
        self._begin()
        edits, lines = msgspec.json.decode(self._child(self._counted), type=tuple[ContainerEdits, int])
        return Outcome(edits=edits, files=_files(self._directory)), lines

    def mended(self, line: int) -> Outcome:
        """The outcome after another process died before its ``line``-th line."""
        self._begin()
        self._child(lambda: _traced(self._root(), self._prepare, last=line), dies=True)
        edits = msgspec.json.decode(self._child(self._prepare), type=ContainerEdits)
        return Outcome(edits=edits, files=_files(self._directory))

    def _prepare(self) -> ContainerEdits:
        return self._enforcement.prepare(self._held)

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
        self._child(lambda: self._enforcement.release(self._held))
        shutil.rmtree(self._directory)
        shutil.copytree(self._beginning, self._directory)

    def _child(self, action: Callable[[], Any], *, dies: bool = False) -> bytes:
        """Run an action in a process of its own and take what it returns, unless it is to die."""
        answer = self._aside / "answer"
        answer.unlink(missing_ok=True)
        child = os.fork()
        if child == 0:
            _end(action, answer)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status and not (dies and status == _DEAD):
            raise Failed(answer.read_text() if answer.exists() else f"the process ended with {status}")
        return answer.read_bytes() if answer.exists() else b""


_DEAD = 99


def _end(action: Callable[[], Any], answer: Path) -> None:
    """The rest of a child's life: nothing of the parent's may run in it."""
    try:
        answer.write_bytes(msgspec.json.encode(action()))
    except BaseException as error:
        answer.write_text(f"{type(error).__name__}: {error}")
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


def _libraries(events: list[tuple[str, tuple[Any, ...]]]) -> Iterator[str]:
    yield from (Path(os.fsdecode(name)).name for event, (name, *_) in events if event == "ctypes.dlopen" and name)


def _mapped() -> Iterator[str]:
    lines = Path("/proc/self/maps").read_text().splitlines()
    yield from (Path(line.split(maxsplit=5)[-1]).name for line in lines if "/" in line)


def _opened_files(events: list[tuple[str, tuple[Any, ...]]]) -> Iterator[tuple[str, int]]:
    for event, arguments in events:
        if event == "open" and isinstance(arguments[0], str | bytes):
            yield os.fsdecode(arguments[0]), arguments[2]


def _changed(events: list[tuple[str, tuple[Any, ...]]]) -> Iterator[str]:
    """Absolute paths, without the kernel's own: a driver is spoken to by opening its device file."""
    paths = [path for path, flags in _opened_files(events) if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)]
    paths += [os.fsdecode(arguments[_WRITES[event]]) for event, arguments in events if event in _WRITES]
    yield from (path for path in map(os.path.realpath, paths) if not path.startswith(("/dev/", "/proc/")))


if __name__ == "__main__":
    main(*sys.argv[1:])
