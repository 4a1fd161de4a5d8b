"""The door to ``librocm_smi64.so.2`` of Hygon's driver: telemetry and topology, of both generations.

The older generation (2.8, of DTK) and the newer (of hyhal) differ in which functions there are and in how large some
outputs are. The newer one is known by ``rsmi_dev_cu_num_get``; outputs have room for either.

Source: dcu-dcgm and hcu-dcgm (b223b72), headers of pkg/dcgm/include; public rocm_smi.h for the memory's block number.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any

from hetero.driver import NONSENSE, Library, printable, within
from hetero.errors import DriverFailed
from hetero_hygon.codes import RSMI
from hetero_hygon.memory import SPARE, room

LIBRARY = "librocm_smi64.so.2"
NAMES = (
    LIBRARY,
    "librocm_smi64.so",
    "/opt/hyhal/lib/librocm_smi64.so.2",
    "/opt/dtk/lib/librocm_smi64.so.2",
    "/opt/hygondriver/lib/librocm_smi64.so.2",
)
ADVICE = "install Hygon's driver (its libraries lie in /opt/hyhal/lib), or put them on the loader's path"

CARDS = 64
"""Of a machine, at most: a larger number is no number of cards."""

LACKING = frozenset({2, 9, 18})
"""Codes of a card or library that does not have what was asked: NOT_SUPPORTED, NOT_YET_IMPLEMENTED, and
SETTING_UNAVAILABLE."""

NOT_FOUND = 10
INSUFFICIENT_SIZE = 11

PCIE, XGMI = 1, 2
_MEMORY_BLOCK = 1  # RSMI_GPU_BLOCK_UMC
_VRAM = 0
_SERIAL = 128


class Version(ctypes.Structure):
    """``rsmi_version_t``, 24 bytes."""

    _fields_ = (("major", c_uint32), ("minor", c_uint32), ("patch", c_uint32), ("build", c_char_p))


class ProcessInfo(ctypes.Structure):
    """``rsmi_process_info_t``, 32 bytes in both generations. Sizes are bytes."""

    _fields_ = (
        ("process_id", c_uint32),
        ("pasid", c_uint32),
        ("vram_usage", c_uint64),
        ("sdma_usage", c_uint64),
        ("cu_occupancy", c_uint32),
    )


class ErrorCount(ctypes.Structure):
    """``rsmi_error_count_t``: 16 bytes in the older generation, 64 in the newer; both begin with these."""

    _fields_ = (("correctable", c_uint64), ("uncorrectable", c_uint64))


# Outputs are pointers of any kind: what is behind them is larger than the type says.
_OUT = c_void_p
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "rsmi_init": (c_uint64,),
    "rsmi_num_monitor_devices": (_OUT,),
    "rsmi_version_get": (_OUT,),
    "rsmi_dev_id_get": (c_uint32, _OUT),
    "rsmi_dev_name_get": (c_uint32, _OUT, c_size_t),
    "rsmi_dev_serial_number_get": (c_uint32, _OUT, c_uint32),
    "rsmi_dev_unique_id_get": (c_uint32, _OUT),
    "rsmi_dev_pci_id_get": (c_uint32, _OUT),
    "rsmi_topo_numa_affinity_get": (c_uint32, _OUT),
    "rsmi_dev_drm_render_minor_get": (c_uint32, _OUT),
    "rsmi_dev_memory_total_get": (c_uint32, c_int, _OUT),
    "rsmi_dev_memory_usage_get": (c_uint32, c_int, _OUT),
    "rsmi_dev_busy_percent_get": (c_uint32, _OUT),
    "rsmi_dev_power_ave_get": (c_uint32, c_uint32, _OUT),
    "rsmi_dev_temp_metric_get": (c_uint32, c_uint32, c_int, _OUT),
    "rsmi_dev_ecc_count_get": (c_uint32, c_uint64, _OUT),
    "rsmi_compute_process_info_get": (_OUT, POINTER(c_uint32)),
    "rsmi_compute_process_gpus_get": (c_uint32, _OUT, POINTER(c_uint32)),
    "rsmi_topo_get_link_type": (c_uint32, c_uint32, _OUT, _OUT),
    "rsmi_dev_cu_num_get": (c_uint32, _OUT),
    "rsmi_dev_xhcl_link_number_get": (c_uint32, _OUT),
    "rsmi_dev_xhcl_link_remote_bdfid_get": (c_uint32, c_uint32, _OUT),
}


def explain(code: int) -> str:
    """A status in the words of the header; all of them are unsigned."""
    return RSMI[code] if code < len(RSMI) else "UNKNOWN_ERROR"


class RocmSmi:
    """librocm_smi64 of this process, initialised on first use. Threads may share it."""

    def __init__(self) -> None:
        # Unsigned, so that the unknown error 0xFFFFFFFF is not taken for a function that is absent.
        results = dict.fromkeys(FUNCTIONS, c_uint32)
        self.library = Library(NAMES, ADVICE, FUNCTIONS, results=results, explain=explain)
        self._lock = threading.Lock()
        self._up = False

    @property
    def newer(self) -> bool:
        """True for the generation of hyhal."""
        return self.library.has("rsmi_dev_cu_num_get")

    def version(self) -> str:
        """Of the library."""
        version = room(Version)
        self._call("rsmi_version_get", byref(version))
        numbers = [within("rsmi_version_get", "version", one, 0, 9999) for one in self._numbers(version)]
        return ".".join(map(str, numbers))

    def count(self) -> int:
        """Cards that the library lists; those of another maker may be among them."""
        count = room(c_uint32)
        self._call("rsmi_num_monitor_devices", byref(count))
        return within("rsmi_num_monitor_devices", "number of cards", count.value, 0, CARDS)

    def device_id(self, card: int) -> int:
        """PCI device id."""
        return int(self._one("rsmi_dev_id_get", c_uint16, card))

    def name(self, card: int) -> str:
        """Product in the library's spelling; empty when it has none."""
        buffer = ctypes.create_string_buffer(256 + SPARE)
        self._optional("rsmi_dev_name_get", card, buffer, 256)
        return printable("rsmi_dev_name_get", "the product", buffer)

    def serial(self, card: int) -> str:
        """Serial number; empty when the card has none."""
        buffer = ctypes.create_string_buffer(_SERIAL + SPARE)
        self._optional("rsmi_dev_serial_number_get", card, buffer, _SERIAL)
        return _serial(printable("rsmi_dev_serial_number_get", "serial number", buffer))

    def unique_id(self, card: int) -> int:
        """The chip's own number; 0 when it has none."""
        return int(self._one("rsmi_dev_unique_id_get", c_uint64, card, default=0))

    def bus(self, card: int) -> str:
        """Address on the bus, as ``0000:3b:00.0``."""
        return address(int(self._one("rsmi_dev_pci_id_get", c_uint64, card)))

    def numa(self, card: int) -> int:
        """NUMA node; -1 when there is none. Signed in the newer generation, and read so in both."""
        found = self._one("rsmi_topo_numa_affinity_get", c_int32, card, default=-1)
        return within("rsmi_topo_numa_affinity_get", "NUMA node", int(found), -1, 1023)

    def render_minor(self, card: int) -> int:
        """``<N>`` of ``/dev/dri/renderD<N>``; -1 when the library does not say."""
        return int(self._one("rsmi_dev_drm_render_minor_get", c_int32, card, default=-1))

    def memory(self, card: int) -> int:
        """Bytes of memory of this very card."""
        name = "rsmi_dev_memory_total_get"
        return within(name, "memory", self._one(name, c_uint64, card, _VRAM), 1 << 20, 1 << 50)

    def memory_used(self, card: int) -> int:
        """Bytes in use."""
        name = "rsmi_dev_memory_usage_get"
        return within(name, "memory in use", self._one(name, c_uint64, card, _VRAM), 0, 1 << 50)

    def busy(self, card: int) -> int:
        """Percent of time with work; -1 when the library does not say."""
        name = "rsmi_dev_busy_percent_get"
        return within(name, "percentage", self._one(name, c_int32, card, default=-1), -1, 100)

    def temperature(self, card: int) -> int | None:
        """Degrees Celsius, rounded down."""
        name = "rsmi_dev_temp_metric_get"
        found = self._one(name, c_int64, card, 0, 0, default=None)
        return None if found is None else within(name, "millidegrees", found, -100_000, 300_000) // 1000

    def power(self, card: int) -> float | None:
        """Watts on average, as the library averages."""
        name = "rsmi_dev_power_ave_get"
        found = self._one(name, c_uint64, card, 0, default=None)
        return None if found is None else within(name, "microwatts", found, 0, 10**10) / 1e6

    def uncorrected(self, card: int) -> int:
        """Errors of memory that could not be corrected; 0 when they are not counted."""
        counts = room(ErrorCount)
        self._optional("rsmi_dev_ecc_count_get", card, _MEMORY_BLOCK, byref(counts))
        return int(counts.uncorrectable)

    def compute_units(self, card: int) -> int:
        """Compute units; 0 when this generation does not say."""
        name = "rsmi_dev_cu_num_get"
        return within(name, "compute units", self._one(name, c_int, card, default=0), 0, 4096)

    def link(self, card: int, peer: int) -> int:
        """:data:`PCIE` or :data:`XGMI`; 0 when the library does not know how two cards reach each other."""
        hops, kind = room(c_uint64), room(c_int)
        self._optional("rsmi_topo_get_link_type", card, peer, byref(hops), byref(kind))
        return within("rsmi_topo_get_link_type", "kind of link", kind.value, 0, 16)

    def peers(self, card: int) -> list[str]:
        """Bus address of the peer of each direct link of a card; nothing when this generation does not say."""
        name = "rsmi_dev_xhcl_link_number_get"
        count = within(name, "number of links", self._one(name, c_uint32, card, default=0), 0, CARDS)
        ends = (self._one("rsmi_dev_xhcl_link_remote_bdfid_get", c_uint64, card, link) for link in range(count))
        return [address(int(end)) for end in ends]

    def processes(self) -> list[tuple[int, int]]:
        """Process id and bytes in use, on all cards together, of each process that uses one."""
        name = "rsmi_compute_process_info_get"
        found = self._list(name, ProcessInfo, lambda *output: (name, *output))
        return [(int(one.process_id), int(one.vram_usage)) for one in found]

    def cards_of(self, pid: int) -> list[int]:
        """The cards that a process uses; nothing when it has ended."""
        name = "rsmi_compute_process_gpus_get"
        return [one.value for one in self._list(name, _Card, lambda *output: (name, pid, *output))]

    def _list(self, name: str, kind: Any, arguments: Callable[..., tuple[Any, ...]]) -> list[Any]:
        """Ask how many there are, and then for those; more may have come in between, and wait for the next time."""
        count = c_uint32()
        if not self._optional(*arguments(None, byref(count)), lacking={*LACKING, NOT_FOUND}):
            return []
        size = within(name, "number of entries", count.value, 0, 1 << 16)
        entries = room(kind, max(size, 2))
        self._optional(*arguments(byref(entries), byref(count)), lacking={*LACKING, NOT_FOUND, INSUFFICIENT_SIZE})
        return list(entries[: min(size, count.value)])

    def _one(self, name: str, kind: Any, card: int, *arguments: int, **default: Any) -> Any:
        """The one number that a call writes; the default, where there is one, when the card does not have it."""
        output = room(kind)
        if default and not self._optional(name, card, *arguments, byref(output)):
            return default["default"]
        if not default:
            self._call(name, card, *arguments, byref(output))
        return output.value

    def _call(self, name: str, *arguments: Any) -> None:
        self._initialise()
        self.library.call(name, *arguments)

    def _optional(self, name: str, *arguments: Any, lacking: Any = LACKING) -> bool:
        self._initialise()
        return self.library.optional(name, *arguments, lacking=lacking)

    def _initialise(self) -> None:
        with self._lock:
            if not self._up:
                self.library.call("rsmi_init", 0)
                self._up = True

    @staticmethod
    def _numbers(version: Version) -> tuple[int, int, int]:
        return version.major, version.minor, version.patch


class _Card(ctypes.Structure):
    _fields_ = (("value", c_uint32),)


def address(number: int) -> str:
    """A bus address of the library's, written as the kernel writes it.

    Source: rocm_smi.h, ``rsmi_dev_pci_id_get``: domain in the upper 32 bits, bus 8, device 5, function 3.
    """
    return f"{number >> 32:04x}:{number >> 8 & 0xFF:02x}:{number >> 3 & 0x1F:02x}.{number & 7}"


def _serial(found: str) -> str:
    """A serial number that can stand in an annotation between commas.

    Raises:
        DriverFailed: It cannot.
    """
    if "," in found or " " in found:
        raise DriverFailed("rsmi_dev_serial_number_get", NONSENSE, f"it told {found!r} as serial number")
    return found
