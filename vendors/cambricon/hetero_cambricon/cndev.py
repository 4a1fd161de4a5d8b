"""The door to libcndev.so: opened and started on first use, its structs filled, its answers held to what can be.

Source of functions, codes and versions: ``cndev.h`` 6.5 (mlu-exporter) and cambricon-k8s-device-plugin v2.0.23.
"""

from __future__ import annotations

import ctypes as c
import re
import threading
from typing import Any, TypeVar, cast

from hetero.driver import NONSENSE, Library, printable, text, within
from hetero.errors import DriverFailed
from hetero_cambricon import structs

S = TypeVar("S", bound=c.Structure)

LIBRARY = "libcndev.so"
ADVICE = "install Cambricon's driver, which has it"
PREFIX = "MLU-"
"""Before the driver's identity of a card, as the vendor's own plugins spell it."""

UNSUPPORTED_VERSION, UNINITIALIZED, INVALID_ARGUMENT, NO_ROOM = 3, 4, 5, 9
NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, IN_USE, DUPLICATE = 10, 13, 14, 15, 16

LACKING = (UNSUPPORTED_VERSION, NOT_SUPPORTED)
"""Codes of a question that this card or this version of the library has no answer to."""

VERSIONS = (6, 5)
"""Of structs, in the order in which they are tried: layouts of those used here are the same in both."""

_SPARE = 256
"""Bytes behind each struct: some grew between versions, and the library writes what it knows."""

_CARDS = 256
_PROCESSES = 4096
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

_P, _I, _U, _S = c.c_void_p, c.c_int32, c.c_uint32, c.c_char_p

_OF_A_CARD = (
    "cndevGetCardSN", "cndevGetUUID", "cndevGetMemoryUsageV2", "cndevGetDeviceUtilizationInfo", "cndevGetComputeMode",
    "cndevGetCardHealthState", "cndevGetCardHealthStateV2", "cndevGetNUMANodeIdByDevId", "cndevGetPCIeInfoV2",
    "cndevGetTemperatureInfo", "cndevGetDevicePowerInfo", "cndevGetMimMode", "cndevGetSMLUMode",
    "cndevGetSMluProfileIdInfo",
)  # fmt: skip
"""Functions that fill one struct about one card."""

_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(_OF_A_CARD, (_P, _I)),
    "cndevInit": (_I,),
    "cndevGetErrorString": (_I,),
    "cndevGetDeviceCount": (_P,),
    "cndevGetDeviceHandleByIndex": (_I, _P),
    "cndevGetDriverVersion": (_P, _P, _P),
    "cndevGetLibVersion": (_P,),
    "cndevGetCardNameStringByDevId": (_I,),
    "cndevGetProcessInfo": (_P, _P, _I),
    "cndevGetProcessUtilization": (_P, _P, _I),
    "cndevGetMLULinkPortNumber": (_I,),
    "cndevGetMLULinkStatusV2": (_P, _I, _I),
    "cndevGetMLULinkRemoteInfo": (_P, _I, _I),
    "cndevTopologyGetRelationship": (_P, _I, _I),
    "cndevCreateSMluProfileInfo": (_P, _P, _I),
    "cndevDestroySMluProfileInfo": (_I, _I),
    "cndevGetSMluProfileInfo": (_P, _I, _I),
    "cndevCreateSMluInstanceByProfileId": (_P, _U, _I, _S),
    "cndevDestroySMluInstanceByInstanceName": (_I, _S),
    "cndevGetSMluInstanceInfo": (_P, _I),
    "cndevGetAllSMluInstanceInfo": (_P, _P, _I),
}


class Cndev:
    """The library of this process. Threads may share it."""

    def __init__(self, library: Library | None = None) -> None:
        results = {"cndevGetErrorString": c.c_char_p, "cndevGetCardNameStringByDevId": c.c_char_p}
        self.library = library or Library((LIBRARY,), ADVICE, _FUNCTIONS, results=results, explain=self._explain)
        self._lock = threading.Lock()
        self._started = False

    # --- calls ----------------------------------------------------------------------------------------------

    def result(self, name: str, *arguments: Any) -> Any:
        """What a function returns; the library is started before the first."""
        with self._lock:
            if not self._started:
                self.library.call("cndevInit", 0)
                self._started = True
        answer = self.library.result(name, *arguments)
        if answer == UNINITIALIZED and name not in ("cndevGetMLULinkPortNumber", "cndevGetCardNameStringByDevId"):
            self._started = False  # somebody else in this process has ended it; the next question starts it again
        return answer

    def call(self, name: str, *arguments: Any) -> None:
        """Call a function that returns a code.

        Raises:
            DriverMissing: The library is not installed.
            DriverFailed: The code is not 0.
        """
        code = int(self.result(name, *arguments))
        if code:
            raise DriverFailed(name, code, self._explain(code))

    def filled(self, name: str, kind: type[S], *arguments: Any) -> S:
        """The struct that a function fills; it is the function's first argument."""
        return self.array(name, kind, 1, *arguments)[0]

    def told(self, name: str, kind: type[S], *arguments: Any) -> S | None:
        """As :meth:`filled`, but None when this version or this card has no answer."""
        try:
            return self.filled(name, kind, *arguments)
        except DriverFailed as error:
            if error.code in (*LACKING, -1):
                return None
            raise

    def array(self, name: str, kind: type[S], size: int, *arguments: Any, before: tuple[Any, ...] = ()) -> list[S]:
        """An array of structs that a function fills; the first of them tells the version of all.

        Args:
            name: The function.
            kind: Of struct.
            size: How many there is room for.
            arguments: Those after the array.
            before: Those before it.
        """
        for version in VERSIONS:
            buffer = c.create_string_buffer(size * c.sizeof(kind) + _SPARE)
            items = (kind * size).from_buffer(buffer)
            if size and hasattr(kind, "version"):
                items[0].version = version
            code = int(self.result(name, *before, c.addressof(items), *arguments))
            if code != UNSUPPORTED_VERSION:
                break
        if code:
            raise DriverFailed(name, code, self._explain(code))
        return list(items)

    # --- cards ----------------------------------------------------------------------------------------------

    def cards(self) -> int:
        """How many cards there are; a card's place among them, from 0, is its number (``/dev/cambricon_devN``)."""
        number = self.filled("cndevGetDeviceCount", structs.CardInfo).number
        return within("cndevGetDeviceCount", "cards", int(number), 0, _CARDS)

    def handle(self, place: int) -> int:
        """What the library calls the card of this place."""
        handle = c.c_int32()
        self.call("cndevGetDeviceHandleByIndex", place, c.addressof(handle))
        return handle.value

    def uuid(self, handle: int) -> str:
        """The identity of a card, with :data:`PREFIX`."""
        plain = text(self.filled("cndevGetUUID", structs.Uuid, handle).uuid)
        if not _UUID.fullmatch(plain):
            raise DriverFailed("cndevGetUUID", NONSENSE, f"it told {plain[:40]!r}, which is no identity")
        return PREFIX + plain

    def name(self, handle: int) -> str:
        """The product, such as ``MLU590-M9``."""
        call = "cndevGetCardNameStringByDevId"
        told = printable(call, "the product", self.result(call, handle))
        if not told:
            raise DriverFailed(call, NONSENSE, "the card has no name")
        return told

    def place(self, uuid: str) -> int | None:
        """Where the card with this identity is in the list; None when the driver has no such card.

        Raises:
            DriverFailed: It is none of those that could be asked, and others could not.
        """
        failed: DriverFailed | None = None
        for place in range(self.cards()):
            try:
                if self.uuid(self.handle(place)) == uuid:
                    return place
            except DriverFailed as error:
                failed = error
        if failed is not None:
            raise failed
        return None

    def processes(self, call: str, kind: type[S], handle: int) -> list[S]:
        """What a card's processes do; asked again while there are more than there was room for."""
        room = 16
        while True:
            count = c.c_uint32(room)
            try:
                found = self.array(call, kind, room, handle, before=(c.addressof(count),))
            except DriverFailed as error:
                if error.code != NO_ROOM or count.value <= room:
                    raise
                room = within(call, "processes", count.value, 0, _PROCESSES)
                continue
            return found[: within(call, "processes", count.value, 0, room)]

    # --- versions -------------------------------------------------------------------------------------------

    def driver_version(self) -> tuple[int, int, int]:
        """Of the kernel driver."""
        parts = [c.c_uint32() for _ in range(3)]
        self.call("cndevGetDriverVersion", *map(c.addressof, parts))
        return _version("cndevGetDriverVersion", *(part.value for part in parts))

    def library_version(self) -> tuple[int, int, int]:
        """Of cndev itself."""
        told = self.filled("cndevGetLibVersion", structs.LibVersionInfo)
        return _version("cndevGetLibVersion", told.libMajorVersion, told.libMinorVersion, told.libBuildVersion)

    def _explain(self, code: int) -> str:
        try:
            call = "cndevGetErrorString"
            return printable(call, "an explanation", self.library.result(call, code)) or "no explanation"
        except DriverFailed:
            return "no explanation"


def dotted(version: tuple[int, int, int]) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def _version(call: str, *parts: int) -> tuple[int, int, int]:
    held = tuple(within(call, "part of a version", int(part), 0, 9999) for part in parts)
    return cast("tuple[int, int, int]", held)
