"""``hetero scheduler``: the shared scheduler as a service."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from hetero.cli.context import Context
from hetero.config import SchedulerSettings, Settings
from hetero.errors import HeteroError, InvalidValue


class Missing(HeteroError):
    """A library that only this command needs is not installed.

    Args:
        name: The module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"the scheduler needs {name}: pip install 'hetero[scheduler]'")


@click.command("scheduler")
@click.option(
    "--kubeconfig", help="How to reach the cluster; without it $KUBECONFIG, ~/.kube/config, or the pod's own account."
)
@click.option("--context", "name", help="Context of the kubeconfig.")
@click.option("--extender", help="Address for kube-scheduler, HOST:PORT (scheduler.extender).")
@click.option("--public", help="Address for the webhook, HOST:PORT; empty for none (scheduler.public).")
@click.option("--tls-cert", type=click.Path(path_type=Path), help="Certificate chain, PEM (scheduler.tls_cert).")
@click.option("--tls-key", type=click.Path(path_type=Path), help="Its key, PEM (scheduler.tls_key).")
@click.option("--insecure", is_flag=True, help="Talk plain HTTP on addresses that other machines reach.")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one for each option
    context: Context,
    kubeconfig: str | None,
    name: str | None,
    extender: str | None,
    public: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure: bool,
) -> None:
    """Serve kube-scheduler as its extender, and the API server as its webhook, until SIGTERM."""
    given = {
        "extender": extender,
        "public": public,
        "tls_cert": str(tls_cert) if tls_cert else None,
        "tls_key": str(tls_key) if tls_key else None,
    }
    settings = merged(context.settings, {key: value for key, value in given.items() if value is not None})
    context.log_as("info")  # a service that says nothing when it starts looks dead
    try:
        from hetero.scheduler import main

        main.run(settings, context.plugins, kubeconfig=kubeconfig, context=name, insecure=insecure)
    except ModuleNotFoundError as error:
        raise Missing(error.name or "a library") from error


def merged(settings: Settings, given: dict[str, str]) -> Settings:
    """The settings with what the command line says instead.

    Raises:
        InvalidValue: Half a certificate is given.
    """
    try:
        own = SchedulerSettings(**{**msgspec.structs.asdict(settings.scheduler), **given})
    except ValueError as error:
        field = "tls_cert" if given.get("tls_cert") else "tls_key"
        raise InvalidValue(f"--{field.replace('_', '-')}", given.get(field, ""), f"cannot be used: {error}") from error
    return msgspec.structs.replace(settings, scheduler=own)
