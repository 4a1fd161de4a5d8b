"""``hetero agent``: the agent of a node."""

from __future__ import annotations

import click

from hetero.cli.context import Context
from hetero.errors import HeteroError


class Missing(HeteroError):
    """A library that only this command needs is not installed.

    Args:
        name: The module.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"the agent needs {name}: pip install 'hetero[agent]'")


@click.command("agent")
@click.option(
    "--kubeconfig", help="How to reach the cluster; without it $KUBECONFIG, ~/.kube/config, or the pod's own account."
)
@click.option("--context", "name", help="Context of the kubeconfig.")
@click.option("--node", help="Name of this machine's node; without it $NODE_NAME.")
@click.pass_obj
def command(context: Context, kubeconfig: str | None, name: str | None, node: str | None) -> None:
    """Serve this node's devices to its kubelet, and show them to the cluster, until SIGTERM."""
    settings = context.settings
    context.log_as("info")  # a service that says nothing when it starts looks dead
    try:
        from hetero.agent import main

        main.run(settings, context.plugins, kubeconfig=kubeconfig, context=name, place=main.place(node))
    except ModuleNotFoundError as error:
        raise Missing(error.name or "a library") from error
