"""Settings: defaults without a file, every wrong key or value refused with the file and the field."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import config, log
from hetero.config import LogSettings, PlacementSettings, Settings, VendorSettings
from hetero.errors import InvalidConfiguration

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=6,
)


@pytest.mark.parametrize("document", [None, {}])
def test_no_settings_are_the_defaults(document: Any) -> None:
    """An empty file is no mistake."""
    assert config.settings(document, "c.yaml") == Settings()


def test_settings_are_taken() -> None:
    """Those that are named; the others keep their defaults."""
    found = config.settings({"vendors": {"required": ["acme"]}, "placement": {"node_policy": "spread"}}, "c.yaml")
    assert found.vendors.required == ("acme",)
    assert (found.placement.node_policy, found.placement.device_policy) == ("spread", "spread")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"vendor": {}}, ["vendor"]),
        ({"log": {"levels": "info"}}, ["log.levels is no key that is known; perhaps level"]),
        ({"log": {"level": "loud"}}, ["'loud' is no level; write debug, info, warning or error", "log"]),
        ({"log": {"json": "yes"}}, ["true or false", "log.json"]),
        ({"placement": {"node_policy": "random"}}, ["'random' is no policy; write binpack or spread", "placement"]),
        ({"placement": {"device_policy": ""}}, ["'' is no policy", "placement"]),
        (
            {"placement": {"device_policy": "mutex,near"}},
            [
                "'near' is no policy; write one or several of binpack, spread, numa, topology-aware, mutex",
                "placement",
            ],
        ),
        ({"vendors": {"required": "acme"}}, ["a list", "vendors.required"]),
        ({"scheduler": {"grant_seconds": 0}}, ["scheduler.grant_seconds is 0", "greater than 0"]),
        ({"scheduler": {"bind_threads": -1}}, ["scheduler.bind_threads is -1"]),
        ({"scheduler": {"api_timeout": float("nan")}}, ["scheduler.api_timeout is nan"]),
        ({"agent": {"sample_seconds": 0}}, ["agent.sample_seconds is 0", "greater than 0"]),
        ({"agent": {"run_dir": "run"}}, ["agent.run_dir is 'run'", "an absolute path"]),
        ({"agent": {"isolation": "no"}}, ["true or false", "agent.isolation"]),
        ({"drivers": {"deadline_s": 0}}, ["drivers.deadline_s is 0", "greater than 0"]),
        ({"drivers": {"prepare_s": float("nan")}}, ["drivers.prepare_s is nan"]),
        ({"drivers": {"deadline": 5}}, ["drivers.deadline is no key that is known"]),
        ({"scheduler": {"tls_cert": "a.crt"}}, ["tls_cert and tls_key belong together", "scheduler"]),
        ([], ["keys with values"]),
        ("text", ["keys with values"]),
    ],
)
def test_what_is_wrong_is_named(document: Any, words: list[str]) -> None:
    """The file, where in it, and what to write."""
    with pytest.raises(InvalidConfiguration) as caught:
        config.settings(document, "c.yaml")
    assert str(caught.value).startswith("c.yaml: ")
    for word in words:
        assert word in str(caught.value)


@given(ANYTHING)
def test_any_document_is_settings_or_refused(document: Any) -> None:
    """Whatever a YAML reader returns."""
    try:
        found = config.settings(document, "c.yaml")
    except InvalidConfiguration:
        return
    assert isinstance(found, Settings)


def test_the_file_is_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A named file wins, there or not: a slip must not go unnoticed. Without one there is the usual place."""
    usual = tmp_path / "config.yaml"
    monkeypatch.setattr(config, "DEFAULT_PATH", usual)
    assert config.path({}) is None
    usual.write_text("")
    assert config.path({}) == usual
    assert config.path({"HETERO_CONFIG": "/nowhere/c.yaml"}) == Path("/nowhere/c.yaml")


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ({"HETERO_RUNTIME_DIR": "/a", "XDG_RUNTIME_DIR": "/b"}, "/a"),
        ({"XDG_RUNTIME_DIR": "/b"}, "/b/hetero"),
        ({"HETERO_RUNTIME_DIR": "", "XDG_RUNTIME_DIR": "/b"}, "/b/hetero"),
    ],
)
def test_slices_live_where_the_environment_says(environment: dict[str, str], directory: str) -> None:
    """An empty variable is as good as none."""
    assert config.runtime_directory(environment) == Path(directory)


def test_slices_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative directory is one of the process that names it: its programs may go elsewhere."""
    monkeypatch.chdir(tmp_path)
    assert config.runtime_directory({"HETERO_RUNTIME_DIR": "here"}) == tmp_path / "here"


def test_users_without_a_runtime_directory_get_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Among the temporary files, by user."""
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    assert config.runtime_directory({}) == Path(f"/tmp/hetero-{os.getuid()}")


@pytest.mark.parametrize(
    "document",
    [
        {1: {}},
        {None: {}},
        {"log": None},
        {"log": []},
        {"log": {"level": None}},
        {"log": {"level": 16**4000}},
        {"log": {"json": 1}},
        {"placement": {"node_policy": None}},
        {"placement": {"device_policy": "BINPACK"}},
        {"vendors": {"required": [1]}},
        {"vendors": {"disabled": None}},
        {"vendors": {"disabled": [["acme"]]}},
        {"vendors": {"only": ["acme"]}},
        {"placement": {"policy": "spread"}},
        {"\ud800": 1},
        {"log": {"level": "\ud800"}},
        datetime.date(2020, 1, 1),
        b"log",
        0,
    ],
)
def test_whatever_yaml_can_spell_is_refused_by_name(document: Any) -> None:
    """Keys that are no text, dates, bytes, numbers without end: the file's name, and never another error."""
    with pytest.raises(InvalidConfiguration) as caught:
        config.settings(document, "c.yaml")
    assert caught.value.path == "c.yaml"
    assert caught.value.reason


@pytest.mark.parametrize("topic", ["vendors", "placement", "log"])
def test_an_unknown_key_is_refused_in_every_topic(topic: str) -> None:
    """A misspelt key must not be a setting that silently does nothing: the sentence has it and where it stands."""
    with pytest.raises(InvalidConfiguration, match=rf"c\.yaml: {topic}\.colour is no key"):
        config.settings({topic: {"colour": "blue"}}, "c.yaml")


@pytest.mark.parametrize(
    ("topic", "key", "values"),
    [
        ("placement", "node_policy", ["binpack", "spread"]),
        ("placement", "device_policy", ["binpack", "spread", "topology-aware", "mutex,numa,binpack", "numa, spread"]),
        ("log", "level", ["debug", "info", "warning", "error"]),
        ("log", "json", [True, False]),
        ("vendors", "required", [[], ["acme"], ["acme", "other"]]),
        ("vendors", "disabled", [[], ["acme"]]),
    ],
)
def test_every_good_value_is_taken(topic: str, key: str, values: list[Any]) -> None:
    """And nothing beside it changes."""
    for value in values:
        found = config.settings({topic: {key: value}}, "c.yaml")
        wanted = tuple(value) if isinstance(value, list) else value
        assert getattr(getattr(found, topic), key) == wanted
        assert msgspec.structs.replace(found, **{topic: getattr(Settings(), topic)}) == Settings()


def test_the_defaults_are_the_documented_ones() -> None:
    """Whole nodes stay free, programs on one node keep apart, and a command that works says nothing."""
    plain = Settings()
    assert (plain.vendors.required, plain.vendors.disabled) == ((), ())
    assert (plain.placement.node_policy, plain.placement.device_policy) == ("binpack", "spread")
    assert (plain.log.level, plain.log.json) == ("", False)


@pytest.mark.parametrize(
    "kind", [Settings, VendorSettings, PlacementSettings, LogSettings], ids=lambda one: one.__name__
)
def test_settings_are_frozen_and_named(kind: type[msgspec.Struct]) -> None:
    """All parts of a process read the same, and a key keeps its meaning wherever it is put."""
    plain = kind()
    for name in kind.__struct_fields__:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(plain, name, "x")
    with pytest.raises(TypeError):
        kind("x")  # type: ignore[call-arg]


def test_every_level_is_one_that_the_log_knows() -> None:
    """What settings let through, the log takes."""
    try:
        for level in ("debug", "info", "warning", "error"):
            log.configure(config.settings({"log": {"level": level}}, "c.yaml").log.level)
    finally:
        log.configure()


def test_an_empty_name_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set to nothing is as good as not set."""
    monkeypatch.setattr(config, "DEFAULT_PATH", tmp_path / "none.yaml")
    assert config.path({"HETERO_CONFIG": ""}) is None
    (tmp_path / "none.yaml").write_text("")
    assert config.path({"HETERO_CONFIG": ""}) == tmp_path / "none.yaml"


def test_the_environment_is_that_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless told otherwise: a variable that was set after the import counts."""
    monkeypatch.setenv("HETERO_CONFIG", str(tmp_path / "c.yaml"))
    monkeypatch.setenv("HETERO_RUNTIME_DIR", str(tmp_path / "run"))
    assert config.path() == tmp_path / "c.yaml"
    assert config.runtime_directory() == tmp_path / "run"


def test_the_usual_place() -> None:
    """Where packages of distributions put it."""
    assert Path("/etc/hetero/config.yaml") == config.DEFAULT_PATH
