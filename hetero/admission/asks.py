"""From a pod to what it asks of the installed vendors, or everything that is wrong with the asking."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from hetero.admission.containers import Container, ordinary
from hetero.admission.fields import located, shown
from hetero.admission.workloads import Pod
from hetero.errors import HeteroError, InvalidRequest, InvalidValue, PluginError
from hetero.model.ask import Ask, ContainerAsk, PodAsk
from hetero.model.resources import ContainerRequest, Resources
from hetero.vendor import Vendor

NODE_POLICY = ("hetero.io/node-policy", "hami.io/node-scheduler-policy")
"""Annotations that choose between nodes; the first that is given holds. The second is what manifests have today."""

DEVICE_POLICY = ("hetero.io/device-policy", "hami.io/gpu-scheduler-policy")
"""The same between the devices of a node."""

COMPUTE_POLICY = ("hetero.io/compute-policy",)
"""Whether a pod is lent compute that others leave idle."""

POLICIES = ("binpack", "spread")
COMPUTE_POLICIES = ("cap", "conserve")


def pod_ask(pod: Pod, vendors: Mapping[str, Vendor]) -> PodAsk:
    """What a pod asks of the installed vendors.

    A sidecar runs beside the containers and is charged with them; so is an init container that asks devices and starts
    after a sidecar that does, for the two hold them at the same time. That charges such an init container beside the
    containers as well: at times more than it takes, and never less.
    Source: Kubernetes documentation, "Sidecar Containers", "Resource sharing within containers".

    Args:
        pod: The pod.
        vendors: The installed vendors by name.

    Returns:
        The asks. Containers that ask no device are there too, with no asks.

    Raises:
        InvalidRequest: With every problem of annotations and containers, in the order in which they stand.
        PluginError: A vendor failed to read its own resources.
    """
    words = _Words(vendors)
    problems: list[InvalidValue] = []
    node_policy = _policy(pod, NODE_POLICY, POLICIES, problems)
    device_policy = _policy(pod, DEVICE_POLICY, POLICIES, problems)
    compute_policy = _policy(pod, COMPUTE_POLICY, COMPUTE_POLICIES, problems)
    init = [_container_ask(container, pod, words, problems) for container in pod.init_containers]
    main = [_container_ask(container, pod, words, problems) for container in pod.containers]
    if problems:
        raise InvalidRequest(located(pod.source, problems))
    before, beside = _in_time(pod.init_containers, init)
    return PodAsk(
        name=pod.name,
        namespace=pod.namespace,
        containers=(*beside, *main),
        init_containers=before,
        node_policy=node_policy,
        device_policy=device_policy,
        compute_policy=compute_policy,
    )


class _Words:
    """Which vendor a resource's name belongs to."""

    def __init__(self, vendors: Mapping[str, Vendor]) -> None:
        self.families = [(vendor, family, _names(family)) for vendor in vendors.values() for family in vendor.resources]
        self.owners = {name: vendor for vendor, _, names in self.families for name in names}

    def stray(self, container: Container) -> Iterator[InvalidValue]:
        """The resources that neither Kubernetes nor an installed vendor counts."""
        for name, value in container.limits.items():
            if not ordinary(name) and name not in self.owners:
                yield InvalidValue(container.field(name), shown(value), self._reason(name))

    def _reason(self, name: str) -> str:
        domain, _, tail = name.rpartition("/")
        kin = {known.rpartition("/")[2].lower(): known for known in self.owners if _domain(known) == domain}
        if not kin:
            return f"is asked of a resource that belongs to no installed vendor; {self._installed(name)}"
        close = get_close_matches(tail.lower(), kin, n=1, cutoff=0.6)
        advice = f"did you mean {kin[close[0]]}?" if close else f"it has: {', '.join(kin.values())}"
        return f"is asked of a resource that {self.owners[next(iter(kin.values()))].title} does not have; {advice}"

    def _installed(self, name: str) -> str:
        installed = sorted({f"{vendor.name} ({_domain(known)})" for known, vendor in self.owners.items()})
        close = get_close_matches(name.lower(), self.owners, n=1, cutoff=0.8)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"installed are: {', '.join(installed) or 'none'}{hint}"


def _names(family: Resources) -> tuple[str, ...]:
    return tuple(resource.name for resource in family.names())


def _domain(name: str) -> str:
    return name.rpartition("/")[0]


def _policy(pod: Pod, keys: Iterable[str], policies: Sequence[str], problems: list[InvalidValue]) -> str:
    given = {key: pod.annotations[key] for key in keys if key in pod.annotations}
    for key, value in given.items():
        if value not in policies:
            field = f"{pod.metadata_path}.annotations[{key}]"
            problems.append(InvalidValue(field, shown(value), f"is no policy; write {' or '.join(policies)}"))
    return next(iter(given.values()), "")


def _container_ask(container: Container, pod: Pod, words: _Words, problems: list[InvalidValue]) -> ContainerAsk:
    request = ContainerRequest(path=container.path, limits=container.limits, annotations=pod.annotations)
    found: list[InvalidValue] = list(words.stray(container))
    asks: list[Ask] = []
    for vendor, family, names in words.families:
        # A vendor whose resources the container does not name has no say, so its defects cannot stop the pod.
        if any(name in container.limits for name in names):
            asks.extend(_family_asks(vendor, family, request, found))
    problems.extend(_as_written(container, found))
    return ContainerAsk(name=container.name, asks=tuple(asks))


def _family_asks(
    vendor: Vendor, family: Resources, request: ContainerRequest, problems: list[InvalidValue]
) -> Iterator[Ask]:
    try:
        ask = family.ask(request)
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
        if ask is not None:
            yield ask


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
