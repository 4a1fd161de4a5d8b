"""What a user sees of a failure: one line for each problem, the right exit code, and never a traceback."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from hetero import errors, log, metrics
from hetero.cli.failures import guarded, say, visible
from hetero.errors import (
    DriverFailed,
    DriverMissing,
    EnforcementError,
    HeteroError,
    InvalidConfiguration,
    InvalidRequest,
    InvalidValue,
    PluginError,
    RegionError,
    Unplaceable,
    WireError,
)

OURS = [
    InvalidValue("--memory", "2x", "is no size"),
    InvalidConfiguration("/etc/hetero/config.yaml", "log.level: 'loud' is no level"),
    Unplaceable("no device of this machine can hold the slice"),
    PluginError("acme", "cannot be imported", "install it again"),
    DriverMissing("libacme.so", "install the driver"),
    DriverFailed("acmeInit", 3, "busy"),
    EnforcementError("the slice cannot be made"),
    RegionError("/run/region", "is no region"),
    WireError("not a stored record"),
]


def _raising(error: BaseException) -> Callable[[], int]:
    def action() -> int:
        raise error

    return action


def _every_error() -> Iterator[type[HeteroError]]:
    found = [HeteroError]
    for one in found:
        yield one
        found.extend(one.__subclasses__())


Told = Callable[[BaseException], tuple[int, list[str]]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    """Exit code and lines for an error."""

    def tell(error: BaseException) -> tuple[int, list[str]]:
        code = guarded(_raising(error))
        captured = capsys.readouterr()
        assert captured.out == ""
        return code, captured.err.splitlines()

    return tell


@pytest.mark.parametrize("code", [0, 1, 3, 127, 137])
def test_what_works_is_silent_and_keeps_its_code(capsys: pytest.CaptureFixture[str], code: int) -> None:
    """The exit code of ``hetero run`` is the command's own."""
    assert guarded(lambda: code) == code
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("error", OURS, ids=lambda error: type(error).__name__)
def test_a_failure_of_ours_is_one_line_in_its_own_words(told: Told, error: HeteroError) -> None:
    """With the program's name before it, so that it can be told apart in a log."""
    assert told(error) == (error.exit_code, [f"hetero: {error}"])


def test_wrong_input_is_2_and_everything_else_is_1() -> None:
    """Scripts can tell whether to fix the call or the machine."""
    codes = {one: one.exit_code for one in _every_error() if one.__module__ == errors.__name__}
    assert {one.__name__ for one, code in codes.items() if code == 2} == {
        "UserError",
        "InvalidValue",
        "InvalidRequest",
        "InvalidConfiguration",
        "Unplaceable",
    }
    assert set(codes.values()) == {1, 2}


def test_each_problem_of_a_request_is_a_line(told: Told) -> None:
    """All at once, in the order of the request: nobody wants to find them one by one."""
    problems = [InvalidValue(f"limits[{index}]", index, "is wrong") for index in range(3)]
    assert told(InvalidRequest(problems)) == (2, [f"hetero: {one}" for one in problems])


@pytest.mark.parametrize(("error", "grows"), [(OURS[0], 1), (OURS[2], 1), (OURS[4], 0), (ValueError("x"), 0)])
def test_refused_requests_are_counted(told: Told, error: Exception, grows: int) -> None:
    """What users did wrong is a number; what broke is none of it."""
    before = metrics.refused_requests.value(type(error).__name__)
    told(error)
    assert metrics.refused_requests.value(type(error).__name__) == before + grows


# Words of the command line


@click.group()
@click.option("--memory", type=int)
def _group(memory: int | None) -> None:
    """A group."""


@_group.command("run")
@click.argument("word")
@click.option("--form", type=click.Choice(["table", "json"]))
def _run(word: str, form: str) -> None:
    """A command."""


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--nothing", "run"], r"No such option.*--nothing.* \(see 'hetero --help'\)"),
        (["run"], r"Missing argument 'WORD' \(see 'hetero run --help'\)"),
        (["run", "a", "b"], r"Got unexpected extra argument.*\bb\b.* \(see 'hetero run --help'\)"),
        (
            ["run", "--form", "x", "a"],
            r"Invalid value for '--form': 'x' is not one of 'table', 'json' \(see 'hetero run --help'\)",
        ),
        (["walk"], r"No such command 'walk' \(see 'hetero --help'\)"),
    ],
)
def test_a_wrong_word_is_one_line_with_the_help_that_explains_it(
    capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    """The library's own words, in our form, with exit code 2."""
    assert guarded(lambda: _group.main(words, prog_name="hetero", standalone_mode=False) or 0) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(f"hetero: {line}\n", captured.err)


def test_no_word_at_all_gets_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """As the library lays it out: who types a group's name alone wants to know its commands."""
    assert guarded(lambda: _group.main([], prog_name="hetero", standalone_mode=False) or 0) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0] == "Usage: hetero [OPTIONS] COMMAND [ARGS]..."
    assert "  run  A command." in lines


def test_a_wrong_word_without_a_command_has_no_hint(told: Told) -> None:
    """An error raised by hand knows no command."""
    assert told(click.UsageError("that is wrong.")) == (2, ["hetero: that is wrong"])
    assert told(click.ClickException("cannot be done")) == (1, ["hetero: cannot be done"])


# What nobody expected


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError(5, "Input/output error"), RecursionError()])
def test_a_defect_is_one_line_without_a_traceback(told: Told, error: Exception) -> None:
    """Which error, and how to see where: a user cannot do anything with more."""
    code, [line] = told(error)
    assert code == 1
    assert (
        line == f"hetero: an unexpected {type(error).__name__}: {error}; run again with --log-level debug to see where"
    )


def test_the_place_of_a_defect_is_in_the_debug_log(told: Told) -> None:
    """Where it was promised to be."""
    log.configure("debug")
    with capture_logs() as lines:
        told(ValueError("the reason"))
    [line] = lines
    assert line["log_level"] == "debug"
    assert "test_failures.py" in line["trace"]
    assert "ValueError: the reason" in line["trace"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_a_user_who_interrupts_needs_no_explanation(told: Told, error: BaseException) -> None:
    """128 and the number of SIGINT, and not a word."""
    assert told(error) == (130, [])


def test_an_exit_on_purpose_is_left_alone() -> None:
    """A plugin's command may leave with its own code."""
    with pytest.raises(SystemExit) as caught:
        guarded(_raising(SystemExit(3)))
    assert caught.value.code == 3


# Lines


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_line_is_one_line_whatever_it_says(text: str) -> None:
    """A driver's words may hold line breaks; a user, and a log, get one line all the same."""
    code, [line, *more] = _said(text)
    assert (code, more) == (0, [])
    assert line.startswith("hetero: ")


def _said(text: str) -> tuple[int, list[str]]:
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        code = guarded(lambda: say(text) or 0)
    return code, stream.getvalue().splitlines()


def test_several_lines_keep_all_their_words(told: Told) -> None:
    """Joined, not cut."""
    assert told(DriverFailed("init", 1, "first\nsecond"))[1] == ["hetero: init answered 1 (first second)"]


def test_spaces_within_a_value_stay(told: Told) -> None:
    """What the user gave is shown as it was."""
    assert told(InvalidValue("--memory", "2  g", "is no size"))[1] == ["hetero: --memory: '2  g' is no size"]


UNSEEN = {
    "\x1b[2J": r"\x1b[2J",  # clears the screen
    "\x9b2J": r"\x9b2J",  # so does its short form
    "\a": r"\x07",
    "\b": r"\x08",
    "\t": r"\t",
    "\0": r"\x00",
    "\x7f": r"\x7f",
    "\u202e": r"\u202e",  # writes the rest of the line backwards
    "\udcff": r"\udcff",  # a byte that is no text
}


@pytest.mark.parametrize("sign", UNSEEN)
def test_what_a_terminal_would_obey_is_shown_instead(told: Told, sign: str) -> None:
    """A file name or a driver's words may hold anything; the user's screen stays the user's."""
    assert told(PluginError(f"a{sign}b", "fails", "remove it"))[1] == [
        f"hetero: {PluginError(f'a{UNSEEN[sign]}b', 'fails', 'remove it')}"
    ]


@pytest.mark.parametrize(
    ("sign", "shown"),
    [("\n", r"\n"), ("\r", r"\r"), ("\v", r"\x0b"), ("\x85", r"\x85"), ("\u2028", r"\u2028"), ("\u2029", r"\u2029")],
)
def test_the_end_of_a_line_is_visible(sign: str, shown: str) -> None:
    """All that some reader of lines takes for one."""
    assert visible(f"a{sign}b") == f"a{shown}b"


@given(text=st.text())
def test_what_is_visible_is_one_line_that_can_be_written(text: str) -> None:
    """Whatever it was: no character of it moves the cursor, and any terminal's encoding can take it."""
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert shown.encode().decode() == shown


@pytest.mark.parametrize("text", ["", "  two  spaces ", "grüße 你好 🙂", "a\\nb", "1\N{NO-BREAK SPACE}GiB", "[x]"])
def test_what_can_be_seen_is_left_as_it_is(text: str) -> None:
    """Escapes are for what cannot be seen: people read their own language."""
    assert visible(text) == text


# A reader that leaves early


WRITER = """
import sys
import click
from hetero.cli.failures import guarded

def action():
    while True:
        {write}

sys.exit(guarded(action))
"""


BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
"""As users have it: what is written stays in the process until there is enough of it, or the process ends."""

both_ways = pytest.mark.parametrize(
    "environment", [BUFFERED, {**BUFFERED, "PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"]
)


@both_ways
@pytest.mark.parametrize("write", ['click.echo("line")', 'print("line")', 'sys.stdout.write("x" * 100000)'])
def test_a_reader_that_has_enough_is_no_failure(write: str, environment: dict[str, str]) -> None:
    """``| head -1`` ends the command with 0 and nothing on standard error."""
    words = [sys.executable, "-c", WRITER.format(write=write)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as program:
        assert program.stdout
        assert program.stderr
        assert program.stdout.read(4)
        program.stdout.close()
        assert (program.wait(timeout=600), program.stderr.read()) == (0, b"")


def _unread(code: str, environment: dict[str, str]) -> tuple[int, bytes]:
    """Exit code and errors of a program whose reader left before the first word."""
    words = [sys.executable, "-c", f"import sys; sys.stdin.read(); {code}"]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, **pipes, env=environment) as program:
        assert program.stdin
        assert program.stdout
        assert program.stderr
        program.stdout.close()
        program.stdin.close()
        return program.wait(timeout=600), program.stderr.read()


@both_ways
@pytest.mark.parametrize("words", ["vendors", "vendors --output json", "vendors --help", "--help", "--version"])
def test_no_command_complains_about_a_reader_that_left(words: str, environment: dict[str, str]) -> None:
    """Nobody reads at all: not a word on standard error, whatever library meets it first."""
    code = f"from hetero.cli.main import main; main({words.split()!r})"
    assert _unread(code, environment) == (0, b"")


@both_ways
def test_words_that_are_written_at_the_very_end_are_no_failure_either(environment: dict[str, str]) -> None:
    """A plugin's command that prints a little and returns: Python would write it after everything, and complain."""
    code = "from hetero.cli.failures import guarded; sys.exit(guarded(lambda: print('x') or 0))"
    assert _unread(code, environment) == (0, b"")


FULL = """
import sys
from hetero import log
from hetero.cli.failures import guarded
log.configure()
sys.exit(guarded(lambda: print("x" * {size}) or 0))
"""


@pytest.mark.parametrize("size", [1, 100_000], ids=["at the end", "on the way"])
def test_a_full_disk_is_one_line(size: int) -> None:
    """It is a failure, told once: half a report must not look like a whole one."""
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", FULL.format(size=size)]
        found = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, env=BUFFERED, check=False, timeout=600)
    assert found.returncode == 1
    assert re.fullmatch(
        rb"hetero: standard output, .* cannot be written: No space left on device; make room, .*\n", found.stderr
    )


def test_a_file_that_does_not_fit_is_named(told: Told) -> None:
    """A full disk is no defect, whatever was to be written to it."""
    error = OSError(errno.EDQUOT, "Disk quota exceeded", "/run/hetero/slice.json")
    assert told(error) == (
        1,
        ["hetero: /run/hetero/slice.json cannot be written: Disk quota exceeded; make room, or write elsewhere"],
    )


@both_ways
@pytest.mark.parametrize(("error", "code"), [("UserError('x')", 2), ("HeteroError('x')", 1), ("ValueError('x')", 1)])
def test_the_exit_code_holds_when_nobody_reads_the_line(environment: dict[str, str], error: str, code: int) -> None:
    """``hetero ... 2>&1 | true``: words are lost, and a script still learns what happened."""
    told = (
        "import sys; sys.stdin.read(); from hetero.cli.failures import guarded; from hetero.errors import *\n"
        f"def action(): raise {error}\n"
        "sys.exit(guarded(action))"
    )
    pipes = dict.fromkeys(("stdin", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", told], **pipes, env=environment) as program:
        assert program.stdin
        assert program.stderr
        program.stderr.close()
        program.stdin.close()
        assert program.wait(timeout=600) == code


def test_a_process_without_output_can_work() -> None:
    """``hetero ... >&-``: there is no standard output at all, and nobody misses it."""
    code = (
        "import sys; from hetero.cli.failures import guarded; assert sys.stdout is None; sys.exit(guarded(lambda: 5))"
    )
    words = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code]
    found = subprocess.run(words, stderr=subprocess.PIPE, check=False, timeout=600)
    assert (found.returncode, found.stderr) == (5, b"")
