"""The entry point: exit codes, and what is said when the libraries of the command line are missing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hetero.cli import group
from hetero.cli.main import main

BLOCKED = "import sys; sys.modules[{name!r}] = None; from hetero.cli.main import main; main(['devices'])"
INTERRUPTING = """
import sys
from importlib.abc import MetaPathFinder

class Impatient(MetaPathFinder):
    def find_spec(self, name, *_):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Impatient())
from hetero.cli.main import main
main(["vendors"])
"""


@pytest.mark.parametrize("code", [0, 1, 2, 3, 126, 127, 143])
def test_the_exit_code_of_the_command_is_that_of_the_program(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Nothing between the command and the shell changes the exit code."""
    monkeypatch.setattr(group, "run", lambda _: code)
    with pytest.raises(SystemExit) as caught:
        main(["devices"])
    assert caught.value.code == code


@pytest.mark.parametrize(("given", "seen"), [(None, ["top", "--once"]), (["plan"], ["plan"])])
def test_the_words_are_those_of_the_process_unless_given(
    monkeypatch: pytest.MonkeyPatch, given: list[str] | None, seen: list[str]
) -> None:
    """The program's own arguments are used when the caller gives none."""
    words: list[str] = []
    monkeypatch.setattr(sys, "argv", ["hetero", "top", "--once"])
    monkeypatch.setattr(group, "run", lambda arguments: words.extend(arguments) or 0)
    with pytest.raises(SystemExit):
        main(given)
    assert words == seen


def test_a_missing_library_is_one_sentence() -> None:
    """Without click (the base package has none) the user reads what to install, and no traceback."""
    answer = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(name="click")], capture_output=True, text=True, check=False
    )
    assert answer.stderr == "hetero: the command line needs click: pip install 'hetero[cli]'\n"
    assert (answer.returncode, answer.stdout) == (1, "")


def test_a_broken_package_of_our_own_is_not_called_a_missing_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of hetero that is missing is a defect; telling the user to install extras would mislead."""
    monkeypatch.setitem(sys.modules, "hetero.cli.group", None)
    with pytest.raises(ModuleNotFoundError, match=r"hetero\.cli\.group"):
        main(["devices"])


@pytest.mark.parametrize("module", ["click", "hetero.cli.group", "hetero.plugins"])
def test_ctrl_c_while_modules_are_loaded_is_no_traceback(module: str) -> None:
    """Loading is most of a short command: whoever is quick with Ctrl-C sees the exit code of an interrupted command."""
    code = INTERRUPTING.format(name=module)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=600)
    assert (answer.returncode, answer.stdout, answer.stderr.strip()) == (130, "", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_are_no_defect(closed: str) -> None:
    """What nobody reads is written to nowhere: the command does its work all the same."""
    command = f'"$0" -c "from hetero.cli.main import main; main([\'vendors\'])" {closed}'
    assert subprocess.run(["sh", "-c", command, sys.executable], check=False).returncode == 0


def test_letters_that_an_output_lacks_are_replaced() -> None:
    """A table has bars and names that not every terminal can show: no reason to fail."""
    words = "from hetero.cli.main import _open_streams; _open_streams(); print('░')"
    answer = subprocess.run(
        [sys.executable, "-c", words], env={"PYTHONIOENCODING": "ascii"}, capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, "?\n")
