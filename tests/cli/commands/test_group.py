"""Which commands there are, and that whatever happens in one is told in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest

import hetero as package
from hetero.cli.context import Context
from hetero.cli.group import COMMANDS
from hetero.errors import InvalidRequest, InvalidValue, PluginError

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Hetero, Install, Write


def _command(name: str, result: Any = 0) -> click.Command:
    """A plugin's command that ends with a result, or with an exception."""

    @click.command(name)
    @click.pass_obj
    def command(context: Context) -> Any:
        """Said by a plugin."""
        if isinstance(result, BaseException):
            raise result
        click.echo(f"{name} sees {', '.join(context.plugins.vendors) or 'no vendor'}")
        return result

    return command


def test_the_help_lists_our_commands_in_their_order(hetero: Hetero) -> None:
    """The order is that of the work: look, run, watch, plan, repair."""
    answer = hetero("--help")
    listed = [line.split()[0] for line in answer.out.split("Commands:")[1].splitlines() if line.strip()]
    assert tuple(listed) == COMMANDS
    assert answer.code == 0


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "sim"])
def test_every_command_has_help_that_says_what_it_does(hetero: Hetero, name: str) -> None:
    """``-h`` works on each command as ``--help`` does, and says more than its usage."""
    answer = hetero(name, "-h")
    assert answer.code == 0
    assert answer.out.startswith(f"Usage: hetero {name}")
    assert len(answer.out.splitlines()) > 4
    assert answer.out == hetero(name, "--help").out


@pytest.mark.parametrize(
    ("word", "meant"), [("devics", "; perhaps 'devices'"), ("explan", "; perhaps 'explain'"), ("xyz", ""), ("", "")]
)
def test_a_slip_in_a_command_is_told_with_what_was_meant(hetero: Hetero, word: str, meant: str) -> None:
    """Only where one is near; nothing is run that was not named."""
    answer = hetero(word)
    assert (answer.code, answer.out) == (2, "")
    assert answer.told == f"No such command '{word}'{meant} (see 'hetero --help')"


def test_the_version_is_that_of_the_package(hetero: Hetero) -> None:
    """Bug reports begin with it."""
    assert hetero("--version").out == f"hetero, version {package.__version__}\n"


def test_a_command_of_a_plugin_appears_and_runs(hetero: Hetero, install: Install) -> None:
    """Plugins add commands; they get the same context, and their exit code counts."""
    install(commands={"zeta": _command("zeta", 5), "alpha": _command("alpha")})
    listed = hetero("--help").out
    assert listed.index("doctor") < listed.index("alpha") < listed.index("zeta")
    assert "Said by a plugin." in listed
    answer = hetero("zeta")
    assert (answer.code, answer.out) == (5, "zeta sees no vendor\n")


def test_a_command_of_a_plugin_cannot_replace_ours(hetero: Hetero, install: Install) -> None:
    """``hetero devices`` means the same on every machine, whatever is installed."""
    install(commands={"devices": _command("devices", 9)})
    answer = hetero("devices", "--output", "json")
    assert (answer.code, answer.json["devices"]) == (0, [])
    assert hetero("--help").out.count("  devices ") == 1


def test_something_that_is_no_command_is_left_out_with_a_log_line(hetero: Hetero, install: Install) -> None:
    """A plugin that registers nonsense does not break the help of the others."""
    install(commands={"odd": print, "even": _command("even")})
    answer = hetero("--help")
    assert "even" in answer.out
    assert "odd" not in answer.out
    assert "command=odd" in answer.err
    assert hetero("odd").code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["devise"], "devise"),
        (["devices", "--sideways"], "--sideways"),
        (["devices", "--output", "xml"], "xml"),
        (["top", "--interval", "0"], "--interval"),
        (["top", "--interval", "soon"], "soon"),
        (["plan"], "-f"),
        (["plan", "-f", "x.yaml"], "--cluster"),
        (["sim", "run", "true"], "--machine"),
        (["sim", "walk"], "walk"),
        (["--log-level", "loud", "devices"], "loud"),
    ],
)
def test_a_wrong_word_is_one_line_that_names_it(hetero: Hetero, words: list[str], says: str) -> None:
    """A slip on the command line is exit code 2 and one line with the word and where to look."""
    answer = hetero(*words)
    assert answer.code == 2
    assert says in answer.told
    assert "--help'" in answer.told


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (InvalidValue("--x", "1", "is odd"), 2, ["hetero: --x: '1' is odd"]),
        (
            InvalidRequest([InvalidValue("a", 1, "is odd"), InvalidValue("b", 2, "is even")]),
            2,
            ["hetero: a: 1 is odd", "hetero: b: 2 is even"],
        ),
        (PluginError("acme", "fell over", "pick it up"), 1, ["hetero: plugin acme: fell over; pick it up"]),
        (click.UsageError("No."), 2, ["hetero: No (see 'hetero boom --help')"]),
        (KeyboardInterrupt(), 130, []),
        (
            ZeroDivisionError("by zero"),
            1,
            ["hetero: an unexpected ZeroDivisionError: by zero; run again with --log-level debug to see where"],
        ),
    ],
)
def test_whatever_a_command_raises_is_told_in_lines(
    hetero: Hetero, install: Install, error: BaseException, code: int, lines: list[str]
) -> None:
    """One line for each problem, an exit code, and never a traceback."""
    install(commands={"boom": _command("boom", error)})
    answer = hetero("boom")
    # An interrupt ends the line that the terminal shows ^C on.
    assert (answer.code, answer.err.strip().splitlines(), answer.out) == (code, lines, "")


def test_a_wrong_configuration_is_told_before_anything_else(hetero: Hetero, write: Write) -> None:
    """A file that says something unknown stops every command, with the file and the key."""
    path = write({"vendors": {"needed": ["x"]}}, name="config.yaml")
    for words in (["devices"], ["run", "--", "true"], ["doctor"]):
        answer = hetero("--config", path, *words)
        assert answer.code == 2
        assert str(path) in answer.told
        assert "needed" in answer.told


def test_the_configuration_may_be_named_by_the_environment(
    hetero: Hetero, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``HETERO_CONFIG`` names the file; ``--config`` wins over it."""
    monkeypatch.setenv("HETERO_CONFIG", str(tmp_path / "missing.yaml"))
    answer = hetero("devices")
    assert answer.code == 2
    assert "missing.yaml: cannot be read" in answer.told
    assert hetero("--config", write({}, name="good.yaml"), "devices").code == 0


def test_the_log_level_of_the_command_line_wins(hetero: Hetero, write: Write, install: Install) -> None:
    """``--log-level`` overrides the file, e.g. to see a traceback that the file keeps quiet."""
    install(commands={"boom": _command("boom", ZeroDivisionError("by zero"))})
    quiet = write({"log": {"level": "error"}})
    assert "Traceback" not in hetero("--config", quiet, "boom").err
    assert "Traceback" in hetero("--config", quiet, "--log-level", "debug", "boom").err
