"""Loading plugins: what works is taken whole, what is broken is left out whole, and nobody stops anybody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from hetero import metrics, plugins
from hetero.errors import PluginError

GOOD = """
from hetero.hookspecs import hookimpl
from hetero.testing import fake_vendor

@hookimpl
def hetero_register_vendors():
    return [fake_vendor("good")]
"""

REGISTERS = """
from hetero.hookspecs import hookimpl
from hetero.testing import fake_vendor

class Named:
    def __init__(self, name):
        self.name = name

@hookimpl
def {hook}({arguments}):
    {body}
"""


def registers(body: str, hook: str = "hetero_register_vendors", arguments: str = "") -> str:
    """A plugin with one hook."""
    return REGISTERS.format(hook=hook, arguments=arguments, body=body)


BROKEN = {
    "import": ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
    "syntax": ("def broken(:", "SyntaxError"),
    "exit": ("raise SystemExit(3)", "SystemExit"),
    "misspelt": (registers("return []", hook="hetero_register_vendor"), "hetero_register_vendor"),
    "unmarked": ("def hetero_register_vendorz():\n    return []", "hetero_register_vendorz"),
    "argument": (registers("return []", arguments="colour"), "colour"),
    "raises": (registers("raise ValueError('no such chip')"), "no such chip"),
    "exits": (registers("raise SystemExit(4)"), "SystemExit"),
    "nothing": (registers("return None"), ""),
    "number": (registers("return [7]"), "registered int instead of a hetero.vendor.Vendor"),
    "twice": (registers("return [fake_vendor('x'), fake_vendor('x')]"), "vendor 'x' is already registered"),
    "scorer": (registers("return [object()]", hook="hetero_register_scorers"), "scorer without a name: object"),
    "command": (registers("return [Named('')]", hook="hetero_register_commands"), "command without a name: Named"),
    "scores": (registers("return [Named('a')]", hook="hetero_register_scorers"), "scorer 'a' has no method score"),
    "late": (registers("yield fake_vendor('x'); raise OSError('gone')"), "OSError: gone"),
    "single": (registers("return fake_vendor('x')"), "TypeError"),
    "moody": (
        registers("return [type('M', (), {'name': property(lambda self: 1 / 0)})()]", hook="hetero_register_commands"),
        "command without a name: M",
    ),
    "wordless": (registers("return [fake_vendor('Not A Name')]"), "is no vendor name"),
    "same": (registers("return [Named('a'), Named('a')]", hook="hetero_register_scorers"), "scorer 'a' is already"),
}


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "nothing"])
def test_a_broken_plugin_is_skipped_alone(distribution: Callable[..., EntryPoint], name: str) -> None:
    """The one after it works; the failure says what happened; it is counted."""
    code, reason = BROKEN[name]
    before = metrics.plugin_failures.value(name)
    found = plugins.load([distribution(name, code), distribution("zgood", GOOD)])
    assert list(found.vendors) == ["good"]
    assert reason in found.failures[name].reason
    assert metrics.plugin_failures.value(name) == before + 1


def test_nothing_registered_is_nothing_wrong(distribution: Callable[..., EntryPoint]) -> None:
    """A plugin may have only some of the hooks, and pluggy leaves out a hook's None."""
    found = plugins.load([distribution("nothing", BROKEN["nothing"][0])])
    assert not found.failures
    assert not found.vendors


def test_a_required_plugin_fails_loudly(distribution: Callable[..., EntryPoint]) -> None:
    """Running without what the configuration names would be worse than not running."""
    entry = distribution("import", BROKEN["import"][0])
    with pytest.raises(PluginError, match="no_such_module_anywhere"):
        plugins.load([entry], required=["import"])


def test_a_required_plugin_must_be_installed(distribution: Callable[..., EntryPoint]) -> None:
    """The sentence says what to do."""
    with pytest.raises(PluginError, match="not installed; install its package"):
        plugins.load([distribution("zgood", GOOD)], required=["absent"])


def test_a_plugin_is_not_required_and_disabled(distribution: Callable[..., EntryPoint]) -> None:
    """The configuration contradicts itself: leaving the plugin out in silence would be the worse reading."""
    with pytest.raises(PluginError, match="both required and disabled"):
        plugins.load([distribution("zgood", GOOD)], required=["zgood"], disabled=["zgood"])


def test_all_that_is_broken_stops_nobody(distribution: Callable[..., EntryPoint]) -> None:
    """All of them at once, before and after one that works."""
    broken = {name: code for name, (code, _) in BROKEN.items() if name != "nothing"}
    entries = [distribution(name, code) for name, code in broken.items()]
    found = plugins.load([*entries, distribution("good", GOOD), distribution("last", registers("return []"))])
    assert list(found.vendors) == ["good"]
    assert set(found.failures) == set(broken)
    assert not found.scorers
    assert not found.commands


def test_a_plugin_is_taken_whole_or_not_at_all(distribution: Callable[..., EntryPoint]) -> None:
    """A scorer without a name leaves out the vendor beside it, whose name stays free for another plugin."""
    half = GOOD + "\n@hookimpl\ndef hetero_register_scorers():\n    return [object()]\n"
    found = plugins.load([distribution("half", half), distribution("whole", GOOD)])
    assert found.origins == {"good": "hetero-whole 1.0"}
    assert set(found.failures) == {"half"}


def test_a_disabled_plugin_is_not_even_imported(distribution: Callable[..., EntryPoint]) -> None:
    """What would fail is left alone."""
    found = plugins.load([distribution("import", BROKEN["import"][0])], disabled=["import"])
    assert not found.failures


def test_the_second_of_two_vendors_with_a_name_is_refused(distribution: Callable[..., EntryPoint]) -> None:
    """The first in alphabetical order stays; nothing of the other is taken, its scorer neither."""
    other = GOOD + "\n@hookimpl\ndef hetero_register_scorers():\n    return [type('S', (), {'name': 'late'})()]\n"
    found = plugins.load([distribution("a", GOOD), distribution("b", other)])
    assert list(found.vendors) == ["good"]
    assert not found.scorers
    assert "already registered" in found.failures["b"].reason


def test_a_resource_belongs_to_one_vendor(distribution: Callable[..., EntryPoint]) -> None:
    """A second vendor that claims it is refused with the name of the first."""
    clash = registers(
        "import dataclasses; a = fake_vendor('a'); "
        "return [dataclasses.replace(fake_vendor('good2'), resources=fake_vendor('good').resources)]"
    )
    found = plugins.load([distribution("a", GOOD), distribution("b", clash)])
    assert list(found.vendors) == ["good"]
    assert "already belongs to vendor 'good'" in found.failures["b"].reason


def test_origins_name_the_distribution(distribution: Callable[..., EntryPoint]) -> None:
    """``hetero vendors`` shows which package, in which version."""
    found = plugins.load([distribution("zgood", GOOD)])
    assert found.origins == {"good": "hetero-zgood 1.0"}


def test_installed_plugins_are_found_by_their_entry_points() -> None:
    """Ours is found exactly as a stranger's is."""
    names = [entry.name for entry in plugins.installed()]
    assert names == sorted(names)
    assert {"nvidia", "toy"} <= set(names)


def test_the_command_line_tells_why(
    distribution: Callable[..., EntryPoint], hetero: Callable[..., object], tmp_path: Path
) -> None:
    """A failed import, a misspelt hook and a missing driver: the others work, and two commands show each reason."""
    distribution("import", BROKEN["import"][0])
    distribution("misspelt", BROKEN["misspelt"][0])
    vendors = hetero("vendors", "--output", "json", path=(tmp_path,))
    assert vendors.returncode == 0
    told = json.loads(vendors.stdout)
    assert {one["plugin"] for one in told["skipped"]} == {"import", "misspelt"}
    [nvidia] = [one for one in told["vendors"] if one["name"] == "nvidia"]
    assert nvidia["driver"] or nvidia["driver_problem"]
    doctor = hetero("doctor", path=(tmp_path,))
    assert doctor.returncode == 1
    for reason in ("no_such_module_anywhere", "hetero_register_vendor"):
        assert reason in doctor.stdout
    assert "Traceback" not in vendors.stderr + doctor.stderr
