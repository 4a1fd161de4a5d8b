"""``hetero plan``: where pods would go on a described cluster, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hetero.cli import output
from hetero.cli.cluster_file import inventory
from hetero.cli.context import Context, read_yaml
from hetero.cli.manifests import read_pods
from hetero.errors import InvalidRequest, InvalidValue
from hetero.model.ask import PodAsk
from hetero.model.device import CORES, MEMORY, SLOTS
from hetero.model.placement import Placement, Unplaced
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from hetero.placement import Planner

UNPLACED = 3
"""Exit code when a pod finds no place."""


@click.command("plan")
@click.option(
    "-f",
    "files",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path, allow_dash=True),
    help="Kubernetes manifests; may be given several times.",
)
@click.option("--cluster", "cluster", required=True, type=click.Path(path_type=Path), help="The cluster (YAML).")
@output.option
@click.pass_obj
def command(context: Context, files: tuple[Path, ...], cluster: Path, form: str) -> int:
    """Place the pods of manifests on a described cluster. Exit code 3 if any finds no place."""
    from hetero.placement import Planner

    plugins, policies = context.plugins, context.settings.placement
    planner = Planner(
        inventory(read_yaml(cluster), cluster, plugins.vendors),
        plugins.vendors,
        node_policy=policies.node_policy,
        device_policy=policies.device_policy,
        scorers=plugins.scorers.values(),
    )
    answers = [planner.place(ask) for ask in _asks(files, plugins.vendors)]
    placed = [answer for answer in answers if isinstance(answer, Placement)]
    unplaced = [answer for answer in answers if isinstance(answer, Unplaced)]
    if form == "json":
        output.emit_json(
            placements=list(_placements(placed)), unplaced=list(map(_unplaced, unplaced)), devices=list(_left(planner))
        )
    else:
        _show(placed, unplaced, planner)
    return UNPLACED if unplaced else 0


def _asks(files: Iterable[Path], vendors: Mapping[str, Vendor]) -> list[PodAsk]:
    """The asks of all pods.

    Raises:
        InvalidRequest: With every problem of every pod.
    """
    from hetero.admission.asks import pod_ask

    asks: list[PodAsk] = []
    # By text: the replicas of one workload have the same problems, which are told once.
    problems: dict[str, InvalidValue] = {}
    for pod in read_pods(*files):
        try:
            asks.append(pod_ask(pod, vendors))
        except InvalidRequest as error:
            problems.update((str(problem), problem) for problem in error.problems)
    if problems:
        raise InvalidRequest(problems.values())
    return asks


def _show(placed: Sequence[Placement], unplaced: Sequence[Unplaced], planner: Planner) -> None:
    if placed:
        output.emit_table(list(_placements(placed)), PLACEMENTS)
        click.echo()
    output.emit_table(list(_left(planner)), LEFT, title="left on each device")
    for pod in unplaced:
        click.echo(f"\n{pod.namespace}/{pod.pod} finds no place:")
        for nodes, sentence in _reasons(pod):
            click.echo(f"  {len(nodes)}/{len(pod.refusals)} nodes ({_some(nodes)}): {sentence}")


def _reasons(pod: Unplaced) -> list[tuple[list[str], str]]:
    """Nodes by their reason, the most frequent first."""
    grouped: dict[str, list[str]] = {}
    for node, refusal in sorted(pod.refusals.items()):
        grouped.setdefault(f"{refusal.message} [{refusal.reason}]", []).append(node)
    return sorted(((nodes, sentence) for sentence, nodes in grouped.items()), key=lambda pair: -len(pair[0]))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _placements(placed: Iterable[Placement]) -> Iterable[dict[str, Any]]:
    for pod in placed:
        for kind, containers in (("init", pod.init_containers), ("container", pod.containers)):
            for container in containers:
                row = {"namespace": pod.namespace, "pod": pod.pod, "kind": kind, "container": container.container}
                shares = [
                    {
                        "vendor": one.vendor,
                        "device": one.device,
                        "memory_mib": one.share.memory,
                        "cores_percent": one.share.cores,
                        "template": one.share.template,
                    }
                    for one in container.devices
                ]
                yield {**row, "node": pod.node, "devices": shares}


def _unplaced(pod: Unplaced) -> dict[str, Any]:
    nodes = {name: {"reason": str(one.reason), "message": one.message} for name, one in pod.refusals.items()}
    return {"namespace": pod.namespace, "pod": pod.pod, "nodes": nodes}


def _left(planner: Planner) -> Iterable[dict[str, Any]]:
    free = planner.free_quantities()
    for node in sorted(planner.inventory.nodes, key=lambda one: one.name):
        for device in node.devices:
            left = free[node.name][device.uuid]
            yield {
                "node": node.name,
                "device": device.uuid,
                "model": device.model.name,
                "left": left,
                "capacity": device.model.capacity,
            }


def _on_devices(of: str, unit: str) -> output.Column:
    def text(row: output.Row) -> str:
        return "\n".join(f"{one[of]}{unit}" for one in row["devices"]) or "-"

    return output.Column(of.split("_", maxsplit=1)[0], text, number=bool(unit))


def _of_capacity(heading: str, name: str, unit: str) -> output.Column:
    def text(row: output.Row) -> str:
        return f"{row['left'][name]} of {row['capacity'][name]}{unit}" if name in row["capacity"] else "-"

    return output.Column(heading, text, number=True)


PLACEMENTS = (
    output.column("pod", "pod"),
    output.column("container", "container"),
    output.column("node", "node"),
    _on_devices("device", ""),
    _on_devices("memory_mib", " MiB"),
    _on_devices("cores_percent", " %"),
)

LEFT = (
    output.column("node", "node"),
    output.column("device", "device"),
    output.column("model", "model"),
    _of_capacity("memory", MEMORY, " MiB"),
    _of_capacity("compute", CORES, " %"),
    _of_capacity("slots", SLOTS, ""),
)
