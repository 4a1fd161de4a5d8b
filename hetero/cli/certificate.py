"""``hetero certificate``: what a job of the chart runs, once at each installation and every day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from hetero.cli import live
from hetero.cli.context import Context
from hetero.errors import HeteroError

if TYPE_CHECKING:
    from hetero.install.webhook import Outcome


@click.command("certificate")
@click.option("--namespace", required=True, help="Namespace of the Secret and of the Service.")
@click.option("--secret", required=True, help="Secret that gets the certificate, its key and its authorities.")
@click.option("--service", required=True, help="Service that the API server calls; the certificate is for its names.")
@click.option("--webhook", default="pods.hetero.io", show_default=True, help="The MutatingWebhookConfiguration.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long one is valid.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Label of a Secret that is made.")
@live.options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one for each option
    context: Context,
    namespace: str,
    secret: str,
    service: str,
    webhook: str,
    days: int,
    labels: tuple[str, ...],
    access: live.Access,
) -> int:
    """Make the webhook's certificate where there is none, renew an old one, and let the API server trust it."""
    context.log_as("info")
    try:
        from hetero.install.webhook import Keeper, Names
    except ModuleNotFoundError as error:
        raise HeteroError(f"certificates are made by way of {error.name}: pip install 'hetero[install]'") from error
    names = Names(namespace=namespace, secret=secret, service=service, webhook=webhook, labels=labelled(labels))
    with access.connected() as api:
        outcome = Keeper(api, names, lambda: datetime.now(UTC), timedelta(days=days)).keep()
    for line in told(outcome, names.namespace, names.secret, names.webhook):
        click.echo(line)
    return 0


def labelled(words: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` words as labels.

    Raises:
        BadParameter: One has no equals sign.
    """
    found = {}
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            raise click.BadParameter(f"{word!r} is no label; write KEY=VALUE", param_hint="--label")
        found[key] = value
    return found


def told(outcome: Outcome, namespace: str, secret: str, webhook: str) -> list[str]:
    """What was done, a line for the Secret and one for the API server."""
    place = f"Secret {namespace}/{secret}"
    days = f"valid until {outcome.expiry:%Y-%m-%d}, renewed from {outcome.renewal:%Y-%m-%d}"
    made = f"{place}: a new certificate, for {outcome.made}; {days}" if outcome.made else f"{place}: kept, {days}"
    trusted = {
        "patched": f"{webhook}: the API server trusts it now",
        "unchanged": f"{webhook}: the API server trusts it already",
        "absent": f"{webhook}: there is no such webhook configuration yet; run this again when there is",
    }
    return [made, trusted[outcome.trusted]]
