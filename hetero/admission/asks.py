"""From a pod to what it asks of the installed vendors, or everything that is wrong with the asking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hetero.admission.containers import Container
from hetero.admission.fields import located
from hetero.admission.policies import policies
from hetero.admission.words import Words
from hetero.admission.workloads import Pod
from hetero.errors import HeteroError, InvalidRequest, InvalidValue, PluginError
from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.resources import ContainerRequest, Resources
from hetero.vendor import Vendor


def pod_ask(pod: Pod, vendors: Mapping[str, Vendor] | Words, *, strict: bool = True) -> PodAsk:
    """What a pod asks of the installed vendors.

    A sidecar runs beside the containers and is charged with them; so is an init container that asks devices and starts
    after a sidecar that does, for the two hold them at the same time. That charges such an init container beside the
    containers as well: at times more than it takes, and never less.
    Source: Kubernetes documentation, "Sidecar Containers", "Resource sharing within containers".

    Args:
        pod: The pod.
        vendors: The installed vendors by name, or their vocabulary, which is made anew otherwise.
        strict: Refuse resources that neither Kubernetes nor an installed vendor counts. In a cluster they are another
            plugin's business.

    Returns:
        The asks. Containers that ask no device are there too, with no asks.

    Raises:
        InvalidRequest: With every problem of annotations and containers, in the order in which they stand.
        PluginError: A vendor failed to read its own resources.
    """
    words = vendors if isinstance(vendors, Words) else Words(vendors)
    problems: list[InvalidValue] = []
    wishes = policies(pod, problems)
    reader = _Reader(words, pod.annotations, strict, problems)
    init = [reader.ask(container) for container in pod.init_containers]
    main = [reader.ask(container) for container in pod.containers]
    if problems:
        raise InvalidRequest(located(pod.source, problems))
    before, beside = _in_time(pod.init_containers, init)
    return PodAsk(
        name=pod.name,
        namespace=pod.namespace,
        containers=(*beside, *main),
        init_containers=before,
        node_policy=wishes.node_policy,
        device_policy=wishes.device_policy,
        compute_policy=wishes.compute_policy,
        weights=wishes.weights,
    )


@dataclass(frozen=True)
class _Reader:
    """Reads the containers of one pod, and notes what is wrong with them."""

    words: Words
    annotations: Mapping[str, str]
    strict: bool
    problems: list[InvalidValue]

    def ask(self, container: Container) -> ContainerAsk:
        request = ContainerRequest(path=container.path, limits=container.limits, annotations=self.annotations)
        found = list(self.words.stray(container)) if self.strict else []
        asks: list[Ask] = []
        for vendor, family in self.words.named(container.limits):
            asks.extend(_family_asks(vendor, family, request, found))
        if found:
            self.problems.extend(_as_written(container, found))
        return ContainerAsk(name=container.name, asks=tuple(asks))


def _family_asks(
    vendor: Vendor, family: Resources, request: ContainerRequest, problems: list[InvalidValue]
) -> Iterator[Ask]:
    try:
        asks = family.asks(request)
    except InvalidRequest as error:
        problems.extend(error.problems)
    except InvalidValue as problem:
        problems.append(problem)
    except HeteroError:
        raise
    except Exception as error:
        reason = f"it failed to read {request.path}.resources ({type(error).__name__}: {error})"
        raise PluginError(vendor.name, reason, "this is a defect of the vendor's package") from error
    else:
        yield from asks


def _as_written(container: Container, problems: Iterable[InvalidValue]) -> list[InvalidValue]:
    """The problems in the order of the manifest, with ``requests`` for those that stand there.

    Vendors name every amount as a limit, since they are not told where it stands.
    """
    fields = {f"{container.path}.resources.limits[{name}]": container.field(name) for name in container.limits}
    order = {field: index for index, field in enumerate(fields.values())}
    renamed = [InvalidValue(fields.get(one.field, one.field), one.value, one.reason) for one in problems]
    return sorted(renamed, key=lambda problem: order.get(problem.field, len(order)))


def _in_time(
    containers: Sequence[Container], asks: Sequence[ContainerAsk]
) -> tuple[tuple[ContainerAsk, ...], tuple[ContainerAsk, ...]]:
    """The asks of the init containers: those that are over before the containers start, and those charged beside."""
    before: list[ContainerAsk] = []
    beside: list[ContainerAsk] = []
    sidecar_holds = False
    for container, ask in zip(containers, asks, strict=True):
        sidecar_holds = sidecar_holds or (container.sidecar and bool(ask.asks))
        charged_beside = container.sidecar or (sidecar_holds and ask.asks)
        (beside if charged_beside else before).append(ask)
    return tuple(before), tuple(beside)
