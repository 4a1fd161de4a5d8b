"""The house keeps to its budget, and a file that does not is caught."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import style

ROOT = Path(__file__).parents[2]
CODE = sorted(
    file
    for place in ("hetero/**/*.py", "vendors/*/hetero_*/**/*.py", "native/python/**/*.py", "native/abi/*.py")
    for file in ROOT.glob(place)
)
TESTS = sorted(file for place in ("tests/**/*.py", "vendors/*/tests/**/*.py") for file in ROOT.glob(place))
LENGTHS = sorted(style.length(function) for file in CODE for function in style.functions(file))

FUNCTION = '''
def public(given: int) -> int:
    """Says what it does.

    At some length.
    """
    # a comment

    return given
'''


def test_half_of_the_functions_are_short() -> None:
    """The median is under 8 lines."""
    assert statistics.median(LENGTHS) < 8


def test_nine_in_ten_functions_fit_a_screen() -> None:
    """They are under 25 lines."""
    assert LENGTHS[len(LENGTHS) * 9 // 10] < 25


@pytest.mark.parametrize("file", CODE, ids=lambda file: str(file.relative_to(ROOT)))
def test_each_file_is_one_idea(file: Path) -> None:
    """No file is longer than 500 lines; each public thing in it is documented, and everything has its types."""
    assert len(file.read_text().splitlines()) <= 500
    assert style.undocumented(file) == []
    assert style.untyped(file) == []


def test_there_is_more_test_than_code() -> None:
    """At least 1.2 lines of tests for each line of Python, blank lines, comments and docstrings apart."""
    assert style.total_code_lines(TESTS) >= 1.2 * style.total_code_lines(CODE)


def test_lines_are_counted_without_talk(tmp_path: Path) -> None:
    """Docstrings, comments and blank lines are neither code nor test."""
    (tmp_path / "sample.py").write_text(FUNCTION)
    assert style.code_lines(tmp_path / "sample.py") == 2
    [function] = style.functions(tmp_path / "sample.py")
    assert style.length(function) == 4


@pytest.mark.parametrize(
    "code",
    [
        "def public(given: int) -> int:\n    return given",
        "class Public:\n    pass",
        'class Public:\n    """Says."""\n    def method(self) -> None:\n        pass',
    ],
)
def test_a_public_thing_without_words_is_caught(tmp_path: Path, code: str) -> None:
    """A function, a class, a method of a class that has words itself."""
    (tmp_path / "sample.py").write_text(code)
    assert len(style.undocumented(tmp_path / "sample.py")) == 1


@pytest.mark.parametrize("code", ["def f(given) -> int: ...", "def f(given: int): ...", "async def f(*, given): ..."])
def test_a_function_without_types_is_caught(tmp_path: Path, code: str) -> None:
    """An argument, a result, a keyword."""
    (tmp_path / "sample.py").write_text(code)
    assert len(style.untyped(tmp_path / "sample.py")) == 1


def test_a_long_function_is_caught(tmp_path: Path) -> None:
    """Its lines are counted from its first to its last."""
    (tmp_path / "sample.py").write_text("def f() -> None:\n" + "    pass\n" * 30)
    [function] = style.functions(tmp_path / "sample.py")
    assert style.length(function) == 31


@pytest.mark.parametrize("place", ["charts", "docs", "examples", "hetero", "images", "native", "tests", "vendors"])
def test_files_are_no_links(place: str) -> None:
    """A patch, some archives and some systems turn a link into a file with a path in it, which reads as nonsense."""
    assert [path for path in (ROOT / place).rglob("*") if path.is_symlink()] == []
