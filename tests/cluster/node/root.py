"""What a node's programs see as the file system: the host's programs, and everything else of the node's own.

The root is an overlay over the host's, so nothing that runs on the node can change a file of the host. ``/var``
outlives a reboot, ``/run`` and ``/tmp`` do not. The kernel's settings that a kubelet would write are shown to it as it
wants them, for they are the whole machine's.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

OWN = ("var", "opt", "etc/cdi", "etc/cni", "etc/containerd", "etc/kubernetes")
"""What lies in the node's own directory, whatever the host has there."""

VARS = ("lib/kubelet", "lib/containerd", "lib/hetero", "lib/cni", "log/pods", "log/containers", "tmp", "lock")

TMPFS: Mapping[str, str] = {
    "run": "mode=755,nosuid,nodev,noexec",  # as distributions have it: nothing is to be run from there
    "tmp": "mode=1777,nosuid,nodev",
    "dev": "mode=755,nosuid,noexec",
}

SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""Of ``/proc/sys``: what kubelet sets when it finds anything else (pkg/kubelet/cm, setupKernelTunables)."""

PYTHON = (Path(__file__).parents[3], Path(sys.prefix), Path(sys.base_prefix))
"""What programs of this house need that run on a node: the checkout, the environment and its interpreter."""

_DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "kmsg": (1, 11),
            "tty": (5, 0), "fuse": (10, 229)}  # fmt: skip
MAJOR = 240
"""Of the simulated chips' device files."""

_LINKS = {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
          "stderr": "/proc/self/fd/2"}  # fmt: skip


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What a node's root is made of.

    Attributes:
        name: Of the node, which its host name is too.
        directory: The node's own, kept over reboots.
        programs: Files of the host, and where the node has them.
        mirrored: Directories of plain files, for each of which the node's ``/dev`` has a device file.
        placed: Files and directories of the node, and at which other path it has them too.
    """

    name: str
    directory: str
    programs: dict[str, str]
    mirrored: tuple[str, ...] = ()
    placed: dict[str, str] = {}


def lay_out(layout: Layout) -> Path:
    """Mount everything below ``<directory>/root``, in a mount namespace of one's own; that directory.

    What was there before a reboot is there again, but for what is volatile.
    """
    own = Path(layout.directory)
    root, upper, work = (own / name for name in ("root", "upper", "work"))
    for place in (root, upper, work, *(own / "own" / name for name in OWN), *(own / "own/var" / name for name in VARS)):
        place.mkdir(parents=True, exist_ok=True)
    if not (own / "own/var/run").is_symlink():
        (own / "own/var/run").symlink_to("../run")  # relative, so that it leads there from outside too
    _mount("-t", "overlay", "node", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", str(root))
    for name in OWN:
        (root / name).mkdir(parents=True, exist_ok=True)
        _mount("--bind", str(own / "own" / name), str(root / name))
    for name, options in TMPFS.items():
        (root / name).mkdir(exist_ok=True)
        _mount("-t", "tmpfs", "node", "-o", options, str(root / name))
    _mount("-t", "proc", "proc", str(root / "proc"))
    _mount("-t", "sysfs", "sysfs", str(root / "sys"))
    _mount("--rbind", "/sys/fs/cgroup", str(root / "sys/fs/cgroup"))
    _devices(root / "dev")
    _settings(root)
    for place in PYTHON:
        show(place, root)
    for source, target in {**_within(own, layout.placed), **layout.programs}.items():
        bind(Path(source), root / target.lstrip("/"))
    _identity(root, layout.name)
    return root


def show(place: Path, root: Path) -> None:
    """Show a directory of the host at its own path, to be read alone, where the node would not see it.

    An overlay has nothing of other file systems than the root's, and some directories are the node's own.
    """
    target = root / place.relative_to("/")
    if not target.is_dir() or not any(target.iterdir()):
        bind(place, target)
        _mount("-o", "remount,bind,ro", str(target))


def bind(source: Path, target: Path) -> None:
    """Show a file or a directory at another path too."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    _mount("--bind", str(source), str(target))


def turn_to(root: Path) -> None:
    """Make it the root, and let go of the one before; from then on mounts reach those that ask to see them."""
    os.chdir(root)
    for command in (["pivot_root", ".", "."], ["umount", "-l", "."], ["mount", "--make-rshared", "/"]):
        subprocess.run(command, check=True)
    os.chdir("/")


def mirror(directories: Iterable[Path], dev: Path = Path("/dev")) -> None:
    """Give ``/dev`` a device file for each plain file below the directories, and none for those that are gone.

    The devices have a number of the range for local use (devices.txt of the kernel: 240 to 254 are LOCAL), a minor of
    their own each, and no driver: they can be passed on and looked at, not opened.
    """
    wanted = sorted({path.relative_to(top) for top in directories for path in top.rglob("*") if path.is_file()})
    for minor, name in enumerate(wanted):
        place = dev / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            os.mknod(place, stat.S_IFCHR | 0o666, os.makedev(MAJOR, _free(dev, minor)))
            place.chmod(0o666)
    for place in _mirrored(dev):
        if place.relative_to(dev) not in wanted:
            place.unlink()


def _mirrored(dev: Path) -> list[Path]:
    files = (path for path in dev.rglob("*") if not path.is_symlink() and path.is_char_device())
    return [path for path in files if os.major(path.stat().st_rdev) == MAJOR]


def _free(dev: Path, first: int) -> int:
    taken = {os.minor(path.stat().st_rdev) for path in _mirrored(dev)}
    return next(minor for minor in range(first, first + len(taken) + 1) if minor not in taken)


def _devices(dev: Path) -> None:
    for name, (major, minor) in _DEVICES.items():
        os.mknod(dev / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
        (dev / name).chmod(0o666)
    for name, target in _LINKS.items():
        (dev / name).symlink_to(target)
    for name, kind, options in (
        ("pts", "devpts", "newinstance,ptmxmode=0666,mode=0620"),
        ("shm", "tmpfs", "mode=1777,nosuid,nodev"),
        ("mqueue", "mqueue", "nosuid,nodev,noexec"),
    ):
        (dev / name).mkdir()
        _mount("-t", kind, name, "-o", options, str(dev / name))


def _settings(root: Path) -> None:
    for name, value in SETTINGS.items():
        shown = root / "run/sysctl" / name
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_text(f"{value}\n")
        _mount("--bind", str(shown), str(root / "proc/sys" / name))


def _identity(root: Path, name: str) -> None:
    (root / "etc/hostname").write_text(f"{name}\n")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {name}\n")
    machine = root / "etc/machine-id"
    machine.unlink(missing_ok=True)
    machine.write_text(hashlib.sha256(name.encode()).hexdigest()[:32] + "\n")


def _within(own: Path, placed: Mapping[str, str]) -> dict[str, str]:
    return {str(own / "own" / source.lstrip("/")): target for source, target in placed.items()}


def _mount(*words: str) -> None:
    command: Sequence[str] = ["mount", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
