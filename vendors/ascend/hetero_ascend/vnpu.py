"""vNPUs of the driver: listed, made by template, destroyed.

The function that makes one has two forms, and no way to tell which of them a library has: old drivers take the number
and the name of the template as arguments, those of today a struct. It goes by the driver's version; the variable
``HETERO_ASCEND_CREATE`` (``today`` or ``old``) decides otherwise.

Source: Huawei mind-cluster, component/ascend-common/devmanager/dcmi, in its releases of either form.
"""

from __future__ import annotations

import ctypes
import os
import re

from hetero.driver import Library, text, within
from hetero.errors import DriverFailed
from hetero_ascend import layouts, modes
from hetero_ascend.dcmi import LIBRARY, NO_DEVICE, Address, Dcmi
from hetero_ascend.layouts import Made, Total, VdevInfo, VdevQuery, Wanted

FORM_VARIABLE = "HETERO_ASCEND_CREATE"

FIRST_OF_TODAY = 22
"""Major version of the driver from which the struct is taken. No source says it; drivers of 21 have the old form."""

FIRST_ID = 100
IDS_PER_CHIP = 16

_CREATE = "dcmi_create_vdevice"
_VDEV_MNG = 52
_ONE, _TOTAL = 0, 1
_NAME = 15  # characters of a template's name that a query tells

_INT = ctypes.c_int
_TODAY = {_CREATE: (_INT, _INT, ctypes.POINTER(Wanted), ctypes.POINTER(Made))}
_OLD = {_CREATE: (_INT, _INT, _INT, ctypes.c_char_p, ctypes.POINTER(Made))}


class Vnpus:
    """The vNPUs of this machine.

    Args:
        dcmi: The library.
    """

    def __init__(self, dcmi: Dcmi) -> None:
        self._dcmi = dcmi
        names, advice = dcmi.library.names, f"install the driver, which has {LIBRARY}"
        self._today = Library(names, advice, _TODAY, explain=dcmi.explain)
        self._old = Library(names, advice, _OLD, explain=dcmi.explain)

    def ids(self, chip: Address) -> list[int]:
        """Numbers of the vNPUs that there are on a chip, whoever made them."""
        total = layouts.room(Total)
        self._query(chip, _TOTAL, total, Total)
        number = within("vNPUs of a chip", "their number", total.vdev_num, 0, layouts.VDEVS)
        return sorted(total.vdev_id[:number])

    def one(self, chip: Address, number: int) -> VdevInfo | None:
        """What a vNPU is; None when there is none of that number."""
        query = layouts.room(VdevQuery)
        query.vdev_id = number
        try:
            self._query(chip, _ONE, query, VdevQuery)
        except DriverFailed as error:
            if error.code == NO_DEVICE:
                return None
            raise
        info: VdevInfo = query.query_info
        return info

    def make(self, chip: Address, number: int, template: str) -> int:
        """Make a vNPU of that number; an old driver may choose another.

        Returns:
            Its number.

        Raises:
            DriverFailed: The driver refused.
        """
        made = layouts.room(Made)
        if self.old:
            made.vdev_id = number
            self._ready(self._old).call(_CREATE, *chip, number, template.encode(), ctypes.byref(made))
        else:
            wanted = Wanted(vdev_id=number, vfg_id=layouts.ANY, template_name=template.encode())
            self._ready(self._today).call(_CREATE, *chip, ctypes.byref(wanted), ctypes.byref(made))
        return within(_CREATE, "the number of a vNPU", made.vdev_id, FIRST_ID, 1124)

    def destroy(self, chip: Address, number: int) -> None:
        """It is gone afterwards, whether or not it was there.

        Raises:
            DriverFailed: The driver refused, e.g. because a container has it.
        """
        try:
            self._dcmi.call("dcmi_set_destroy_vdevice", *chip, number)
        except DriverFailed as error:
            if error.code != NO_DEVICE:
                raise

    @property
    def old(self) -> bool:
        """True where the driver takes the old form."""
        chosen = os.environ.get(FORM_VARIABLE, "")
        if chosen in ("old", "today"):
            return chosen == "old"
        match = re.match(r"\s*(\d+)\.", modes.driver_version(self._dcmi))
        return match is not None and int(match[1]) < FIRST_OF_TODAY

    def _ready(self, library: Library) -> Library:
        _ = self._dcmi.second  # made ready once for all that opened it
        return library

    def _query(self, chip: Address, sub: int, out: ctypes.Structure, kind: type[ctypes.Structure]) -> None:
        size = ctypes.c_uint(ctypes.sizeof(kind))
        self._dcmi.call("dcmi_get_device_info", *chip, _VDEV_MNG, sub, ctypes.byref(out), ctypes.byref(size))


def is_of(info: VdevInfo, template: str) -> bool:
    """True when a vNPU is of that template, as far as the driver tells: it cuts long names."""
    return text(info.name) == template[:_NAME]


def first_id(phy: int) -> int:
    """The lowest number of the vNPUs of a chip."""
    return FIRST_ID + IDS_PER_CHIP * phy
