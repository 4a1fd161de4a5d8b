"""What Prometheus costs: a scrape of a node with a hundred slices, and of a scheduler that tells other names as well.

Records, regions and the page are real, the programs of the slices are written into their regions as they would be.
"""

from __future__ import annotations

import gc
import http.client
import os
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from hetero import listening, metrics, plugins
from hetero.agent import exposing
from hetero.agent.page import Page
from hetero.agent.records import REGION, PodSlice, Records
from hetero.agent.usage import Usage
from hetero.enforcement import layout, region
from hetero.enforcement.limits import limits_of
from hetero.model.allocation import Grant, Slice
from hetero.model.device import CORES, MEMORY, SLOTS, Inventory, Sample
from hetero.model.share import Share
from hetero.monitoring.inventory import Machine
from hetero.peer_metrics import Names
from hetero.placement import Planner
from hetero.scheduler.peers import Source
from hetero.testing.fake import fake_devices
from tests.bench.clusters import VENDOR, Size, described
from tests.bench.figures import Figure, quantile

SLICES = 100
PROCESSES = 2
DEVICES = 10
ROUNDS = 200
SIZE = Size(5000, 8, 40_000)


def figures() -> list[Figure]:
    """Both."""
    return [*node(SLICES, ROUNDS), *scheduler(SIZE)]


def node(slices: int, rounds: int) -> list[Figure]:
    """Read a node's page over a socket, each time with a new reading, and its regions alone."""
    _settle()
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="het", dir=shared if shared.is_dir() else None) as place:
        records = Records(Path(place))
        paths = [_made(records, number) for number in range(slices)]
        clock = SimpleNamespace(now=1000.0)
        usage = Usage("desk", records, _devices(), over=lambda *_: False, served=("fake",), clock=lambda: clock.now)
        opened = listening.listen(listening.address("127.0.0.1:0", "bench"), "bench")
        page = Page(opened, str, str, lambda: _text(usage), usage.report)
        page.start()
        try:
            connection = http.client.HTTPConnection(*opened.getsockname()[:2])
            times = _times(rounds, lambda: _scraped(connection, clock))
            connection.close()
        finally:
            page.stop()
        reads = _times(rounds, lambda: [region.read(path) for path in paths])
    return [
        Figure(f"scrape of {slices} slices, {PROCESSES} processes each: p50", quantile(times, 50), "ms"),
        Figure(f"scrape of {slices} slices, {PROCESSES} processes each: p99", quantile(times, 99), "ms", "<= 20"),
        Figure(f"of it, reading {slices} regions: p50", quantile(reads, 50), "ms"),
    ]


def scheduler(size: Size) -> list[Figure]:
    """Tell a cluster under the other names: how long the lock is held, and how long a processor is busy."""
    vendor = plugins.load().vendors[VENDOR]
    cluster = described(size, vendor)
    planner = Planner(Inventory(nodes=cluster.nodes), {VENDOR: vendor})
    for _, placement in cluster.pods:
        planner.charge(placement)
    keys = [placement.key for _, placement in cluster.pods]
    held = _Held()
    source = Source(SimpleNamespace(lock=held, planner=planner, books=SimpleNamespace(shown=lambda: list(keys))),
                    Names(current=True, legacy=False))  # type: ignore[arg-type]  # fmt: skip
    source.take()  # the first copy is of everything; later ones are of what has changed
    planner.free(keys[0])
    began = time.process_time()
    size_bytes = sum(map(len, source.pieces()))
    seconds = time.process_time() - began
    return [
        Figure(f"other names, {size}: lock held", 1000 * held.longest, "ms", "<= 20"),
        Figure(f"other names, {size}: processor", seconds, "s"),
        Figure(f"other names, {size}: text", size_bytes / (1 << 20), "MiB"),
    ]


class _Held:
    """A lock that knows how long it was held the last time."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._since = self.longest = 0.0

    def __enter__(self) -> None:
        self._lock.acquire()
        self._since = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.longest = time.perf_counter() - self._since
        self._lock.release()


def _settle() -> None:
    """As the agent does when it has started: what was imported is not looked at again at a scrape."""
    gc.collect()
    gc.freeze()


def _devices() -> SimpleNamespace:
    found = tuple(fake_devices(DEVICES))
    samples = {
        one.uuid: Sample(uuid=one.uuid, memory_used=1, utilization=1, temperature=50, power=70.0) for one in found
    }
    return SimpleNamespace(machine=Machine(found), samples=samples)


def _text(usage: Usage) -> str:
    return metrics.exposition("agent", exposing.samples(usage.report(), {"fake": 1.0}))


def _scraped(connection: http.client.HTTPConnection, clock: SimpleNamespace) -> None:
    clock.now += 15.0
    connection.request("GET", "/metrics")
    body = connection.getresponse().read()
    assert body.count(b"\nhetero_slice_launches_total{") == SLICES


def _times(rounds: int, action: Callable[[], object]) -> list[float]:
    """Milliseconds of each round; the first one, which reads the records, is left out."""
    action()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        times.append(1000 * (time.perf_counter() - began))
    return times


def _made(records: Records, number: int) -> Path:
    """A slice, and programs in its region."""
    device = fake_devices(DEVICES)[number % DEVICES]
    grant = Grant(device=device, share=Share(quantities={SLOTS: 1, MEMORY: 1024, CORES: 10}))
    name = f"fake-{number:016x}"
    held = Slice(id=name, grants=(grant,), directory=str(records.make(name)), region="/inside")
    pod = f"train-{number:05d}"
    records.write(
        PodSlice(vendor="fake", held=held, pod_uid=f"uid-{number}", namespace="lab", pod=pod, container="main")
    )
    path = records.path(name) / REGION
    region.create(path, limits_of(held))
    descriptor = os.open(path, os.O_RDWR)
    _write(descriptor, layout.REGION, "slots_used", PROCESSES)
    for slot in range(PROCESSES):
        _write(descriptor, layout.SLOT, "pid", 100 + slot, slot)
        _write(descriptor, layout.SLOT, "state", layout.TAKEN, slot)
    os.close(descriptor)
    return path


def _write(descriptor: int, record: layout.Record, name: str, value: int, index: int = 0) -> None:
    field = record.fields[name]
    os.pwrite(descriptor, struct.pack("<" + field.format, value), record.start + index * record.size + field.offset)
