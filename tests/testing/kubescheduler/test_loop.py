"""The small kube-scheduler places pods through an extender over HTTP, and tries again what failed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hetero.kube import paths
from hetero.kube.objects import Metadata
from hetero.testing.apiserver import ApiServer
from hetero.testing.kubescheduler import Extender, ExtenderFailed, KubeScheduler
from hetero.testing.kubescheduler.records import Whole

CHIP = "acme.example/chip"
Answer = Callable[[dict[str, Any]], Any]


class Scripted(ThreadingHTTPServer):
    """An extender that answers as a test says; without a word of the test everything fits and every bind is made."""

    daemon_threads = True

    def __init__(self, cluster: ApiServer) -> None:
        self.cluster = cluster
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.script: dict[str, Answer] = {}
        self.binding = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Where kube-scheduler finds it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def calls(self, verb: str) -> list[dict[str, Any]]:
        """What was asked of one verb."""
        return [document for one, document in list(self.asked) if one == verb]

    def bind(self, asked: dict[str, Any]) -> dict[str, str]:
        """Make the binding."""
        path = paths.binding(asked["PodNamespace"], asked["PodName"])
        body = {"metadata": {"name": asked["PodName"], "uid": asked["PodUID"]}, "target": {"name": asked["Node"]}}
        api = self.cluster.api()
        api.post(path, json.dumps(body).encode())
        api.close()
        return {"Error": ""}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        verb = self.path.strip("/")
        self.server.asked.append((verb, asked))
        usual: dict[str, Answer] = {
            "filter": lambda one: {"NodeNames": one["NodeNames"]},
            "prioritize": lambda one: [{"Host": name, "Score": 0} for name in one["NodeNames"]],
            "bind": self.server.bind,
        }
        answer = self.server.script.get(verb, usual[verb])(asked)
        status, body = (answer, b"") if isinstance(answer, int) else (200, json.dumps(answer).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def cluster() -> Iterator[ApiServer]:
    """An empty cluster."""
    with ApiServer() as made:
        yield made


@pytest.fixture
def extender(cluster: ApiServer) -> Iterator[Scripted]:
    """An extender that agrees to everything."""
    with Scripted(cluster) as made:
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield made
        made.shutdown()


@pytest.fixture
def loop(cluster: ApiServer, extender: Scripted) -> Iterator[KubeScheduler]:
    """The scheduler, running."""
    api = cluster.api()
    with KubeScheduler(api, Extender(extender.url, [CHIP])) as made:
        yield made
    api.close()


def add_nodes(cluster: ApiServer, loop: KubeScheduler, *names: str, chips: int = 4) -> None:
    """Nodes with chips, of which the scheduler has heard."""
    size = {"cpu": "4", "pods": "10", CHIP: str(chips)}
    for name in names:
        cluster.put(paths.NODES, {"metadata": {"name": name}, "status": {"allocatable": size}})
    deadline = time.monotonic() + 120
    while not loop.knows(len(cluster.objects(paths.NODES))):
        assert time.monotonic() < deadline, "the scheduler does not hear of the nodes"
        time.sleep(0.01)


def add_pod(cluster: ApiServer, name: str, *, chips: int = 1, priority: int = 0) -> None:
    """A pod that waits; without chips the extender has no say."""
    limits = {CHIP: str(chips)} if chips else {"cpu": "1"}
    spec = {
        "schedulerName": "hetero-scheduler",
        "priority": priority,
        "containers": [{"name": "c", "image": "i", "resources": {"limits": limits, "requests": limits}}],
    }
    cluster.put(paths.pods("default"), {"metadata": {"name": name}, "spec": spec})


def where(cluster: ApiServer) -> dict[str, str]:
    """Pod to node, of the pods that are bound."""
    return {
        pod["metadata"]["name"]: pod["spec"]["nodeName"]
        for pod in cluster.objects(paths.PODS)
        if pod["spec"].get("nodeName")
    }


def reason(cluster: ApiServer, name: str) -> str:
    """Why a pod waits."""
    [pod] = [one for one in cluster.objects(paths.PODS) if one["metadata"]["name"] == name]
    return "".join(one["message"] for one in (pod.get("status") or {}).get("conditions") or ())


def test_the_extenders_choice_is_where_a_pod_goes(cluster: ApiServer, extender: Scripted, loop: KubeScheduler) -> None:
    """Of the nodes that it says fit, the one that it scores best; the pod is sent whole, the nodes by name."""
    add_nodes(cluster, loop, "a", "b", "c")
    extender.script["filter"] = lambda one: {"NodeNames": sorted(set(one["NodeNames"]) - {"c"})}
    extender.script["prioritize"] = lambda one: [{"Host": "a", "Score": 3}, {"Host": "b", "Score": 9}]
    add_pod(cluster, "p")
    assert cluster.wait(lambda: where(cluster) == {"p": "b"})
    [asked] = extender.calls("filter")
    assert asked["Nodes"] is None
    assert sorted(asked["NodeNames"]) == ["a", "b", "c"]
    assert asked["Pod"]["spec"]["containers"][0]["resources"]["limits"] == {CHIP: "1"}
    assert extender.calls("prioritize")[0]["NodeNames"] == ["a", "b"]


def test_a_pod_without_its_resources_is_bound_without_it(
    cluster: ApiServer, extender: Scripted, loop: KubeScheduler
) -> None:
    """The extender hears nothing of it."""
    add_nodes(cluster, loop, "a")
    add_pod(cluster, "plain", chips=0)
    assert cluster.wait(lambda: where(cluster) == {"plain": "a"})
    assert extender.asked == []


def test_what_is_assumed_is_not_free(cluster: ApiServer, extender: Scripted, loop: KubeScheduler) -> None:
    """While a bind takes its time, the next pod finds the node full; its reason is the totals'."""
    go = threading.Event()

    def slow(asked: dict[str, Any]) -> Any:
        extender.binding.set()
        return extender.bind(asked) if go.wait(120) else 500

    extender.script["bind"] = slow
    add_nodes(cluster, loop, "a", chips=1)
    add_pod(cluster, "first")
    assert extender.binding.wait(120)
    add_pod(cluster, "second")
    assert cluster.wait(lambda: f"Insufficient {CHIP}" in reason(cluster, "second"))
    go.set()
    assert cluster.wait(lambda: where(cluster) == {"first": "a"})


@pytest.mark.parametrize(
    "broken", [500, {"Error": "no"}, {"NodeNames": ["stranger"]}], ids=["code", "error", "stranger"]
)
def test_a_filter_that_fails_is_asked_again(
    cluster: ApiServer, extender: Scripted, loop: KubeScheduler, broken: Any
) -> None:
    """With back-off, until it answers."""
    add_nodes(cluster, loop, "a")
    extender.script["filter"] = lambda one: broken if len(extender.calls("filter")) < 3 else {"NodeNames": ["a"]}
    add_pod(cluster, "p")
    assert cluster.wait(lambda: where(cluster) == {"p": "a"})
    assert loop.outcomes["filter failed"] == 2


def test_a_bind_that_fails_gives_back_what_was_assumed(
    cluster: ApiServer, extender: Scripted, loop: KubeScheduler
) -> None:
    """The pod, or another one, gets the room later."""
    add_nodes(cluster, loop, "a", chips=1)
    extender.script["bind"] = lambda one: (
        {"Error": "not now"} if len(extender.calls("bind")) < 3 else extender.bind(one)
    )
    add_pod(cluster, "p")
    assert cluster.wait(lambda: where(cluster) == {"p": "a"})
    assert loop.outcomes["bind failed"] == 2


def test_a_bind_that_was_made_is_not_made_again(cluster: ApiServer, extender: Scripted, loop: KubeScheduler) -> None:
    """Though the extender says that it failed: the pod has a node, so it waits for none."""
    add_nodes(cluster, loop, "a")

    def made_and_denied(asked: dict[str, Any]) -> dict[str, str]:
        extender.bind(asked)
        return {"Error": "who knows"}

    extender.script["bind"] = made_and_denied
    add_pod(cluster, "p")
    assert cluster.wait(lambda: where(cluster) == {"p": "a"})
    add_pod(cluster, "q")
    assert cluster.wait(lambda: where(cluster) == {"p": "a", "q": "a"})


def test_who_fits_nowhere_waits_for_a_change(cluster: ApiServer, extender: Scripted, loop: KubeScheduler) -> None:
    """With the reasons of the extender and of the totals; a pod that goes, or a node that comes, is a change."""
    add_nodes(cluster, loop, "a", "b", chips=2)
    extender.script["filter"] = lambda one: {
        "NodeNames": [name for name in one["NodeNames"] if name != "b"],
        "FailedNodes": {"b": "no link"} if "b" in one["NodeNames"] else {},
    }
    add_pod(cluster, "first", chips=2)
    assert cluster.wait(lambda: where(cluster) == {"first": "a"})
    add_pod(cluster, "second", chips=2)
    assert cluster.wait(lambda: "no link" in reason(cluster, "second") and "Insufficient" in reason(cluster, "second"))
    cluster.remove(paths.pod("default", "first"))
    assert cluster.wait(lambda: where(cluster) == {"second": "a"})
    add_pod(cluster, "third", chips=2)
    assert cluster.wait(lambda: reason(cluster, "third"))
    add_nodes(cluster, loop, "c")
    assert cluster.wait(lambda: where(cluster).get("third") == "c")


def test_who_is_changed_is_looked_at_again(cluster: ApiServer, extender: Scripted, loop: KubeScheduler) -> None:
    """An annotation is enough, and what the scheduler itself writes into the status is not."""
    add_nodes(cluster, loop, "a")
    extender.script["filter"] = lambda one: {"NodeNames": [], "FailedNodes": {"a": "no link"}}
    add_pod(cluster, "p")
    assert cluster.wait(lambda: "no link" in reason(cluster, "p"))
    asked = len(extender.asked)
    add_pod(cluster, "q")
    assert cluster.wait(lambda: "no link" in reason(cluster, "q"))
    assert [verb for verb, one in extender.asked[asked:] if one["Pod"]["metadata"]["name"] == "p"] == []
    del extender.script["filter"]
    api = cluster.api()
    api.patch(paths.pod("default", "p"), b'{"metadata":{"annotations":{"a":"b"}}}')
    api.close()
    assert cluster.wait(lambda: where(cluster).get("p") == "a")


def test_a_prioritize_that_fails_counts_for_nothing(
    cluster: ApiServer, extender: Scripted, loop: KubeScheduler
) -> None:
    """kube-scheduler goes on without scores."""
    add_nodes(cluster, loop, "a", "b")
    extender.script["prioritize"] = lambda one: 500
    add_pod(cluster, "p")
    assert cluster.wait(lambda: bool(where(cluster)))


def test_many_pods_fill_the_nodes_and_no_more(cluster: ApiServer, extender: Scripted, loop: KubeScheduler) -> None:
    """With binds running beside the loop, the totals hold; who was there before counts as well."""
    add_nodes(cluster, loop, *(f"n{index}" for index in range(5)))
    for index in range(25):
        add_pod(cluster, f"p{index:02}")
    assert cluster.wait(lambda: len(where(cluster)) == 20, 30)
    nodes = list(where(cluster).values())
    assert {nodes.count(name) for name in set(nodes)} == {4}
    assert len(extender.calls("bind")) == 20


def test_an_extender_that_is_not_there_failed() -> None:
    """With one error, whatever the reason."""
    nobody = Extender("http://127.0.0.1:9", timeout=1.0)
    with pytest.raises(ExtenderFailed, match="filter"):
        nobody.filter(Whole(metadata=Metadata()), ["a"])
