"""What it costs to see to it that higher priorities go first: the agent's loop, on regions as containers have them."""

from __future__ import annotations

import os
import struct
import tempfile
import time
from pathlib import Path

import msgspec

from hetero.agent.records import REGION, PodSlice, Records
from hetero.enforcement import layout, region
from hetero.enforcement.limits import limits_of
from hetero.model import wire
from hetero.model.allocation import Grant, Slice
from hetero.model.share import Share
from hetero.monitoring.watcher import Watcher
from hetero.testing.fake import fake_device
from tests.bench.figures import Figure

SIZES = ((10, 2), (100, 10))
"""Slices and devices."""

SECONDS = 10.0

_WANTED = layout.DEVICE.place("wanted_ns")


def measure(seconds: float = SECONDS) -> list[Figure]:
    """Processor time over time, while the slices of the higher priority run and the others make way all the time.

    And while nobody runs: then each of the higher priority has to be looked at.
    """
    return [
        figure for slices, devices in SIZES for runs in (True, False) for figure in _of(slices, devices, runs, seconds)
    ]


def _of(slices: int, devices: int, runs: bool, seconds: float) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="het") as directory:
        regions = [_slice(Records(Path(directory)), index, devices) for index in range(slices)]
        watcher = Watcher(Path(directory), lambda data: wire.decode(data, PodSlice).held, "conserve")
        used, passed, held = _loop(watcher, regions[::2] if runs else [], seconds)
        looks = watcher.looks
        watcher.close()
    what = f"precedence, {slices} slices of {devices} devices, {'half of them run' if runs else 'none runs'}"
    return [
        Figure(f"{what}: of a core", 100 * used / passed, "%", "<= 1"),
        Figure(f"{what}: slices that make way", held, "", f">= {slices // 2 if runs else 0}"),
        Figure(f"{what}: looks", looks / passed, "1/s", ">= 15"),
    ]


def _loop(watcher: Watcher, running: list[Path], seconds: float) -> tuple[float, float, int]:
    """Seconds of a processor for the looks and what lies between, seconds in all, and the fewest that made way."""
    began, busy, held = time.monotonic(), 0.0, len(running)
    while (passed := time.monotonic() - began) < seconds:
        moment = time.monotonic_ns()
        for path in running:
            _launch(path, moment)
        before = time.process_time()
        pause = watcher.look()
        time.sleep(pause)
        busy += time.process_time() - before
        held = min(held, watcher.yields)
    return busy, passed, held


def _launch(path: Path, moment: int) -> None:
    """As a program's launches would: they answer between any two looks."""
    descriptor = os.open(path, os.O_RDWR)
    os.pwrite(descriptor, struct.pack("<Q", moment), _WANTED)
    os.close(descriptor)


def _slice(records: Records, index: int, devices: int) -> Path:
    """A container's slice, every other one of the higher priority."""
    device = msgspec.structs.replace(fake_device(), uuid=f"chip-{index // 2 % devices}")
    grants = (Grant(device=device, share=Share(quantities={"memory": 1024, "cores": 10})),)
    held = Slice(id=f"slice-{index}", grants=grants, directory="/", region="/run/hetero/region", priority=index % 2)
    path = records.make(held.id) / REGION
    region.create(path, limits_of(held))
    records.write(PodSlice(vendor="fake", held=held, pod_uid=held.id, namespace="lab", pod=held.id, container="main"))
    return path
