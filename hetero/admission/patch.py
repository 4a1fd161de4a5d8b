"""What a pod is given that it leaves unsaid, as a JSON patch of the very object that was sent.

Source of the form: RFC 6902 (JSON Patch) and RFC 6901 (JSON Pointer). An ``add`` to a member that is there, or is null,
replaces it, so a patch needs to know only which mappings hold something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from hetero.admission.envelope import Operation, ReviewedPod
from hetero.admission.words import Words
from hetero.errors import InvalidRequest, InvalidValue
from hetero.kube.objects import Container, Requirements
from hetero.model.ask import Ask, PodAsk
from hetero.model.quantity import parse_count
from hetero.model.resources import ContainerRequest, Resources

EXCLUSIVE = 100
"""Percent of compute that take a device for one program alone."""


def scheduler(name: str) -> Operation:
    """The pod is to be placed by the scheduler of that name."""
    return _add("/spec/schedulerName", name)


def completed(pod: ReviewedPod, ask: PodAsk, words: Words) -> Iterator[Operation]:
    """The count and the compute that a pod's asks come to where it does not write them, as limits and as requests.

    The API server counts quotas and capacities by what is written, and takes an extended resource only when limit and
    request are the same. So an amount that stands in one of the two is written into the other as well.

    Args:
        pod: A pod that breaks no rule.
        ask: What its vendors made of it.
        words: Of the installed vendors.
    """
    notes = pod.metadata.annotations or {}
    asks = {container.name: container.asks for container in (*ask.containers, *ask.init_containers)}
    for key, containers in (("containers", pod.spec.containers), ("initContainers", pod.spec.init_containers or ())):
        for index, container in enumerate(containers):
            # Amounts of 0 ask nothing and are written all the same: one that stands in requests alone is refused.
            wanted = {**_written(container, words), **_unsaid(container, asks[container.name], words, notes)}
            resources = container.resources or Requirements()
            yield from _resources(f"/spec/{key}/{index}/resources", resources, wanted)


def pointer(key: str) -> str:
    """A key of a mapping as one step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def _written(container: Container, words: Words) -> dict[str, str]:
    """The amounts of vendors' resources, in the API's plainest spelling."""
    named = _named(container).items()
    return {name: str(parse_count(amount, name)) for name, amount in named if name in words.owners}


def _unsaid(container: Container, asks: Iterable[Ask], words: Words, notes: Mapping[str, str]) -> dict[str, str]:
    """What the asks come to beyond what is written, as far as the container asks the same with it."""
    written = _named(container)
    found: dict[str, str] = {}
    grouped: dict[tuple[str, str], list[Ask]] = {}
    for ask in asks:
        grouped.setdefault((ask.vendor, ask.family), []).append(ask)
    for key, group in grouped.items():
        family = words.family(*key)
        meant = _read(family, written, notes)
        for more in _amounts(family, group):
            new = {name: amount for name, amount in more.items() if name not in written}
            if _read(family, {**written, **new}, notes) == meant:
                found |= new
                break
    return found


def _amounts(family: Resources, asks: Sequence[Ask]) -> Iterator[dict[str, str]]:
    """What may be added for asks, most of it first: where hardware cuts a chip, its compute may not be named."""
    count = {family.count: str(asks[0].count)}
    if family.cores and any(ask.exclusive for ask in asks):
        yield {**count, family.cores: str(EXCLUSIVE)}
    yield count


def _read(family: Resources, amounts: Mapping[str, Any], notes: Mapping[str, str]) -> tuple[Ask, ...] | None:
    """What a container with these amounts asks of a family; None when it may not be written so."""
    try:
        return family.asks(ContainerRequest(path="", limits=amounts, annotations=notes))
    except (InvalidRequest, InvalidValue):
        return None


def _named(container: Container) -> dict[str, Any]:
    resources = container.resources or Requirements()
    return {**(resources.requests or {}), **(resources.limits or {})}


def _resources(path: str, resources: Requirements, wanted: Mapping[str, str]) -> Iterator[Operation]:
    for key, there in (("limits", resources.limits), ("requests", resources.requests)):
        missing = {name: amount for name, amount in wanted.items() if name not in (there or {})}
        if there is None and missing:
            yield _add(f"{path}/{key}", missing)
        elif missing:
            yield from (_add(f"{path}/{key}/{pointer(name)}", amount) for name, amount in missing.items())


def _add(path: str, value: object) -> Operation:
    return {"op": "add", "path": path, "value": value}
