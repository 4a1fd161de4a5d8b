"""The real cluster, read once and changed in nothing: what ``hetero explain`` and ``plan --cluster live`` look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from hetero.cli.context import Context
from hetero.errors import HeteroError

if TYPE_CHECKING:
    from hetero.kube import objects
    from hetero.kube.client import Api
    from hetero.scheduler.cluster import Cluster

LIVE = "live"
"""What stands for the real cluster where the file of a described one could stand."""


@dataclass(frozen=True)
class Access:
    """How to reach the API server; empty texts leave it to the environment, as for ``kubectl``.

    Attributes:
        kubeconfig: A file.
        context: One of its contexts.
    """

    kubeconfig: str = ""
    context: str = ""

    @contextmanager
    def connected(self) -> Iterator[Api]:
        """A client, for as long as it is needed.

        Raises:
            InvalidConfiguration: There is no such kubeconfig or context, or it cannot be used.
            HeteroError: The client's libraries are not installed.
        """
        try:
            from hetero.kube.client import Api

            api = Api.connect(self.kubeconfig or None, self.context or None)
        except ModuleNotFoundError as error:
            raise HeteroError(f"the cluster is reached by way of {error.name}: pip install 'hetero[kube]'") from error
        try:
            yield api
        finally:
            api.close()

    def namespace(self) -> str:
        """The namespace that the context works in, or ``default``."""
        from kubernetes.config import ConfigException, list_kube_config_contexts

        from hetero.kube.configuration import found

        try:
            contexts, active = list_kube_config_contexts(self.kubeconfig or found())  # type: ignore[no-untyped-call]
        except (ConfigException, OSError):  # there is none: this is a pod
            return "default"
        chosen = next((one for one in contexts if one["name"] == self.context), active)
        return str((chosen.get("context") or {}).get("namespace") or "default")


@dataclass(frozen=True)
class Snapshot:
    """What was read.

    Attributes:
        cluster: Its planner, charged with what the pods hold.
        pods: All pods.
        quotas: All ResourceQuotas.
    """

    cluster: Cluster
    pods: list[objects.Pod]
    quotas: list[objects.ResourceQuota]


def options(command: Callable[..., int]) -> Callable[..., int]:
    """The options ``--kubeconfig`` and ``--context``, given to the command as ``access``."""

    @click.option("--kubeconfig", default="", help="Kubeconfig file (default: as for kubectl).")
    @click.option("--context", "kube_context", default="", help="A context of the kubeconfig.")
    @wraps(command)
    def wrapped(*given: Any, kubeconfig: str, kube_context: str, **named: Any) -> int:
        return command(*given, access=Access(kubeconfig, kube_context), **named)

    return wrapped


def read(api: Api, context: Context) -> Snapshot:
    """Read all nodes, pods and quotas, in pages. O(nodes + pods).

    Raises:
        ApiError: The server refused, or did not answer.
    """
    from hetero.kube import objects, paths
    from hetero.kube.decoding import Codec
    from hetero.kube.snapshot import snapshot
    from hetero.scheduler.cluster import Cluster

    plugins = context.plugins
    cluster = Cluster(plugins.vendors, context.settings.placement, plugins.scorers.values())
    # Quotas and nodes first: a pod that is bound meanwhile is charged, and never on a node that is not there yet.
    _, quotas = snapshot(api, paths.QUOTAS, Codec(objects.ResourceQuota))
    _, nodes = snapshot(api, paths.NODES, Codec(objects.Node))
    _, pods = snapshot(api, paths.PODS, Codec(objects.Pod))
    cluster.quotas.replace(quotas)
    cluster.nodes.replace(nodes)
    cluster.pods.replace(pods)
    return Snapshot(cluster, pods, quotas)
