"""Which pods a quota counts: Kubernetes' scopes, as the API server applies them to pods. Pure.

Source: Kubernetes documentation, "Resource Quotas", "Quota scopes"; Kubernetes, pkg/quota/v1/evaluator/core/pods.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from hetero.model.ask import Traits

PRIORITY_CLASS = "PriorityClass"


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of a quota.

    Attributes:
        name: As Kubernetes writes it, such as ``PriorityClass`` or ``NotTerminating``.
        operator: ``Exists``, ``DoesNotExist``, ``In`` or ``NotIn``; only a priority class knows others than the first.
        values: Priority classes, for the last two.
    """

    name: str
    operator: str = "Exists"
    values: tuple[str, ...] = ()


def scopes(
    names: Iterable[str] | None, expressions: Iterable[tuple[str, str, Sequence[str] | None]] | None
) -> tuple[Scope, ...]:
    """The conditions of a quota, from both places of its specification.

    Args:
        names: ``spec.scopes``.
        expressions: Name, operator and values of each of ``spec.scopeSelector.matchExpressions``.
    """
    plain = (Scope(name=name) for name in names or ())
    selected = (Scope(name=name, operator=how, values=tuple(values or ())) for name, how, values in expressions or ())
    return (*plain, *selected)


def applies(conditions: Iterable[Scope], traits: Traits) -> bool:
    """True when a pod meets all conditions, so that the quota counts it; a quota without conditions counts every pod.

    A condition that is not about pods, or that this release does not know, is met by none.
    """
    return all(_met(condition, traits) for condition in conditions)


_FACTS: Mapping[str, Callable[[Traits], bool]] = {
    "Terminating": lambda traits: traits.terminating,
    "NotTerminating": lambda traits: not traits.terminating,
    "BestEffort": lambda traits: traits.best_effort,
    "NotBestEffort": lambda traits: not traits.best_effort,
    "CrossNamespacePodAffinity": lambda traits: traits.cross_namespace_affinity,
}


def _met(condition: Scope, traits: Traits) -> bool:
    if condition.name == PRIORITY_CLASS:
        return _of_class(condition, traits.priority_class)
    fact = _FACTS.get(condition.name)
    return fact is not None and fact(traits)


def _of_class(condition: Scope, name: str) -> bool:
    """Pods without a priority class are not in any list, and so are in the complement of each, as labels have it."""
    answers = {
        "Exists": bool(name),
        "DoesNotExist": not name,
        "In": bool(name) and name in condition.values,
        "NotIn": name not in condition.values,
    }
    return answers.get(condition.operator, False)
