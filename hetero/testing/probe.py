"""What a vendor's package does in a process of its own: ``python -m hetero.testing.probe <package> <vendor> <answer>``.

The process imports the package as the core does, watches it by Python's audit events, lets it register, asks for
the devices, and then prepares a slice on a :class:`~hetero.testing.bench.Bench`. The slice is read from standard
input; the answer is a file with an :class:`Answer`, because a package may print. A fourth argument is a descriptor: a
line written to it asks what instances the chips have, which the next line of standard input tells.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import msgspec

from hetero import plugins
from hetero.errors import HeteroError
from hetero.hookspecs import PROJECT
from hetero.model import wire
from hetero.model.allocation import Slice
from hetero.model.device import Device
from hetero.testing.bench import Bench, Failed, Look, Outcome, in_a_child
from hetero.vendor import Vendor

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


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen.

    Attributes:
        opened: Libraries that the import asked the dynamic loader for, found or not, and those that it mapped.
        started: Processes and connections begun by the import, and threads that live on after it.
        read: Files read by the vendors' hook, beyond modules.
        registered: Vendors that the package registers.
        failure: Why the plugin cannot be used; empty when it can.
        devices: Those that a process found which did nothing else.
        complaint: How preparing failed; empty when it did not.
        written: Files and directories that preparing changed.
        whole: Of an undisturbed process.
        mended: Of processes each of which came after one that died.
        before: What instances the chips had at the beginning.
        left: What they had each time after a process had died and another one had released the slice.
    """

    opened: tuple[str, ...]
    started: tuple[str, ...]
    read: tuple[str, ...]
    registered: tuple[str, ...]
    failure: str
    devices: tuple[Device, ...] = ()
    complaint: str = ""
    written: tuple[str, ...] = ()
    whole: Outcome | None = None
    mended: tuple[Outcome, ...] = ()
    before: str = ""
    left: tuple[str, ...] = ()


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


def main(package: str, vendor: str, answer: str, asking: str = "") -> None:
    """Do everything once and write the answer."""
    held = wire.decode(sys.stdin.readline(), Slice)
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
        seen = _with_preparing(seen, watch, found.vendors[vendor], held, _looking(asking))
    Path(answer).write_bytes(msgspec.json.encode(seen))


def _looking(asking: str) -> Look:
    """How this process learns what the chips have: another one is asked, which has seen no crash."""

    def look() -> str:
        os.write(int(asking), b"?\n")
        return msgspec.json.decode(sys.stdin.readline(), type=str)

    return look if asking else str


def _with_preparing(seen: Answer, watch: Watch, vendor: Vendor, held: Slice, look: Look) -> Answer:
    bench = Bench(vendor.enforcement, held, look)
    try:
        devices = msgspec.json.decode(in_a_child(lambda: _found(vendor)), type=tuple[Device, ...])
        written = bench.written(lambda prepare: tuple(_changed(watch.during(prepare))))
        whole, lines = bench.whole()
        mended, left = bench.crashes(lines)
    except Failed as error:
        return msgspec.structs.replace(seen, complaint=str(error))
    finally:
        bench.close()
    return msgspec.structs.replace(
        seen, devices=devices, written=written, whole=whole, mended=mended, before=bench.before, left=left
    )


def _found(vendor: Vendor) -> tuple[Device, ...]:
    try:
        return tuple(vendor.discovery.devices())
    except HeteroError:
        return ()


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
