"""The files ``/etc/vdev/vdev<N>.conf``, in which the driver's library describes each vDCU of the machine.

Source: libhydmi 1.5; newer ones add lines (of encryption), so only the known ones are read and all are passed on.
"""

from __future__ import annotations

import re

import msgspec

from hetero.driver import host
from hetero_hygon import cumask
from hetero_hygon.names import VDEVS, VENDOR

_NAME = re.compile(r"vdev(\d{1,4})\.conf")


class Vdcu(msgspec.Struct, frozen=True, kw_only=True):
    """A vDCU as its file describes it.

    Attributes:
        number: Of the vDCU, on the whole machine.
        bus: Address of its card.
        mask: Its compute units, see :mod:`hetero_hygon.cumask`.
        units: How many those are; 0 where the card's units are shared and not divided.
        memory: MiB.
        enabled: True when programs may use it.
    """

    number: int
    bus: str
    mask: int
    units: int
    memory: int
    enabled: bool


def parse(number: int, text: str) -> Vdcu:
    """Read a file.

    Args:
        number: Of the vDCU, from the file's name.
        text: The file.

    Raises:
        ValueError: A line is missing or malformed, or the number within is another.
    """
    lines = [line.partition(":") for line in text.splitlines()]
    found = {key.strip(): value.strip() for key, _, value in lines}
    masks = [int(value, 16) for key, _, value in lines if key.strip() == "cu_mask"]
    memory = re.fullmatch(r"(\d+) MiB", found.get("mem", ""))
    if len(masks) != cumask.WORDS or memory is None or int(found.get("vdev_id", "-1")) != number:
        raise ValueError(f"the file of vDCU {number} has not the lines that are known")
    return Vdcu(
        number=number,
        bus=found["PciBusId"].lower() if found.get("PciBusId") else _missing(number, "PciBusId"),
        mask=cumask.joined(*masks),
        units=int(found.get("cu_count", "-1")),
        memory=int(memory[1]),
        enabled=found.get("enable") == "1",
    )


def numbers() -> frozenset[int]:
    """Numbers of all vDCUs of this machine, those with unreadable files included."""
    directory = host(VENDOR, VDEVS)
    try:
        names = [path.name for path in directory.iterdir()]
    except FileNotFoundError:
        return frozenset()
    return frozenset(int(found[1]) for name in names if (found := _NAME.fullmatch(name)))


def text_of(number: int) -> str | None:
    """The file of a vDCU as it is; None when there is none."""
    try:
        return (host(VENDOR, VDEVS) / f"vdev{number}.conf").read_text(errors="replace")
    except FileNotFoundError:
        return None


def read(number: int) -> Vdcu | None:
    """A vDCU; None when there is none, or its file says nothing that can be understood."""
    text = text_of(number)
    try:
        return None if text is None else parse(number, text)
    except ValueError:
        return None


def everything() -> tuple[Vdcu, ...]:
    """All vDCUs of this machine whose files can be understood, by number."""
    found = (read(number) for number in sorted(numbers()))
    return tuple(one for one in found if one is not None)


def _missing(number: int, key: str) -> str:
    raise ValueError(f"the file of vDCU {number} has no line {key}")
