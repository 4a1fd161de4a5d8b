"""Everything that follows from the ABI lists: prototypes, wrappers, tables, version scripts, a page of the docs.

Run by CMake with nothing but Python's standard library::

    generate.py DIRECTORY cuda.list nvml.list      write the C files into DIRECTORY
    generate.py --docs DIRECTORY cuda.list ...     write abi-cuda.md, ... into DIRECTORY

A library's name is the stem of its list; its calls return what :data:`RESULTS` says unless a row says otherwise.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

RESULTS = {"cuda": ("CUresult", "CUDA_ERROR_NOT_FOUND"), "nvml": ("nvmlReturn_t", "NVML_ERROR_FUNCTION_NOT_FOUND")}

VERSIONS = {"11.8": 11080, "12.4": 12040, "12.9": 12090, "13.0": 13000, "13.5": 13050}
"""The driver versions whose sets of symbols are simulated."""

LOADER = ("dlmopen", "dlopen", "dlsym", "dlvsym")
"""The dynamic loader's functions that stand before the C library's own, written by hand in resolve.c."""


@dataclass(frozen=True)
class Row:
    """One symbol of a driver.

    Attributes:
        library: The stem of the list.
        symbol: As the driver exports it.
        base: As cuGetProcAddress is asked for it.
        since: CUDA version, major * 1000 + minor * 10.
        stream: ``ptsz`` or ``ptds`` for the forms of the per-thread default stream, else empty.
        hook: What stands before it; ``=`` for a function with the symbol's own parameters; empty for nothing.
        parameters: In C; None when nothing here calls it.
        result: Its type.
    """

    library: str
    symbol: str
    base: str
    since: int
    stream: str
    hook: str
    parameters: str | None
    result: str

    @property
    def arguments(self) -> str:
        """The parameters' names, as they are passed on."""
        names = [re.search(r"(\w+)$", parameter.strip()) for parameter in (self.parameters or "").split(",")]
        return ", ".join(name.group(1) for name in names if name and name.group(1) != "void")

    @property
    def missing(self) -> str:
        """What a call answers where the driver has no such function."""
        return RESULTS[self.library][1]


def read(path: Path) -> list[Row]:
    """The rows of a list; a malformed one ends the build with its line."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = [column.strip() for column in line.split("|")]
        if len(columns) != 6 or not columns[2].isdigit() or columns[3] not in ("-", "ptsz", "ptds"):
            sys.exit(f"{path}:{number}: not 'symbol | base | since | stream | hook | parameters'")
        row = _row(path.stem, columns)
        if row.hook and row.parameters is None:
            sys.exit(f"{path}:{number}: {row.symbol} has a hook, so its parameters must be known")
        rows.append(row)
    symbols = Counter(row.symbol for row in rows)
    for symbol, count in symbols.items():
        if count > 1:
            sys.exit(f"{path}: {symbol} stands there twice")
    return rows


def _row(library: str, columns: list[str]) -> Row:
    symbol, base, since, stream, hook, signature = columns
    parameters, _, result = (part.strip() for part in signature.partition("->"))
    return Row(
        library=library,
        symbol=symbol,
        base=base,
        since=int(since),
        stream="" if stream == "-" else stream,
        hook="" if hook == "-" else hook,
        parameters=None if parameters == "..." else parameters,
        result=result or RESULTS[library][0],
    )


def hooked(rows: list[Row]) -> list[Row]:
    """Those that something stands before."""
    return [row for row in rows if row.hook]


def described(rows: list[Row]) -> list[Row]:
    """Those whose parameters are known."""
    return [row for row in rows if row.parameters is not None]


def prototypes(rows: list[Row]) -> str:
    """One prototype for each symbol that is called from here."""
    return "".join(f"{row.result} {row.symbol}({row.parameters});\n" for row in described(rows))


def reals(rows: list[Row]) -> str:
    """A struct of pointers to the driver's own functions, and the table that fills it."""
    library = rows[0].library
    known = described(rows)
    fields = "".join(f"\t{row.result} (*{row.symbol})({row.parameters});\n" for row in known)
    names = "".join(f'\t{{"{row.symbol}", offsetof(struct {library}_real, {row.symbol})}}, \\\n' for row in known)
    return f"struct {library}_real {{\n{fields}}};\n\n#define {library.upper()}_REAL_NAMES \\\n{names}\n"


def hooks(rows: list[Row]) -> str:
    """The prototypes of the hand-written hooks: the driver's function comes first, then its arguments."""
    lines = {}
    for row in hooked(rows):
        if row.hook == "=":
            lines[row.symbol] = f"{row.result} direct_{row.symbol}({row.parameters});\n"
            continue
        parameters = "" if row.parameters == "void" else f", {row.parameters}"
        real = f"{row.result} (*real)({row.parameters})"
        lines[row.hook] = f"{row.result} hook_{row.hook}({real}{parameters});\n"
    return "".join(lines.values())


def wrappers(libraries: dict[str, list[Row]]) -> str:
    """The exported functions. Each is one jump through the table of what stands there now (dispatch.c)."""
    rows = [row for library in libraries.values() for row in hooked(library)]
    fields = "".join(f"\t{row.result} (*_Atomic {row.symbol})({row.parameters});\n" for row in rows)
    firsts = "".join(f"\t.{row.symbol} = first_{row.symbol},\n" for row in rows)
    return "".join(
        [
            f"struct dispatch {{\n{fields}}};\n\nextern struct dispatch dispatch;\n\n",
            *(_wrapper(row, 8 * place) for place, row in enumerate(rows)),
            f"struct dispatch dispatch = {{\n{firsts}}};\n\n",
            *(_entries(name, hooked(library)) for name, library in libraries.items()),
        ]
    )


def _wrapper(row: Row, offset: int) -> str:
    passed = f", {row.arguments}" if row.arguments else ""
    through = f"atomic_load_explicit(&dispatch.{row.symbol}, memory_order_acquire)({row.arguments})"
    unused = "".join(f"\t(void){name};\n" for name in row.arguments.split(", ") if name)
    inside = f"direct_{row.symbol}({row.arguments})"
    if row.hook != "=":
        inside = f"hook_{row.hook}({row.library}_real()->{row.symbol}{passed})"
    bodies = {
        f"static {row.result} inside_{row.symbol}": f"\treturn {inside};\n",
        f"static {row.result} missing_{row.symbol}": f"{unused}\treturn {row.missing};\n",
        f"static {row.result} first_{row.symbol}": f"\tdispatch_prepare_{row.library}();\n\treturn {through};\n",
    }
    if row.hook == "=":
        del bodies[f"static {row.result} inside_{row.symbol}"]
    functions = "".join(f"{head}({row.parameters})\n{{\n{body}}}\n\n" for head, body in bodies.items())
    return f'{functions}JUMP({row.symbol}, "{offset}")\n\n'


def _entries(library: str, rows: list[Row]) -> str:
    lines = "".join(
        f"\t{{offsetof(struct dispatch, {row.symbol}), offsetof(struct {library}_real, {row.symbol}), "
        f"(void *){'direct' if row.hook == '=' else 'inside'}_{row.symbol}, (void *)missing_{row.symbol}}},\n"
        for row in rows
    )
    return f"static const struct entry {library}_entries[] = {{\n{lines}}};\n\n"


def interceptions(rows: list[Row]) -> str:
    """Name, wrapper and place of the driver's or the C library's own function, sorted by name for a binary search."""
    names = [(row.symbol, row.library) for row in hooked(rows)] + [(symbol, "loader") for symbol in LOADER]
    lines = [
        f'\t{{"{symbol}", (void *){symbol}, {library.upper()}, offsetof(struct {library}_real, {symbol})}},\n'
        for symbol, library in sorted(names)
    ]
    return "".join(lines)


def version_script(rows: list[Row], extra: tuple[str, ...] = ()) -> str:
    """Exactly these symbols are visible."""
    names = "".join(f"\t\t{name};\n" for name in sorted({row.symbol for row in rows} | set(extra)))
    return f"{{\n\tglobal:\n{names}\tlocal: *;\n}};\n"


def simulator_stubs(rows: list[Row], unsupported: str) -> str:
    """A driver has every symbol of its list; what the simulated one does not do, it says it does not support."""
    return "".join(
        f'__attribute__((weak, visibility("default"))) int {row.symbol}(void)\n{{\n\treturn {unsupported};\n}}\n\n'
        for row in rows
    )


def simulator_names(rows: list[Row]) -> str:
    """What the simulated driver's cuGetProcAddress knows."""
    declared = "".join(f"extern void {row.symbol}(void);\n" for row in rows)
    lines = "".join(
        f'\t{{"{row.symbol}", "{row.base}", {row.since}, {str(bool(row.stream)).lower()}, {row.symbol}}},\n'
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
        f"{len(rows)} symbols, {len(hooked(rows))} of them with a hook.",
        "",
        "| symbol | name asked for | since | hook |",
        "|---|---|---|---|",
        *(f"| `{row.symbol}` | `{row.base}` | {row.since or '-'} | {_shown(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _shown(row: Row) -> str:
    return f"direct_{row.symbol}" if row.hook == "=" else row.hook or "-"


def write_c(directory: Path, libraries: dict[str, list[Row]]) -> None:
    """Write all C files."""
    rows = [row for library in libraries.values() for row in library]
    directory.mkdir(parents=True, exist_ok=True)
    files = {
        "reals.h": "".join(map(reals, libraries.values())),
        "hooks.h": hooks(rows),
        "wrappers.inc": wrappers(libraries),
        "interceptions.inc": interceptions(rows),
        "preload.map": version_script(hooked(rows), LOADER),
        "sim_names.h": SIM_NAMES_H,
        "sim_names.c": simulator_names(libraries["cuda"]),
        "sim_stubs_cuda.c": simulator_stubs(libraries["cuda"], "801"),  # CUDA_ERROR_NOT_SUPPORTED
        "sim_stubs_nvml.c": simulator_stubs(libraries["nvml"], "3"),  # NVML_ERROR_NOT_SUPPORTED
        "sim_nvml.map": version_script(libraries["nvml"]),
    }
    for library, own in libraries.items():
        files[f"{library}_prototypes.h"] = prototypes(own)
    for version, number in VERSIONS.items():
        files[f"sim_cuda_{version}.map"] = version_script([row for row in libraries["cuda"] if row.since <= number])
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
