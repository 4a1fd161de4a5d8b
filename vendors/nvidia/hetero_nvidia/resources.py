"""What a container asks: GPUs and shares of them, and instances of MIG profiles by their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.model.quantity import parse_count
from hetero.model.resources import ContainerRequest, ResourceName
from hetero.vendor import Resources
from hetero_nvidia import mig
from hetero_nvidia.names import MODE, SOFTWARE, VENDOR

_MODES = (SOFTWARE, mig.MODE)

MOST = 16
"""Instances of one profile in one container; more than that is no program's, but somebody's mistake."""

PROFILES = {f"nvidia.com/mig-{name.replace('+', '.')}": name for name in mig.all_names()}
"""The resources that count instances to the profiles, as NVIDIA's device plugin has them (strategy ``mixed``)."""


class GpuResources(Resources):
    """The usual rules, two ways of splitting to choose from, and instances by their profiles."""

    def names(self) -> tuple[ResourceName, ...]:
        """Those of GPUs, then those of instances."""
        instances = (
            ResourceName(name=name, meaning=f"MIG instances of profile {profile}") for name, profile in PROFILES.items()
        )
        return (*super().names(), *instances)

    def counted(self, model: DeviceModel) -> Mapping[str, int]:
        """GPUs, and on one in MIG mode the instances of each of its profiles as well."""
        found = dict(super().counted(model))
        own = {profile.name for profile in mig.profiles_of(model)} if model.mode == mig.MODE else set()
        return found | {name: found[self.count] for name, profile in PROFILES.items() if profile in own}

    def ask(self, request: ContainerRequest) -> Ask | None:
        """What is asked beside instances."""
        found = super().ask(request)
        gpus = {name.name for name in super().names()} - {self.priority}
        if found is None or not gpus & set(request.limits):
            return None
        return msgspec.structs.replace(found, mode=request.annotations.get(MODE, ""))

    def asks(self, request: ContainerRequest) -> tuple[Ask, ...]:
        """The GPUs, and one ask for each instance: several of them may lie on one GPU."""
        gpus = self.ask(request)
        return (*([gpus] if gpus else ()), *self._instances(request))

    def problems(self, ask: Ask, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """What is wrong with amounts that are each well-formed."""
        yield from super().problems(ask, amounts, request)
        yield from self._homeless(amounts, request)
        mode = request.annotations.get(MODE, SOFTWARE)
        if mode not in _MODES:
            reason = f"is no way of splitting that there is; write {' or '.join(_MODES)}, or leave it out"
            yield InvalidValue(f"metadata.annotations[{MODE}]", mode, reason)
        many = [name for name in PROFILES if amounts.get(name, 0) > MOST]
        for name in many:
            yield InvalidValue(self.field(request, name), request.limits[name], f"are too many; a container has {MOST}")

    def _homeless(self, amounts: Mapping[str, int], request: ContainerRequest) -> Iterator[InvalidValue]:
        """Amounts of a GPU beside instances, where no GPU is asked: an instance has what its profile has."""
        if self.count in amounts or not amounts.keys() & PROFILES.keys():
            return
        for name in (self.memory, self.memory_percentage, self.cores):
            if name in amounts:
                reason = f"is not of a MIG instance, whose profile says it; leave it out, or ask for {self.count} too"
                yield InvalidValue(self.field(request, name), request.limits[name], reason)

    def _instances(self, request: ContainerRequest) -> Iterator[Ask]:
        """One ask for each; what they come to has been checked."""
        limits = request.limits
        if not PROFILES.keys() & limits.keys():
            return  # a priority alone asks for nothing, and nobody has looked at it
        priority = parse_count(limits[self.priority], self.priority) if self.priority in limits else None
        for resource, profile in PROFILES.items():
            for _ in range(parse_count(limits.get(resource, 0), resource)):
                yield Ask(
                    vendor=VENDOR,
                    priority=priority,
                    selection=self._selection(request.annotations),
                    template=profile,
                    mode=mig.MODE,
                )


RESOURCES = GpuResources(
    vendor=VENDOR,
    count="nvidia.com/gpu",
    memory="nvidia.com/gpumem",
    memory_percentage="nvidia.com/gpumem-percentage",
    cores="nvidia.com/gpucores",
    priority="nvidia.com/priority",
    use_models="nvidia.com/use-gputype",
    avoid_models="nvidia.com/nouse-gputype",
    use_devices="nvidia.com/use-gpuuuid",
    avoid_devices="nvidia.com/nouse-gpuuuid",
    same_numa="nvidia.com/numa-bind",
    further_annotations=(MODE,),
)
