"""Filter and prioritize over HTTP: the scheduler, the floor and whoever ``PEER_URL`` names, asked the same."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hetero import plugins
from hetero.kube.client import Api
from hetero.kube.objects import Pod
from hetero.model.resources import Resources
from tests.bench import bare, floor, objects, recording, reviewing, service, world
from tests.bench.client import Client
from tests.bench.clusters import VENDOR, Size, described
from tests.bench.figures import Figure, quantile
from tests.bench.names import Names, sample
from tests.bench.processes import program, resident
from tests.bench.recording import Recorded
from tests.bench.service import Service
from tests.bench.turns import Contender, Turns
from tests.bench.workloads import TOO_LARGE, WORKLOADS, Workload, drawn

SIZES = ((Size(100, 16, 5000), 2), (Size(1000, 8, 8000), 3), (Size(5000, 8, 40000), 4))
"""The clusters, and how many times the floor is the reach."""

WARMING = 60
PODS = 300
NEW_SHAPES = 40
ROOT = Path(__file__).parents[2]


@dataclass
class Bench:
    """A cluster that is served, and everything that is asked about it.

    Attributes:
        size: How large it is.
        api: Its API server.
        service: The scheduler under test.
        connections: Each contender's name to the connection and the paths of its verbs; the scheduler's is the first.
        names: Of all nodes.
        running: Names of the pods that are there and may go.
        resources: The words of the vendor.
        random: The lots.
    """

    size: Size
    api: Api
    service: Service
    connections: dict[str, tuple[Client, dict[str, str]]]
    names: list[str]
    running: list[str]
    resources: Resources
    random: random.Random
    binds: list[float] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    made: int = 0
    nowhere: int = 0

    def session(self, workloads: Sequence[Workload], count: int) -> list[Contender]:
        """Take these pods one after another, with so many names; after each, a pod that ran longer ends."""
        contenders = [Contender(name, client, paths) for name, (client, paths) in self.connections.items()]
        turns = Turns(contenders, Names(self.names, count, self.random), self.random, self.recorded.append)
        for workload in workloads:
            self._turn(workload, turns)
        return contenders

    def _turn(self, workload: Workload, turns: Turns) -> None:
        self.made += 1
        name = f"{workload.name}-new-{self.made}"
        pod = self.api.post(world.PODS, msgspec.json.encode(objects.pending(workload, name, self.resources)))
        host = turns.take(pod)
        if host is None:
            self.nowhere += 1
            self._end(name)
            return
        self._bind(pod, host)
        self.running.append(name)
        last = self.random.randrange(len(self.running))
        self.running[last], self.running[-1] = self.running[-1], self.running[last]
        self._end(self.running.pop())

    def _bind(self, pod: bytes, host: str) -> None:
        metadata = msgspec.json.decode(pod, type=Pod).metadata
        args = {"PodName": metadata.name, "PodNamespace": metadata.namespace, "PodUID": metadata.uid, "Node": host}
        client, _ = self.connections["hetero"]
        answer = client.post("/bind", msgspec.json.encode(args))
        if answer.status != 200 or msgspec.json.decode(answer.body).get("Error"):
            raise RuntimeError(f"bind: {answer.status} {answer.body[:300]!r}")
        self.binds.append(answer.ms)

    def _end(self, name: str) -> None:
        self.api.delete(f"{world.PODS}/{name}", b'{"gracePeriodSeconds":0}')


def measure() -> list[Figure]:
    """Every cluster; all names, and as many as kube-scheduler sends by itself."""
    figures = []
    for size, reach in SIZES:
        with served(size) as bench:
            figures += _session(bench, reach, reviewed=size is SIZES[1][0])
    return figures


@contextmanager
def served(size: Size, seed: int = 7) -> Iterator[Bench]:
    """The cluster, the scheduler under test, the floor, the peer when there is one, and the connections to them."""
    vendor = plugins.load().vendors[VENDOR]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hetero-bench-")))
        numbers = (str(size.nodes), str(size.devices), str(size.pods))
        stack.enter_context(program(world.__name__, *numbers, str(directory / "kubeconfig")))
        ours = stack.enter_context(service.started(directory / "kubeconfig", directory))
        cluster = described(size, vendor)
        addresses = {"hetero": ours.extender, "floor": stack.enter_context(program(floor.__name__))}
        connections = {
            name: (stack.enter_context(Client(url)), dict(recording.PATHS)) for name, url in addresses.items()
        }
        if peer := os.environ.get("PEER_URL"):
            where = dict(recording.paths(os.environ.get("PEER_PATHS", "")))
            connections["peer"] = (stack.enter_context(Client(peer)), where)
        api = Api.connect(str(directory / "kubeconfig"))
        stack.callback(api.close)
        yield Bench(
            size=size,
            api=api,
            service=ours,
            connections=connections,
            names=[node.name for node in cluster.nodes],
            running=[placement.pod for _, placement in cluster.pods],
            resources=vendor.resources[0],
            random=random.Random(seed),
        )


def _session(bench: Bench, reach: int, *, reviewed: bool = False) -> list[Figure]:
    before = resident(bench.service.pid)
    bench.session([*WORKLOADS, *drawn(bench.random, WARMING - len(WORKLOADS))], bench.size.nodes)
    bench.recorded.clear()
    mix = [*WORKLOADS, TOO_LARGE]
    contenders = bench.session(drawn(bench.random, PODS, mix), bench.size.nodes)
    figures = compared(f"{bench.size}, all names", contenders, reach)
    recording.write(ROOT / f"build/bench/recording-{bench.size.nodes}.jsonl", bench.recorded)
    figures += own_cost(bench)
    bench.recorded.clear()
    if (some := sample(bench.size.nodes)) < bench.size.nodes:
        title = f"{bench.size}, {some} names"
        figures += compared(title, bench.session(drawn(bench.random, PODS // 2, mix), some), reach)
    new = [Workload(f"new-{number}", 1, memory=1000 + number) for number in range(NEW_SHAPES)]
    ours, floor_, *_ = bench.session(new, bench.size.nodes)
    figures += [
        Figure(f"{bench.size}, pods unlike any before, p50 of floor", ours.p(50) / floor_.p(50), "times"),
        Figure(f"{bench.size}, bind, p50", quantile(bench.binds, 50), "ms"),
        Figure(f"{bench.size}, bind, p99", quantile(bench.binds, 99), "ms"),
    ]
    if reviewed:
        figures += reviews(bench)
    return figures + _memory(bench, before)


def reviews(bench: Bench) -> list[Figure]:
    """The webhook of a scheduler that serves this cluster; the floor has the same certificate."""
    pair = map(str, bench.service.pair)
    with (
        program(floor.__name__, *pair) as url,
        Client(bench.service.public) as ours,
        Client(url) as floored,
    ):
        return reviewing.compared({"hetero": ours, "floor": floored}, bench.resources)


def compared(title: str, contenders: Sequence[Contender], reach: int) -> list[Figure]:
    """Both quantiles of each, and of the first beside the others; the second is the floor."""
    ours, floor_, *peers = contenders
    told = [
        Figure(f"{title}: {one.name}, p{percent}", one.p(percent), "ms") for one in contenders for percent in (50, 99)
    ]
    ratios = [
        Figure(f"{title}: of floor, p{percent}", ours.p(percent) / floor_.p(percent), "times", f"<= {reach}")
        for percent in (50, 99)
    ]
    of_peer = [Figure(f"{title}: of {one.name}, p50", ours.p(50) / one.p(50), "times") for one in peers]
    return [*told, *ratios, *of_peer]


def own_cost(bench: Bench) -> list[Figure]:
    """What of these times is the client's and the loopback's: as long requests and answers, without any work."""
    times = []
    with program(bare.__name__) as url, Client(url) as client:
        for one in bench.recorded[:100]:
            body = bytes(one.args)
            times.append(client.post(f"/{len(body)}", body).ms)
    return [Figure(f"{bench.size}, all names: of it the client and the loopback, p50", 2 * quantile(times, 50), "ms")]


def _memory(bench: Bench, before: tuple[float, float]) -> list[Figure]:
    reach = "<= 400" if bench.size == SIZES[-1][0] else ""
    now, most = resident(bench.service.pid)
    return [
        Figure(f"{bench.size}: ready after", bench.service.ready_s, "s"),
        Figure(f"{bench.size}: memory of the scheduler when ready", before[0], "MiB", reach),
        Figure(f"{bench.size}: the same after {bench.made} pods", now, "MiB", reach),
        Figure(f"{bench.size}: the most that it ever had", most, "MiB", reach),
    ]
