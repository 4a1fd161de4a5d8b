"""What annotations say of policies and weights."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero import config
from hetero.admission.policies import (
    ANNOTATIONS,
    COMPUTE_POLICY,
    DEVICE_POLICY,
    NODE_POLICY,
    WEIGHTS,
    Policies,
    policies,
)
from hetero.admission.workloads import Pod
from hetero.errors import InvalidValue
from hetero.model.ask import PodAsk, Weights
from hetero.model.policy import DevicePolicy, Policy, Word

GOOD = {
    NODE_POLICY: "spread",
    DEVICE_POLICY: "mutex,binpack",
    WEIGHTS: "slot=1,core=0,memory=2",
    COMPUTE_POLICY: "conserve",
}


def _read(annotations: Mapping[str, str], path: str = "spec") -> tuple[Policies, list[InvalidValue]]:
    problems: list[InvalidValue] = []
    return policies(Pod(name="p", annotations=annotations, path=path), problems), problems


def _sound(annotations: Mapping[str, str]) -> Policies:
    found, problems = _read(annotations)
    assert problems == []
    return found


def test_without_annotations_the_defaults_hold() -> None:
    """Empty stands for the planner's default, and all dimensions count alike; others' annotations say nothing."""
    assert _sound({}) == _sound({"example.com/node-policy": "x", "hami.io/vgpu-node": "n"}) == Policies()
    assert Policies().weights == Weights()


@pytest.mark.parametrize("place", [0, 1])
def test_each_is_read_from_either_annotation(place: int) -> None:
    """Manifests of today keep their meaning."""
    found = _sound({keys[min(place, len(keys) - 1)]: text for keys, text in GOOD.items()})
    assert found == Policies(
        node_policy="spread",
        device_policy="mutex,binpack",
        compute_policy="conserve",
        weights=Weights(slots=1, cores=0, memory=2),
    )


@pytest.mark.parametrize(
    ("keys", "ours", "theirs"),
    [
        (NODE_POLICY, "binpack", "spread"),
        (DEVICE_POLICY, "binpack", "mutex"),
        (WEIGHTS, "slot=1,core=1,memory=5", "slot=5,core=1,memory=1"),
    ],
)
def test_our_own_annotation_goes_before_the_older_one(keys: tuple[str, ...], ours: str, theirs: str) -> None:
    """A manifest may serve both schedulers; the more particular word holds, in whatever order they stand."""
    assert _sound({keys[1]: theirs, keys[0]: ours}) == _sound({keys[0]: ours})


@pytest.mark.parametrize("text", ["mutex", "numa,binpack", "topology-aware", "binpack,spread", "mutex,topology-aware"])
def test_chains_that_mean_the_same_ask_alike(text: str) -> None:
    """However they are spelt, so that the planner's answer for one pod serves the other."""
    spaced = " , ".join(text.split(","))
    assert _sound({DEVICE_POLICY[0]: spaced}) == _sound({DEVICE_POLICY[1]: text})
    assert DevicePolicy.parse(_sound({DEVICE_POLICY[0]: spaced}).device_policy) == DevicePolicy.parse(text)


@pytest.mark.parametrize(
    ("keys", "text", "reason"),
    [
        (NODE_POLICY, "", "is no policy; write binpack or spread"),
        (NODE_POLICY, "numa", "is no policy; write binpack or spread"),
        (NODE_POLICY, "binpack,spread", "is no policy; write binpack or spread"),
        (DEVICE_POLICY, "BINPACK", "is no policy; write one or several"),
        (DEVICE_POLICY, "mutex,near", "names 'near', which is no policy; write one or several"),
        (WEIGHTS, "memory=3", "lacks a weight"),
        (COMPUTE_POLICY, "share", "is no policy; write cap or conserve"),
    ],
)
def test_what_is_wrong_is_refused_at_its_annotation(keys: tuple[str, ...], text: str, reason: str) -> None:
    """A policy that is not there must not silently become another, also where the other annotation holds."""
    for key in keys:
        found, [problem] = _read({**dict.fromkeys(keys, GOOD[keys]), key: text}, "spec.template.spec")
        assert problem.field == f"spec.template.metadata.annotations[{key}]"
        assert problem.value == text
        assert problem.reason.startswith(reason)
        assert isinstance(found, Policies)


def test_every_wrong_annotation_is_told() -> None:
    """All at once, in the order of the fields that they are about."""
    _, problems = _read(dict.fromkeys(ANNOTATIONS, "?"))
    order = (*NODE_POLICY, *DEVICE_POLICY, *COMPUTE_POLICY, *WEIGHTS)
    assert [problem.field for problem in problems] == [f"metadata.annotations[{key}]" for key in order]


def test_a_long_value_is_not_printed() -> None:
    """An annotation may be a quarter of a megabyte."""
    _, [problem] = _read({DEVICE_POLICY[0]: "x" * 5000})
    assert len(str(problem)) < 400


@given(st.dictionaries(st.sampled_from(ANNOTATIONS), st.text(max_size=20), max_size=4))
def test_any_annotations_are_read_or_told(annotations: dict[str, str]) -> None:
    """Nothing that people write ends in another error, and what is read is something that the planner takes."""
    found, problems = _read(annotations)
    assert {problem.field.partition("[")[2].rstrip("]") for problem in problems} <= set(annotations)
    assert found.node_policy in ("", *Policy)
    assert not found.device_policy or DevicePolicy.parse(found.device_policy)


def test_the_fields_are_those_of_an_ask() -> None:
    """Each reaches the planner under its name and with its type."""
    asks = PodAsk.__annotations__
    assert {name: asks[name] for name in Policies.__struct_fields__} == Policies.__annotations__


def test_the_defaults_may_be_what_pods_may_be() -> None:
    """The configuration, which can read no model, knows the same words."""
    assert tuple(Policy) == config.NODE_POLICIES
    assert tuple(Word) == config.DEVICE_POLICIES
