"""``hetero`` in this process, with vendors that a test makes up."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
import yaml
from hypothesis import strategies as st

from hetero import plugins
from hetero.allocation import local
from hetero.cli import group
from hetero.enforcement.slices import LocalSlice
from hetero.errors import DriverFailed, PluginError
from hetero.kube import paths
from hetero.model import wire
from hetero.model.annotations import INVENTORY, PLACEMENT
from hetero.model.device import CORES, MEMORY, SLOTS, Node
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from hetero.monitoring.guard import guarded
from hetero.plugins import Plugins
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import fake_devices, fake_vendor
from hetero.vendor import Discovery, Vendor


def _can_be_key(value: Any) -> bool:
    return value == value  # noqa: PLR0124 — YAML can spell .nan as a key, but no dictionary finds it again


def _places(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from _places(value, (*path, key))


def _with(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy in which ``value`` stands at ``path``."""
    if not path:
        return value
    copy = document.copy()
    copy[path[0]] = _with(copy[path[0]], path[1:], value)
    return copy


@dataclass(frozen=True)
class Answer:
    """What one command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)

    @property
    def told(self) -> str:
        """The one line of standard error."""
        [line] = self.err.splitlines()
        return line.removeprefix("hetero: ")


class Hetero(Protocol):
    """Runs a command line."""

    def __call__(self, *words: object) -> Answer: ...


class Install(Protocol):
    """Says what is installed."""

    def __call__(
        self,
        *vendors: Vendor,
        commands: Mapping[str, Any] | None = None,
        failures: Iterable[PluginError] = (),
        origins: Mapping[str, str] | None = None,
        scorers: Mapping[str, Any] | None = None,
    ) -> None: ...


class PodMaker(Protocol):
    def __call__(
        self, name: str = "p", limits: Mapping[str, Any] | None = None, **container: Any
    ) -> dict[str, Any]: ...


class VendorMaker(Protocol):
    def __call__(self, name: str, error: Exception, **fields: Any) -> Vendor: ...


class StuckMaker(Protocol):
    def __call__(self, name: str, *, as_configured: bool = False) -> Vendor: ...


class ShareMaker(Protocol):
    def __call__(self, device: int = 0, memory: int = 1024, cores: int = 0, vendor: str = "fake") -> DeviceShare: ...


class Holder(Protocol):
    """Makes a slice."""

    def __call__(self, vendor: Vendor, *shares: DeviceShare, command: tuple[str, ...] = ("train",)) -> LocalSlice: ...


class Write(Protocol):
    """Writes documents into a YAML file, text as it is."""

    def __call__(self, *documents: Any, name: str = "file.yaml") -> Path: ...


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No configuration, no slice around us, and a directory of our own for slices."""
    for name in ("HETERO_CONFIG", "HETERO_SLICE", "HETERO_POLICY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HETERO_RUNTIME_DIR", str(tmp_path / "runtime"))


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Vendors (and more) instead of what is installed."""

    def put(
        *vendors: Vendor,
        commands: Mapping[str, Any] | None = None,
        failures: Iterable[PluginError] = (),
        origins: Mapping[str, str] | None = None,
        scorers: Mapping[str, Any] | None = None,
    ) -> None:
        found = Plugins(
            vendors={vendor.name: vendor for vendor in vendors},
            scorers=scorers or {},
            commands=commands or {},
            failures={failure.plugin: failure for failure in failures},
            origins=origins or {},
        )
        monkeypatch.setattr(plugins, "load", lambda **_: found)

    return put


@pytest.fixture(autouse=True)
def two_devices(install: Install) -> Vendor:
    """One fake vendor with two devices of 12 GiB, unless the test installs others."""
    vendor = fake_vendor(devices=fake_devices(2, memory=12288))
    install(vendor)
    return vendor


@pytest.fixture
def hetero(capfd: pytest.CaptureFixture[str]) -> Hetero:
    """The whole command line, from its words to its exit code."""

    def run(*words: object) -> Answer:
        code = group.run([os.fspath(word) if isinstance(word, Path) else str(word) for word in words])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A YAML file in a directory of the test."""

    def put(*documents: Any, name: str = "file.yaml") -> Path:
        texts = [one if isinstance(one, str) else yaml.safe_dump(one, sort_keys=False) for one in documents]
        path = tmp_path / name
        path.write_text("---\n".join(texts))
        return path

    return put


@pytest.fixture(scope="session")
def pod() -> PodMaker:
    """A Pod with one container."""

    def make(name: str = "p", limits: Mapping[str, Any] | None = None, **container: Any) -> dict[str, Any]:
        body = {"name": "main", "image": "image", "resources": {"limits": dict(limits or {})}, **container}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [body]}}

    return make


@pytest.fixture
def broken() -> VendorMaker:
    """A vendor whose discovery raises."""

    def make(name: str, error: Exception, **fields: Any) -> Vendor:
        return replace(fake_vendor(name), discovery=_Broken(error), **fields)

    return make


class _Broken(Discovery):
    def __init__(self, error: Exception) -> None:
        self._error = error

    def _fail(self) -> Any:
        raise self._error

    driver = devices = sample = _fail


@pytest.fixture
def stuck() -> Iterator[StuckMaker]:
    """A vendor whose driver does not come back before the end of the test, and is given up after a moment.

    Other vendors have the time that is configured: on a busy machine they may need it.
    """
    gate = threading.Event()

    def make(name: str, *, as_configured: bool = False) -> Vendor:
        made = replace(fake_vendor(name), discovery=_Stuck(gate))
        return made if as_configured else guarded({name: made}, 0.05)[name]

    yield make
    gate.set()


class _Stuck(Discovery):
    def __init__(self, gate: threading.Event) -> None:
        self._gate = gate

    def _hang(self) -> Any:
        self._gate.wait()
        raise DriverFailed("read", 1, "it came back")

    driver = devices = sample = _hang


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Holder]:
    """Slices of which this process holds the lock, as a running ``hetero run`` would."""
    with contextlib.ExitStack() as stack:

        def take(vendor: Vendor, *shares: DeviceShare, command: tuple[str, ...] = ("train",)) -> LocalSlice:
            store = local.store(tmp_path / "runtime", {vendor.name: vendor})
            devices = {device.uuid: device for device in vendor.discovery.devices()}
            with store.locked():
                prepared = local.prepare(store, {vendor.name: vendor}, shares, devices, local.Program(command))
            stack.callback(prepared.close)
            return prepared.slices[0]

        yield take


@pytest.fixture
def share() -> ShareMaker:
    """A share of one device of the fake vendor."""

    def make(device: int = 0, memory: int = 1024, cores: int = 0, vendor: str = "fake") -> DeviceShare:
        quantities = {SLOTS: 1, MEMORY: memory, CORES: cores}
        return DeviceShare(vendor=vendor, device=f"{vendor}-{device}", share=Share(quantities=quantities))

    return make


class Populated:
    """A real API server's objects: what a scheduler and an agent would have written, in namespace ``team``."""

    def __init__(self, server: ApiServer, kubeconfig: Path) -> None:
        self.server = server
        self.kubeconfig = kubeconfig

    def node(self, name: str, count: int = 2) -> None:
        """A node with devices of 12 GiB, ``<node>-fake-<index>``."""
        devices = (msgspec.structs.replace(one, uuid=f"{name}-{one.uuid}") for one in fake_devices(count, memory=12288))
        notes = {INVENTORY: wire.encode(Node(name=name, devices=tuple(devices)))}
        self.server.put(paths.NODES, {"metadata": {"name": name, "annotations": notes}})

    def pod(
        self,
        name: str,
        limits: Mapping[str, str],
        *,
        node: str = "",
        notes: Mapping[str, str] | None = None,
        phase: str = "Pending",
        scheduler: str = "hetero-scheduler",
        conditions: Iterable[Mapping[str, str]] = (),
    ) -> None:
        """A pod with one container."""
        container = {"name": "main", "image": "i", "resources": {"limits": dict(limits), "requests": dict(limits)}}
        spec = {"schedulerName": scheduler, "containers": [container], **({"nodeName": node} if node else {})}
        metadata = {"name": name, "namespace": "team", "uid": f"uid-{name}", "annotations": dict(notes or {})}
        status = {"phase": phase, "conditions": list(conditions)}
        self.server.put(paths.PODS, {"metadata": metadata, "spec": spec, "status": status})

    def held(self, name: str, node: str, *, memory: int, phase: str = "Running") -> None:
        """A pod that has so much memory of each of a node's devices."""
        limits = {"fake.example/npu": "2", "fake.example/npumem": str(memory)}
        self.pod(name, limits, node=node, notes={PLACEMENT: self.placement(name, node, memory=memory)}, phase=phase)

    def placement(self, name: str, node: str, *, memory: int = 1024, uid: str = "") -> str:
        """What the scheduler wrote; with another UID, for another pod."""
        share = Share(quantities={SLOTS: 1, MEMORY: memory, CORES: 0})
        devices = tuple(DeviceShare(vendor="fake", device=f"{node}-fake-{one}", share=share) for one in range(2))
        held = ContainerPlacement(container="main", devices=devices)
        uid = uid or f"uid-{name}"
        return wire.encode(Placement(namespace="team", pod=name, node=node, containers=(held,), uid=uid))

    def quota(self, name: str, hard: Mapping[str, str], *, namespace: str = "team", scopes: Iterable[str] = ()) -> None:
        """A ResourceQuota."""
        metadata = {"name": name, "namespace": namespace}
        self.server.put(paths.QUOTAS, {"metadata": metadata, "spec": {"hard": dict(hard), "scopes": list(scopes)}})


@pytest.fixture
def populated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Populated]:
    """An API server with two nodes, ``a`` and ``b``, of two devices each."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with ApiServer() as server:
        made = Populated(server, server.kubeconfig(tmp_path / "kubeconfig"))
        for name in ("a", "b"):
            made.node(name)
        yield made


@pytest.fixture(scope="session")
def mutated() -> Callable[[Any], st.SearchStrategy[Any]]:
    """Documents that differ from a good one in one place: a value is another, a key is more or less."""

    def strategy(document: Any) -> st.SearchStrategy[Any]:
        places = list(_places(document))
        return st.builds(_with, st.just(document), st.sampled_from(places), ANYTHING)

    return strategy


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.dates()
    | st.binary(max_size=3)
    | st.sampled_from([0, -1, 2**70, "nan", "1e999999999", "9" * 400])
)

ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS.filter(_can_be_key), inner, max_size=3),
    max_leaves=6,
)
