"""What every command works with: settings and plugins, loaded once and only when asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from hetero import config, log
from hetero.config import Settings
from hetero.errors import InvalidConfiguration

T = TypeVar("T")


class Context:
    """The surroundings of one ``hetero`` command.

    Args:
        config_path: The configuration file; None for the process's own.
        log_level: Overrides the configured level; None leaves it.
        plugins: For tests; None for what is installed.
    """

    def __init__(self, config_path: Path | None = None, log_level: str | None = None, plugins: Any = None) -> None:
        self._config_path = config_path
        self._log_level = log_level
        if plugins is not None:
            self.plugins = plugins

    @property
    def config_path(self) -> Path | None:
        """The configuration file; None when there is none and none is named."""
        return self._config_path or config.path()

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process.

        Raises:
            InvalidConfiguration: The file cannot be read or holds something that cannot be used.
        """
        path = self.config_path
        settings = config.settings(read_yaml(path), str(path)) if path else Settings()
        log.configure(self._log_level or settings.log.level or "warning", json=settings.log.json)
        return settings

    def log_as(self, level: str) -> None:
        """Log from this level on, unless the command line or the configuration says another."""
        log.configure(self._log_level or self.settings.log.level or level, json=self.settings.log.json)

    @cached_property
    def plugins(self) -> Any:
        """The plugins (:class:`hetero.plugins.Plugins`) that the settings leave.

        Raises:
            PluginError: A required plugin cannot be used.
        """
        from hetero import plugins

        vendors = self.settings.vendors
        return plugins.load(required=vendors.required, disabled=vendors.disabled)

    @cached_property
    def vendors(self) -> Any:
        """The vendors by name for a command that asks this node's drivers: none of them can keep it from its end.

        Raises:
            PluginError: A required plugin cannot be used.
        """
        from hetero.monitoring.guard import guarded

        drivers = self.settings.drivers
        return guarded(self.plugins.vendors, drivers.deadline_s, drivers.prepare_s)

    def runtime_directory(self, environment: Mapping[str, str] = os.environ) -> Path:
        """Where this user's slices live."""
        return config.runtime_directory(environment)


def read_yaml(path: Path) -> Any:
    """One YAML document.

    Raises:
        InvalidConfiguration: The file cannot be read, or is no YAML; the sentence has line and column.
    """
    import yaml

    return read_with(yaml.safe_load, path)


def read_with(load: Callable[[str], T], path: Path) -> T:
    """What a YAML reader makes of a file.

    Raises:
        InvalidConfiguration: As :func:`read_yaml`.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        return load(text)
    except OSError as error:
        raise InvalidConfiguration(str(path), f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidConfiguration(str(path), "is no text") from error
    except RecursionError as error:
        raise InvalidConfiguration(str(path), "is nested too deeply to be read") from error
    except Exception as error:  # of a 13th month or '!!int x' the reader lets Python's own error out
        raise InvalidConfiguration(str(path), yaml_problem(error, text)) from error


def yaml_problem(error: Exception, text: str) -> str:
    """What a YAML reader found wrong in a text, in one line."""
    problem = getattr(error, "problem", None) or next(iter(str(error).splitlines()), type(error).__name__)
    return f"is no YAML: {problem}{_where(error, text)}"


def _where(error: Exception, text: str) -> str:
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    if mark is not None:
        return f" in line {mark.line + 1}, column {mark.column + 1}"
    if isinstance(position, int):  # of a character that YAML forbids
        before = text[:position]
        return f" in line {before.count(chr(10)) + 1}, column {position - before.rfind(chr(10))}"
    return ""
