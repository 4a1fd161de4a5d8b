"""The door to DCMI, the driver's library: its two families of calls, its four numberings, its codes.

A chip is addressed by card and device. The newest chips are told by a second family, ``dcmiv2_…``, in which it has one
number. Beside those there are the logic id, the position in the driver's list, and the physical id, the number in the
name of its device file. None is taken for another: each is asked for.

Source: Huawei mind-cluster, component/ascend-common/devmanager/dcmi (headers, and how its callers use them).
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

from hetero.driver import NONSENSE, Library, printable, text, within
from hetero.errors import DriverFailed
from hetero_ascend import layouts
from hetero_ascend.layouts import ChipInfo, DieId, HbmInfo, MemoryInfo, PcieInfo, ProcessInfo

LIBRARY = "libdcmi.so"

UNSUPPORTED = -8255
NO_DEVICE = -8008

CARDS = 64
PHY_IDS = 1024
VDIE = 1

# The package of the driver, and the installer's other choice.
_NAMES = (LIBRARY, "/usr/local/Ascend/driver/lib64/driver/libdcmi.so", "/usr/local/dcmi/libdcmi.so")
_ADVICE = "install the Ascend driver, or add /usr/local/Ascend/driver/lib64/driver to the loader's path"

_CODES = {
    -8001: "bad parameter",
    -8002: "no permission",
    -8003: "memory could not be copied",
    -8004: "a function of the security library failed",
    -8005: "internal error",
    -8006: "timeout",
    -8007: "invalid device",
    NO_DEVICE: "no such device",
    -8009: "the kernel module refused",
    -8010: "message not sent",
    -8011: "message not received",
    -8012: "not ready",
    -8013: "not supported in a container",
    -8014: "a file could not be used",
    -8015: "reset failed",
    -8016: "reset cancelled",
    -8017: "being upgraded",
    -8020: "occupied",
    -8022: "partitions are inconsistent",
    -8023: "configuration is missing",
    UNSUPPORTED: "not supported",
}

_INT, _UINT, _TEXT = ctypes.c_int, ctypes.c_uint, ctypes.c_char_p
_INTS, _UINTS = ctypes.POINTER(_INT), ctypes.POINTER(_UINT)
_ANY = ctypes.c_void_p

# What is asked of one chip: the arguments after those that address it, the same in both families.
_OF_A_CHIP: dict[str, tuple[Any, ...]] = {
    "chip_info": (_ANY,),
    "pcie_info": (_ANY,),
    "health": (_UINTS,),
    "errors": (_INTS, _UINTS, _UINT),
    "hbm_info": (_ANY,),
    "utilization": (_INT, _UINTS),
    "processes": (_ANY, _INTS),
    "power": (_INTS,),
    "temperature": (_INTS,),
    "cpus": (_TEXT, _INTS),
    "die": (_INT, _ANY),
}

_FIRST = {
    "chip_info": "dcmi_get_device_chip_info_v2",
    "pcie_info": "dcmi_get_device_pcie_info_v2",
    "health": "dcmi_get_device_health",
    "errors": "dcmi_get_device_errorcode_v2",
    "hbm_info": "dcmi_get_device_hbm_info",
    "utilization": "dcmi_get_device_utilization_rate",
    "processes": "dcmi_get_device_resource_info",
    "power": "dcmi_get_device_power_info",
    "temperature": "dcmi_get_device_temperature",
    "cpus": "dcmi_get_affinity_cpu_info_by_device_id",
    "die": "dcmi_get_device_die_v2",
}

_SECOND = {
    "chip_info": "dcmiv2_get_device_chip_info",
    "pcie_info": "dcmiv2_get_device_pcie_info",
    "health": "dcmiv2_get_device_health",
    "errors": "dcmiv2_get_device_error_code_list",
    "hbm_info": "dcmiv2_get_device_hbm_info",
    "utilization": "dcmiv2_get_device_utilization_rate",
    "processes": "dcmiv2_get_device_proc_mem_info",
    "power": "dcmiv2_get_device_power_info",
    "temperature": "dcmiv2_get_device_temperature",
    "cpus": "dcmiv2_get_affinity_cpu_info_by_dev_id",
    "die": "dcmiv2_get_device_die_id",
}

FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "dcmi_init": (),
    "dcmiv2_init": (),
    "dcmi_get_dcmi_version": (_TEXT, _INT),
    "dcmi_get_driver_version": (_TEXT, _UINT),
    "dcmi_get_card_list": (_INTS, _INTS, _INT),
    "dcmi_get_card_num_list": (_INTS, _INTS, _INT),
    "dcmi_get_device_id_in_card": (_INT, _INTS, _INTS, _INTS),
    "dcmi_get_device_logic_id": (_INTS, _INT, _INT),
    "dcmi_get_device_phyid_from_logicid": (_UINT, _UINTS),
    "dcmi_get_device_chip_info": (_INT, _INT, _ANY),
    "dcmi_get_device_memory_info_v3": (_INT, _INT, _ANY),
    "dcmi_get_device_info": (_INT, _INT, _INT, _UINT, _ANY, _UINTS),
    "dcmi_set_destroy_vdevice": (_INT, _INT, _UINT),
    "dcmiv2_get_device_list": (_INTS, _INTS, _INT),
    "dcmiv2_get_chip_phy_id_by_dev_id": (_UINT, _UINTS),
    **{name: (_INT, _INT, *_OF_A_CHIP[key]) for key, name in _FIRST.items()},
    **{name: (_INT, *_OF_A_CHIP[key]) for key, name in _SECOND.items()},
}
"""Every function but ``dcmi_create_vdevice``, which has two forms."""


class Address(NamedTuple):
    """A chip in the numbers by which the driver is asked about it.

    Attributes:
        card: Of the card; of the chip itself in the second family.
        device: Of the chip on its card; -1 in the second family.
    """

    card: int
    device: int


class Dcmi:
    """DCMI of this process. There is no call that closes it."""

    def __init__(self) -> None:
        self.library = Library(_NAMES, _ADVICE, FUNCTIONS, explain=self.explain)
        self._lock = threading.Lock()
        self._second: bool | None = None

    @staticmethod
    def explain(code: int) -> str:
        """What a code means, in our words: the library has none."""
        return _CODES.get(code, "unknown code")

    @property
    def second(self) -> bool:
        """True where the chips are told by the second family; the library is opened and made ready first.

        Raises:
            DriverMissing: There is no library.
            DriverFailed: The driver is not loaded.
        """
        with self._lock:
            if self._second is None:
                self._second = self._begin()
            return self._second

    def call(self, name: str, *arguments: Any) -> None:
        """As :meth:`hetero.driver.Library.call`, once the library is ready."""
        _ = self.second
        self.library.call(name, *arguments)

    def ask(self, what: str, chip: Address, *arguments: Any) -> None:
        """Ask about one chip, by the family that it is in.

        Args:
            what: A key of the tables above.
            chip: The chip.
            arguments: After those that address it.
        """
        if self.second:
            self.library.call(_SECOND[what], chip.card, *arguments)
        else:
            self.library.call(_FIRST[what], chip.card, chip.device, *arguments)

    def optional(self, what: str, chip: Address, *arguments: Any) -> bool:
        """As :meth:`ask`, but False where this driver or chip does not tell."""
        try:
            self.ask(what, chip, *arguments)
        except DriverFailed as error:
            if error.code in (UNSUPPORTED, -1):
                return False
            raise
        return True

    def chips(self) -> list[Address]:
        """All chips, in the order of the driver.

        Raises:
            DriverMissing: There is no library.
            DriverFailed: The list cannot be had.
        """
        return list(self._second_chips() if self.second else self._first_chips())

    def phy_id(self, chip: Address) -> int:
        """The number in the name of the chip's device file."""
        phy = _UINT()
        name = "dcmiv2_get_chip_phy_id_by_dev_id" if self.second else "dcmi_get_device_phyid_from_logicid"
        self.call(name, chip.card if self.second else self._logic_id(chip), ctypes.byref(phy))
        return within(name, "the physical id of a chip", phy.value, 0, PHY_IDS - 1)

    def number(self, what: str, chip: Address, kind: Any = _INT, *before: Any) -> int | None:
        """A number that is told of a chip, or None where it is not."""
        value = kind()
        return int(value.value) if self.optional(what, chip, *before, ctypes.byref(value)) else None

    def chip_name(self, chip: Address) -> str:
        """The product, in the driver's spelling.

        Raises:
            DriverFailed: It is no text.
        """
        info = layouts.room(ChipInfo)
        if not self.optional("chip_info", chip, ctypes.byref(info)):
            self.call("dcmi_get_device_chip_info", *chip, ctypes.byref(info))
        return printable("chip_info", "the product", info.chip_name)

    def die(self, chip: Address) -> str:
        """The chip's identity: the five words of its die, as the vendor writes them.

        Raises:
            DriverFailed: It has none.
        """
        die = layouts.room(DieId)
        self.ask("die", chip, VDIE, ctypes.byref(die))
        if not any(die.soc_die):
            raise DriverFailed("die", NONSENSE, "it told 0 as the identity of a chip")
        return "-".join(f"{word:08X}" for word in die.soc_die)

    def memory(self, chip: Address) -> tuple[int, int]:
        """MB that the chip has, and MB in use, by the call of its kind of memory.

        Raises:
            DriverFailed: Neither call answers, or with what cannot be.
        """
        hbm = layouts.room(HbmInfo)
        if self.optional("hbm_info", chip, ctypes.byref(hbm)) and hbm.memory_size:
            return _sane("hbm_info", hbm.memory_size, hbm.memory_usage)
        ddr = layouts.room(MemoryInfo)
        self.call("dcmi_get_device_memory_info_v3", *chip, ctypes.byref(ddr))
        return _sane("memory_info_v3", ddr.memory_size, ddr.memory_size - ddr.memory_available)

    def bus(self, chip: Address) -> str:
        """Address on the bus (``0000:c1:00.0``); empty where it is not told."""
        info = layouts.room(PcieInfo)
        if not self.optional("pcie_info", chip, ctypes.byref(info)):
            return ""
        parts = (info.domain & 0xFFFF, info.bdf_busid & 0xFF, info.bdf_deviceid & 0x1F, info.bdf_funcid & 7)
        return "{:04x}:{:02x}:{:02x}.{:x}".format(*parts)

    def cpus(self, chip: Address) -> str:
        """Processors that are near (``0-23``); empty where they are not told."""
        buffer, length = ctypes.create_string_buffer(1024), _INT(1024)
        return text(buffer) if self.optional("cpus", chip, buffer, ctypes.byref(length)) else ""

    def errors(self, chip: Address) -> list[int]:
        """Codes of the faults that the chip has."""
        count, codes = _INT(), (_UINT * 128)()
        if not self.optional("errors", chip, ctypes.byref(count), codes, len(codes)):
            return []
        return list(codes[: within("errorcode", "number of errors", count.value, 0, len(codes))])

    def processes(self, chip: Address) -> list[ProcessInfo]:
        """Who uses the chip. The driver takes no count and writes 32 entries at most; here is room for twice that."""
        count, entries = _INT(), (ProcessInfo * (2 * layouts.PROCESSES))()
        if not self.optional("processes", chip, ctypes.cast(entries, _ANY), ctypes.byref(count)):
            return []
        return list(entries[: within("resource_info", "number of processes", count.value, 0, layouts.PROCESSES)])

    def driver_version(self) -> str:
        """Of the driver; empty where the library does not tell."""
        return self._version("dcmi_get_driver_version")

    def api_version(self) -> str:
        """Of the library."""
        return self._version("dcmi_get_dcmi_version")

    def _version(self, name: str) -> str:
        buffer = ctypes.create_string_buffer(256)
        if self.second or not self.library.optional(name, buffer, len(buffer), lacking=(UNSUPPORTED,)):
            return ""
        return printable(name, "a version", buffer)

    def _begin(self) -> bool:
        """Make the library ready; the second family is tried where the first says that it is not for this machine."""
        if not self.library.has("dcmi_init") and not self.library.has("dcmiv2_init"):
            raise DriverFailed("dcmi_init", -1, f"{LIBRARY} has neither dcmi_init nor dcmiv2_init: another version")
        if self.library.has("dcmi_init") and self.library.optional("dcmi_init", lacking=(UNSUPPORTED,)):
            return False
        self.library.call("dcmiv2_init")
        return True

    def _first_chips(self) -> Iterator[Address]:
        for card in self._cards():
            devices, mcu, cpu = _INT(), _INT(), _INT()
            self.call("dcmi_get_device_id_in_card", card, *map(ctypes.byref, (devices, mcu, cpu)))
            for device in range(within("device_id_in_card", "number of chips", devices.value, 0, CARDS)):
                yield Address(card, device)

    def _cards(self) -> list[int]:
        number, cards = _INT(), (_INT * CARDS)()
        if not self.library.optional("dcmi_get_card_list", ctypes.byref(number), cards, CARDS, lacking=(UNSUPPORTED,)):
            self.call("dcmi_get_card_num_list", ctypes.byref(number), cards, CARDS)  # of older drivers
        return list(cards[: within("card_list", "number of cards", number.value, 0, CARDS)])

    def _second_chips(self) -> Iterator[Address]:
        number, devices = _INT(), (_INT * CARDS)()
        self.call("dcmiv2_get_device_list", devices, ctypes.byref(number), CARDS)
        for device in devices[: within("device_list", "number of chips", number.value, 0, CARDS)]:
            yield Address(device, -1)

    def _logic_id(self, chip: Address) -> int:
        logic = _INT()
        self.call("dcmi_get_device_logic_id", ctypes.byref(logic), *chip)  # what it tells comes first, here alone
        return within("logic_id", "the logic id of a chip", logic.value, 0, PHY_IDS - 1)


def _sane(call: str, size: int, used: int) -> tuple[int, int]:
    size = within(call, "MB of memory", size, 1, 1 << 24)
    return size, within(call, "MB of memory in use", used, 0, size)
