"""Whatever YAML can spell ends in pods or in sentences, never in a traceback; and the sums are right."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hetero.admission.asks import pod_ask
from hetero.admission.workloads import Pod, pods
from hetero.errors import InvalidRequest
from hetero.model.ask import PodAsk
from hetero.testing.fake import fake_vendor

# How long a machine takes says nothing about the code.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

VENDORS = {"fake": fake_vendor()}
NPU = "fake.example/npu"

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(15000, 20000).map(lambda bits: 1 << bits),  # more digits than Python prints
    st.floats(),
    st.text(st.characters(), max_size=6),  # lone surrogates included: YAML escapes can spell them
    st.binary(max_size=3),
    st.just(date(2026, 1, 1)),
    st.sampled_from(["Always", "v1", "Pod", "List", "binpack", "1e3", "9" * 300, "-1", "500m", "0x10", "1E-9"]),
)
WORDS = (
    "apiVersion kind metadata name spec template containers initContainers items resources limits requests annotations "
    f"env value replicas cpu {NPU} {NPU}mem"
)
keys = st.one_of(st.sampled_from(WORDS.split()), scalars)
shapes = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))

SOUND: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "team"},
            "spec": {
                "replicas": 2,
                "template": {
                    "metadata": {"annotations": {"hetero.io/node-policy": "spread"}, "labels": {"a": "b"}},
                    "spec": {
                        "initContainers": [{"name": "s", "restartPolicy": "Always"}],
                        "containers": [
                            {
                                "name": "c",
                                "command": ["sh"],
                                "args": ["-c"],
                                "workingDir": "/",
                                "env": [{"name": "A", "value": "1"}],
                                "resources": {"limits": {NPU: 1, "cpu": 2}, "requests": {"cpu": 1}},
                            }
                        ],
                    },
                },
            },
        },
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"parallelism": 2}},
    ],
}
SOUND["items"][1]["spec"]["template"] = copy.deepcopy(SOUND["items"][0]["spec"]["template"])

Path = tuple[Any, ...]


def _paths(value: Any, path: Path = ()) -> list[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, item in inner for deeper in _paths(item, (*path, key)))]


def _replaced(path: Path, value: object) -> Any:
    if not path:
        return value
    document = copy.deepcopy(SOUND)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


def _admit(document: object) -> list[PodAsk]:
    """The asks of a document; none when it is refused with sentences that can be printed."""
    try:
        return [pod_ask(pod, VENDORS) for pod in pods(document, "f.yaml")]
    except InvalidRequest as error:
        _check(error)
        return []


def _check(error: InvalidRequest) -> None:
    assert error.problems
    assert all(problem.field.startswith("f.yaml: ") and problem.reason for problem in error.problems)
    assert len(str(error).encode()) < 2000 * len(error.problems)


def test_the_sound_document_is_admitted() -> None:
    """The documents below differ from this one in a single place."""
    assert [ask.name for ask in _admit(SOUND)] == ["web-0", "web-1", "j-0", "j-1"]


@unhurried
@given(shapes)
def test_any_shape_is_pods_or_sentences(document: object) -> None:
    """Nothing that a YAML loader returns raises anything but the error for users."""
    _admit(document)


@settings(unhurried, max_examples=300)
@given(st.sampled_from(_paths(SOUND)), shapes)
def test_any_value_in_any_place_is_pods_or_sentences(path: Path, value: object) -> None:
    """The same where all around it is sound, so that every reader meets every shape."""
    _admit(_replaced(path, value))


def test_no_place_may_hold_a_container_of_the_wrong_kind() -> None:
    """In every place of the sound document a mapping and a list cannot both be right: at least one is refused."""
    for path in _paths(SOUND):
        assert not (_admit(_replaced(path, [{"x": [1]}])) and _admit(_replaced(path, {"x": {"y": 1}}))), path


amounts = st.integers(0, 4)
steps = st.lists(st.tuples(st.booleans(), amounts), max_size=5)


def _peak(init: Sequence[tuple[bool, int]], main: Sequence[int]) -> int:
    """Devices held at the greatest moment: each init container runs beside the sidecars before it."""
    running, peak = 0, 0
    for sidecar, amount in init:
        peak = max(peak, running + amount)
        running += amount if sidecar else 0
    return max(peak, running + sum(main))


def _charged(ask: PodAsk) -> int:
    """Devices that the planner charges: all containers together, or one init container, whichever is more."""
    counts = [[one.count for one in container.asks] for container in ask.containers]
    before = [sum(one.count for one in container.asks) for container in ask.init_containers]
    return max([sum(map(sum, counts)), *before])


def _pod(init: Sequence[tuple[bool, int]], main: Sequence[int]) -> Pod:
    def container(name: str, amount: int, **fields: str) -> dict[str, Any]:
        return {"name": name, "resources": {"limits": {NPU: amount}}, **fields}

    before = [
        container(f"i{index}", amount, **({"restartPolicy": "Always"} if sidecar else {}))
        for index, (sidecar, amount) in enumerate(init)
    ]
    beside = [container(f"c{index}", amount) for index, amount in enumerate(main)]
    spec = {"initContainers": before, "containers": beside}
    (pod,) = pods({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
    return pod


@unhurried
@given(steps, st.lists(amounts, min_size=1, max_size=3))
def test_a_pod_is_never_charged_less_than_it_holds(init: list[tuple[bool, int]], main: list[int]) -> None:
    """Whatever the mix of init containers and sidecars; and no container is lost or counted twice."""
    pod = _pod(init, main)
    ask = pod_ask(pod, VENDORS)
    assert _charged(ask) >= _peak(init, main)
    names = [container.name for container in (*ask.init_containers, *ask.containers)]
    assert sorted(names) == sorted(container.name for container in (*pod.init_containers, *pod.containers))


@unhurried
@given(st.lists(st.tuples(st.just(False), amounts), max_size=5), steps, st.lists(amounts, min_size=1, max_size=3))
def test_a_pod_is_charged_exactly_when_sidecars_come_last(
    before: list[tuple[bool, int]], sidecars: list[tuple[bool, int]], main: list[int]
) -> None:
    """The usual order costs nothing extra."""
    init = [*before, *((True, amount) for _, amount in sidecars)]
    assert _charged(pod_ask(_pod(init, main), VENDORS)) == _peak(init, main)
