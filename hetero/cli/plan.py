"""``hetero plan``: where pods would go on a described cluster or on the real one, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hetero.cli import left, live, output, placements
from hetero.cli.cluster_file import inventory
from hetero.cli.context import Context, read_yaml
from hetero.cli.failures import say
from hetero.cli.manifests import read_pods
from hetero.errors import InvalidRequest, InvalidValue
from hetero.model.ask import PodAsk
from hetero.model.placement import Placement, Unplaced
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from hetero.admission.words import Words
    from hetero.admission.workloads import Pod
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
@click.option("--cluster", "cluster", required=True, help="The cluster: a file (YAML), or 'live' for the real one.")
@click.option("--all", "every", is_flag=True, help="List what is left on every device, not only those of the plan.")
@live.options
@output.option
@click.pass_obj
def command(  # noqa: PLR0913  one for each option
    context: Context, /, *, files: tuple[Path, ...], cluster: str, every: bool, access: live.Access, form: str
) -> int:
    """Place the pods of manifests on a described cluster, or on the real one. Exit code 3 if any finds no place."""
    real = cluster == live.LIVE
    asks = _asks(files, context.plugins.vendors, strict=not real)
    planner = _real(context, access) if real else _described(context, Path(cluster))
    answers = [planner.place(ask) for ask in asks]
    placed = [answer for answer in answers if isinstance(answer, Placement)]
    unplaced = [answer for answer in answers if isinstance(answer, Unplaced)]
    if form == "json":
        output.emit_json(
            placements=list(placements.rows(placed)),
            unplaced=list(map(_unplaced, unplaced)),
            devices=list(left.rows(planner)),
        )
    else:
        _show(placed, unplaced, planner, every=every)
    return UNPLACED if unplaced else 0


def _described(context: Context, file: Path) -> Planner:
    """A planner for a cluster of a file, with nothing on it."""
    from hetero.placement import Planner

    plugins, policies = context.plugins, context.settings.placement
    return Planner(
        inventory(read_yaml(file), file, plugins.vendors),
        plugins.vendors,
        node_policy=policies.node_policy,
        device_policy=policies.device_policy,
        scorers=plugins.scorers.values(),
    )


def _real(context: Context, access: live.Access) -> Planner:
    """A planner for the real cluster, with its pods on it."""
    with access.connected() as api:
        return live.read(api, context).cluster.planner


def _asks(files: Iterable[Path], vendors: Mapping[str, Vendor], *, strict: bool) -> list[PodAsk]:
    """The asks of all pods; in a real cluster (not strict) other plugins may count resources, too.

    Raises:
        InvalidRequest: With every problem of every pod.
    """
    from hetero.admission.asks import pod_ask
    from hetero.admission.words import Words

    words = Words(vendors)
    asks: list[PodAsk] = []
    # By text: the replicas of one workload have the same problems, which are told once.
    problems: dict[str, InvalidValue] = {}
    doubts: dict[str, None] = {}
    for pod in read_pods(*files):
        try:
            asks.append(pod_ask(pod, words, strict=strict))
            doubts.update(dict.fromkeys(_doubts(pod, words)))
        except InvalidRequest as error:
            problems.update((str(problem), problem) for problem in error.problems)
    if problems:
        raise InvalidRequest(problems.values())
    for doubt in doubts:
        say(doubt)
    return asks


def _doubts(pod: Pod, words: Words) -> Iterator[str]:
    """What seems to be misspelt, where that is no error."""
    for container in (*pod.init_containers, *pod.containers):
        for name in container.limits:
            meant = words.misspelt(name)
            if meant:
                yield f"{container.field(name)} is nobody's resource here; did you mean {meant}?"


def _show(placed: Sequence[Placement], unplaced: Sequence[Unplaced], planner: Planner, *, every: bool) -> None:
    if placed:
        output.emit_table(list(placements.rows(placed)), placements.COLUMNS)
        click.echo()
    left.show(list(left.rows(planner)), placed, every=every)
    for pod in unplaced:
        click.echo(f"\n{pod.namespace}/{pod.pod} finds no place:")
        for sentence in placements.reasons(pod.refusals, len(pod.refusals)):
            click.echo(f"  {sentence}")


def _unplaced(pod: Unplaced) -> dict[str, Any]:
    nodes = {name: {"reason": str(one.reason), "message": one.message} for name, one in pod.refusals.items()}
    return {"namespace": pod.namespace, "pod": pod.pod, "nodes": nodes}
