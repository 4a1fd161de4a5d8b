"""The door to NVML: the library opened on first use, and its errors as ours.

Source: nvml.h, API version 13, by its official binding ``nvidia-ml-py`` (module ``pynvml``).
"""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path
from typing import Any

import pynvml

from hetero import driver
from hetero.errors import DriverFailed, DriverMissing

LIBRARY = "libnvidia-ml.so.1"

_ADVICE = "install the NVIDIA driver, or check that its libraries are on the loader's path"


class Nvml:
    """NVML of this process. Threads may share it: NVML is thread-safe, and opening it is guarded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of the library, opening it first if need be.

        Args:
            name: The function, e.g. ``nvmlDeviceGetCount``.
            arguments: As the binding takes them.

        Raises:
            DriverMissing: The library is not installed.
            DriverFailed: The function answered an error or a text that is none, or this driver does not have it.
        """
        self._initialise()
        return _translated(name, *arguments)

    def optional(self, name: str, *arguments: Any) -> Any | None:
        """As :meth:`call`, but None when this device or driver does not support the function."""
        try:
            return self.call(name, *arguments)
        except DriverFailed as error:
            if error.code in (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND):
                return None
            raise

    def _initialise(self) -> None:
        with self._lock:
            if not self._open:
                _load_from_path()
                _translated("nvmlInit")
                self._open = True


def _load_from_path() -> None:
    """Load the library from where :data:`hetero.driver.PATH` says, and give it to the binding.

    The binding would ask the loader by name, which does not find one that was built under another name.
    """
    for directory in os.environ.get(driver.PATH, "").split(":"):
        library = Path(directory, LIBRARY)
        if directory and library.exists():
            try:
                pynvml.nvmlLib = ctypes.CDLL(str(library))
            except OSError as error:
                raise DriverFailed(f"opening {library}", driver.ABSENT, str(error)) from error
            return


def _translated(name: str, *arguments: Any) -> Any:
    try:
        return getattr(pynvml, name)(*arguments)
    except pynvml.NVMLError as error:
        code = int(error.value)
        if code == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            raise DriverMissing(LIBRARY, _ADVICE) from error
        absent = code == pynvml.NVML_ERROR_FUNCTION_NOT_FOUND
        raise DriverFailed(
            name, code, f"{LIBRARY} does not have it: another version" if absent else str(error)
        ) from error
    except UnicodeError as error:  # by the binding, which decodes what the library wrote
        raise DriverFailed(name, driver.NONSENSE, "it told a text that is none") from error


def text(value: str | bytes) -> str:
    """Strings of the binding, which are bytes in some of its releases."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def told(call: str, value: str | bytes) -> str:
    """A string that a call told, which must be something.

    Raises:
        DriverFailed: It is empty: the driver answers, but writes nothing.
    """
    if not text(value).strip():
        raise DriverFailed(call, driver.NONSENSE, "it told nothing, and no error")
    return text(value)
