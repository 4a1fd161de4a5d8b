"""The door to a vendor's driver library, by ctypes: opened on first use, its codes as our errors.

Drivers add and drop functions between versions, so a function is looked up when it is called, and one that this driver
lacks is an answer like any other. What a library writes is not to be trusted blindly either: :func:`text`,
:func:`printable` and :func:`within` hold it to something that can be.

Two variables say where things are, for those whose machine is mounted somewhere else, and for simulated ones:

``HETERO_DRIVER_PATH``
    Directories, separated by colons, in which libraries are looked for before the loader's own places.
``HETERO_HOST_ROOT_<VENDOR>``, else ``HETERO_HOST_ROOT``
    Where the machine's files are: ``/host`` when its ``/sys`` is at ``/host/sys``.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hetero.errors import DriverFailed, DriverMissing

PATH = "HETERO_DRIVER_PATH"
ROOT = "HETERO_HOST_ROOT"

ABSENT = -1
"""Code of an error about a function that this version of the library does not have, or of a library that is broken."""

NONSENSE = -2
"""Code of an error about an answer that cannot be true."""

_SHOWN = 40
"""Characters that an error shows of what is no text."""

Prototype = tuple[Any, ...]
"""Types of a function's arguments, as ``argtypes``."""


class Library:
    """A driver library of this process. Threads may share it.

    Args:
        names: Files that it goes by, in the order in which they are tried.
        advice: What to install when there is none.
        functions: Name of each function to the types of its arguments.
        results: Name of a function to the type of its result, where that is no ``int``.
        explain: A code in the library's own words; called once it is open. 0 is success.
    """

    def __init__(
        self,
        names: Sequence[str],
        advice: str,
        functions: Mapping[str, Prototype],
        *,
        results: Mapping[str, Any] | None = None,
        explain: Callable[[int], str] = str,
    ) -> None:
        self.names = tuple(names)
        self._advice = advice
        self._functions = functions
        self._results = results or {}
        self._explain = explain
        self._lock = threading.Lock()
        self._opened: ctypes.CDLL | None = None

    def open(self) -> ctypes.CDLL:
        """The library, opened if it is not yet. One that could not be opened is tried again the next time.

        Raises:
            DriverMissing: There is none.
            DriverFailed: There is one, which the loader does not take.
        """
        with self._lock:
            if self._opened is None:
                self._opened = self._load()
            return self._opened

    @property
    def path(self) -> str:
        """The file that was opened; the name that was asked for where the kernel does not tell."""
        opened = self.open()
        try:
            mapped = Path("/proc/self/maps").read_text().splitlines()
        except OSError:
            mapped = []
        name = Path(opened._name).name
        files = [line.split(maxsplit=5)[5] for line in mapped if line.rpartition("/")[2].startswith(name)]
        return files[0] if files else opened._name

    def has(self, name: str) -> bool:
        """True when this version has the function.

        Raises:
            DriverMissing: There is no library.
            DriverFailed: The loader does not take it.
        """
        return hasattr(self.open(), name)

    def result(self, name: str, *arguments: Any) -> Any:
        """What a function returns, whatever that is.

        Raises:
            DriverMissing: There is no library.
            DriverFailed: The library cannot be used, or does not have the function.
        """
        opened = self.open()
        try:
            function = getattr(opened, name)
        except AttributeError as error:
            raise DriverFailed(name, ABSENT, f"{Path(opened._name).name} does not have it: another version") from error
        function.argtypes = self._functions[name]
        function.restype = self._results.get(name, ctypes.c_int)
        return function(*arguments)

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns a code.

        Raises:
            DriverMissing: There is no library.
            DriverFailed: The code is not 0, or the function cannot be called.
        """
        code = self.result(name, *arguments)
        if code:
            raise DriverFailed(name, code, self._explain(code))

    def optional(self, name: str, *arguments: Any, lacking: Collection[int] = ()) -> bool:
        """As :meth:`call`, but False when the function is not there or answers one of the codes ``lacking``."""
        try:
            self.call(name, *arguments)
        except DriverFailed as error:
            if error.code == ABSENT or error.code in lacking:
                return False
            raise
        return True

    def _load(self) -> ctypes.CDLL:
        for name in self._candidates():
            try:
                return ctypes.CDLL(name, mode=ctypes.RTLD_LOCAL)
            except OSError as error:
                # The loader says the same of a library that this one needs: only of its own name does it mean "none".
                if not (str(error).startswith(f"{name}:") and "No such file" in str(error)):
                    raise DriverFailed(f"opening {name}", ABSENT, str(error)) from error
        raise DriverMissing(self.names[0], self._advice)

    def _candidates(self) -> list[str]:
        directories = [part for part in os.environ.get(PATH, "").split(":") if part]
        placed = [os.path.join(directory, name) for directory in directories for name in self.names]  # noqa: PTH118
        return [name for name in placed if os.path.exists(name)] + list(self.names)  # noqa: PTH110


def text(buffer: Any) -> str:
    """A string that a library wrote into an array of characters, or returned."""
    raw = bytes(buffer) if buffer is not None else b""
    return raw.partition(b"\0")[0].decode(errors="replace").strip()


def printable(call: str, what: str, buffer: Any) -> str:
    """As :func:`text`, for what people are shown: nothing but printable ASCII, and maybe nothing at all.

    Args:
        call: The function that told it.
        what: What it is, for the error (``"the version of the driver"``).
        buffer: As for :func:`text`.

    Raises:
        DriverFailed: With :data:`NONSENSE`, when there is anything else in it.
    """
    told = text(buffer)
    if not told.isascii() or not told.isprintable():
        raise DriverFailed(call, NONSENSE, f"it told {told[:_SHOWN]!a} as {what}, which is no text")
    return told


def within(call: str, what: str, value: int, low: int, high: int) -> int:
    """A number that a library told, held to what it can be.

    Raises:
        DriverFailed: With :data:`NONSENSE`, when it cannot.
    """
    if not low <= value <= high:
        raise DriverFailed(call, NONSENSE, f"it told {value} as {what}, which is from {low} to {high}")
    return value


def host(vendor: str, path: str) -> Path:
    """Where an absolute path of the machine is found by this process.

    What a container is given is named by the path on the machine itself; this one is for looking.
    """
    root = os.environ.get(f"{ROOT}_{vendor.upper().replace('-', '_')}") or os.environ.get(ROOT) or "/"
    return Path(root, path.lstrip("/"))
