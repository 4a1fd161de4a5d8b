"""Everything that follows from the ABI lists: prototypes, wrappers, tables, version scripts, a page of the docs.

Run by CMake with nothing but Python's standard library::

    generate.py DIRECTORY cuda.list nvml.list      write the C files into DIRECTORY
    generate.py --docs DIRECTORY cuda.list ...     write abi-cuda.md, ... into DIRECTORY

A library's name is the stem of its list; its calls return what :data:`RESULTS` says unless a row says otherwise.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

RESULTS = {"cuda": ("CUresult", "CUDA_ERROR_NOT_FOUND"), "nvml": ("nvmlReturn_t", "NVML_ERROR_FUNCTION_NOT_FOUND")}


@dataclass(frozen=True)
class Row:
    """One symbol of a driver."""

    library: str
    symbol: str
    base: str
    since: int
    per_thread: bool
    hook: str
    parameters: str
    result: str

    @property
    def arguments(self) -> str:
        """The parameters' names, as they are passed on."""
        names = [re.search(r"(\w+)$", parameter.strip()) for parameter in self.parameters.split(",")]
        return ", ".join(name.group(1) for name in names if name and name.group(1) != "void")


def read(path: Path) -> list[Row]:
    """The rows of a list; a malformed one ends the build with its line."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = [column.strip() for column in line.split("|")]
        if len(columns) != 6 or not columns[2].isdigit() or columns[3] not in ("-", "ptsz"):
            sys.exit(f"{path}:{number}: not 'symbol | base | since | stream | hook | parameters'")
        rows.append(_row(path.stem, columns))
    symbols = [row.symbol for row in rows]
    for symbol in symbols:
        if symbols.count(symbol) > 1:
            sys.exit(f"{path}: {symbol} stands there twice")
    return rows


def _row(library: str, columns: list[str]) -> Row:
    symbol, base, since, stream, hook, signature = columns
    parameters, _, result = (part.strip() for part in signature.partition("->"))
    hook = "" if hook == "-" else hook
    return Row(library, symbol, base, int(since), stream == "ptsz", hook, parameters, result or RESULTS[library][0])


def prototypes(rows: list[Row]) -> str:
    """One prototype for each symbol."""
    return "".join(f"{row.result} {row.symbol}({row.parameters});\n" for row in rows)


def reals(rows: list[Row]) -> str:
    """A struct of pointers to the driver's own functions, and the table that fills it."""
    library = rows[0].library
    fields = "".join(f"\t{row.result} (*{row.symbol})({row.parameters});\n" for row in rows)
    names = "".join(f'\t{{"{row.symbol}", offsetof(struct {library}_real, {row.symbol})}}, \\\n' for row in rows)
    return f"struct {library}_real {{\n{fields}}};\n\n#define {library.upper()}_REAL_NAMES \\\n{names}\n"


def hooks(rows: list[Row]) -> str:
    """The prototypes of the hand-written hooks: the driver's function comes first, then its arguments."""
    lines = {}
    for row in rows:
        if row.hook:
            real = f"{row.result} (*real)({row.parameters})"
            parameters = "" if row.parameters == "void" else f", {row.parameters}"
            lines[row.hook] = f"{row.result} hook_{row.hook}({real}{parameters});\n"
    return "".join(lines.values())


def wrappers(rows: list[Row]) -> str:
    """The exported functions: outside a slice they only pass on, inside they go through the hook."""
    return "".join(_wrapper(row) for row in rows if row.hook)


def _wrapper(row: Row) -> str:
    missing = RESULTS[row.library][1]
    passed = f", {row.arguments}" if row.arguments else ""
    return (
        f"EXPORT {row.result} {row.symbol}({row.parameters})\n{{\n"
        f"\tconst struct {row.library}_real *real = {row.library}_real();\n"
        f"\tif (!real->{row.symbol})\n\t\treturn {missing};\n"
        f"\tif (!slice_limits())\n\t\treturn real->{row.symbol}({row.arguments});\n"
        f"\treturn hook_{row.hook}(real->{row.symbol}{passed});\n}}\n\n"
    )


def interceptions(rows: list[Row]) -> str:
    """Name, wrapper and place of the driver's own function, sorted by name for a binary search."""
    lines = [
        f'\t{{"{row.symbol}", (void *){row.symbol}, {row.library.upper()}, '
        f"offsetof(struct {row.library}_real, {row.symbol})}},\n"
        for row in sorted(rows, key=lambda row: row.symbol)
        if row.hook
    ]
    return "".join(lines)


def version_script(rows: list[Row], extra: tuple[str, ...] = ()) -> str:
    """Exactly these symbols are visible."""
    names = "".join(f"\t\t{name};\n" for name in sorted({row.symbol for row in rows} | set(extra)))
    return f"{{\n\tglobal:\n{names}\tlocal: *;\n}};\n"


def simulator_names(rows: list[Row]) -> str:
    """What the simulated driver's cuGetProcAddress knows."""
    declared = "".join(f"extern void {row.symbol}(void) __attribute__((weak));\n" for row in rows)
    lines = "".join(
        f'\t{{"{row.symbol}", "{row.base}", {row.since}, {str(row.per_thread).lower()}, {row.symbol}}},\n'
        for row in rows
    )
    count = "const size_t sim_name_count = sizeof sim_names / sizeof *sim_names;\n"
    return f'#include "sim_names.h"\n\n{declared}\nconst struct sim_name sim_names[] = {{\n{lines}}};\n{count}'


SIM_NAMES_H = """#include <stdbool.h>
#include <stddef.h>

struct sim_name {
\tconst char *name, *base;
\tint since;
\tbool per_thread;
\tvoid (*address)(void);
};

extern const struct sim_name sim_names[];
extern const size_t sim_name_count;
"""


def page(rows: list[Row]) -> str:
    """The list as a page of the reference."""
    library = rows[0].library
    lines = [
        f"# The {library} symbols that hetero knows",
        "",
        f"Generated from `native/abi/{library}.list`. A symbol without a hook goes to the driver untouched.",
        "",
        "| symbol | name asked for | since | hook |",
        "|---|---|---|---|",
        *(f"| `{row.symbol}` | `{row.base}` | {row.since or '-'} | {row.hook or '-'} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def write_c(directory: Path, libraries: dict[str, list[Row]]) -> None:
    """Write all C files."""
    rows = [row for library in libraries.values() for row in library]
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        "reals.h": "".join(map(reals, libraries.values())),
        "hooks.h": hooks(rows),
        "wrappers.inc": wrappers(rows),
        "interceptions.inc": interceptions(rows),
        "preload.map": version_script([row for row in rows if row.hook], ("dlsym", "dlvsym")),
        "sim_names.h": SIM_NAMES_H,
    }
    for library, own in libraries.items():
        files[f"{library}_prototypes.h"] = prototypes(own)
        files[f"sim_{library}.map"] = version_script(own)
    files["sim_names.c"] = simulator_names(libraries["cuda"])
    for name, text in files.items():
        _write_if_changed(directory / name, text)


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main(arguments: list[str]) -> None:
    """Run as CMake and the tests do."""
    docs = arguments[:1] == ["--docs"]
    directory, *lists = (Path(argument) for argument in arguments[docs:])
    libraries = {path.stem: read(path) for path in lists}
    if docs:
        for library, rows in libraries.items():
            _write_if_changed(directory / f"abi-{library}.md", page(rows))
    else:
        write_c(directory, libraries)


if __name__ == "__main__":
    main(sys.argv[1:])
