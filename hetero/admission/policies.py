"""What a pod's annotations say of how it is to be placed and served."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from hetero.admission.fields import shown
from hetero.admission.workloads import Pod
from hetero.errors import InvalidValue
from hetero.model.ask import Weights
from hetero.model.policy import DevicePolicy, Policy, parse_weights

NODE_POLICY = ("hetero.io/node-policy", "hami.io/node-scheduler-policy")
"""Annotations that choose between nodes; the first that is given holds. The second is what manifests have today."""

DEVICE_POLICY = ("hetero.io/device-policy", "hami.io/gpu-scheduler-policy")
"""The same between the devices of a node: a chain of policies."""

WEIGHTS = ("hetero.io/scoring-weights", "hami.io/device-scoring-weights")
"""How much each dimension counts where fullness is compared."""

COMPUTE_POLICY = ("hetero.io/compute-policy",)
"""Whether a pod is lent compute that others leave idle."""

ANNOTATIONS = (*NODE_POLICY, *DEVICE_POLICY, *WEIGHTS, *COMPUTE_POLICY)
"""All of them."""

_COMPUTE_POLICIES = ("cap", "conserve")

T = TypeVar("T")


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """The annotations, as the fields of the same names that a :class:`~hetero.model.ask.PodAsk` has."""

    node_policy: str = ""
    device_policy: str = ""
    compute_policy: str = ""
    weights: Weights = Weights()


def policies(pod: Pod, problems: list[InvalidValue]) -> Policies:
    """Read a pod's annotations. A chain is given in its shortest form, so that pods that mean the same ask alike.

    Args:
        pod: The pod.
        problems: What is wrong with any of them is added here, those included that another goes before.
    """
    return Policies(
        node_policy=_first(pod, NODE_POLICY, _one_of(tuple(Policy)), "", problems),
        device_policy=_first(pod, DEVICE_POLICY, _chain, "", problems),
        compute_policy=_first(pod, COMPUTE_POLICY, _one_of(_COMPUTE_POLICIES), "", problems),
        weights=_first(pod, WEIGHTS, parse_weights, Weights(), problems),
    )


def _first(pod: Pod, keys: Sequence[str], read: Callable[[str, str], T], default: T, problems: list[InvalidValue]) -> T:
    found: list[T] = []
    for key in keys:
        if key in pod.annotations:
            try:
                found.append(read(pod.annotations[key], f"{pod.metadata_path}.annotations[{key}]"))
            except InvalidValue as problem:
                problems.append(InvalidValue(problem.field, shown(problem.value), problem.reason))
    return found[0] if found else default


def _one_of(words: Sequence[str]) -> Callable[[str, str], str]:
    def read(text: str, field: str) -> str:
        if text not in words:
            raise InvalidValue(field, text, f"is no policy; write {' or '.join(words)}")
        return text

    return read


def _chain(text: str, field: str) -> str:
    return str(DevicePolicy.parse(text, field))
