"""Tables and JSON from the same rows: for people to read, for programs to cut, and never interpreted."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from hetero.cli import output
from hetero.cli.output import Column, column, emit_json, emit_table

ROWS = [{"name": "one", "memory": 1024}, {"name": "twenty", "memory": 8}]
COLUMNS = [column("NAME", "name"), column("MEMORY", "memory", number=True)]
WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc", "Cf", "Zs", "Mn"]), min_size=1
)

Printed = Callable[..., str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """What a table comes to without a terminal."""

    def show(rows: list[dict[str, Any]], columns: list[Column], **named: str) -> str:
        emit_table(rows, columns, **named)
        return capsys.readouterr().out

    return show


# JSON


def test_json_says_its_version_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A program can refuse what it does not know before it reads on."""
    emit_json(devices=[{"uuid": "x"}], slices=[])
    out = capsys.readouterr().out
    assert list(json.loads(out)) == ["version", "devices", "slices"]
    assert json.loads(out) == {"version": 1, "devices": [{"uuid": "x"}], "slices": []}


def test_json_is_one_document_that_ends_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Indented for people who look at it."""
    emit_json(rows=[])
    assert capsys.readouterr().out == '{\n  "version": 1,\n  "rows": []\n}\n'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=["Cs"])), number=st.none() | st.integers() | st.booleans())
def test_json_keeps_every_value(capsys: pytest.CaptureFixture[str], text: str, number: object) -> None:
    """Texts with line breaks, brackets and colours, numbers of any size, and nothing."""
    emit_json(rows=[{text: text, "number": number}])
    assert json.loads(capsys.readouterr().out)["rows"] == [{text: text, "number": number}]


# The option


@click.command()
@output.option
def _command(form: str) -> None:
    click.echo(form)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [([], 0, "table\n"), (["--output", "json"], 0, "json\n"), (["--output", "table"], 0, "table\n")],
)
def test_the_form_is_a_table_unless_asked(words: list[str], code: int, says: str) -> None:
    """People first; programs ask."""
    answer = CliRunner().invoke(_command, words)
    assert (answer.exit_code, answer.output) == (code, says)


def test_an_unknown_form_is_refused_with_those_that_there_are() -> None:
    """Nothing is guessed."""
    answer = CliRunner().invoke(_command, ["--output", "yaml"])
    assert answer.exit_code == 2
    assert "'yaml' is not one of 'table', 'json'" in answer.output


# Columns


@pytest.mark.parametrize(
    ("value", "shown"), [("x", "x"), (0, "0"), (None, ""), ("", ""), (False, "False"), (1.5, "1.5")]
)
def test_a_column_shows_what_is_there(value: object, shown: str) -> None:
    """Nothing for None; a zero is a value."""
    assert column("H", "key").text({"key": value}) == shown


def test_a_column_may_compute_its_text() -> None:
    """From the whole row."""
    both = Column("BOTH", lambda row: f"{row['a']}/{row['b']}")
    assert both.text({"a": 1, "b": 2}) == "1/2"
    assert not both.number


# Tables without a terminal


def test_a_table_for_programs_has_a_heading_and_a_line_for_each_row(printed: Printed) -> None:
    """No lines around it, no colours; texts to the left, numbers to the right."""
    assert [line.rstrip() for line in printed(ROWS, COLUMNS).splitlines()] == [
        "NAME    MEMORY",
        "one       1024",
        "twenty       8",
    ]


def test_a_table_without_rows_still_has_its_heading(printed: Printed) -> None:
    """So that nothing is told apart from an error."""
    assert printed([], COLUMNS).split() == ["NAME", "MEMORY"]


def test_a_title_stands_alone_above_the_table(printed: Printed) -> None:
    """Two tables of one command are told apart by it."""
    assert printed(ROWS, COLUMNS, title="what is left").splitlines()[0].strip() == "what is left"


@pytest.mark.parametrize("length", [79, 200, 999, 5000])
def test_nothing_is_cut_or_wrapped_for_programs(printed: Printed, length: int) -> None:
    """However long: a program that cuts columns gets whole words in whole lines."""
    rows = [{"name": "x" * length, "memory": "y" * length}]
    assert printed(rows, COLUMNS).splitlines()[1].split() == ["x" * length, "y" * length]


MARKUP = ["[bold]x[/bold]", "[/]", "[red]", "[link=file:///]x", ":smile:", "[[", "\\[x]"]


@pytest.mark.parametrize("text", MARKUP)
def test_markup_in_a_users_words_is_shown_as_it_is(printed: Printed, text: str) -> None:
    """A pod or a command may be called anything; in a cell and in a title alike."""
    out = printed([{"name": text, "memory": 1}], COLUMNS, title=text)
    assert [line.split()[0] for line in out.splitlines()] == [text, "NAME", text]


HOSTILE = {"\x1b[2J": r"\x1b[2J", "\x9b": r"\x9b", "\0": r"\x00", "\u202e": r"\u202e", "\udcff": r"\udcff"}


@pytest.mark.parametrize("sign", HOSTILE)
@pytest.mark.parametrize("make", [lambda: column("NAME", "name"), lambda: Column("NAME", lambda row: row["name"])])
def test_a_cell_cannot_reach_the_terminal(printed: Printed, make: Callable[[], Column], sign: str) -> None:
    """A program names itself, e.g. with the sequence that clears the screen: it is shown, not obeyed."""
    out = printed([{"name": f"a{sign}b"}], [make()], title=f"t{sign}")
    assert [line.rstrip() for line in out.splitlines()] == [f"t{HOSTILE[sign]}", "NAME", f"a{HOSTILE[sign]}b"]


@pytest.mark.parametrize(("text", "shown"), [("a\nb", r"a\nb"), ("a\tb", r"a\tb"), ("a\r\nb", r"a\r\nb")])
def test_a_value_is_one_line_of_the_table(printed: Printed, text: str, shown: str) -> None:
    """A command of several lines (``bash -c``) is one row all the same, and nothing of it is lost."""
    rows = [{"name": text, "memory": 1}, {"name": "next", "memory": 2}]
    assert [line.split() for line in printed(rows, COLUMNS).splitlines()[1:]] == [[shown, "1"], ["next", "2"]]


def test_a_column_may_write_several_lines_on_purpose(printed: Printed) -> None:
    """A list in a cell: its lines are the column's, not the value's."""
    listed = Column("NAMES", lambda row: "\n".join(row["names"]))
    out = printed([{"names": ["one", "two\x1b"], "memory": 1}], [listed, COLUMNS[1]])
    assert [line.split() for line in out.splitlines()[1:]] == [["one", "1"], [r"two\x1b"]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(), min_size=1))
def test_any_value_is_a_row(printed: Printed, text: str) -> None:
    """No value makes the table fail, and none makes another row."""
    assert len(printed([{"name": text, "memory": 1}], COLUMNS).split("\n")) == 3


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=st.lists(WORDS, min_size=1, max_size=5))
def test_every_word_can_be_cut_out_again(printed: Printed, words: list[str]) -> None:
    """One line a row, one word a column."""
    out = printed([{"name": word, "memory": 1} for word in words], COLUMNS)
    assert [line.split() for line in out.split("\n")[1:-1]] == [[word, "1"] for word in words]


# Tables on a terminal


def _on_terminal(text: str, width: int, title: str) -> str:
    console = Console(width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(output.table([{"name": text, "memory": 1}], COLUMNS, title=title))
    return capture.get()


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_not_interpreted_on_a_terminal_either(text: str) -> None:
    """Where it would colour, hide or link."""
    assert _on_terminal(text, 80, title=text).count(text) == 2


def test_a_long_word_is_folded_on_a_narrow_terminal() -> None:
    """Folded, not cut: all of an identity can be read, and none of it twice."""
    word = "".join(f"{number:04}" for number in range(15))
    shown = _on_terminal(word, 40, title="").splitlines()
    assert all(len(line) <= 40 for line in shown)
    [ruler] = [index for index, line in enumerate(shown) if "──" in line]
    assert "".join(line.split()[0] for line in shown[ruler + 1 :] if line.strip()) == word


WIDE_ROW = {"name": "small", "memory": "1024 MiB", "uuid": "GPU-00000000-1111-2222-3333-444444444444", "state": "ok"}
WIDE = [*COLUMNS, column("UUID", "uuid", spare=True), column("STATE", "state")]


def _narrowed(row: dict[str, Any], width: int) -> tuple[list[str], list[str]]:
    """The lines of a table of one row on a terminal of that width, and the headings that are left out."""
    shown, left_out = output.narrowed([row], WIDE, width)
    console = Console(width=width, force_terminal=True, color_system=None, legacy_windows=False)
    with console.capture() as capture:
        console.print(shown)
    return capture.get().splitlines(), left_out


@pytest.mark.parametrize(
    ("width", "left_out", "words"),
    [
        (200, [], ["small", "1024", "MiB", WIDE_ROW["uuid"], "ok"]),
        (60, [], ["small", "1024", "MiB", WIDE_ROW["uuid"][:34], "ok"]),
        (40, ["UUID"], ["small", "1024", "MiB", "ok"]),
    ],
)
def test_a_narrow_terminal_gets_whole_words(width: int, left_out: list[str], words: list[str]) -> None:
    """A spare column is folded, then left out and named, before a word or a number of another is broken."""
    lines, missing = _narrowed(WIDE_ROW, width)
    [ruler] = [index for index, line in enumerate(lines) if "──" in line]
    assert missing == left_out
    assert lines[ruler + 1].split() == words
    assert all(len(line) <= width for line in lines)


def test_a_terminal_without_room_for_words_breaks_them() -> None:
    """Nothing is left out then that is not spare, and no line is longer than the terminal."""
    lines, missing = _narrowed(WIDE_ROW, 16)
    assert missing == []
    assert all(len(line) <= 16 for line in lines)


def test_a_terminal_gets_a_line_below_the_heading() -> None:
    """Printed to a real terminal, of whatever width it has."""
    code = "from hetero.cli.output import column, emit_table\nemit_table([{'name': 'one'}], [column('NAME', 'name')])\n"
    control, terminal = pty.openpty()
    try:
        environment = {**os.environ, "TERM": "dumb", "COLUMNS": "80"}
        subprocess.run([sys.executable, "-c", code], stdout=terminal, env=environment, check=True, timeout=600)
        assert "───" in os.read(control, 4096).decode()
    finally:
        os.close(terminal)
        os.close(control)
