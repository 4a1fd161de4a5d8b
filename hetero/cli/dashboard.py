"""``hetero dashboard``: what a cluster has, who uses it, who waits and why, as pages in a browser."""

from __future__ import annotations

import click
import msgspec

from hetero.cli.context import Context
from hetero.config import DashboardSettings, Settings
from hetero.errors import HeteroError, InvalidValue


class Missing(HeteroError):
    """A library that only this command needs is not installed.

    Args:
        name: The module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"the dashboard needs {name}: pip install 'hetero[web]'")


@click.command("dashboard")
@click.option(
    "--kubeconfig", help="How to reach the cluster; without it $KUBECONFIG, ~/.kube/config, or the pod's own account."
)
@click.option("--context", "name", help="Context of the kubeconfig.")
@click.option("--listen", help="Address of the pages, HOST:PORT (dashboard.listen).")
@click.option("--health", help="Address of probes and metrics, HOST:PORT; empty for none (dashboard.health).")
@click.option("--auth", help="How people are known: none, token or proxy (dashboard.auth).")
@click.option("--agents", help="How the nodes' agents are asked: direct or proxy (dashboard.agents).")
@click.option("--insecure", is_flag=True, help="Talk plain HTTP on addresses that other machines reach.")
@click.option("--open", "browse", is_flag=True, help="Open the pages in this machine's browser.")
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one for each option
    context: Context,
    kubeconfig: str | None,
    name: str | None,
    listen: str | None,
    health: str | None,
    auth: str | None,
    agents: str | None,
    insecure: bool,
    browse: bool,
) -> None:
    """Serve the dashboard of a cluster until it is interrupted. It changes nothing in the cluster."""
    given = {"listen": listen, "health": health, "auth": auth, "agents": agents}
    settings = merged(context.settings, {key: value for key, value in given.items() if value is not None})
    context.log_as("info")  # a service that says nothing when it starts looks dead
    try:
        from hetero.web import main

        main.run(
            settings,
            context.plugins,
            kubeconfig=kubeconfig,
            context=name,
            insecure=insecure,
            ready=_opened if browse else _told,
        )
    except ModuleNotFoundError as error:
        raise Missing(error.name or "a library") from error


def merged(settings: Settings, given: dict[str, str]) -> Settings:
    """The settings with what the command line says instead.

    Raises:
        InvalidValue: An option is no word that is known, or goes not with the configuration.
    """
    try:
        own = DashboardSettings(**{**msgspec.structs.asdict(settings.dashboard), **given})
    except ValueError as error:
        field = next((name for name in given if name in str(error)), "auth")
        _, _, advice = str(error).partition(f"{field} is {given.get(field)!r}; ")
        reason = f"is none of the words; {advice}" if advice else f"cannot be used: {error}"
        raise InvalidValue(f"--{field}", given.get(field, ""), reason) from error
    return msgspec.structs.replace(settings, dashboard=own)


def _told(url: str) -> None:
    click.echo(f"the dashboard is at {url}")


def _opened(url: str) -> None:
    import webbrowser

    _told(url)
    if not webbrowser.open(url):
        click.echo("there is no browser on this machine; open the address above in one")
