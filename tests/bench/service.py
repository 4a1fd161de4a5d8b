"""The scheduler under test as a process of its own, started as anybody starts it."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hetero.testing.places import Port
from tests.bench.processes import end
from tests.cluster.certificates import Authority, Pair

STARTING_S = 180


@dataclass(frozen=True)
class Service:
    """A scheduler that is ready.

    Attributes:
        pid: Of its process.
        extender: Address of its verbs.
        public: Address of its webhook.
        pair: The certificate that it serves there.
        ready_s: Seconds from its start until it said that it is ready.
    """

    pid: int
    extender: str
    public: str
    pair: Pair
    ready_s: float


@contextmanager
def started(kubeconfig: Path, directory: Path) -> Iterator[Service]:
    """Start it and wait until its ledger is in step with the cluster.

    Raises:
        RuntimeError: It ended, or was not ready in time; with the end of its log.
    """
    directory.mkdir(parents=True, exist_ok=True)
    pair, log = Authority(directory / "certificates").issue("scheduler"), directory / "scheduler.log"
    extender, public = Port(), Port()
    command = [
        sys.executable, "-c", "from hetero.cli.main import main; main()",
        "scheduler", f"--kubeconfig={kubeconfig}", f"--extender={extender}", f"--public={public}",
        f"--tls-cert={pair.certificate}", f"--tls-key={pair.key}",
    ]  # fmt: skip
    start = time.monotonic()
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            wait_until_ready(process, f"http://{extender}/readyz", log)
            ready_s = time.monotonic() - start
            yield Service(process.pid, f"http://{extender}", f"https://{public}", pair, ready_s)
        finally:
            end(process)


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until a service of ours says that it is ready.

    Raises:
        RuntimeError: It ended, or was not ready in time; with the end of its log.
    """
    deadline = time.monotonic() + STARTING_S
    while not _ready(url):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"it did not get ready: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
