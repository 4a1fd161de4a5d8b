"""A server in memory, a client of it, and a handler that keeps what it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from hetero.kube import paths
from hetero.kube.backoff import Backoff
from hetero.kube.client import Api
from hetero.kube.informer import Informer
from hetero.kube.objects import Pod
from hetero.testing.apiserver import ApiServer


class Recorder:
    """A handler that keeps a store and everything that it was told, and can be waited for."""

    def __init__(self) -> None:
        self.store: dict[tuple[str, str], Any] = {}
        self.told: list[tuple[str, Any]] = []
        self.changed = threading.Condition()

    def replace(self, items: list[Any]) -> None:
        """All of them."""
        self._tell("replace", {self._key(item): item for item in items}, list(items))

    def put(self, item: Any) -> None:
        """One more, or a newer one."""
        self._tell("put", {**self.store, self._key(item): item}, item)

    def remove(self, item: Any) -> None:
        """One less."""
        self._tell("remove", {key: one for key, one in self.store.items() if key != self._key(item)}, item)

    def versions(self) -> dict[tuple[str, str], str]:
        """What it has, by version."""
        return {key: item.metadata.resource_version for key, item in self.store.items()}

    def verbs(self) -> list[str]:
        """What it was told, without the objects."""
        return [verb for verb, _ in self.told]

    def wait(self, condition: Callable[[], bool], timeout: float = 20.0) -> bool:
        """Wait until a condition holds; looked at after each word."""
        with self.changed:
            return self.changed.wait_for(condition, timeout)

    def _tell(self, verb: str, store: dict[tuple[str, str], Any], item: Any) -> None:
        with self.changed:
            self.store = store
            self.told.append((verb, item))
            self.changed.notify_all()

    @staticmethod
    def _key(item: Any) -> tuple[str, str]:
        return item.metadata.namespace, item.metadata.name


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What the threads log is looked at by the tests that are about it; the others' faults are meant."""
    with capture_logs():
        yield


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A server that runs."""
    with ApiServer() as running:
        yield running


@pytest.fixture
def api(server: ApiServer) -> Iterator[Api]:
    """A client of it."""
    client = server.api()
    yield client
    client.close()


@pytest.fixture(scope="session")
def recorders() -> type[Recorder]:
    """The class of handlers, for tests that need a new one for each example."""
    return Recorder


@pytest.fixture
def recorder() -> Recorder:
    """A handler."""
    return Recorder()


@pytest.fixture
def follow(api: Api, recorder: Recorder) -> Iterator[Callable[..., Informer[Any]]]:
    """``follow(path, kind, query, ...)``: an informer that runs and has told the recorder its first list."""
    running: list[Informer[Any]] = []

    def start(path: str = paths.PODS, kind: Any = Pod, query: Any = None, **options: Any) -> Informer[Any]:
        handler = options.pop("handler", recorder)
        wait = options.pop("wait", True)
        options.setdefault("backoff", Backoff(0.01, 0.05))
        informer = Informer(api, path, kind, handler, query, **options)
        running.append(informer)
        informer.start()
        assert not wait or informer.synced.wait(120)
        return informer

    yield start
    for informer in running:
        informer.stop()


@pytest.fixture
def put_pod(server: ApiServer) -> Callable[..., dict[str, Any]]:
    """``put_pod(name, **annotations)``: a pod on the server."""

    def put(name: str, namespace: str = "default", **annotations: str) -> dict[str, Any]:
        metadata = {"name": name, "namespace": namespace, "annotations": annotations}
        return server.put(paths.PODS, {"metadata": metadata, "spec": {"containers": [{"name": "c"}]}})

    return put


@pytest.fixture
def in_step(server: ApiServer, recorder: Recorder) -> Callable[[], bool]:
    """``in_step()``: waits until the recorder has what the server has, version by version."""

    def there() -> dict[tuple[str, str], str]:
        metadata = [item["metadata"] for item in server.objects(paths.PODS)]
        return {(one["namespace"], one["name"]): one["resourceVersion"] for one in metadata}

    return lambda: recorder.wait(lambda: recorder.versions() == there())
