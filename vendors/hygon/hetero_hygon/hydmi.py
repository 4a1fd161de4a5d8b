"""The door to ``libhydmi.so.1``: vDCUs, made, stopped and removed.

There is no call that initialises the library: the first one does, and what came of it holds for the life of the
process. So the library is not asked anything before the driver's device file is there.

Source: dcu-dcgm, header and export table of libhydmi 1.5.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char, c_int, c_int32, c_uint64, c_void_p
from typing import Any

from hetero.driver import ABSENT, Library, host, within
from hetero.errors import DriverFailed
from hetero_hygon.codes import DMI
from hetero_hygon.memory import room
from hetero_hygon.names import VENDOR

LIBRARY = "libhydmi.so.1"
NAMES = (LIBRARY, "libhydmi.so", "/opt/hyhal/lib/libhydmi.so.1", "/opt/dtk/lib/libhydmi.so.1")
ADVICE = "install Hygon's driver with its libhydmi (it lies in /opt/hyhal/lib), or put it on the loader's path"

DEVICE_FILE = "/dev/mkfd"

OPEN_FAILED, NOT_EXIST, BUSY, PERMISSION, SMI_INIT_ERROR = 3, 15, 17, 19, 22

_ADVICE = {
    6: "the card is in MIG mode, or the library takes this process to be in a container; vDCUs are made on the machine",
    10: "a card whose compute units are shared, not divided, gives no vDCU with units of its own",
    11: "vDCUs that others made may be there: hy-smi virtual -show-vdevice-info lists them",
    17: "a program still uses it",
    19: "vDCUs are made by root",
    OPEN_FAILED: "the library keeps this answer; restart hetero once the driver is loaded",
    SMI_INIT_ERROR: "the library keeps this answer; restart hetero once the driver is loaded",
}


class DeviceInfo(ctypes.Structure):
    """``dmiDeviceInfo``, 296 bytes. Sizes are bytes; ``device_id`` is the card's number."""

    _fields_ = (
        ("name", c_char * 256),
        ("compute_unit_count", c_int32),
        ("global_mem_size", c_uint64),
        ("usage_mem_size", c_uint64),
        ("container_id", c_uint64),
        ("device_id", c_int32),
    )


FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "dmiGetDeviceCount": (POINTER(c_int),),
    "dmiGetDeviceInfo": (c_int, c_void_p),
    "dmiGetMaxVDeviceCount": (POINTER(c_int),),
    "dmiCreateVDevices": (c_int, c_int, POINTER(c_int), POINTER(c_int)),
    "dmiDestroySingleVDevice": (c_int,),
    "dmiStartVDevice": (c_int,),
    "dmiStopVDevice": (c_int,),
}


def explain(code: int) -> str:
    """A status in the words of the header, and what to do."""
    word = DMI[code] if 0 <= code < len(DMI) else "UNKNOWN"
    return f"{word}: {_ADVICE[code]}" if code in _ADVICE else word


class Hydmi:
    """libhydmi of this process. Threads may share it."""

    def __init__(self) -> None:
        self.library = Library(NAMES, ADVICE, FUNCTIONS, explain=explain)

    def most(self) -> int:
        """How many vDCUs a card can have; 0 where the library takes itself to be in a container, and makes none."""
        count = c_int()
        self._call("dmiGetMaxVDeviceCount", byref(count))
        return within("dmiGetMaxVDeviceCount", "vDCUs of a card", count.value, 0, 64)

    def compute_units(self, card: int) -> int:
        """Compute units of a card; 0 when the library does not say."""
        info = room(DeviceInfo)
        self._call("dmiGetDeviceInfo", card, byref(info))
        return within("dmiGetDeviceInfo", "compute units", info.compute_unit_count, 0, 4096)

    def create(self, card: int, units: int, memory: int) -> None:
        """Make a vDCU. Which number it got is not told: see :mod:`hetero_hygon.instances`.

        Args:
            card: Number of the card.
            units: Compute units.
            memory: MiB, where the library's own figures are bytes.
        """
        self._call("dmiCreateVDevices", card, 1, byref(c_int(units)), byref(c_int(memory)))

    def start(self, vdev: int) -> None:
        """Let programs use a vDCU."""
        self._call("dmiStartVDevice", vdev)

    def destroy(self, vdev: int) -> None:
        """Stop a vDCU and remove it; one that is not there is removed already.

        Raises:
            DriverFailed: With :data:`BUSY` while a program uses it.
        """
        for name in ("dmiStopVDevice", "dmiDestroySingleVDevice"):
            try:
                self._call(name, vdev)
            except DriverFailed as error:
                if error.code != NOT_EXIST:
                    raise

    def _call(self, name: str, *arguments: Any) -> None:
        self.library.open()
        if not host(VENDOR, DEVICE_FILE).exists():
            raise DriverFailed(name, ABSENT, f"{DEVICE_FILE} is not there: load the driver's kernel modules")
        self.library.call(name, *arguments)
