"""What ``hetero run`` asks: from its options, or from a manifest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hetero.cli.manifests import read_pods
from hetero.enforcement.limits import LOWEST
from hetero.errors import InvalidValue, UserError
from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.model.device import Device
from hetero.model.quantity import parse_count, parse_percent, parse_size
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from hetero.admission.workloads import Container, Pod


POLICY = "HETERO_POLICY"
"""The variable of the native runtime; here it is asked where neither an option nor a manifest says anything."""

CAP = "cap"
POLICIES = (CAP, "conserve")


@dataclass(frozen=True)
class Asked:
    """What will run, and what it asks.

    Attributes:
        pod: The ask, with one container.
        words: The command.
        variables: Environment variables that the manifest sets.
        directory: Working directory; None for the present one.
        policy: Of compute, ``cap`` or ``conserve``.
    """

    pod: PodAsk
    words: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    directory: str | None = None
    policy: str = CAP

    @property
    def priority(self) -> int | None:
        """The highest priority that the container's asks name."""
        named = [ask.priority for container in self.pod.containers for ask in container.asks]
        return min((one for one in named if one is not None), default=None)


@dataclass(frozen=True)
class Options:
    """The options of ``hetero run`` as written; empty where nothing was."""

    device: str = ""
    memory: str = ""
    cores: str = ""
    vendor: str = ""
    policy: str = ""
    priority: str = ""


def by_options(options: Options, words: Sequence[str], devices: Sequence[Device], name: str) -> Asked:
    """The ask that options describe.

    Args:
        options: As written.
        words: The command.
        devices: What this machine has.
        name: For the planner's books.

    Raises:
        InvalidValue: An option is malformed, or names what is not here.
    """
    if not words:
        raise InvalidValue("COMMAND", "", "is missing; write it after --")
    chosen = _device(options.device, devices) if options.device else None
    vendor, family = _kind(options.vendor, chosen, devices)
    percent = options.memory.strip().endswith("%")
    ask = Ask(
        vendor=vendor,
        family=family,
        memory=parse_size(options.memory, "--memory") if options.memory and not percent else None,
        memory_percentage=parse_percent(options.memory, "--memory") if percent else None,
        # Neither memory nor compute named: the whole device, as a pod would get it.
        cores=parse_percent(options.cores, "--cores", low=0) if options.cores else 0 if options.memory else 100,
        priority=parse_count(options.priority, "--priority", high=LOWEST) if options.priority else None,
        selection=Selection(use_devices=(chosen.uuid,)) if chosen else Selection(),
    )
    return Asked(
        pod=PodAsk(name=name, containers=(ContainerAsk(name="", asks=(ask,)),)),
        words=tuple(words),
        policy=_policy(("--policy", options.policy), (POLICY, os.environ.get(POLICY, ""))),
    )


def by_manifest(
    file: Path, container_name: str, words: Sequence[str], vendors: Mapping[str, Vendor], name: str
) -> Asked:
    """The ask of one container of a manifest.

    Args:
        file: The manifest.
        container_name: Which container; empty for the one that asks for devices.
        words: Instead of the container's own command; empty to run that.
        vendors: By name.
        name: For the planner's books.

    Raises:
        InvalidConfiguration: The file cannot be read.
        InvalidRequest: With every problem of the pod.
        InvalidValue: There is no such container, no pod, or nothing to run.
    """
    from hetero.admission.asks import pod_ask

    pods = read_pods(file)
    if not pods:
        raise InvalidValue("-f", str(file), "holds no pod; write a Pod, Deployment, Job or StatefulSet")
    ask = pod_ask(pods[0], vendors)
    container = _container(pods[0], ask, container_name)
    [asks] = [one for one in (*ask.containers, *ask.init_containers) if one.name == container.name]
    if not asks.asks:
        raise InvalidValue("--container", container.name, "asks for no device; run its command as it is")
    if not words and not container.command:
        raise InvalidValue(container.path, container.name, "has no command of its own; write one after --")
    command = tuple(words) or (*container.command, *container.args)
    return Asked(
        pod=PodAsk(name=name, containers=(asks,), device_policy=ask.device_policy),
        words=command,
        variables=dict(container.env),
        directory=None if words else container.working_dir or None,
        policy=_policy(
            ("metadata.annotations", ask.compute_policy),
            (f"{container.path}.env[{POLICY}]", dict(container.env).get(POLICY, "")),
            (POLICY, os.environ.get(POLICY, "")),
        ),
    )


def _policy(*given: tuple[str, str]) -> str:
    """The first that says anything; each has the place where it stands."""
    place, policy = next((one for one in given if one[1]), ("", CAP))
    if policy not in POLICIES:
        raise InvalidValue(place, policy, f"is no policy; write {' or '.join(POLICIES)}")
    return policy


def _container(pod: Pod, ask: PodAsk, name: str) -> Container:
    containers = (*pod.containers, *pod.init_containers)
    asking = {one.name for one in (*ask.containers, *ask.init_containers) if one.asks}
    named = [one for one in containers if one.name == name] if name else [c for c in containers if c.name in asking]
    if len(named) == 1:
        return named[0]
    known = ", ".join(one.name for one in containers)
    if name:
        raise InvalidValue("--container", name, f"is no container of pod {pod.name}; it has {known}")
    many = f"{len(named)} containers that ask for devices" if named else "no container that asks for a device"
    raise InvalidValue("-f", pod.name, f"has {many}; choose one with --container: {known}")


def _device(text: str, devices: Sequence[Device]) -> Device:
    for index, device in enumerate(devices):
        if text in (str(index), device.uuid):
            return device
    several = f"there are: 0 to {len(devices) - 1}"
    there = several if len(devices) > 1 else "the only device is number 0" if devices else "there is none"
    raise InvalidValue("--device", text, f"is not on this machine; {there} (see 'hetero devices')")


def _kind(vendor: str, chosen: Device | None, devices: Sequence[Device]) -> tuple[str, str]:
    """Vendor and resource family of the ask."""
    if chosen is not None:
        if vendor and vendor != chosen.model.vendor:
            raise InvalidValue("--vendor", vendor, f"has not made the chosen device, {chosen.model.vendor} has")
        return chosen.model.vendor, chosen.model.family
    kinds = dict.fromkeys((device.model.vendor, device.model.family) for device in devices)
    wanted = [kind for kind in kinds if vendor in ("", kind[0])]
    if len(wanted) == 1:
        return wanted[0]
    if not wanted:
        raise InvalidValue("--vendor", vendor, "has no device on this machine (see 'hetero devices')")
    several = len({kind[0] for kind in wanted}) < len(wanted)
    names = ", ".join(" ".join(kind).rstrip() if several else kind[0] for kind in wanted)
    option = "--device" if several else "--vendor"
    raise UserError(f"{option} is needed: this machine has devices of several kinds ({names}); see 'hetero devices'")
