"""``hetero toy``: a command that a plugin adds."""

from __future__ import annotations

import click

from hetero_toy.discovery import JsonDiscovery


@click.command("toy")
def command() -> None:
    """List widgets, one per line."""
    for device in JsonDiscovery().devices():
        click.echo(device.uuid)
