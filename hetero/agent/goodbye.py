"""When the agent ends for good, because hetero is uninstalled, nothing of it stays on the node.

An agent that ends because it is updated, or because its node is drained, leaves everything: containers run on in their
slices, and the next agent finds them. The difference is in its DaemonSet, which is gone or being deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol

import msgspec

from hetero import log
from hetero.agent.slices import Slices
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.errors import ApiError, HeteroError
from hetero.kube import paths
from hetero.kube.objects import Metadata, Object

_log = log.logger("agent")


class _Any(Object, frozen=True):
    metadata: Metadata


class Server(Protocol):
    """As much of an API server as is needed (:class:`hetero.kube.client.Api`)."""

    def get(self, path: str) -> bytes:
        """What is at a path."""


def uninstalled(server: Server, namespace: str, daemonset: str) -> bool:
    """True when the agent's DaemonSet is gone or being deleted.

    False where nobody can say, and where there is none because a person started the agent.
    """
    if not namespace or not daemonset:
        return False
    try:
        found = msgspec.json.decode(
            server.get(paths.grouped("apps/v1", "daemonsets", daemonset, namespace=namespace)), type=_Any
        )
    except ApiError as error:
        if error.status != 404:
            _log.warning("whether hetero was uninstalled is not known; everything stays", reason=str(error))
        return error.status == 404
    except msgspec.MsgspecError as error:
        _log.warning("the agent's DaemonSet cannot be read; everything stays", reason=str(error))
        return False
    return bool(found.metadata.deletion_timestamp)


def clean(
    slices: Slices,
    folder: CdiFolder,
    held: Callable[[], Iterable[Held]],
    resources: Iterable[str],
    kept: Collection[str] = (),
) -> None:
    """Remove all that is on the node. Containers that run keep the files that they have mounted. Never raises.

    What a vendor cannot undo, because it is in use, keeps its record: an agent that is installed again clears it up.

    Args:
        slices: Of this agent's vendors.
        folder: The CDI specifications.
        held: Reads the kubelet's checkpoint.
        resources: Names of this agent's resources; another agent of the node keeps its own.
        kept: Vendors whose slices stay, since another agent serves them from now on.
    """
    names = set(resources)

    def others() -> list[Held]:
        return [one for one in held() if one.resource not in names]

    actions: tuple[tuple[str, Callable[[], object]], ...] = (
        ("slices", lambda: slices.sweep(lambda record: record.vendor not in kept)),
        ("specifications", lambda: folder.sweep(others)),
        ("libraries", slices.sweep_libraries),
        ("directories", lambda: slices.leave(kept)),
    )
    for what, action in actions:
        try:
            action()
        except (HeteroError, OSError) as error:
            _log.warning("not everything was removed", what=what, reason=str(error))
