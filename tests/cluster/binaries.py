"""The programs of a real cluster: brought along, found in the cache, or built once from pinned Go modules.

``HETERO_KUBE_BIN`` names a directory that has them. Without it they are built from the modules in ``tools/``, whose
versions each ``go.sum`` pins, into a cache outside the tree. There are three sets, each in a directory keyed by its
module and the compiler, and one directory of links that joins them: another helm does not build Kubernetes again, and
what is there is never built again. With neither there is nothing to test with, and :func:`find` says so.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).parent / "tools"

Say = Callable[[str], None]


class Missing(Exception):
    """There are no programs here, and no way to make them."""


class Broken(Exception):
    """The programs should be here, and are not; or could not be built."""


@dataclass(frozen=True)
class Toolset:
    """Programs that are built from one Go module.

    Attributes:
        name: Of the module's directory in ``tools/``, and the first word of that in the cache.
        packages: Program to the package of its ``main``, a tool dependency of the module.
        with_c: The programs that are part C; all others are built without.
        minutes: What building them takes on two cores that have built none before, for a person who waits.
    """

    name: str
    packages: Mapping[str, str]
    with_c: frozenset[str] = frozenset()
    minutes: str = "a few minutes"

    @property
    def module(self) -> Path:
        """The directory of ``go.mod`` and ``go.sum``."""
        return TOOLS / self.name

    def key(self, compiler: str) -> str:
        """What the programs depend on, as the name of a directory."""
        inputs = [(self.module / name).read_bytes() for name in ("go.mod", "go.sum")]
        digest = hashlib.sha256(b"\0".join([*inputs, compiler.encode(), " ".join(self.packages).encode()]))
        return f"{self.name}-{digest.hexdigest()[:16]}"

    def flags(self) -> str:
        """What the linker is told: no symbols, and for Kubernetes its own version."""
        return flags() if self.name == "kubernetes" else "-s -w"


KUBERNETES = Toolset(
    "kubernetes",
    {
        "etcd": "go.etcd.io/etcd/server/v3",
        "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
        "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
        "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
        "kubelet": "k8s.io/kubernetes/cmd/kubelet",
        "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    },
    minutes="10 to 15 minutes",
)

RUNTIME = Toolset(
    "runtime",
    {
        "containerd": "github.com/containerd/containerd/v2/cmd/containerd",
        "containerd-shim-runc-v2": "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        "ctr": "github.com/containerd/containerd/v2/cmd/ctr",
        "runc": "github.com/opencontainers/runc",
        "bridge": "github.com/containernetworking/plugins/plugins/main/bridge",
        "loopback": "github.com/containernetworking/plugins/plugins/main/loopback",
        "host-local": "github.com/containernetworking/plugins/plugins/ipam/host-local",
    },
    with_c=frozenset({"runc"}),  # it enters namespaces before Go's runtime has threads
)

HELM = Toolset("helm", {"helm": "helm.sh/helm/v3/cmd/helm"})

TOOLSETS = (KUBERNETES, RUNTIME, HELM)

PACKAGES = {program: package for tools in TOOLSETS for program, package in tools.packages.items()}
"""Every program, and the package of its ``main``."""


def find(environment: Mapping[str, str] = os.environ, say: Say = print) -> Path:
    """The directory that has all of :data:`PACKAGES`.

    Raises:
        Missing: No directory is named, nothing is cached and there is no Go, or no compiler for what is part C.
        Broken: The named directory lacks a program, or the build failed.
    """
    if named := environment.get("HETERO_KUBE_BIN"):
        if lacking := _lacking(Path(named), PACKAGES):
            raise Broken(f"HETERO_KUBE_BIN={named} has no {', '.join(lacking)}")
        return Path(named).absolute()
    compiler = shutil.which("go", path=environment.get("PATH"))
    if compiler is None:
        raise Missing("HETERO_KUBE_BIN is not set and there is no Go to build Kubernetes with")
    release = _answer(compiler, ["env", "GOVERSION"], TOOLS, environment)
    places = {tools.key(release): tools for tools in TOOLSETS}
    joined = cache(environment) / joint_key(places)
    with _alone(joined.parent):
        wanted = {name: tools for name, tools in places.items() if _lacking(joined.parent / name, tools.packages)}
        _check_compilers(wanted.values(), environment)
        for name, tools in wanted.items():
            build(tools, compiler, joined.parent / name, environment, say)
        if _lacking(joined, PACKAGES):
            _join(joined, places)
    return joined


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Where built programs are kept, one directory for each set of versions."""
    if named := environment.get("HETERO_CACHE"):
        return Path(named, "kube").absolute()
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or "~", ".cache").expanduser()
    return Path(base, "hetero", "kube").absolute()


def joint_key(keys: Iterable[str]) -> str:
    """What all programs together depend on, as the name of a directory."""
    return "all-" + hashlib.sha256(" ".join(keys).encode()).hexdigest()[:16]


def version() -> str:
    """The Kubernetes that ``tools/kubernetes/go.mod`` pins, e.g. ``v1.36.3``."""
    text = (KUBERNETES.module / "go.mod").read_text()
    found = re.search(r"^\tk8s\.io/kubernetes (v\S+)", text, re.MULTILINE)
    assert found, "tools/kubernetes/go.mod requires no k8s.io/kubernetes"
    return found[1]


def flags() -> str:
    """What the linker writes into Kubernetes: clients refuse a server that does not know its own version."""
    release = version()
    major, minor, _ = release.removeprefix("v").split(".", 2)
    told = {"gitVersion": release, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())])


def build(tools: Toolset, compiler: str, place: Path, environment: Mapping[str, str], say: Say) -> None:
    """Build the programs of a set; ``place`` appears when all of them are there, and not before."""
    say(f"building {', '.join(tools.packages)} into {place}: once, {tools.minutes} on two cores")
    with _appearing(place) as half:
        for program, package in tools.packages.items():
            started = time.monotonic()
            variables = {**environment, "CGO_ENABLED": "1" if program in tools.with_c else "0"}
            options = ["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", tools.flags()]
            _answer(compiler, [*options, "-o", str(half / program), package], tools.module, variables)
            say(f"  {program}: {time.monotonic() - started:.0f} s")


def _join(joined: Path, places: Mapping[str, Toolset]) -> None:
    """One directory with all programs: links, which go on leading there when the cache is moved as a whole."""
    with _appearing(joined) as half:
        for name, tools in places.items():
            for program in tools.packages:
                (half / program).symlink_to(Path("..", name, program))


def _check_compilers(wanted: Iterable[Toolset], environment: Mapping[str, str]) -> None:
    """Before anything is built: nobody waits for Kubernetes to be told that the next program cannot be made."""
    programs = sorted(program for tools in wanted for program in tools.with_c)
    compiler = (environment.get("CC") or "gcc").split()[0]  # as Go chooses
    if programs and shutil.which(compiler, path=environment.get("PATH")) is None:
        told = f"there is no C compiler ({compiler}) to build {', '.join(programs)} with"
        raise Missing(f"HETERO_KUBE_BIN is not set and {told}")


def _answer(compiler: str, arguments: list[str], directory: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        [compiler, *arguments], cwd=directory, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        told = "\n".join(done.stderr.splitlines()[-20:])
        raise Broken(f"go {arguments[0]} {arguments[-1]} failed with exit code {done.returncode}:\n{told}")
    return done.stdout.strip()


def _lacking(place: Path, programs: Iterable[str]) -> list[str]:
    return [program for program in programs if not os.access(place / program, os.X_OK)]


@contextmanager
def _appearing(place: Path) -> Iterator[Path]:
    """A directory to fill, which becomes ``place`` when all went well."""
    place.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        yield half
        half.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)
        half.rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One builder at a time: the second waits, and finds what the first made."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "building.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
