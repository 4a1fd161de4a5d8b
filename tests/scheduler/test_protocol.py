"""The messages are those of Kubernetes, letter by letter."""

from __future__ import annotations

import json

import msgspec
import pytest

from hetero.scheduler import protocol
from hetero.scheduler.protocol import BindingResult, FilterResult, MetaPod, MetaVictims, NodeList, PreemptionResult


def test_args_are_read_with_names() -> None:
    """As a scheduler sends them that relies on our cache; the pod in full, of which we read what matters."""
    text = (
        b'{"Pod":{"metadata":{"name":"p","managedFields":[{}]},"spec":{"volumes":[]}},"Nodes":null,"NodeNames":["a"]}'
    )
    args = protocol.read_args(text)
    assert (args.pod.metadata.name, args.nodes, bytes(args.node_names)) == ("p", None, b'["a"]')


def test_args_are_read_with_nodes() -> None:
    """In full, each kept as it came."""
    args = protocol.read_args(b'{"Pod":{"metadata":{}},"Nodes":{"metadata":{},"items":[{"metadata":{"name":"a"}}]}}')
    assert args.nodes is not None
    assert [bytes(one) for one in args.nodes.items or ()] == [b'{"metadata":{"name":"a"}}']
    assert bytes(args.node_names) == b"null"


def test_a_filters_answer_has_gos_names() -> None:
    """Null for no names means that none fits."""
    assert json.loads(protocol.write(FilterResult(failed={"a": "x"}, unresolvable={"b": "y"}))) == {
        "Nodes": None,
        "NodeNames": None,
        "FailedNodes": {"a": "x"},
        "FailedAndUnresolvableNodes": {"b": "y"},
        "Error": "",
    }
    written = protocol.write(FilterResult(nodes=NodeList([msgspec.Raw(b'{"a":1}')])))
    assert json.loads(written)["Nodes"] == {"items": [{"a": 1}]}


def test_a_binding_is_read_and_answered() -> None:
    """UID is spelt in capitals."""
    args = protocol.read_binding(b'{"PodName":"p","PodNamespace":"n","PodUID":"u","Node":"a"}')
    assert (args.pod_name, args.pod_namespace, args.pod_uid, args.node) == ("p", "n", "u", "a")
    assert protocol.write(BindingResult(error="no")) == b'{"Error":"no"}'


@pytest.mark.parametrize(
    "text", [b"{}", b"[]", b"", b'{"PodName":1}', b'{"PodName":"p","PodNamespace":"n","Node":"a"}']
)
def test_half_a_binding_is_none(text: bytes) -> None:
    """All four fields are needed: without the UID another pod of that name might be bound."""
    with pytest.raises(msgspec.MsgspecError):
        protocol.read_binding(text)


def test_victims_are_read_either_way() -> None:
    """By UID from a scheduler that relies on our cache, else with their pods."""
    text = b'{"Pod":{"metadata":{}},"NodeNameToMetaVictims":{"a":{"Pods":[{"UID":"u"}],"NumPDBViolations":2}}}'
    expected = {"a": MetaVictims(pods=(MetaPod(uid="u"),), violations=2)}
    assert protocol.read_preemption(text).candidates == expected
    text = (
        b'{"Pod":{"metadata":{}},"NodeNameToVictims":{"a":{"Pods":[{"metadata":{"uid":"u"}}],"NumPDBViolations":2}},'
        b'"NodeNameToMetaVictims":null}'
    )
    assert protocol.read_preemption(text).candidates == expected
    assert protocol.read_preemption(b'{"Pod":{"metadata":{}}}').candidates == {}


def test_victims_are_answered_by_uid() -> None:
    """Always: kube-scheduler reads nothing else."""
    result = PreemptionResult(meta_victims={"a": MetaVictims(pods=(MetaPod(uid="u"),), violations=1)})
    assert json.loads(protocol.write(result)) == {
        "NodeNameToMetaVictims": {"a": {"Pods": [{"UID": "u"}], "NumPDBViolations": 1}}
    }
