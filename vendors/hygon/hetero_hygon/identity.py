"""Which card is which: identities that outlive a restart, and the library's numbers for them.

A card's identity is its serial number, as text: serial numbers have letters in them, and where they are numbers these
are not the library's. A serial number that several cards share, or none, identifies no card; then the chip's unique
number does, and a card without either has no identity that could be given to it.
"""

from __future__ import annotations

from collections import Counter

from hetero.driver import NONSENSE
from hetero.errors import DriverError, DriverFailed
from hetero_hygon.names import IDENTITY
from hetero_hygon.rocm_smi import RocmSmi


def identities(smi: RocmSmi) -> list[str | DriverError]:
    """The identity of each card in the order of the library, or why it cannot be told.

    Raises:
        DriverError: The library cannot be asked at all.
    """
    serials = [_serial(smi, card) for card in range(smi.count())]
    times = Counter(serial for serial in serials if isinstance(serial, str))
    return [
        serial if not isinstance(serial, str) else _identity(smi, card, serial if times[serial] == 1 else "")
        for card, serial in enumerate(serials)
    ]


def number_of(smi: RocmSmi, identity: str) -> int:
    """The library's number for a card.

    Raises:
        DriverFailed: There is no such card now.
    """
    known = identities(smi)
    if identity not in known:
        raise DriverFailed("rsmi_dev_serial_number_get", NONSENSE, f"no card of this machine is {identity}")
    return known.index(identity)


def _serial(smi: RocmSmi, card: int) -> str | DriverError:
    try:
        return smi.serial(card)
    except DriverError as error:
        return error


def _identity(smi: RocmSmi, card: int, serial: str) -> str | DriverError:
    if serial.strip("0"):
        return f"{IDENTITY}{serial}"
    try:
        unique = smi.unique_id(card)
    except DriverError as error:
        return error
    if unique:
        return f"{IDENTITY}{unique:016x}"
    return DriverFailed("rsmi_dev_unique_id_get", NONSENSE, "the card has no serial number of its own, and no other")
