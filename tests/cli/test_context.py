"""Settings and plugins of one command: read once, when asked for, and every wrong file is one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hetero import config, log, plugins
from hetero.cli.context import Context, read_with, read_yaml
from hetero.config import Settings
from hetero.errors import InvalidConfiguration

same_directory = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration of the machine, and none named."""
    monkeypatch.delenv("HETERO_CONFIG", raising=False)
    monkeypatch.setattr(config, "DEFAULT_PATH", tmp_path / "default.yaml")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of the test."""
    return tmp_path / "file.yaml"


def _refused(path: Path) -> str:
    """The reason for which a file is refused."""
    with pytest.raises(InvalidConfiguration) as caught:
        read_yaml(path)
    assert caught.value.path == str(path)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value.reason


def _told(path: Path) -> list[str]:
    """The lines for a file; none when it is a document."""
    try:
        read_yaml(path)
    except InvalidConfiguration as error:
        return str(error).splitlines()
    return []


# Reading YAML


@pytest.mark.parametrize("document", [None, {}, [], 3, "text", {"a": {"b": [1, 2.5, True, None, "ü"]}}])
def test_a_document_is_read_as_it_was_written(file: Path, document: Any) -> None:
    """Whatever it is: what it means is somebody else's question."""
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    assert read_yaml(file) == document


def test_an_empty_file_is_nothing(file: Path) -> None:
    """Not an error: a configuration may be all comments."""
    file.write_text("# nothing yet\n")
    assert read_yaml(file) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: b: c", "mapping values are not allowed here in line 1, column 5"),
        ("a: 1\nb: [1, 2\nc: 3", "line 3, column"),
        ("a: 1\n\tb: 2", "line 2, column 1"),
        ("a: *nobody", "found undefined alias 'nobody' in line 1, column 4"),
        ("a: !unknown x", "could not determine a constructor for the tag '!unknown' in line 1, column 4"),
        ("a: !!python/object:os.system x", "line 1, column 4"),
        ("a: 1\n---\nb: 2", "but found another document in line 2, column 1"),
        ("a: 'open", "found unexpected end of stream in line 1, column 9"),
        ("{1: 2, [1]: 2}", "found unhashable key in line 1, column 8"),
        ("a: 1\nb: x\0y", "special characters are not allowed in line 2, column 5"),
        ("\x07", "special characters are not allowed in line 1, column 1"),
    ],
)
def test_what_is_no_yaml_is_told_with_line_and_column(file: Path, text: str, reason: str) -> None:
    """One line; counted from 1, as editors do."""
    file.write_text(text)
    told = _refused(file)
    assert told.startswith("is no YAML: ")
    assert told.endswith(reason) or reason in told


@pytest.mark.parametrize("text", ["a: 2001-13-01", "a: !!int x", "a: !!float x", "a: !!timestamp x"])
def test_a_value_that_pythons_own_error_refuses_is_one_sentence(file: Path, text: str) -> None:
    """The reader lets errors of the conversion out; they must not reach the user as they are."""
    file.write_text(text)
    assert _refused(file).startswith("is no YAML: ")


def test_a_file_nested_too_deeply_is_one_sentence(file: Path) -> None:
    """The reader is recursive."""
    file.write_text("[" * 20000)
    assert _refused(file) == "is nested too deeply to be read"


def test_a_file_that_is_no_text_is_one_sentence(file: Path) -> None:
    """A compressed file, or another encoding."""
    file.write_bytes(b"a: \xff\xfe")
    assert _refused(file) == "is no text"


def test_a_missing_file_is_one_sentence(file: Path) -> None:
    """With the system's reason."""
    assert _refused(file) == "cannot be read: No such file or directory"


def test_a_directory_is_one_sentence(tmp_path: Path) -> None:
    """Whoever names a directory is told so."""
    assert _refused(tmp_path) == "cannot be read: Is a directory"


@same_directory
@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.text("{}[]:,- \n\t'\"!&*#?|>%@`a1", max_size=40)
)
def test_any_text_is_a_document_or_one_sentence(tmp_path: Path, text: str) -> None:
    """No text makes the reader raise anything else."""
    path = tmp_path / "any.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    assert len(_told(path)) <= 1


@same_directory
@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_document_or_one_sentence(tmp_path: Path, data: bytes) -> None:
    """Nor do any bytes."""
    path = tmp_path / "any.yaml"
    path.write_bytes(data)
    assert all(line.startswith(f"{path}: ") for line in _told(path))


def test_another_reader_fails_in_the_same_words(file: Path) -> None:
    """A manifest of several documents is read by another function, and refused in one way."""
    file.write_text("a: 1\n---\nb: [")
    with pytest.raises(InvalidConfiguration, match=r"is no YAML: .* in line 3, column 5"):
        read_with(lambda text: list(yaml.safe_load_all(text)), file)
    assert read_with(str.upper, file).startswith("A: 1")


def test_an_error_without_words_is_told_by_its_name(file: Path) -> None:
    """Better than nothing after the colon."""
    file.touch()

    def fail(text: str) -> None:
        raise ValueError

    with pytest.raises(InvalidConfiguration, match=r"is no YAML: ValueError$"):
        read_with(fail, file)


# Settings


def test_without_a_file_the_defaults_hold() -> None:
    """Nobody needs a configuration to begin."""
    assert Context().settings == Settings()
    assert Context().config_path is None


def test_the_file_named_on_the_command_line_wins(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the environment's, which wins over the machine's."""
    (tmp_path / "default.yaml").write_text("placement: {node_policy: spread}")
    assert Context().settings.placement.node_policy == "spread"
    (tmp_path / "named.yaml").write_text("log: {level: error}")
    monkeypatch.setenv("HETERO_CONFIG", str(tmp_path / "named.yaml"))
    assert Context().settings == config.settings({"log": {"level": "error"}}, "")
    file.write_text("vendors: {disabled: [acme]}")
    assert Context(file).settings.vendors.disabled == ("acme",)
    assert not Context(file).settings.log.level


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("log: {level: loud}", "'loud' is no level"),
        ("logs: {}", "logs is no key that is known; perhaps log"),
        ("vendors: {required: acme}", "vendors.required"),
        ("[1]", "the document is [1]; write keys with values"),
        ("a: b: c", "line 1, column 5"),
    ],
)
def test_a_wrong_configuration_names_file_and_field(file: Path, text: str, says: str) -> None:
    """A key that does nothing is worse than an error."""
    file.write_text(text)
    with pytest.raises(InvalidConfiguration) as caught:
        _ = Context(file).settings
    assert caught.value.path == str(file)
    assert says in caught.value.reason


def test_a_named_file_that_is_missing_is_refused(file: Path) -> None:
    """Who names a file wants it: the defaults would be a surprise."""
    with pytest.raises(InvalidConfiguration, match="cannot be read: No such file"):
        _ = Context(file).settings


def test_settings_are_read_once(file: Path) -> None:
    """A command works with one set of settings from its beginning to its end."""
    file.write_text("log: {level: error}")
    context = Context(file)
    first = context.settings
    file.write_text("log: {level: debug}")
    assert context.settings is first


@pytest.mark.parametrize(
    ("configured", "given_level", "shown"),
    [("info", None, True), ("error", None, False), ("error", "info", True), ("info", "error", False)],
)
def test_the_command_lines_log_level_wins(
    file: Path, capsys: pytest.CaptureFixture[str], configured: str, given_level: str | None, shown: bool
) -> None:
    """Over the configured one; whichever holds from when the settings are read."""
    file.write_text(f"log: {{level: {configured}}}")
    _ = Context(file, given_level).settings
    structlog.get_logger().warning("seen", part="test")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("seen" in captured.err) is shown


def test_the_log_may_be_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For machines, one object a line."""
    file.write_text("log: {level: info, json: true}")
    _ = Context(file).settings
    structlog.get_logger().info("seen", device="x")
    line = yaml.safe_load(capsys.readouterr().err)
    assert (line["event"], line["device"], line["level"]) == ("seen", "x", "info")


# Plugins


def test_plugins_are_loaded_once_and_as_the_settings_say(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Required and disabled ones reach the loader; nothing is loaded before it is asked for."""
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(plugins, "load", lambda **named: asked.append(named) or object())
    file.write_text("vendors: {required: [a], disabled: [b, c]}")
    context = Context(file)
    assert asked == []
    assert context.plugins is context.plugins
    assert asked == [{"required": ("a",), "disabled": ("b", "c")}]


def test_a_test_may_bring_its_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nothing is loaded at all."""
    monkeypatch.setattr(plugins, "load", lambda **_: pytest.fail("must not be called"))
    mine = object()
    assert Context(plugins=mine).plugins is mine


# Where slices live


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"HETERO_RUNTIME_DIR": "/a", "XDG_RUNTIME_DIR": "/b"}, "/a"),
        ({"XDG_RUNTIME_DIR": "/b"}, "/b/hetero"),
        ({"HETERO_RUNTIME_DIR": "", "XDG_RUNTIME_DIR": "/b"}, "/b/hetero"),
    ],
)
def test_the_directory_of_slices_is_the_users(environment: dict[str, str], directory: str) -> None:
    """The one that is named, or the one that the system gives the user."""
    assert Context().runtime_directory(environment) == Path(directory)


def test_without_any_directory_it_is_one_that_names_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two users of a machine never meet in one."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.getuid", lambda: 1234)
    assert Context().runtime_directory({}) == tmp_path / "hetero-1234"


# What is logged


@pytest.mark.parametrize(
    ("option", "written", "shown"),
    [(None, None, True), ("error", None, False), (None, "warning", False), ("info", "error", True)],
)
def test_a_service_says_more_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str], file: Path, option: str | None, written: str | None, shown: bool
) -> None:
    """The command line goes before the file, and either before the command's own level."""
    file.write_text(f"log: {{level: {written}}}" if written else "{}")
    try:
        Context(file, option).log_as("info")
        structlog.get_logger().info("listening")
    finally:
        log.configure()
    assert ("listening" in capsys.readouterr().err) is shown
