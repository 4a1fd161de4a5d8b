"""``hetero explain``: why a pod of a cluster waits, where it would go, or where it is and what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click
import msgspec

from hetero.cli import live, output, placements
from hetero.cli.context import Context
from hetero.cli.failures import visible
from hetero.errors import ApiError, InvalidValue

if TYPE_CHECKING:
    from hetero.cli.explained import Explained, ShownPod
    from hetero.kube.client import Api

UNPLACED = 3
"""Exit code when the pod finds no place, as of ``hetero plan``."""

# Source: Kubernetes documentation, "Object Names and IDs", "DNS Subdomain Names".
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


def _amount(key: str) -> output.Column:
    return output.Column(key, lambda row: f"{row[key]} {row['unit']}".rstrip(), number=True)


QUOTAS = (
    output.column("quota", "quota"),
    output.column("resource", "resource"),
    _amount("limit"),
    _amount("used"),
    _amount("asked"),
)


@click.group("explain")
def command() -> None:
    """Say why something of the cluster is as it is."""


@command.command("pod")
@click.argument("name")
@click.option("-n", "--namespace", default="", help="Namespace of the pod (default: the context's).")
@live.options
@output.option
@click.pass_obj
def pod(context: Context, name: str, namespace: str, access: live.Access, form: str) -> int:
    """Explain a pod: where it is, where it would go, or why no node has room. Exit code 3 if none has."""
    from hetero.cli.explained import State, explain

    with access.connected() as api:
        shown = _read(api, namespace or access.namespace(), name)
        found = explain(shown, live.read(api, context), context.settings.admission.scheduler_name)
    if form == "json":
        _emit(found)
    else:
        _show(found)
    return UNPLACED if found.state is State.UNPLACED else 0


def _read(api: Api, namespace: str, name: str) -> ShownPod:
    """The pod.

    Raises:
        InvalidValue: There is none of that name, or it is no name.
        ApiError: The server refused, or did not answer, or not with a pod.
    """
    from hetero.cli.explained import ShownPod
    from hetero.kube import paths

    for field, value in (("--namespace", namespace), ("NAME", name)):
        if not _NAME.fullmatch(value):
            raise InvalidValue(field, value, "is no name; write lower-case letters, digits, '-' and '.'")
    try:
        return msgspec.json.decode(api.get(paths.pod(namespace, name)), type=ShownPod)
    except msgspec.MsgspecError as error:
        raise ApiError(200, "Unreadable", f"pod {namespace}/{name}: {error}") from error
    except ApiError as error:
        if error.status != 404:
            raise
        reason = f"is no pod of namespace {namespace}; name it as 'kubectl get pods -n {namespace}' lists it"
        raise InvalidValue("NAME", name, reason) from error


def _show(found: Explained) -> None:
    metadata = found.pod.metadata
    click.echo(visible(f"{metadata.namespace}/{metadata.name} {found.sentence}{_standing(found)}"))
    if found.placement is not None:
        click.echo()
        output.emit_table(list(placements.rows([found.placement])), placements.COLUMNS)
    _paragraph(_reasons(found))
    _paragraph(found.remarks)
    if found.quotas:
        click.echo()
        output.emit_table(found.quotas, QUOTAS, title="quotas of the namespace")


def _standing(found: Explained) -> str:
    """How good the best node is, and how many have room."""
    if not found.scores:
        return ""
    best, total = next(iter(found.scores.values())), len(found.scores) + len(found.refusals)
    return f" (score {best:.2f}; {len(found.scores)} of {total} nodes have room; kube-scheduler looks at the rest)"


def _reasons(found: Explained) -> list[str]:
    """Few reasons in detail with their nodes; many, or of many nodes, as the event has them, summed up."""
    from hetero.cli.explained import DETAILED

    different = {refusal.message for refusal in found.refusals.values()}
    if len(different) > placements.MOST or len(found.refusals) > DETAILED:
        return re.split(r"; (?=\d+/\d+ nodes: )", found.summary)
    return placements.reasons(found.refusals, len(found.scores) + len(found.refusals))


def _paragraph(lines: Iterable[str]) -> None:
    told = [f"  {visible(line)}" for line in lines]
    if told:
        click.echo("\n" + "\n".join(told))


def _emit(found: Explained) -> None:
    metadata = found.pod.metadata
    output.emit_json(
        pod={
            "namespace": metadata.namespace,
            "name": metadata.name,
            "state": str(found.state),
            "node": found.pod.spec.node_name or "",
            "best": found.placement.node if found.placement and not found.pod.spec.node_name else "",
            "summary": found.summary,
            "remarks": list(found.remarks),
        },
        placements=list(placements.rows([found.placement] if found.placement else [])),
        nodes=list(_nodes(found)),
        quotas=list(found.quotas),
    )


def _nodes(found: Explained) -> Iterable[dict[str, Any]]:
    """A row for each node, the best first, then those without room."""
    for name, score in found.scores.items():
        yield {"node": name, "fits": True, "score": score, "reason": "", "message": ""}
    for name, refusal in found.refusals.items():
        yield {"node": name, "fits": False, "score": 0.0, "reason": str(refusal.reason), "message": refusal.message}
