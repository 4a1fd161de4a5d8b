"""``hetero uninstall``: what the chart runs before Helm removes its objects, and a person where Helm could not."""

from __future__ import annotations

import click

from hetero.cli import live
from hetero.cli.context import Context


@click.command("uninstall")
@click.option("--namespace", required=True, help="Namespace of the release.")
@click.option("--release", required=True, help="Name of Helm's release.")
@click.option("--webhook", default="pods.hetero.io", show_default=True, help="The MutatingWebhookConfiguration.")
@click.option("--secret", default="", help="Secret with the webhook's certificate.")
@click.option("--lease", default="", help="Lease of kube-scheduler's leader.")
@click.option("--certificate", default="", help="cert-manager's Certificate, where it made the Secret.")
@click.option("--total", "more", multiple=True, help="Total of a vendor whose package is not installed here.")
@click.option(
    "--wait", type=click.FloatRange(0), default=120.0, show_default=True, help="Seconds for pods to end, twice at most."
)
@live.options
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one for each option
    context: Context,
    namespace: str,
    release: str,
    webhook: str,
    secret: str,
    lease: str,
    certificate: str,
    more: tuple[str, ...],
    wait: float,
    access: live.Access,
) -> int:
    """Remove what Helm does not: the agents' annotations and totals on nodes, and the webhook's certificate.

    Pods of users are left alone. It can be run again at any time.
    """
    from hetero.install.uninstall import Release, Uninstall

    context.log_as("info")
    made = Release(
        namespace=namespace, name=release, webhook=webhook, secret=secret, lease=lease, certificate=certificate
    )
    families = [family for vendor in context.plugins.vendors.values() for family in vendor.resources]
    totals = {name for family in families for name in (family.memory, family.cores) if name} | set(more)
    with access.connected() as api:
        Uninstall(api, made, totals, say=click.echo, patience=wait).run()
    click.echo("nothing of hetero is left but what Helm removes")
    return 0
