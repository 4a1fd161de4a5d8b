"""What can be true of a device and of what it does: a driver's nonsense must not pass for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hetero.errors import HeteroError
from hetero.model import wire
from hetero.model.device import MEMORY, Device, Process, Sample
from hetero.vendor import Splitting

MOST_MEMORY_MIB = 1 << 24
"""16 TiB: far beyond any chip, and far below what a counter gone wrong says."""

MOST_NUMA = 1 << 12
COLDEST, HOTTEST = -100, 250
MOST_WATTS = 10_000.0


def device_faults(devices: Sequence[Device], splitting: Splitting) -> Iterator[str]:
    """What cannot be true of a machine's devices, a sentence each."""
    uuids = [device.uuid for device in devices]
    if len(set(uuids)) != len(uuids):
        yield f"two devices have one identity: {uuids}"
    if [device.index for device in devices] != list(range(len(devices))):
        yield f"indices are no places in the list: {[device.index for device in devices]}"
    for device in devices:
        yield from (f"{device.uuid!r}: {fault}" for fault in _faults_of(device, set(uuids), splitting))


def _faults_of(device: Device, uuids: set[str], splitting: Splitting) -> Iterator[str]:
    if not _readable(device.uuid):
        yield "its identity is no word"
    if device.health.ok == bool(device.health.reason):
        yield f"it is healthy, or there is a reason, but not both and not neither: {device.health}"
    if not _readable(device.health.reason or "-"):
        yield f"the reason cannot be read: {device.health.reason!r}"
    if not -1 <= device.numa < MOST_NUMA:
        yield f"there is no NUMA node {device.numa}"
    if stray := {link.peer for link in device.links} - (uuids - {device.uuid}):
        yield f"it has links to no other device of this node: {sorted(stray)}"
    if wire.decode(wire.encode(device), Device) != device:
        yield "it is another one after it was stored"
    if device.health.ok:
        yield from _faults_of_model(device, splitting)


def _faults_of_model(device: Device, splitting: Splitting) -> Iterator[str]:
    """Only of a healthy device all is known."""
    model, memory = device.model, device.model.capacity.get(MEMORY, 1)
    if not _readable(model.name):
        yield f"its model has no name: {model.name!r}"
    if not 0 < memory <= MOST_MEMORY_MIB:
        yield f"it has {memory} MiB"
    try:
        described = splitting.model(model.name, memory, model.mode)
    except HeteroError as error:
        yield f"splitting does not know its model: {error}"
    else:
        if described != model:
            yield f"splitting describes its model as {described}"


def sample_faults(samples: Sequence[Sample]) -> Iterator[str]:
    """What cannot be true of what devices do, a sentence each."""
    for sample in samples:
        yield from (f"{sample.uuid!r}: {fault}" for fault in _faults_of_sample(sample))


def _faults_of_sample(sample: Sample) -> Iterator[str]:
    if not 0 <= sample.memory_used <= MOST_MEMORY_MIB:
        yield f"{sample.memory_used} MiB are in use"
    if sample.temperature is not None and not COLDEST <= sample.temperature <= HOTTEST:
        yield f"it is at {sample.temperature} degrees"
    if sample.power is not None and not 0 <= sample.power <= MOST_WATTS:
        yield f"it takes {sample.power} W"
    if sample.health.ok == bool(sample.health.reason):
        yield f"it is healthy, or there is a reason, but not both and not neither: {sample.health}"
    for busy in (sample.utilization, *(user.utilization for user in sample.processes)):
        if not -1 <= busy <= 100:
            yield f"it is busy to {busy} percent"
    yield from (f"a process cannot be: {user}" for user in sample.processes if not _possible(user))


def _possible(user: Process) -> bool:
    return user.pid >= 0 and -1 <= user.memory <= MOST_MEMORY_MIB


def _readable(text: str) -> bool:
    """True for a word or sentence in one line; a replacement character is what garbage decodes to."""
    return bool(text.strip()) and text.isprintable() and "\N{REPLACEMENT CHARACTER}" not in text
