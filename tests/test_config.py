"""Settings: defaults without a file, every wrong key or value refused with the file and the field."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import config
from hetero.config import Settings
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
        ({"log": {"levels": "info"}}, ["levels", "$.log"]),
        ({"log": {"level": "loud"}}, ["'loud' is no level; write debug, info, warning or error", "$.log"]),
        ({"log": {"json": "yes"}}, ["bool", "$.log.json"]),
        ({"placement": {"node_policy": "random"}}, ["'random' is no policy; write binpack or spread", "$.placement"]),
        ({"placement": {"device_policy": ""}}, ["'' is no policy", "$.placement"]),
        ({"vendors": {"required": "acme"}}, ["array", "$.vendors.required"]),
        ([], ["object"]),
        ("text", ["object"]),
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
