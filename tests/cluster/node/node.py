"""One node: namespaces, containerd and kubelet, which come and go as on a machine that somebody pulls plugs of."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.cluster.node import cgroups, chips, entered, kubelet, network, root, runtime
from tests.cluster.node.entered import Entered
from tests.cluster.node.holder import READY
from tests.cluster.node.store import Store
from tests.cluster.processes import Program, until

PROGRAMS = ("containerd", "containerd-shim-runc-v2", "ctr", "kubelet")
SECONDS_TO_START = 90.0
_CTR = ("ctr", "--address", runtime.SOCKET, "--namespace", "k8s.io")


class Node:
    """A node of a cluster.

    Args:
        name: Also its host name, and its Node object's.
        number: 1 to 200, unique among the nodes of the run.
        binaries: Where the programs are.
        directory: Its own.
        machine: Its simulated chips: a machine file, or what one says.
    """

    def __init__(
        self, name: str, number: int, binaries: Path, directory: Path, machine: Path | Mapping[str, Any] | None = None
    ) -> None:
        self.name = name
        self.place = network.Place(number)
        self.directory = directory
        self.group = f"{os.environ[cgroups.RUN]}/{name}"
        self.programs: dict[str, Program] = {}
        self._binaries = binaries
        self._machine = machine
        self._held: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of its first process, as seen from here."""
        assert self._held is not None, f"{self.name} is off"
        return entered.child_of(self._held.pid)

    @property
    def root(self) -> Path:
        """Its file system, as seen from here, e.g. ``node.root / "var/run/cdi"``; follow no absolute link in there."""
        return Path(f"/proc/{self.pid}/root")

    def install(self, kubeconfig: str, authority: Path, images: Store) -> None:
        """Write everything that it keeps over a reboot. Once, before the first :meth:`start`.

        Args:
            images: That its containerd has.
            kubeconfig: Its kubelet's, whose certificate is ``/etc/kubernetes/ca.crt``.
            authority: That certificate.
        """
        opt = self.directory / "own/opt"
        runtime.install_runc(self._binaries, opt / "bin", self.directory / "compiled")
        made = chips.install(self._machine, opt)
        images.give(self.directory / "own/var/lib/containerd")
        for path, text in {
            "etc/kubernetes/kubelet.yaml": kubelet.configuration(self.group),
            "etc/kubernetes/kubelet.conf": kubeconfig,
            "etc/kubernetes/ca.crt": authority.read_text(),
            "etc/containerd/config.toml": runtime.configuration(),
            "etc/containerd/base.json": runtime.base(self._binaries / "ctr", made),
            "etc/cni/net.d/10-pods.conflist": runtime.network(self.place),
        }.items():
            self.keep(path, text)
        (self.directory / "own/etc/kubernetes/manifests").mkdir()
        programs = {str((self._binaries / one).resolve()): f"/usr/local/bin/{one}" for one in PROGRAMS}
        plugins = {str((self._binaries / one).resolve()): f"/opt/cni/bin/{one}" for one in runtime.PLUGINS}
        layout = root.Layout(
            name=self.name,
            directory=str(self.directory),
            programs={**programs, **plugins},
            mirrored=made.mirrored,
            placed=dict(made.placed),
        )
        (self.directory / "layout.json").write_bytes(msgspec.json.encode(layout))

    def keep(self, path: str, text: str) -> None:
        """Write a file that is there after a reboot too, below one of :data:`root.OWN`."""
        assert any(path.startswith(f"{own}/") for own in root.OWN), f"{path} is the host's"
        place = self.directory / "own" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def start(self) -> None:
        """Switch it on: its namespaces, then containerd, then kubelet. Does not wait until it is Ready."""
        cgroups.make(self.group)
        self._hold()
        network.plug_in(self.place, self.pid)
        self.start_containerd()
        self.start_kubelet()

    def stop(self) -> None:
        """Switch it off, as by its plug: nothing of it runs, or is left but its files."""
        for program in self.programs.values():
            program.kill()
        if self._held is not None:
            held, self._held = self._held, None
            with contextlib.suppress(ProcessLookupError):
                os.kill(entered.child_of(held.pid) or held.pid, 9)
            held.wait(30)
        network.unplug(self.place)
        left = cgroups.remove(self.group)
        assert not left, f"{self.name}: processes are left in {left}"

    def reboot(self) -> None:
        """Off and on again: every process gone, ``/run`` and ``/tmp`` empty, ``/var`` as it was."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Switch it off and forget its files."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start_containerd(self) -> None:
        """Start containerd and wait until it answers."""
        program = self._start("containerd", ["containerd"])
        until(
            lambda: self._ctr("version").returncode == 0,
            f"containerd of {self.name} answers",
            seconds=SECONDS_TO_START,
            programs=[program],
        )

    def start_kubelet(self) -> None:
        """Start kubelet; it says itself when the node is Ready."""
        self._start("kubelet", kubelet.command(self.name, self.place.address))

    def kill_containerd(self) -> None:
        """End containerd at whatever instruction it is; containers go on."""
        self.programs["containerd"].kill()

    def kill_kubelet(self) -> None:
        """End kubelet at whatever instruction it is; containers go on."""
        self.programs["kubelet"].kill()

    def restart_containerd(self) -> None:
        """As an upgrade does it: containers go on."""
        self.programs["containerd"].stop()
        self.start_containerd()

    def restart_kubelet(self) -> None:
        """As a change of its configuration does it."""
        self.programs["kubelet"].stop()
        self.start_kubelet()

    def load(self, archive: Path) -> None:
        """Import an image from an archive."""
        words = self._command([*_CTR, "images", "import", "-"])
        with archive.open("rb") as content:
            done = subprocess.run(words, stdin=content, capture_output=True, check=False)
        assert done.returncode == 0, f"{archive.name}: {done.stderr.decode()}"

    def exec(self, *words: str) -> str:
        """Run a command on the node and return what it wrote; one that fails is an error."""
        done = subprocess.run(self._command(words), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)} on {self.name}: {done.stdout}{done.stderr}"
        return done.stdout

    def running(self) -> dict[str, int]:
        """The containers that run, pods' own included: id, and process id on the node."""
        lines = self.exec(*_CTR, "tasks", "list").splitlines()[1:]
        rows = [line.split() for line in lines]
        return {row[0]: int(row[1]) for row in rows if row[2] == "RUNNING"}

    def kill_container(self, identity: str) -> None:
        """End all processes of a container, whose id is as a pod's status has it (``containerd://…``)."""
        self.exec(*_CTR, "tasks", "kill", "--signal", "SIGKILL", "--all", identity.rpartition("/")[2])

    def tails(self) -> str:
        """The ends of its logs."""
        return "\n".join(program.tail() for program in self.programs.values())

    def _hold(self) -> None:
        spaces = ["--net", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        command = [sys.executable, "-m", "tests.cluster.node.holder", str(self.directory / "layout.json")]
        with (self.directory / "holder.log").open("ab") as log:
            self._held = subprocess.Popen(
                ["unshare", *spaces, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._is_there, f"the namespaces of {self.name} are made", seconds=SECONDS_TO_START)

    def _is_there(self) -> bool:
        assert self._held is not None
        assert self._held.poll() is None, (self.directory / "holder.log").read_text()
        return bool(self.pid) and (self.root / str(READY).lstrip("/")).exists()

    def _start(self, name: str, words: Sequence[str]) -> Program:
        program = Entered(f"{self.name}-{name}", self.pid, words, self.directory)
        self.programs[name] = program
        program.start()
        return program

    def _ctr(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._command([*_CTR, *words]), capture_output=True, text=True, check=False)

    def _command(self, words: Sequence[str]) -> list[str]:
        return entered.command(self.pid, words)
