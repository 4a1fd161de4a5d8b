"""``hetero scheduler`` as a process: how it starts, what it refuses, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import msgspec
import pytest
import tls

from hetero.cli.scheduler import merged
from hetero.config import SchedulerSettings, Settings
from hetero.errors import InvalidValue
from hetero.kube import paths
from hetero.scheduler.main import addresses
from hetero.testing.apiserver import ApiServer


class Process:
    """A running scheduler; its log is read as it comes."""

    def __init__(self, words: list[str], folder: Path, config: str) -> None:
        (folder / "config.yaml").write_text(config)
        environment = {**os.environ, "HETERO_CONFIG": str(folder / "config.yaml")}
        self.popen = subprocess.Popen(
            [sys.executable, "-c", "from hetero.cli.main import main; main()", *words],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: Queue[str] = Queue()
        self.log: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stderr is not None
        with self.popen.stderr as lines:
            for line in lines:
                self.lines.put(line)

    def kill(self) -> None:
        """End it, whatever it does."""
        self.popen.kill()
        self.popen.wait(120)
        self._reader.join(120)

    def until(self, event: str) -> dict[str, Any]:
        """The next line of the log that says this."""
        deadline = time.monotonic() + 120
        while True:
            line = self.lines.get(timeout=max(0.1, deadline - time.monotonic()))
            if line.startswith("{"):
                self.log.append(json.loads(line))
                if self.log[-1]["event"] == event:
                    return self.log[-1]

    def end(self) -> int:
        """Tell it to stop, as a kubelet does."""
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(120)


@contextmanager
def process(words: list[str], folder: Path, config: str = "log: {json: true, level: info}") -> Iterator[Process]:
    """Gone at the end of the block, whatever happened."""
    started = Process(["scheduler", *words], folder, config)
    try:
        yield started
    finally:
        started.kill()


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An API server in memory."""
    with ApiServer() as server:
        yield server


def get(port: int, path: str, *, context: ssl.SSLContext | None = None) -> tuple[int, bytes]:
    """One GET, by TLS where a context is given."""
    if context is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    else:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=120, context=context)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def ready(port: int) -> None:
    """Wait until it is."""
    deadline = time.monotonic() + 120
    while get(port, "/readyz")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_serves_until_it_is_told_to_stop(server: ApiServer, tmp_path: Path) -> None:
    """Both addresses; the certificate is replaced meanwhile; SIGTERM is a clean end."""
    first, second = tls.make(tmp_path, "first"), tls.make(tmp_path, "second")
    cert, key = shutil.copy(first[0], tmp_path / "tls.crt"), shutil.copy(first[1], tmp_path / "tls.key")
    words = ["--kubeconfig", str(server.kubeconfig(tmp_path / "kubeconfig")), "--extender", "127.0.0.1:0"]
    words += ["--public", "127.0.0.1:0", "--tls-cert", str(cert), "--tls-key", str(key)]
    with process(words, tmp_path) as running:
        extender, public = running.until("listening"), running.until("listening")
        assert [(one["listener"], one["tls"]) for one in (extender, public)] == [("extender", False), ("public", True)]
        ready(extender["port"])
        trusting = ssl.create_default_context(cafile=str(first[0]))
        assert get(public["port"], "/healthz", context=trusting) == (200, b"ok")
        shutil.copy(second[0], cert)
        shutil.copy(second[1], key)
        running.until("the certificate was replaced")
        assert tls.served(public["port"]) == tls.der(second[0])
        assert running.end() == 0
        running.until("stopped")


def test_a_binding_under_way_is_finished(server: ApiServer, tmp_path: Path) -> None:
    """SIGTERM comes while the API server is waited for; the pod is bound and kube-scheduler is told."""
    server.put(paths.pods("default"), {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c"}]}})
    uid = json.loads(server.api().get(paths.pod("default", "x")))["metadata"]["uid"]
    body = json.dumps({"PodName": "x", "PodNamespace": "default", "PodUID": uid, "Node": "a"})
    words = ["--kubeconfig", str(server.kubeconfig(tmp_path / "kubeconfig")), "--extender", "127.0.0.1:0"]
    with process([*words, "--public", ""], tmp_path) as running:
        port = running.until("listening")["port"]
        ready(port)
        server.stall(1.5, method="POST", path_contains="/binding")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request("POST", "/bind", body)
        assert server.wait(lambda: bool(server.calls("POST", "/binding")))
        running.popen.send_signal(signal.SIGTERM)
        assert json.loads(connection.getresponse().read()) == {"Error": ""}
        assert running.popen.wait(120) == 0
    assert json.loads(server.api().get(paths.pod("default", "x")))["spec"]["nodeName"] == "a"


def test_without_a_certificate_it_talks_to_this_machine_alone(server: ApiServer, tmp_path: Path) -> None:
    """The default public address is every one, so something must be said."""
    words = ["--kubeconfig", str(server.kubeconfig(tmp_path / "kubeconfig")), "--extender", "127.0.0.1:0"]
    with process(words, tmp_path) as refused:
        assert refused.popen.wait(120) == 2
        assert "hetero: --public: '0.0.0.0:9443' is reached from other machines" in refused.lines.get(timeout=120)


def test_an_api_server_that_is_not_there_is_waited_for(server: ApiServer, tmp_path: Path) -> None:
    """It starts, says that it is not ready, and is when the server comes."""
    words = ["--kubeconfig", str(server.kubeconfig(tmp_path / "kubeconfig")), "--extender", "127.0.0.1:0"]
    server.stop()
    with process([*words, "--public", ""], tmp_path) as running:
        port = running.until("listening")["port"]
        status, text = get(port, "/readyz")
        assert (status, text) == (503, b"waiting for: nodes, pods, resource quotas")
        server.start()
        ready(port)
        assert running.end() == 0


def test_addresses_are_for_two(tmp_path: Path) -> None:
    """The second may be left out."""
    own = SchedulerSettings(extender="127.0.0.1:1", public="127.0.0.1:2")
    assert [one.port for one in addresses(own, encrypted=False, insecure=False)] == [1, 2]
    own = SchedulerSettings(extender="127.0.0.1:1", public="")
    assert [one.port for one in addresses(own, encrypted=False, insecure=False)] == [1]


@pytest.mark.parametrize("field", ["extender", "public"])
def test_neither_address_is_open_in_the_clear(field: str) -> None:
    """Without a certificate, and without a word."""
    own = SchedulerSettings(**{"extender": "127.0.0.1:1", "public": "127.0.0.1:2", field: "0.0.0.0:3"})
    with pytest.raises(InvalidValue, match=f"--{field}"):
        addresses(own, encrypted=False, insecure=False)
    assert len(addresses(own, encrypted=True, insecure=False)) == 2
    assert len(addresses(own, encrypted=False, insecure=True)) == 2


def test_the_command_line_wins() -> None:
    """What it does not say is as configured; half a certificate is refused."""
    settings = Settings(scheduler=SchedulerSettings(extender="127.0.0.1:1", grant_seconds=3))
    found = merged(settings, {"extender": "127.0.0.1:2", "public": ""})
    assert (found.scheduler.extender, found.scheduler.public) == ("127.0.0.1:2", "")
    assert found.scheduler.grant_seconds == 3
    assert found.placement is settings.placement
    for option, name in (("--tls-cert", "tls_cert"), ("--tls-key", "tls_key")):
        with pytest.raises(InvalidValue, match=f"{option}: 'a.pem' .*belong together"):
            merged(settings, {name: "a.pem"})
    assert msgspec.structs.asdict(merged(settings, {}).scheduler) == msgspec.structs.asdict(settings.scheduler)
