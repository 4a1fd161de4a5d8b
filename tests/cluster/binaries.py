"""The programs of a real control plane: brought along, found in the cache, or built once from pinned Go modules.

``HETERO_KUBE_BIN`` names a directory that has them. Without it they are built from ``tools/go.mod``, whose versions
``tools/go.sum`` pins, into a cache outside the tree that is keyed by both and by the compiler; what is there is
never built again. With neither there is nothing to test with, and :func:`find` says so.
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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

TOOLS = Path(__file__).parent / "tools"

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
"""Program to the package of its ``main``, a tool dependency of ``tools/go.mod``."""

Say = Callable[[str], None]


class Missing(Exception):
    """There are no programs here, and no way to make them."""


class Broken(Exception):
    """The programs should be here, and are not; or could not be built."""


def find(environment: Mapping[str, str] = os.environ, say: Say = print) -> Path:
    """The directory that has all of :data:`PACKAGES`.

    Raises:
        Missing: No directory is named, nothing is cached and there is no Go.
        Broken: The named directory lacks a program, or the build failed.
    """
    if named := environment.get("HETERO_KUBE_BIN"):
        if lacking := _lacking(Path(named)):
            raise Broken(f"HETERO_KUBE_BIN={named} has no {', '.join(lacking)}")
        return Path(named).absolute()
    compiler = shutil.which("go", path=environment.get("PATH"))
    if compiler is None:
        raise Missing("HETERO_KUBE_BIN is not set and there is no Go to build Kubernetes with")
    place = cache(environment) / key(_answer(compiler, "env", "GOVERSION", environment=environment))
    with _alone(place):
        if _lacking(place):
            build(compiler, place, environment, say)
    return place


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Where built programs are kept, one directory for each set of versions."""
    if named := environment.get("HETERO_CACHE"):
        return Path(named, "kube").absolute()
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or "~", ".cache").expanduser()
    return Path(base, "hetero", "kube").absolute()


def key(compiler: str) -> str:
    """What the programs depend on, as the name of a directory."""
    inputs = [(TOOLS / name).read_bytes() for name in ("go.mod", "go.sum")]
    return hashlib.sha256(b"\0".join([*inputs, compiler.encode()])).hexdigest()[:16]


def version() -> str:
    """The Kubernetes that ``tools/go.mod`` pins, e.g. ``v1.36.3``."""
    found = re.search(r"^\tk8s\.io/kubernetes (v\S+)", (TOOLS / "go.mod").read_text(), re.MULTILINE)
    assert found, "tools/go.mod requires no k8s.io/kubernetes"
    return found[1]


def flags() -> str:
    """What the linker writes into the programs: clients refuse a server that does not know its own version."""
    release = version()
    major, minor, _ = release.removeprefix("v").split(".", 2)
    told = {"gitVersion": release, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())])


def build(compiler: str, place: Path, environment: Mapping[str, str], say: Say) -> None:
    """Build all programs; ``place`` appears when all of them are there, and not before."""
    say(f"building Kubernetes {version()} into {place}: once, 10 to 15 minutes on two cores")
    place.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    try:
        for program, package in PACKAGES.items():
            started = time.monotonic()
            options = ["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", flags()]
            _answer(compiler, *options, "-o", str(half / program), package, environment=environment)
            say(f"  {program}: {time.monotonic() - started:.0f} s")
        half.chmod(0o755)
        shutil.rmtree(place, ignore_errors=True)
        half.rename(place)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _answer(compiler: str, *arguments: str, environment: Mapping[str, str]) -> str:
    variables = {**environment, "CGO_ENABLED": "0"}
    done = subprocess.run([compiler, *arguments], cwd=TOOLS, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        told = "\n".join(done.stderr.splitlines()[-20:])
        raise Broken(f"go {arguments[0]} {arguments[-1]} failed with exit code {done.returncode}:\n{told}")
    return done.stdout.strip()


def _lacking(place: Path) -> list[str]:
    return [program for program in PACKAGES if not os.access(place / program, os.X_OK)]


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """One builder at a time: the second waits, and finds what the first made."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
