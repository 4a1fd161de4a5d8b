"""Any history of changes and faults ends in step, and nothing is ever told backwards."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.kube import paths
from hetero.kube.backoff import Backoff
from hetero.kube.client import Api
from hetero.kube.informer import Informer
from hetero.kube.objects import Pod
from hetero.testing.apiserver import ApiServer

NAMES = st.sampled_from("abcde")
CHANGES = st.tuples(st.just("put"), NAMES) | st.tuples(st.just("remove"), NAMES)
FAULTS = (
    st.tuples(st.just("drop"), st.booleans())
    | st.tuples(st.just("compact"))
    | st.tuples(st.just("restart"))
    | st.tuples(st.just("wait"))
    | st.tuples(
        st.just("fail"), st.sampled_from([0, 410, 429, 500, 504]), st.sampled_from(["watch=", "limit=", "continue="])
    )
)
HISTORIES = st.lists(st.one_of(CHANGES, CHANGES, FAULTS), max_size=30)


class Play:
    """Plays a history on a server.

    Args:
        server: Where it happens.
        settled: Waits a moment for who follows; called where the history says so.
    """

    def __init__(self, server: ApiServer, settled: Any) -> None:
        self._server = server
        self._settled = settled
        self._count = 0

    def step(self, what: str, *arguments: Any) -> None:
        """One step."""
        getattr(self, what)(*arguments)

    def put(self, name: str) -> None:
        """A new or changed pod."""
        self._count += 1
        metadata = {"name": name, "namespace": "default", "annotations": {"count": str(self._count)}}
        self._server.put(paths.PODS, {"metadata": metadata, "spec": {"containers": [{"name": "c"}]}})

    def remove(self, name: str) -> None:
        """A pod less, if there is one."""
        if any(item["metadata"]["name"] == name for item in self._server.objects(paths.PODS)):
            self._server.remove(paths.pod("default", name))

    def drop(self, midline: bool) -> None:
        """All watches end."""
        self._server.drop_watches(midline=midline)

    def compact(self) -> None:
        """History is forgotten."""
        self._server.compact()

    def restart(self) -> None:
        """The server goes, its objects change, it comes back."""
        self._server.stop()
        self.put("e")
        self._server.start()

    def wait(self) -> None:
        """Whoever follows catches up."""
        self._settled()

    def fail(self, status: int, what: str) -> None:
        """The next request of a kind fails."""
        self._server.fail(status, path_contains=what)


def _backwards(told: list[tuple[str, Any]]) -> list[str]:
    """What was told of an object after something newer of it; what is not in a list is forgotten."""
    found, seen = [], {}
    for verb, items in told:
        if verb == "replace":
            seen = {}
        for item in items if verb == "replace" else [items]:
            version = int(item.metadata.resource_version)
            if version <= seen.get(item.metadata.name, 0):
                found.append(f"{verb} {item.metadata.name} {version}")
            seen[item.metadata.name] = version
    return found


def _lists_go_back(told: list[tuple[str, Any]]) -> bool:
    """True when a list had an object older than it was told before."""
    newest: dict[str, int] = {}
    for verb, items in told:
        for item in items if verb == "replace" else [items]:
            version = int(item.metadata.resource_version)
            if version < newest.get(item.metadata.name, 0):
                return True
            newest[item.metadata.name] = version
    return False


@settings(max_examples=60, deadline=None)
@given(history=HISTORIES)
def test_every_history_ends_in_step(recorders: Any, history: list[tuple[Any, ...]]) -> None:
    """Whatever happened, the handler has what the server has, and was told nothing older after something newer."""
    recorder = recorders()
    with ApiServer() as server:

        def there() -> dict[tuple[str, str], str]:
            metadata = [item["metadata"] for item in server.objects(paths.PODS)]
            return {(one["namespace"], one["name"]): one["resourceVersion"] for one in metadata}

        def in_step() -> bool:
            return recorder.wait(lambda: recorder.versions() == there())

        api = server.api(timeout=5.0)
        informer = Informer(api, paths.PODS, Pod, recorder, page=2, backoff=Backoff(0.001, 0.01))
        informer.start()
        play = Play(server, in_step)
        for step in history:
            play.step(*step)
        play.put("last")
        assert in_step()
        informer.stop()
        api.close()
    assert _backwards(recorder.told) == []
    assert not _lists_go_back(recorder.told)


@pytest.fixture
def many(server: ApiServer) -> Iterator[Api]:
    """A client for many threads."""
    client = server.api()
    yield client
    client.close()


def test_many_writers_and_faults_end_in_step(
    server: ApiServer, many: Api, follow: Any, recorder: Any, in_step: Any
) -> None:
    """Creating, patching, binding and deleting from eight threads while watches drop, history goes and pages change."""
    informer = follow(page=20)

    def write(writer: int) -> None:
        for index in range(12):
            name = f"w{writer}-{index}"
            path = paths.pod("default", name)
            item = {"metadata": {"name": name}, "spec": {"containers": [{"name": "c"}]}}
            many.post(paths.pods("default"), json.dumps(item).encode())
            many.patch(path, b'{"metadata":{"annotations":{"step":"2"}}}')
            many.post(f"{path}/binding", json.dumps({"metadata": {"name": name}, "target": {"name": "n"}}).encode())
            if index % 3 == 0:
                many.delete(path, b'{"gracePeriodSeconds":0}')

    writers = [threading.Thread(target=write, args=(index,)) for index in range(8)]
    for one in writers:
        one.start()
    while any(one.is_alive() for one in writers):
        server.drop_watches(midline=len(recorder.told) % 2 == 0)
        server.compact()
        writers[0].join(0.02)
        writers[-1].join(0.02)
    assert in_step()
    assert len(recorder.store) == 64
    assert _backwards(recorder.told) == []
    assert informer.version
