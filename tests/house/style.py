"""The house's budget as functions of files: sizes, documentation, and how much of it is tested."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def functions(file: Path) -> Iterator[Function]:
    """All functions and methods of a file, those within others too."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: Function) -> int:
    """Lines of a function without its docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    first = function.body[0]
    return lines - ((first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(function) else 0)


def undocumented(file: Path) -> list[str]:
    """The public functions, methods and classes of a file without a docstring; overridden dunders say enough."""
    return [f"{file.name}:{node.lineno}: {node.name}" for node in _public(file) if not ast.get_docstring(node)]


def untyped(file: Path) -> list[str]:
    """The functions of a file with an argument or a result that has no type."""
    found = []
    for function in functions(file):
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        named = [one for one in arguments if one.arg not in ("self", "cls")]
        if function.returns is None or any(one.annotation is None for one in named):
            found.append(f"{file.name}:{function.lineno}: {function.name}")
    return found


def code_lines(file: Path) -> int:
    """Lines that hold code: no blank ones, no comments, no docstrings."""
    text = file.read_text()
    held = {number for number, line in enumerate(text.split("\n"), 1) if line.strip() and line.lstrip()[0] != "#"}
    return len(held - _docstring_lines(ast.parse(text)))


def total_code_lines(files: Iterable[Path]) -> int:
    """The same over several files."""
    return sum(map(code_lines, files))


def _public(file: Path) -> Iterator[Function | ast.ClassDef]:
    def within(body: Iterable[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
        for node in body:
            if isinstance(node, Documented) and not node.name.startswith("_"):
                yield node
                if isinstance(node, ast.ClassDef):
                    yield from within(node.body)

    return within(ast.parse(file.read_text()).body)


def _docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, (*Documented, ast.Module)) and ast.get_docstring(node, clean=False) is not None:
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines
