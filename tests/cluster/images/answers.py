"""What the programs of the workload's image print, read: what a container sees of its devices, and gets of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CARD = re.compile(r"^card \d+: (?P<name>.+) (?P<uuid>GPU-[0-9a-f-]+|MIG-[0-9a-f-]+)$", re.MULTILINE)
_TOTAL = re.compile(r"^  (cuDeviceTotalMem|cuMemGetInfo total|nvml total) +(\d+) MiB$", re.MULTILINE)


@dataclass(frozen=True)
class Card:
    """One card as a container sees it.

    Attributes:
        name: Its model.
        uuid: Its identity.
        totals: MiB of memory by each call that tells it; in a slice all are the slice's.
    """

    name: str
    uuid: str
    totals: dict[str, int]


def cards(printed: str) -> list[Card]:
    """The cards that ``cardinfo`` tells.

    Raises:
        ValueError: It told none; the text is in the error.
    """
    starts = [*_CARD.finditer(printed)]
    if not starts:
        raise ValueError(f"cardinfo told no card: {printed!r}")
    ends = [*(start.start() for start in starts[1:]), len(printed)]
    return [
        Card(start["name"], start["uuid"], {call: int(mib) for call, mib in _TOTAL.findall(printed[start.end() : end])})
        for start, end in zip(starts, ends, strict=True)
    ]


def granted(printed: str) -> int:
    """MiB that ``fill`` was granted before the driver refused.

    Raises:
        ValueError: It was not refused for want of memory; the text is in the error.
    """
    return int(_found(r"granted (\d+) MiB in \d+ steps, then CUDA_ERROR_OUT_OF_MEMORY", printed))


def busy(printed: str) -> float:
    """Percent of the time of the card that ``burn`` got over its whole run.

    Raises:
        ValueError: It did not come to its end; the text is in the error.
    """
    return float(_found(r"total: .*busy ([\d.]+) %", printed))


def _found(pattern: str, printed: str) -> str:
    match = re.search(pattern, printed)
    if not match:
        raise ValueError(f"not found in what was printed, {pattern!r}: {printed!r}")
    return match[1]
