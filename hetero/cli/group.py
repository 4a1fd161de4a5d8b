"""The commands of ``hetero``, each loaded when it is named, and those that plugins add."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

import hetero
from hetero import log
from hetero.cli.context import Context
from hetero.cli.failures import guarded, unread

_log = log.logger("cli")

COMMANDS = (
    "devices",
    "vendors",
    "run",
    "top",
    "change",
    "plan",
    "explain",
    "doctor",
    "sim",
    "scheduler",
    "agent",
    "dashboard",
    "certificate",
    "uninstall",
    "new-vendor",
)
"""Ours, in the order of the help: a module of this package each, with a ``command``."""


class Commands(click.Group):
    """Finds commands by name, ours before any plugin's."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours, then those of plugins."""
        return [*COMMANDS, *sorted(_of_plugins(ctx))]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name in COMMANDS:
            command: click.Command = import_module(f"hetero.cli.{name.replace('-', '_')}").command
            return command
        return _of_plugins(ctx).get(name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first word names; of a slip, the word that was probably meant is told."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            if not near:
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}; perhaps '{near[0]}'", ctx) from error

    def make_context(self, *words: Any, **named: Any) -> click.Context:
        """Read the words; ``--help`` and ``--version`` are written here already."""
        try:
            return super().make_context(*words, **named)
        except BrokenPipeError:
            raise click.exceptions.Exit(unread()) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a reader that left early is no failure, which click and rich would make of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return unread()
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):
                return unread()
            raise


def _of_plugins(ctx: click.Context) -> dict[str, click.Command]:
    context = ctx.obj if isinstance(ctx.obj, Context) else Context()
    found: dict[str, click.Command] = {}
    for name, command in context.plugins.commands.items():
        if name in COMMANDS or not isinstance(command, click.Command):
            _log.warning("command refused: its name is taken or it is no click.Command", command=name)
        else:
            found[name] = command
    return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(hetero.__version__, prog_name="hetero")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Configuration file (default: $HETERO_CONFIG, then /etc/hetero/config.yaml).",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="What goes to stderr.")
@click.pass_context
def group(ctx: click.Context, config: Path | None, log_level: str | None) -> None:
    """Slices of accelerators, of any vendor."""
    ctx.obj = Context(config, log_level)
    # Read before anything is logged: a wrong file is told first.
    _ = ctx.obj.settings


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    log.configure()

    def action() -> int:
        result: Any = group.main(args=list(arguments), prog_name="hetero", standalone_mode=False)
        return result if isinstance(result, int) else 0

    return guarded(action)
