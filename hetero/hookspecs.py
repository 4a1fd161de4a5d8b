"""Every hook of hetero, with its whole contract, on this page.

A plugin is a module (or object) named by an entry point of the group ``hetero``. It implements any of the
functions below, marked with :data:`hookimpl`, and may take fewer arguments than the specification has, so that
a specification can grow without breaking it::

    # pyproject.toml:  [project.entry-points.hetero]  acme = "hetero_acme"
    from hetero.hookspecs import hookimpl

    @hookimpl
    def hetero_register_vendors():
        return [acme]

Hooks register objects, once, when a process starts; they are on no hot path. A misspelt hook, or one with an
argument that the specification lacks, is refused when the plugin is loaded, with the plugin's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from hetero.vendor import Vendor

PROJECT = "hetero"
"""Name of the pluggy project and of the entry point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def hetero_register_vendors() -> Iterable[Vendor]:  # type: ignore[empty-body]
    """Give the vendors of this plugin.

    Called once per process, after all plugins are imported. Must not touch a driver, read a file or block: it
    runs on machines without the chip, in the webhook and in the command line alike.

    Returns:
        Vendors whose names no other plugin uses. A name that is taken refuses the whole plugin that comes
        later in the alphabetical order of entry points.
    """


@hookspec
def hetero_register_scorers() -> Iterable[Any]:  # type: ignore[empty-body]
    """Give scorers: objects that satisfy :class:`hetero.placement.score.Scorer`.

    Called once per process that places pods. A scorer adds to the planner's own score of each candidate; it can prefer,
    never admit what does not fit. It must be pure and fast: it is called for every candidate device.

    Returns:
        Scorers, each with a name that is unique among all plugins.
    """


@hookspec
def hetero_register_commands() -> Iterable[Any]:  # type: ignore[empty-body]
    """Give commands (``click.Command``) for the ``hetero`` command line.

    Called once, by ``hetero`` itself. A command whose name is taken by hetero is refused with a warning.

    Returns:
        Commands with names that are unique among all plugins.
    """
