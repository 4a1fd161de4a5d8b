"""The borders of the house as functions of a directory, so that broken copies of it can be checked as well."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

DOOR = (
    "hetero.vendor",
    "hetero.driver",
    "hetero.turn",
    "hetero.hookspecs",
    "hetero.model",
    "hetero.errors",
    "hetero.log",
)
"""What a vendor may import of hetero."""

TESTING = (*DOOR, "hetero.testing")
"""What its tests may import."""

CORE = ("hetero", "native/runtime", "native/include", "charts")
"""What must not know a vendor."""

SUFFIXES = {".py", ".c", ".h", ".yaml", ".tpl", ".txt", ".template", ".js", ".css", ".html"}


def imports(file: Path) -> Iterator[str]:
    """The modules that a Python file imports, wherever in it; a name imported from a package counts as a module."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def foreign_imports(directory: Path, allowed: Iterable[str], packages: Iterable[str]) -> list[str]:
    """Imports of hetero beyond what is allowed, and of packages that are not one's own."""
    found = []
    for file in sorted(directory.rglob("*.py")):
        for module in imports(file):
            top = module.split(".")[0]
            if top == "hetero" and not any(_within(module, one) for one in allowed):
                found.append(f"{file.relative_to(directory)}: {module}")
            if top in set(packages):
                found.append(f"{file.relative_to(directory)}: {module}")
    return found


def vendor_words(root: Path, words: Iterable[str]) -> list[str]:
    """Where a vendor's own word stands in the core, in code or comment."""
    pattern = re.compile("|".join(re.escape(word) for word in sorted(set(words))), re.IGNORECASE)
    found = []
    for part in CORE:
        for file in sorted((root / part).rglob("*")):
            if file.suffix not in SUFFIXES or (part == "charts" and "templates" not in file.parts):
                continue
            for number, line in enumerate(file.read_text().splitlines(), start=1):
                if pattern.search(line):
                    found.append(f"{file.relative_to(root)}:{number}: {line.strip()}")
    return found


def _within(module: str, door: str) -> bool:
    return module == door or module.startswith(f"{door}.")
