"""`make demo`: one slice of a device, end to end, with real calls and in plain sight.

On a machine with a driver the real card is used; otherwise the whole demonstration is started once more on a
simulated machine. Every line that starts with `$` is a command that is run, as a user would type it.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / "build/native/bin"
PLUGINS = ROOT / "build/plugins"
MACHINE = "examples/machines/nvidia-12g.yaml"
MANIFEST = "examples/manifests/gpu-pod.yaml"
CLUSTER = "examples/clusters/nvidia.yaml"
SIMULATED = "HETERO_DEMO_SIMULATED"
SECONDS = 6


def main() -> int:
    """Run the four parts; the exit code tells whether all of them worked."""
    os.chdir(ROOT)
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), str(PROGRAMS), os.environ["PATH"]])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLUGINS), os.environ.get("PYTHONPATH")]))
    if not os.environ.get(SIMULATED) and not has_device():
        os.environ[SIMULATED] = "1"
        os.execvp("hetero", ["hetero", "sim", "run", "--machine", MACHINE, "--", sys.executable, __file__])
    say_where()
    for number, part in enumerate((memory_seen, memory_granted, compute_shared, pod_placed), start=1):
        title, *_ = (part.__doc__ or "").splitlines()
        print(f"\n({number}) {title}", flush=True)
        part()
    print("\nEvery figure above was printed by the program that measured it. To try its commands yourself:")
    path, plugins = PROGRAMS.relative_to(ROOT), PLUGINS.relative_to(ROOT)
    print(f"  $ source .venv/bin/activate; export PATH=$PWD/{path}:$PATH PYTHONPATH=$PWD/{plugins}")
    if os.environ.get(SIMULATED):
        print(f"and, with no device, put `hetero sim run --machine {MACHINE} --` before them.")
    return 0


def has_device() -> bool:
    """True when a driver on this machine shows a healthy device."""
    answer = subprocess.run(["hetero", "devices", "--output", "json"], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and any(row["healthy"] for row in json.loads(answer.stdout)["devices"])


def say_where() -> None:
    """Say what the figures below were seen on."""
    if os.environ.get(SIMULATED):
        print(f"No device found: this runs on a SIMULATED machine, {MACHINE}.", flush=True)
    else:
        print("This runs on the real device of this machine.", flush=True)
    show("hetero devices")


def memory_seen() -> None:
    """The same card outside and inside a slice of 2 GiB."""
    show("cardinfo")
    show("hetero run --memory 2g -- cardinfo")


def memory_granted() -> None:
    """A program that allocates in steps of 64 MiB until it is refused."""
    show("hetero run --memory 2g -- fill --step 64m")


def compute_shared() -> None:
    """Two programs at once, with 30 and 60 percent of the card's time."""
    print("    (alone and without a limit, for comparison)")
    show("burn --seconds 2")
    commands = [f"hetero run --memory 1g --cores {cores} -- burn --seconds {SECONDS}" for cores in (30, 60)]
    for command in commands:
        print(f"  $ {command} &", flush=True)
    running = [subprocess.Popen(shlex.split(c), stdout=subprocess.PIPE, text=True) for c in commands]
    time.sleep(SECONDS / 2)
    show("hetero top --once")
    for command, program in zip(commands, running, strict=True):
        output, _ = program.communicate()
        require(program.returncode == 0, command, program.returncode)
        print(f"  {command.split(' -- ', maxsplit=1)[0]}:")
        indent(output)


def pod_placed() -> None:
    """A manifest, placed on a mixed cluster; then its container's command, run here in its slice."""
    show(f"hetero plan -f {MANIFEST} --cluster {CLUSTER}")
    command = f"hetero run -f {MANIFEST}"
    print(f"  $ {command} &", flush=True)
    pod = subprocess.Popen(shlex.split(command))
    try:
        time.sleep(1)
        require(pod.poll() is None, command, pod.returncode)
        show("hetero top --once")
    finally:
        end(pod)
    print("    the same pod's slice, seen by a program that asks:")
    show(f"hetero run -f {MANIFEST} -- cardinfo")


def end(pod: subprocess.Popen[bytes]) -> None:
    """Stop the pod's command, as the kubelet would."""
    if pod.poll() is None:
        pod.send_signal(signal.SIGTERM)
    pod.wait()


def show(command: str) -> None:
    """Run a command in sight, and stop the demonstration when it fails."""
    print(f"  $ {command}", flush=True)
    answer = subprocess.run(shlex.split(command), stdout=subprocess.PIPE, text=True, check=False)
    indent(answer.stdout)
    require(answer.returncode == 0, command, answer.returncode)


def indent(text: str) -> None:
    """Print a program's output below its command."""
    for line in text.rstrip().splitlines():
        print(f"    {line}", flush=True)


def require(ok: bool, command: str, code: int | None) -> None:
    """End the demonstration with a sentence when a step did not work."""
    if not ok:
        sys.exit(f"{command}: ended with exit code {code}")


def ended(demonstration: Callable[[], int]) -> NoReturn:
    """Run a demonstration to its end, or to Ctrl-C or SIGTERM, which are nothing to trace; its programs end, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        sys.exit(demonstration())
    except KeyboardInterrupt:
        print()
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    ended(main)
