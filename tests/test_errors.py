"""Every failure is a sentence with the field, the value and what to do, and knows its exit code."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
BAD = errors.InvalidValue("--memory", "2x", "is not a size; write 2g")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_all_are_of_one_tree(kind: type[Exception]) -> None:
    """Whoever catches HeteroError catches all that hetero raises on purpose, and each is in the module's picture."""
    assert issubclass(kind, errors.HeteroError)
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_users_mistake_is_exit_code_2(kind: type[errors.HeteroError]) -> None:
    """And nothing else is."""
    assert kind.exit_code == (2 if issubclass(kind, errors.UserError) else 1)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (BAD, "--memory: '2x' is not a size; write 2g"),
        (
            errors.InvalidRequest([BAD, BAD]),
            "--memory: '2x' is not a size; write 2g; --memory: '2x' is not a size; write 2g",
        ),
        (errors.InvalidConfiguration("c.yaml", "log.level is unknown"), "c.yaml: log.level is unknown"),
        (errors.PluginError("acme", "import failed"), "plugin acme: import failed"),
        (errors.PluginError("acme", "import failed", "reinstall it"), "plugin acme: import failed; reinstall it"),
        (errors.DriverMissing("libacme.so.1", "install it"), "libacme.so.1 was not found: install it"),
        (errors.DriverFailed("acmeInit", 3, "no permission"), "acmeInit answered 3 (no permission)"),
        (errors.DriverTimeout("devices", 2.5), "the driver did not come back from 'devices' within 2.5 s"),
        (errors.RegionError("/r", "is no region"), "/r: is no region"),
        (errors.Unbound("the pod has no placement"), "the pod has no placement"),
        (errors.KubeletError("/k.sock", "no such method"), "/k.sock: no such method"),
        (errors.ApiError(409, "Conflict", "taken"), "the API server answered 409 Conflict: taken"),
        (errors.AgentError("desk", "its report is cut off"), "node desk: its report is cut off"),
        (errors.ApiError(0, "Timeout", "GET /"), "the API server did not answer, Timeout: GET /"),
    ],
)
def test_errors_are_sentences(error: Exception, sentence: str) -> None:
    """Without a full stop: the caller may go on."""
    assert str(error) == sentence


def test_the_facts_of_an_error_are_its_fields() -> None:
    """Logs and tests need no parsing."""
    assert (BAD.field, BAD.value, BAD.reason) == ("--memory", "2x", "is not a size; write 2g")
    assert errors.InvalidRequest(iter([BAD])).problems == (BAD,)
    failed = errors.DriverFailed("acmeInit", 3, "no permission")
    assert (failed.call, failed.code, failed.text) == ("acmeInit", 3, "no permission")


PARENTS = {
    "HeteroError": "Exception",
    "UserError": "HeteroError",
    "InvalidValue": "UserError",
    "InvalidRequest": "UserError",
    "InvalidConfiguration": "UserError",
    "Unplaceable": "UserError",
    "PluginError": "HeteroError",
    "DriverError": "HeteroError",
    "DriverMissing": "DriverError",
    "DriverFailed": "DriverError",
    "DriverTimeout": "DriverFailed",
    "EnforcementError": "HeteroError",
    "RegionError": "EnforcementError",
    "AgentError": "HeteroError",
    "ApiError": "HeteroError",
    "Unbound": "HeteroError",
    "KubeletError": "HeteroError",
    "WireError": "HeteroError",
}


def test_the_tree_is_the_one_that_callers_catch() -> None:
    """Who catches one kind catches those below it: the tree is part of the interface."""
    assert {kind.__name__: kind.__bases__[0].__name__ for kind in KINDS} == PARENTS


def test_the_facts_of_the_others_are_their_fields_too() -> None:
    """Each argument is an attribute, unchanged."""
    configuration = errors.InvalidConfiguration("c.yaml", "log.level is unknown")
    assert (configuration.path, configuration.reason) == ("c.yaml", "log.level is unknown")
    plugin = errors.PluginError("acme", "import failed")
    assert (plugin.plugin, plugin.reason, plugin.advice) == ("acme", "import failed", "")
    missing = errors.DriverMissing("libacme.so.1", "install it")
    assert (missing.library, missing.advice) == ("libacme.so.1", "install it")
    region = errors.RegionError("/r", "is no region")
    assert (region.path, region.reason) == ("/r", "is no region")
    api = errors.ApiError(409, "Conflict", "pod p is taken", 3.0)
    assert (api.status, api.reason, api.message, api.retry_after) == (409, "Conflict", "pod p is taken", 3.0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "''"),
        ("2", "'2'"),
        (2, "2"),
        (None, "None"),
        (True, "True"),
        (["a", 1], "['a', 1]"),
        ("two\nlines", "'two\\nlines'"),
        ("x" * 198, "'" + "x" * 198 + "'"),
        ("x" * 199, "'" + "x" * 199 + "…"),
        ("x" * 5000, "'" + "x" * 199 + "…"),
        (16**4000, "a value too long to show"),
        ([-(16**4000)], "a value too long to show"),
    ],
    ids=lambda one: str(one)[:12] if isinstance(one, str) else type(one).__name__,
)
def test_a_value_is_shown_as_it_was_given(value: object, shown: str) -> None:
    """A number and a text can be told apart, the sentence stays one line, and no value is too long for it."""
    error = errors.InvalidValue("f", value, "is wrong")
    assert str(error) == f"f: {shown} is wrong"
    assert error.value is value


def test_lists_without_end_have_a_sentence() -> None:
    """A file may hold lists in lists in lists."""
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    try:
        assert "is wrong" in str(errors.InvalidValue("f", deep, "is wrong"))
    finally:
        while deep:
            deep = deep.pop()  # type: ignore[assignment]


@given(st.text(), st.text())
def test_every_value_has_a_sentence_of_bounded_length(field: str, value: str) -> None:
    """With the field in front and the reason at the end."""
    sentence = str(errors.InvalidValue(field, value, "is wrong"))
    assert sentence.startswith(f"{field}: ")
    assert sentence.endswith(" is wrong")
    assert len(sentence) <= len(field) + errors.SHOWN + len(":  … is wrong")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_problems_stay_in_their_order(count: int) -> None:
    """One sentence for each, in the order in which they stand in the request."""
    problems = [errors.InvalidValue(f"f{index}", index, "is wrong") for index in range(count)]
    error = errors.InvalidRequest(problems)
    assert error.problems == tuple(problems)
    assert str(error).split("; ") == [f"f{index}: {index} is wrong" for index in range(count)]


def _reasons(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "InvalidValue" and len(node.args) == 3:
            yield ast.unparse(node.args[2])


@pytest.mark.parametrize("module", ["vendor", "model.quantity", "model.resources", "testing.fake"])
def test_a_wrong_value_comes_with_advice(module: str) -> None:
    """After what is wrong, the reason says what to write: both parts, without a full stop."""
    path = Path(inspect.getfile(importlib.import_module(f"hetero.{module}")))
    reasons = [*_reasons(ast.parse(path.read_text()))]
    assert reasons
    for reason in reasons:
        assert re.search(r"; (write|keep|use|leave|a vendor has)", reason), reason
        assert not reason.rstrip("'\"").endswith("."), reason
