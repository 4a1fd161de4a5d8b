"""An older C library than this machine's, and another architecture, for programs to run on. No root is needed.

The C library comes from the oldest release that this machine's own Debian mirror still has, the emulator from its own
release, through apt-get, once: into a folder of the user's cache, with lists and settings of their own, so the system's
are not touched. Elsewhere there are none, and :class:`Unavailable` says why.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

RELEASE = "bullseye"  # glibc 2.31, of 2020; in it libdl and libpthread are libraries of their own still, as in 2.17
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
LOADER = {"x86_64": "lib64/ld-linux-x86-64.so.2", "aarch64": "lib/ld-linux-aarch64.so.1"}

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hetero" / "older"


class Unavailable(Exception):
    """This machine cannot have it; the message says why."""


@dataclass(frozen=True)
class System:
    """A root file system with an older C library.

    Attributes:
        machine: Its architecture.
        root: Where it is.
        prefix: What stands before a program to run it there.
    """

    machine: str
    root: Path
    prefix: tuple[str, ...]


def system(machine: str) -> System:
    """The older system of an architecture.

    Raises:
        Unavailable: It cannot be had here.
    """
    if platform.machine() not in DEBIAN:
        raise Unavailable(f"no emulator for {machine} is known on {platform.machine()}")
    root = _package("libc6", DEBIAN[machine], RELEASE)
    if machine == platform.machine():
        return System(machine, root, (str(_inside(root, LOADER[machine])),))
    emulator = f"usr/bin/qemu-{machine}-static"
    emulators = _package("qemu-user-static", DEBIAN[platform.machine()], _own_release(), emulator)
    return System(machine, root, (str(emulators / emulator), "-L", str(root)))


def _inside(root: Path, path: str) -> Path:
    """A file of a root file system whose links are absolute within it."""
    found = root / path
    return root / str(found.readlink()).lstrip("/") if found.is_symlink() else found


def _own_release() -> str:
    """The name of this machine's release of Debian."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", RELEASE)


def _package(name: str, architecture: str, release: str, member: str = "") -> Path:
    """The unpacked files of a package of a release, or one of them."""
    unpacked = CACHE / f"{name}-{architecture}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not unpacked.exists():
            _unpack(_download(name, architecture, release), member, unpacked)
    return unpacked


def _unpack(archive: Path, member: str, directory: Path) -> None:
    """Unpack an archive; the directory is there when all of it is."""
    making = directory.with_suffix(".part")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    script = 'dpkg-deb --fsys-tarfile "$0" | tar --extract --directory "$1" "./$2"'
    _run("bash", "-o", "pipefail", "-c", script, str(archive), str(making), member)
    archive.unlink()
    making.rename(directory)


def _download(name: str, architecture: str, release: str) -> Path:
    apt = ["apt-get", "-qq", *_settings()]
    if not list((CACHE / "lists").glob("*_Packages*")):
        _run(*apt, "update")
    _run(*apt, "download", f"{name}:{architecture}/{release}")
    archives = list(CACHE.glob(f"{name}_*_{architecture}.deb"))
    if len(archives) != 1:
        raise Unavailable(f"apt-get downloaded {len(archives)} archives of {name}:{architecture}")
    return archives[0]


def _settings() -> list[str]:
    """Options for apt-get: the older release of this machine's mirror, and for the emulator its own."""
    sources, status = CACHE / "sources.list", CACHE / "status"
    own = f"deb [arch={DEBIAN[platform.machine()]}] {_mirror()} {_own_release()} main\n"
    sources.write_text(f"deb {_mirror()} {RELEASE} main\n{own}")
    status.touch()
    for folder in ("cache/archives/partial", "lists/partial", "state"):
        (CACHE / folder).mkdir(parents=True, exist_ok=True)
    chosen = {
        "APT::Architectures": ",".join(DEBIAN.values()),
        "APT::Sandbox::User": "",
        "Dir::Cache": CACHE / "cache",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State": CACHE / "state",
        "Dir::State::lists": CACHE / "lists",
        "Dir::State::status": status,
    }
    return [word for option, value in chosen.items() for word in ("-o", f"{option}={value}")]


def _mirror() -> str:
    """Where this machine gets Debian's packages."""
    lines = _run("apt-get", "indextargets", "--format", "$(SITE) $(REPO_URI) $(LABEL)", "Created-By: Packages")
    mirrors = [line.split()[1] for line in lines.splitlines() if line.split()[-1] == "Debian"]
    if not mirrors:
        raise Unavailable("apt-get of this machine knows no mirror of Debian")
    return mirrors[0]


def _run(*command: str) -> str:
    """What a command prints."""
    if not shutil.which(command[0]):
        raise Unavailable(f"{command[0]} is not on this machine")
    try:
        done = subprocess.run(command, cwd=CACHE, capture_output=True, text=True, check=True, timeout=300)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} was still at it after five minutes") from None
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{command[0]}: {error.stderr.strip()}") from None
    return done.stdout
