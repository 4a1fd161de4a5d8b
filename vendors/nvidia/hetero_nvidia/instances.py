"""Instances of MIG by NVML: finding, making and destroying them.

A GPU instance is made first, at a place, and then one compute instance of all of its slices, which is what a program
gets as a device. An instance is found by where it lies: the identity of its device is new each time that it is made.

Source: nvml.h, API version 13, "Multi Instance GPU Management".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from ctypes import byref, c_uint
from dataclasses import dataclass
from typing import Any

import pynvml

from hetero.errors import DriverError, DriverFailed, EnforcementError
from hetero.model.quantity import MIB
from hetero_nvidia import mig
from hetero_nvidia.nvml import Nvml, text

# Suffixes of names by the number of the profile, which is not its id. Source: nvml.h, NVML_GPU_INSTANCE_PROFILE_...
_SUFFIXES = {0x7: "+me", 0x8: "+me", 0xA: "+gfx", 0xB: "+gfx", 0xC: "+gfx", 0x11: "+gfx"} | {
    0xD: "-me",
    0xE: "-me",
    0xF: "+me.all",
    0x10: "+me.all",
}
_LACKING = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_INVALID_ARGUMENT)
_GONE = (pynvml.NVML_ERROR_NOT_FOUND, pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_INVALID_ARGUMENT)

_EXPLANATIONS = {
    pynvml.NVML_ERROR_IN_USE: "a program still uses it; it is tried again",
    pynvml.NVML_ERROR_INSUFFICIENT_RESOURCES: "its place has been taken meanwhile; it is tried again",
    pynvml.NVML_ERROR_NO_PERMISSION: "only root may do that; run hetero's agent as root",
}


class NotMade(EnforcementError):
    """An instance was refused for a reason by which none was made: what lies at its place is somebody else's."""


@dataclass(frozen=True)
class Spot:
    """Where an instance lies.

    Attributes:
        gpu: UUID of the GPU.
        profile: Name of the profile.
        start: First memory slice.
        size: Number of memory slices.
    """

    gpu: str
    profile: str
    start: int
    size: int

    def __str__(self) -> str:
        """As a sentence has it."""
        return f"a {self.profile} instance at memory slice {self.start} of {self.gpu}"

    def crosses(self, start: int, size: int) -> bool:
        """True when an instance there would be in its way."""
        return start < self.start + self.size and self.start < start + size


@dataclass(frozen=True)
class Made:
    """An instance that a program can use.

    Attributes:
        uuid: Of the device that the program sees.
        minor: Of the GPU's device file.
        gpu_instance: Its id.
        compute_instance: Its id within that.
    """

    uuid: str
    minor: int
    gpu_instance: int
    compute_instance: int


@dataclass(frozen=True)
class DriverProfile:
    """A profile as the driver has it.

    Attributes:
        name: By NVIDIA's rule.
        id: By which it is made.
        slices: Compute slices.
        most: How many of it a GPU can have.
        memory: MiB.
    """

    name: str
    id: int
    slices: int
    most: int
    memory: int


@dataclass(frozen=True)
class _Found:
    """A GPU instance that is there."""

    handle: Any
    id: int
    profile: DriverProfile
    start: int
    size: int


class Instances:
    """The instances of this machine's GPUs.

    Args:
        nvml: The library.
    """

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml

    def profiles(self, gpu: str) -> list[DriverProfile]:
        """The profiles of a GPU, as its driver tells them.

        Raises:
            DriverFailed: The driver cannot be asked about this GPU.
        """
        return list(self._profiles(self._handle(gpu)))

    def partitioned(self) -> Iterator[str]:
        """UUIDs of the GPUs in MIG mode; those that cannot be asked are left out.

        Raises:
            DriverMissing: The library is not installed.
            DriverFailed: The GPUs cannot be counted.
        """
        for index in range(self._nvml.call("nvmlDeviceGetCount")):
            with suppress(DriverError):
                handle = self._nvml.call("nvmlDeviceGetHandleByIndex", index)
                modes = self._nvml.optional("nvmlDeviceGetMigMode", handle)
                if modes is not None and modes[0] == pynvml.NVML_DEVICE_MIG_ENABLE:
                    yield text(self._nvml.call("nvmlDeviceGetUUID", handle))

    def differences(self, gpu: str) -> list[str]:
        """What the driver tells of a GPU's profiles and hetero counts otherwise, in words; nothing where all is well.

        Raises:
            DriverFailed: The driver cannot be asked about this GPU.
        """
        handle = self._handle(gpu)
        name = text(self._nvml.call("nvmlDeviceGetName", handle))
        board = mig.board_of(name, int(self._nvml.call("nvmlDeviceGetMemoryInfo", handle).total) // MIB)
        if board is None:
            return [f"the profiles of {name} are not known"]
        told = {profile.name: profile.memory for profile in self._profiles(handle)}
        counted = {profile.name: profile.memory for profile in board.profiles}
        less = [name for name, memory in counted.items() if told.get(name, 0) < memory]
        return [f"{name} has {told.get(name, 'no')} MiB, counted are {counted[name]}" for name in less]

    def listed(self, gpu: str) -> list[tuple[str, int, int]]:
        """Profile, start and size of each instance of a GPU, in the order in which they lie."""
        found = sorted(self._there(self._handle(gpu)), key=lambda one: one.start)
        return [(one.profile.name, one.start, one.size) for one in found]

    def check_free(self, spot: Spot) -> None:
        """Look whether an instance can be made.

        Raises:
            EnforcementError: The GPU has no such profile, or something else lies there.
            DriverFailed: The driver cannot be asked.
        """
        handle = self._handle(spot.gpu)
        self._profile(handle, spot)
        for other in self._there(handle):
            if spot.crosses(other.start, other.size):
                raise _taken(spot, other)

    def make(self, spot: Spot, *, adopt: bool) -> Made:
        """Make an instance; or, where ``adopt`` says that what lies at just that place is the caller's own, finish it.

        Raises:
            NotMade: Another instance is in the way, or the driver has no room.
            EnforcementError: It cannot be finished.
            DriverFailed: The driver refused otherwise.
        """
        handle = self._handle(spot.gpu)
        found = (self._own(handle, spot) if adopt else None) or self._create(handle, spot)
        compute = self._compute(found, spot)
        return self._device(handle, found, compute, spot)

    def destroy(self, spot: Spot) -> None:
        """Destroy the instance that lies at just that place; where there is none, nothing is done.

        Raises:
            EnforcementError: A program uses it.
            DriverFailed: The driver refused otherwise.
        """
        try:
            handle = self._handle(spot.gpu)
            found = self._own(handle, spot)
        except DriverFailed as error:
            if error.code in _GONE:  # the GPU was taken out, or is in MIG mode no longer: so there is no instance
                return
            raise
        except EnforcementError:
            return  # something else lies there, so what was made is gone
        for compute in self._computes(found) if found else ():
            self._do(spot, "nvmlComputeInstanceDestroy", compute)
        if found:
            self._do(spot, "nvmlGpuInstanceDestroy", found.handle)

    def _handle(self, gpu: str) -> Any:
        return self._nvml.call("nvmlDeviceGetHandleByUUID", gpu)

    def _profiles(self, handle: Any) -> Iterator[DriverProfile]:
        total = int(self._nvml.call("nvmlDeviceGetMemoryInfo", handle).total) // MIB
        for number in range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
            info = self._unless("nvmlDeviceGetGpuInstanceProfileInfo", _LACKING, handle, number, 1)
            if info is not None:
                name = mig.profile_name(info.sliceCount, info.memorySizeMB, total) + _SUFFIXES.get(number, "")
                yield DriverProfile(name, info.id, info.sliceCount, info.instanceCount, info.memorySizeMB)

    def _profile(self, handle: Any, spot: Spot) -> DriverProfile:
        known = {profile.name: profile for profile in self._profiles(handle)}
        if spot.profile not in known:
            told = ", ".join(known) or "none"
            raise EnforcementError(f"{spot.gpu} has no profile {spot.profile}: its driver tells {told}")
        return known[spot.profile]

    def _there(self, handle: Any) -> Iterator[_Found]:
        """All GPU instances."""
        for profile in self._profiles(handle):
            count, found = c_uint(profile.most), (pynvml.c_nvmlGpuInstance_t * profile.most)()
            self._nvml.call("nvmlDeviceGetGpuInstances", handle, profile.id, found, byref(count))
            for instance in found[: count.value]:
                info = self._nvml.call("nvmlGpuInstanceGetInfo", instance)
                yield _Found(instance, info.id, profile, info.placement.start, info.placement.size)

    def _own(self, handle: Any, spot: Spot) -> _Found | None:
        """The instance at just that place; None where nothing is."""
        for other in self._there(handle):
            if (other.profile.name, other.start, other.size) == (spot.profile, spot.start, spot.size):
                return other
            if spot.crosses(other.start, other.size):
                raise _taken(spot, other)
        return None

    def _create(self, handle: Any, spot: Spot) -> _Found:
        profile = self._profile(handle, spot)
        place = pynvml.c_nvmlGpuInstancePlacement_t(spot.start, spot.size)
        made = self._do(
            spot, "nvmlDeviceCreateGpuInstanceWithPlacement", handle, profile.id, byref(place), error=NotMade
        )
        info = self._nvml.call("nvmlGpuInstanceGetInfo", made)
        return _Found(made, info.id, profile, info.placement.start, info.placement.size)

    def _compute(self, found: _Found, spot: Spot) -> int:
        """Id of the compute instance with all slices, made if it is not there."""
        for compute in self._computes(found):
            info = self._nvml.call("nvmlComputeInstanceGetInfo_v2", compute)
            if info.placement.size == found.profile.slices:
                return int(info.id)
        [whole] = [one.id for one in self._compute_profiles(found) if one.sliceCount == found.profile.slices][:1]
        made = self._do(spot, "nvmlGpuInstanceCreateComputeInstance", found.handle, whole)
        return int(self._nvml.call("nvmlComputeInstanceGetInfo_v2", made).id)

    def _compute_profiles(self, found: _Found) -> Iterator[Any]:
        for number in range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
            arguments = (found.handle, number, pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED, 1)
            info = self._unless("nvmlGpuInstanceGetComputeInstanceProfileInfo", _LACKING, *arguments)
            if info is not None:
                yield info

    def _computes(self, found: _Found) -> Iterator[Any]:
        for profile in self._compute_profiles(found):
            count, there = c_uint(profile.instanceCount), (pynvml.c_nvmlComputeInstance_t * profile.instanceCount)()
            self._nvml.call("nvmlGpuInstanceGetComputeInstances", found.handle, profile.id, there, byref(count))
            yield from there[: count.value]

    def _device(self, handle: Any, found: _Found, compute: int, spot: Spot) -> Made:
        for index in range(self._nvml.call("nvmlDeviceGetMaxMigDeviceCount", handle)):
            device = self._unless("nvmlDeviceGetMigDeviceHandleByIndex", _GONE, handle, index)
            if device is not None and self._ids(device) == (found.id, compute):
                uuid = text(self._nvml.call("nvmlDeviceGetUUID", device))
                return Made(uuid, int(self._nvml.call("nvmlDeviceGetMinorNumber", handle)), found.id, compute)
        raise EnforcementError(f"{spot} was made, and the driver lists no device for it; it is tried again")

    def _ids(self, device: Any) -> tuple[int, int]:
        questions = ("nvmlDeviceGetGpuInstanceId", "nvmlDeviceGetComputeInstanceId")
        gpu, compute = (int(self._nvml.call(question, device)) for question in questions)
        return gpu, compute

    def _unless(self, name: str, codes: tuple[int, ...], *arguments: Any) -> Any | None:
        """As a call, but None where the answer is one of these codes."""
        try:
            return self._nvml.call(name, *arguments)
        except DriverFailed as error:
            if error.code in codes:
                return None
            raise

    def _do(self, spot: Spot, name: str, *arguments: Any, error: type[EnforcementError] = EnforcementError) -> Any:
        """A call that changes something, with what is to be done where it is refused."""
        try:
            return self._nvml.call(name, *arguments)
        except DriverFailed as failure:
            if failure.code in _EXPLANATIONS:
                raise error(f"{spot}: {name} was refused: {_EXPLANATIONS[failure.code]}") from failure
            raise


def _taken(spot: Spot, other: _Found) -> NotMade:
    return NotMade(
        f"{spot} cannot be made: {other.profile.name} (GPU instance {other.id}) lies at {other.start}, and hetero did "
        "not make it for this slice; wait for its end, or destroy it "
        f"(nvidia-smi mig -i {spot.gpu} -dgi -gi {other.id})"
    )
