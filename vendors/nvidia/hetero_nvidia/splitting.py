"""How a GPU is shared: by software to the MiB and the percent, or by hardware in instances of fixed sizes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.vendor import Splitting
from hetero_nvidia import mig
from hetero_nvidia.names import SOFTWARE, VENDOR
from hetero_nvidia.sets import best_set

SLOTS_PER_GPU = 10
"""Programs on one GPU, as existing clusters have it by default (``deviceSplitCount``)."""


def gpu_model(name: str, memory: int, mode: str = "") -> DeviceModel:
    """The model of a GPU with ``memory`` MiB."""
    shared = {SLOTS: SLOTS_PER_GPU, MEMORY: memory, CORES: 100}
    capacity = mig.partitioned(name, memory) if mode == mig.MODE else shared
    return DeviceModel(vendor=VENDOR, name=name, capacity=capacity, mode=mode)


class GpuSplitting(Splitting):
    """The NVIDIA vendor's allocator."""

    def model(self, name: str, memory: int, mode: str = "") -> DeviceModel:
        """Describe a GPU by its product name; ``mode`` is empty or ``mig``."""
        if not name.strip():
            raise InvalidValue("model", name, "is empty; write the product, such as 'NVIDIA L4'")
        if memory <= 0:
            raise InvalidValue("memory", memory, "is no size; write MiB, such as 12288")
        if mode not in ("", mig.MODE):
            raise InvalidValue("mode", mode, f"is no mode of a GPU; leave it out or write {mig.MODE}")
        return gpu_model(name, memory, mode)

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        """The memory asked in one slot, all ten for a whole GPU; in MIG mode the smallest profile that fits."""
        other = _other_mode(model, ask)
        if other:
            return other
        if model.mode == mig.MODE:
            found = _profile(model, ask)
            return found if isinstance(found, Refusal) else found.share(found.kind.starts[0], mig.has_media(model))
        return _shared(model, ask)

    def alternatives(self, model: DeviceModel, ask: Ask) -> Sequence[Share]:
        """The other places where an instance may lie."""
        found = _profile(model, ask) if model.mode == mig.MODE else None
        if not isinstance(found, mig.Profile):
            return ()
        return [found.share(start, mig.has_media(model)) for start in found.kind.starts[1:]]

    def combinations(self, devices: Sequence[Device], count: int) -> Iterable[tuple[Device, ...]]:
        """The GPUs that are linked best, or nothing where all are linked alike."""
        best = best_set(devices, count)
        return (best,) if best else ()


def _other_mode(model: DeviceModel, ask: Ask) -> Refusal | None:
    """Why a GPU in its mode does not serve who asks for another."""
    wanted = mig.MODE if ask.template else ask.mode
    if not wanted or wanted == (model.mode or SOFTWARE):
        return None
    is_in, way = ("in", "leave the mode out") if model.mode else ("not in", "turn the mode on")
    return _refusal(
        Reason.UNSUPPORTED, f"{model.name} is {is_in} MIG mode, asked for {wanted}; {way}, or use another GPU"
    )


def _shared(model: DeviceModel, ask: Ask) -> Share | Refusal:
    total = model.capacity[MEMORY]
    memory = ask.memory_on(total)
    if memory > total:
        return _too_much(model, memory, total)
    slots = SLOTS_PER_GPU if ask.exclusive else 1
    return Share(quantities={SLOTS: slots, MEMORY: memory, CORES: ask.cores})


def _profile(model: DeviceModel, ask: Ask) -> mig.Profile | Refusal:
    """The profile that serves an ask, or why none does."""
    profiles = mig.profiles_of(model)
    if not profiles:
        return _refusal(
            Reason.UNSUPPORTED,
            f"{model.name} with {model.capacity[MEMORY]} MiB is in MIG mode, and hetero does not know its profiles; "
            "turn the mode off to share the GPU by software",
        )
    if ask.template:
        return _named(model, ask.template, profiles)
    memory = ask.memory_on(profiles[-1].memory)
    if memory > profiles[-1].memory:
        return _too_much(model, memory, profiles[-1].memory)
    return next(profile for profile in profiles if _serves(profile, memory, ask.cores))


def _serves(profile: mig.Profile, memory: int, cores: int) -> bool:
    """True when a profile has so much; one with media engines is given to those who ask for it by name."""
    whole = profile.cores == 100
    return profile.memory >= memory and profile.cores >= cores and (whole or not profile.kind.media)


def _named(model: DeviceModel, name: str, profiles: Sequence[mig.Profile]) -> mig.Profile | Refusal:
    for profile in profiles:
        if profile.name == name:
            return profile
    known = ", ".join(profile.name for profile in profiles)
    return _refusal(Reason.MODEL_MISMATCH, f"{model.name} has no profile {name}; it has {known}")


def _too_much(model: DeviceModel, memory: int, total: int) -> Refusal:
    return _refusal(Reason.INSUFFICIENT_MEMORY, f"{model.name} has {total} MiB of memory, asked {memory} MiB")


def _refusal(reason: Reason, message: str) -> Refusal:
    return Refusal(reason=reason, message=message)
