"""Compares a driver with the list of its symbols: ``abi_answers.py cuda.list`` prints what differs, as JSON.

Asked are every name with every version and flag; an answer is right when it is the address of the symbol that the list
and the rule of ``native/sim/cuda/resolve.c`` name.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path

PER_THREAD = 2
NOT_SUFFICIENT = 2

Row = tuple[str, str, int, bool]


def read(path: Path) -> list[Row]:
    """Symbol, base, version, and whether it is a form for the per-thread default stream."""
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]
    columns = [[column.strip() for column in line.split("|")] for line in lines]
    return [(one[0], one[1], int(one[2]), one[3] != "-") for one in columns]


def expected(rows: list[Row], driver: int, version: int, flags: int) -> tuple[int, int, str]:
    """Result, status and symbol for one name, whose rows these are."""
    if version > driver:
        return 1, -1, ""
    present = [row for row in rows if row[2] <= driver]
    per_thread = flags == PER_THREAD and any(row[3] for row in present)
    fitting = [row for row in present if row[3] == per_thread and row[2] <= version]
    if fitting:
        return 0, 0, max(fitting, key=lambda row: row[2])[0]
    return 0, NOT_SUFFICIENT if present else 1, ""


class Driver:
    """The driver of this machine."""

    def __init__(self) -> None:
        """Open and start it."""
        self.library = ctypes.CDLL("libcuda.so.1")
        version = ctypes.c_int()
        assert self.library.cuInit(0) == 0
        assert self.library.cuDriverGetVersion(ctypes.byref(version)) == 0
        self.version = version.value

    def address(self, symbol: str) -> int | None:
        """Where a symbol is; None when the driver has none of this name."""
        function = getattr(self.library, symbol, None)
        return ctypes.cast(function, ctypes.c_void_p).value if function else None

    def answer(self, name: str, version: int, flags: int) -> tuple[int, int, int | None]:
        """Result, status and address from cuGetProcAddress."""
        pointer, status = ctypes.c_void_p(), ctypes.c_int(-1)
        code = self.library.cuGetProcAddress_v2(
            name.encode(), ctypes.byref(pointer), version, ctypes.c_ulonglong(flags), ctypes.byref(status)
        )
        return code, status.value, pointer.value


def differences(driver: Driver, rows: list[Row]) -> tuple[int, list[str]]:
    """How many answers were compared, and those that are not as the list says."""
    found, compared = [], 0
    versions = sorted({row[2] for row in rows} | {driver.version})
    for name in sorted({row[1] for row in rows}):
        own = [row for row in rows if row[1] == name]
        for version in versions:
            for flags in (0, 1, PER_THREAD):
                result, status, symbol = expected(own, driver.version, version, flags)
                answer = driver.answer(name, version, flags)
                compared += 1
                if answer != (result, status, driver.address(symbol) if symbol else None):
                    found.append(f"{name} {version} {flags}: {answer}, expected {symbol or (result, status)}")
    return compared, found


def main(path: str) -> None:
    """Print the driver's version, how much was compared and what differs."""
    driver = Driver()
    rows = read(Path(path))
    compared, found = differences(driver, rows)
    absent = [row[0] for row in rows if row[2] <= driver.version and driver.address(row[0]) is None]
    json.dump({"driver": driver.version, "compared": compared, "differences": found, "absent": absent}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
