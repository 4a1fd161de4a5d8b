"""Every failure is a sentence with the field, the value and what to do, and knows its exit code."""

from __future__ import annotations

import inspect

import pytest

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
        (errors.RegionError("/r", "is no region"), "/r: is no region"),
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
