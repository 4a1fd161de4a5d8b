"""The only door to entry points: finds plugins, loads them one by one, and keeps the table of vendors.

A broken plugin never stops the others: it is skipped, with an error line in the log and a count, and
:attr:`Plugins.failures` tells ``hetero vendors`` and ``hetero doctor`` why. A plugin that the configuration requires
fails loudly instead, since running without it would be worse than not running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pluggy

from hetero import hookspecs, log, metrics
from hetero.errors import PluginError
from hetero.vendor import Vendor

_log = log.logger("plugins")


@dataclass(frozen=True)
class Plugins:
    """What is installed and usable.

    Attributes:
        vendors: By name, in alphabetical order.
        scorers: By name.
        commands: All commands that plugins offer, by name.
        failures: The plugins that were skipped, by the name of the entry point.
        origins: Vendor name to the distribution that provides it, with its version (``hetero-acme 1.2``).
    """

    vendors: Mapping[str, Vendor]
    scorers: Mapping[str, Any]
    commands: Mapping[str, Any]
    failures: Mapping[str, PluginError]
    origins: Mapping[str, str]


def installed() -> tuple[EntryPoint, ...]:
    """The entry points of the group ``hetero``, in alphabetical order."""
    return tuple(sorted(entry_points(group=hookspecs.PROJECT), key=lambda entry: entry.name))


def load(
    entries: Iterable[EntryPoint] | None = None,
    *,
    required: Iterable[str] = (),
    disabled: Iterable[str] = (),
) -> Plugins:
    """Load plugins and ask each for what it registers.

    Args:
        entries: The candidates; None for what is installed.
        required: Names of entry points that must load.
        disabled: Names of entry points that are left alone.

    Returns:
        What is usable, and why the rest is not.

    Raises:
        PluginError: A required plugin is not installed or cannot be used.
    """
    loader, names, unwanted = _Loader(), set(), set(disabled)
    for entry in installed() if entries is None else entries:
        names.add(entry.name)
        if entry.name not in unwanted:
            loader.add(entry)
    for name in required:
        if name in loader.failures:
            raise loader.failures[name]
        if name not in names:
            raise PluginError(name, "is required by the configuration but not installed", "install its package")
        if name in unwanted:
            raise PluginError(name, "is both required and disabled by the configuration", "keep one of the two")
    return loader.result()


class _Loader:
    """Adds one plugin after another; whatever goes wrong with one stays with that one."""

    def __init__(self) -> None:
        self.failures: dict[str, PluginError] = {}
        self._vendors: dict[str, Vendor] = {}
        self._scorers: dict[str, Any] = {}
        self._commands: dict[str, Any] = {}
        self._origins: dict[str, str] = {}

    def add(self, entry: EntryPoint) -> None:
        """Take all that a plugin registers, or nothing of it."""
        try:
            hooks = _checked(entry, _imported(entry))
            vendors = _called(entry, hooks.hetero_register_vendors)
            scorers = _called(entry, hooks.hetero_register_scorers)
            commands = _called(entry, hooks.hetero_register_commands)
            _check_vendors(entry, vendors, self._vendors)
            _check_named(entry, "scorer", scorers, self._scorers)
            _check_scorers(entry, scorers)
            _check_named(entry, "command", commands, self._commands)
        except PluginError as error:
            self._skip(error)
            return
        self._vendors.update((vendor.name, vendor) for vendor in vendors)
        self._origins.update((vendor.name, _origin(entry)) for vendor in vendors)
        self._scorers.update((scorer.name, scorer) for scorer in scorers)
        self._commands.update((command.name, command) for command in commands)

    def result(self) -> Plugins:
        return Plugins(
            vendors=dict(sorted(self._vendors.items())),
            scorers=self._scorers,
            commands=self._commands,
            failures=self.failures,
            origins=self._origins,
        )

    def _skip(self, error: PluginError) -> None:
        self.failures[error.plugin] = error
        metrics.plugin_failures.add(error.plugin)
        _log.error("plugin skipped", plugin=error.plugin, reason=error.reason, cause=repr(error.__cause__))


def _imported(entry: EntryPoint) -> Any:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:  # one that ends the process is no better
        raise PluginError(
            entry.name,
            f"import of {entry.value} failed with {type(error).__name__}: {error}",
            f"reinstall or remove {_origin(entry) or entry.name}",
        ) from error


def _checked(entry: EntryPoint, plugin: Any) -> Any:
    # A manager of its own per plugin, so that one misspelt hook is found and refused alone.
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, name=entry.name)
        _refuse_unknown_hooks(plugin)
        manager.check_pending()
    except Exception as error:
        raise PluginError(entry.name, str(error).replace("\n", " "), "see hetero.hookspecs for the hooks") from error
    return manager.hook


def _refuse_unknown_hooks(plugin: Any) -> None:
    """Catch a misspelt hook that was not marked either: nobody names a function so by accident."""
    for name in dir(plugin):
        if name.startswith("hetero_register") and not hasattr(hookspecs, name):
            raise pluggy.PluginValidationError(plugin, f"unknown hook {name!r}")


def _called(entry: EntryPoint, hook: Callable[[], list[Iterable[Any]]]) -> list[Any]:
    try:
        return [item for items in hook() for item in items]
    except (Exception, SystemExit) as error:
        raise PluginError(entry.name, f"registration failed with {type(error).__name__}: {error}") from error


def _check_vendors(entry: EntryPoint, vendors: list[Any], taken: Mapping[str, Vendor]) -> None:
    for vendor in vendors:
        if not isinstance(vendor, Vendor):
            raise PluginError(entry.name, f"registered {type(vendor).__name__} instead of a hetero.vendor.Vendor")
    _check_named(entry, "vendor", vendors, taken)
    owners = {name: other.name for other in taken.values() for name in _resource_names(entry, other)}
    for vendor in vendors:
        for name in _resource_names(entry, vendor):
            if owners.setdefault(name, vendor.name) != vendor.name:
                raise PluginError(entry.name, f"resource {name} already belongs to vendor {owners[name]!r}")


def _resource_names(entry: EntryPoint, vendor: Vendor) -> list[str]:
    try:
        return [name.name for family in vendor.resources for name in family.names()]
    except Exception as error:
        raise PluginError(entry.name, f"resources of vendor {vendor.name!r} cannot be listed: {error}") from error


def _check_named(entry: EntryPoint, kind: str, items: list[Any], taken: Mapping[str, Any]) -> None:
    """Names are how everything that is registered is found, so each has one of its own."""
    seen = set(taken)
    for item in items:
        name = _attribute(item, "name")
        if not isinstance(name, str) or not name:
            raise PluginError(entry.name, f"registered a {kind} without a name: {type(item).__name__}")
        if name in seen:
            raise PluginError(entry.name, f"{kind} {name!r} is already registered", "remove one of the two")
        seen.add(name)


def _check_scorers(entry: EntryPoint, scorers: list[Any]) -> None:
    for scorer in scorers:
        if not callable(_attribute(scorer, "score")):
            raise PluginError(entry.name, f"scorer {scorer.name!r} has no method score")


def _attribute(item: Any, name: str) -> Any:
    """An attribute of a stranger's object; a property of it that fails is as good as none."""
    try:
        return getattr(item, name, None)
    except Exception:
        return None


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else ""
