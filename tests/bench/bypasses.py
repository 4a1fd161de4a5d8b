"""Ways through ordinary calls that have led round some limiter: what each gets of a simulated card beyond its limit.

Each is run without the library, too: a way that does not get more there proves nothing, and ends the run.
"""

from __future__ import annotations

import re
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shares import FORMS, seconds
from simulated import BUILD, Machine, machine_in, uuid

from hetero.enforcement import limits, region
from hetero.enforcement.limits import DeviceLimit, Limits
from tests.bench.figures import Figure

REACH = [sys.executable, str(Path(__file__).parent / "programs/reach.py")]
LIMIT = 1024
CORES = 20
POINTS_OF_ERROR = 2
MIB = 1 << 20


@dataclass(frozen=True)
class Way:
    """A program that takes as much of a card as it can, says so in a line, and holds it.

    Attributes:
        name: What is special about it.
        command: The program.
        variables: What it finds in its environment, beside the limit.
        prepare: What is done to the machine before.
        card: Whose memory it takes.
        context: MiB of a context on this machine.
    """

    name: str
    command: Sequence[str]
    variables: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Machine], None] | None = None
    card: int = 0
    context: int = 0


def _fill(api: str, *options: str) -> list[str]:
    return ["fill", "--api", api, "--hold", "100", *options]


def _graphs(how: str) -> list[str]:
    return ["graphs", "fill", "--how", how, "--iterations", "10000", "--hold", "100"]


def _reach(*words: str) -> list[str]:
    return [*REACH, *words]


def _region(machine: Machine) -> None:
    limit = tuple(DeviceLimit(uuid=uuid(index), memory=LIMIT * MIB) for index in range(2))
    region.create(machine.directory / "region", Limits(slice_id="slice-1", devices=limit))


def _after_a_killed_one(machine: Machine) -> None:
    program = machine.start("hold", "--mib", str(LIMIT // 4))
    assert program.stdout is not None
    program.stdout.readline()
    _kill(program)


ASKER = str(BUILD / "tests/libasker.so")
TENFOLD = str(LIMIT * 10) + "m"

MEMORY = [
    *(
        Way(f"{api}", _fill(api))
        for api in ("alloc1", "pitch", "managed", "async", "pool", "create", "mapped", "array", "array3d", "mipmap")
    ),
    *(Way(f"small {api}", _fill(api, "--step", "1m")) for api in ("alloc", "async", "array")),
    *(Way(f"graph memory, {how}", _graphs(how)) for how in ("node", "capture", "moved", "upload", "streams", "auto")),
    Way("physical memory held by a descriptor alone", _reach("exported")),
    Way("physical memory of another device than the current", _reach("elsewhere"), card=1),
    Way("opened memory freed as one's own", _reach("opened")),
    Way("imported memory freed as one's own", _reach("imported")),
    Way("async and pool, per-thread streams", _reach("per-thread")),
    Way("pools destroyed in use", _reach("destroyed-pools")),
    Way("memory freed twice and by addresses within it", _reach("wrong-frees")),
    Way("mapped memory whose handles are released too often", _reach("released-handles")),
    Way("contexts", _reach("contexts"), context=200),
    Way("modules", _reach("modules"), context=200),
    Way("libraries", _reach("libraries"), context=200),
    Way("local memory", _reach("stack"), context=200),
    Way("CUDA_VISIBLE_DEVICES, nvmlInit first", _reach("management-first"), {"CUDA_VISIBLE_DEVICES": "1"}, card=1),
    Way("a limit of its own, against a region", _reach("plain"), {"CUDA_DEVICE_MEMORY_LIMIT": TENFOLD}, _region),
    Way("RTLD_DEEPBIND, by call", _reach("deep", str(BUILD / "tests/libdeepbound_now.so"), "granted_by_call")),
    Way("RTLD_DEEPBIND, by name", _reach("deep", str(BUILD / "tests/libdeepbound_lazy.so"), "granted_by_name")),
    Way('dlvsym(RTLD_NEXT, "dlsym")', _reach("next", ASKER, "dlsym")),
    Way("dlmopen and dlsym", _reach("namespace")),
    Way("after a process of the slice was killed", _reach("plain"), prepare=_after_a_killed_one),
    Way("cuGetProcAddress, per-thread streams", _reach("lookup")),
]


def measure() -> list[Figure]:
    """Each way as a line, and how many got more than their limit."""
    ways = [(way.name, lambda way=way: _memory(way)) for way in MEMORY]
    ways += [("its own region, against the limits file", _own_region), ("the region's file, for others", _file_mode)]
    ways += [(f"launches: {form}", lambda form=form: _compute("--launch", form)) for form in FORMS]
    ways += [(f"launches: {load}", lambda load=load: _compute("--workload", load)) for load in ("decode", "sync")]
    lines = []
    for name, more in ways:
        value, unit = more()
        lines.append(Figure(f"bypass: {name}, more than the limit", value, unit, "<= 0"))
    leaks = [line for line in lines if not line.holds]
    return [Figure(f"bypass routes that led beyond a limit, of {len(lines)}", len(leaks), "", "<= 0"), *lines]


@contextmanager
def _machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as directory:
        yield machine_in(Path(directory))


def _memory(way: Way) -> tuple[float, str]:
    with _machine() as machine:
        machine.cards(12 * LIMIT, 12 * LIMIT, context=way.context)
        machine.variables.setdefault("CUDA_DEVICE_MEMORY_LIMIT", f"{LIMIT}m")
        machine.variables.update(way.variables)
        if _taken(machine.bare(), way) <= LIMIT:
            raise RuntimeError(f"{way.name}: gets no more without the library either, so it shows nothing")
        if way.prepare:
            way.prepare(machine)
        return max(0, _taken(machine, way) - LIMIT), "MiB"


def _taken(machine: Machine, way: Way) -> float:
    """MiB of the card that are in use while the program holds what it could get."""
    program = machine.start(*way.command, stdin=subprocess.PIPE)
    try:
        assert program.stdout is not None
        if not program.stdout.readline():
            raise RuntimeError(f"{way.name}: ended with exit code {program.wait()}")
        told = machine.bare().run("smi").stdout
        return float(re.findall(r"memory  +(\d+)MiB", told)[way.card])
    finally:
        _kill(program)


def _kill(program: subprocess.Popen[str]) -> None:
    program.send_signal(signal.SIGKILL)
    program.communicate()


def _own_region() -> tuple[float, str]:
    """The file is put in its place in a file system that only the program sees."""
    with _machine() as machine:
        etc = machine.directory / "etc/hetero"
        etc.mkdir(parents=True)
        device = DeviceLimit(uuid=uuid(0), memory=LIMIT * MIB)
        limits.write(etc / "limits", Limits(slice_id="slice-1", devices=(device,)), machine.directory / "held")
        inside = 'mount --bind "$1" /etc && shift && LD_PRELOAD="$1" && export LD_PRELOAD && shift && exec "$@"'
        words = ["unshare", "--mount", "--map-root-user", "sh", "-c", inside, "sh", str(etc.parent)]
        own = {"CUDA_DEVICE_MEMORY_LIMIT": TENFOLD, "CUDA_DEVICE_MEMORY_SHARED_CACHE": str(machine.directory / "own")}
        answer = machine.bare().run(*words, machine.variables["LD_PRELOAD"], "fill", **own)
        granted = re.search(r"granted (\d+) MiB", answer.stdout)
        if not granted:
            raise RuntimeError(f"the limits file: {answer.stderr}")
        return max(0, int(granted[1]) - LIMIT), "MiB"


def _file_mode() -> tuple[float, str]:
    """Whoever may write the region's file may write the limits in it."""
    with _machine() as machine:
        machine.run("fill", CUDA_DEVICE_MEMORY_LIMIT=f"{LIMIT}m")
        return (machine.directory / "region").stat().st_mode & 0o022, "bits"


def _compute(*options: str) -> tuple[float, str]:
    command = ["burn", "--report", "--seconds", "5", "--ns-per-iteration", "1000", *options]
    with _machine() as machine:
        machine.virtual()
        clock = str(BUILD / "sim/libsimclock.so")
        without, inside = (
            statistics.mean(seconds(machine.run(*command, CUDA_DEVICE_SM_LIMIT=str(CORES), **more).stdout))
            for more in ({"LD_PRELOAD": clock}, {})
        )
        if without <= 2 * CORES:
            raise RuntimeError(f"{options}: gets no more without the library either, so it shows nothing")
        return max(0, inside - CORES - POINTS_OF_ERROR), "points"
