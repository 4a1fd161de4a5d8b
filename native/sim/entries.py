"""The outermost functions of the simulated drivers, by which faults on demand come into every call.

Run by CMake: ``entries.py DIRECTORY cuda.list nvml.list``. For each list two files are written: ``sim_inner_<list>.h``,
which is included before all sources of a driver and gives each function an inner name, and ``sim_entries_<list>.c``,
which defines the exported functions: each asks for a fault and calls the inner one.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "abi"))
sys.dont_write_bytecode = True

from generate import RESULTS, Row, described, read  # noqa: E402

UNSUPPORTED = {"cuda": "CUDA_ERROR_NOT_SUPPORTED", "nvml": "NVML_ERROR_NOT_SUPPORTED"}


def faulty(rows: list[Row]) -> list[Row]:
    """Those whose result can tell a fault."""
    return [row for row in described(rows) if row.result == RESULTS[row.library][0]]


def inner_names(rows: list[Row]) -> str:
    """An inner name for each function."""
    return "".join(f"#define {row.symbol} inner_{row.symbol}\n" for row in faulty(rows))


def entries(rows: list[Row]) -> str:
    """The exported functions; what is not simulated is weak and answers so."""
    library = rows[0].library
    head = f'#include <string.h>\n\n#include "{library}_abi.h"\n#include "machine/faults.h"\n\n'
    return head + "".join(_entry(row) for row in faulty(rows))


def _garbage(row: Row) -> str:
    """Statements that fill what a function of the management library answers with: numbers and text of no sense.

    A caller's text is as long as the parameter after it says, which is the one that is called so.
    """
    if row.library != "nvml":
        return ""
    parameters = [parameter.strip().rpartition(" ") for parameter in row.parameters.split(",")]
    filled = [
        (kind, name[1:]) for kind, _, name in parameters if name.startswith("*") and not kind.startswith("const ")
    ]
    sizes = {name: "length" if kind == "char" else f"sizeof *{name}" for kind, name in filled}
    return "".join(
        f"\tif (fault.garbage && {name})\n\t\tmemset({name}, 0xfe, {size});\n" for name, size in sizes.items()
    )


def _entry(row: Row) -> str:
    return (
        f"extern {row.result} inner_{row.symbol}({row.parameters}) __attribute__((weak));\n"
        f'__attribute__((visibility("default"))) {row.result} {row.symbol}({row.parameters})\n{{\n'
        f"\tif (!inner_{row.symbol})\n\t\treturn {UNSUPPORTED[row.library]};\n"
        f"\tif (sim_no_faults())\n\t\treturn inner_{row.symbol}({row.arguments});\n"
        f'\tstruct sim_fault fault = sim_fault_of("{row.symbol}");\n'
        f"\tif (fault.fails)\n\t\treturn ({row.result})fault.code;\n"
        f"\t{row.result} result = inner_{row.symbol}({row.arguments});\n"
        f"{_garbage(row)}"
        f"\tif (fault.dies)\n\t\tsim_die();\n"
        f"\treturn result;\n}}\n\n"
    )


def main(directory: Path, lists: list[Path]) -> None:
    """Write the files; one that has not changed stays as it is."""
    for path in lists:
        rows = read(path)
        for name, text in (
            (f"sim_inner_{path.stem}.h", inner_names(rows)),
            (f"sim_entries_{path.stem}.c", entries(rows)),
        ):
            file = directory / name
            if not file.exists() or file.read_text() != text:
                file.write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
