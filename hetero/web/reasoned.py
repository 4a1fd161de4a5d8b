"""Why nodes do not serve a pod, as few sentences with their nodes. Used under the cluster's lock."""

from __future__ import annotations

from collections.abc import Mapping

from hetero.model.share import Reason
from hetero.placement.options import Options
from hetero.web.records import Reasoned

DETAILED = 64
"""Nodes without room for which figures are found one by one, a millisecond or two each."""

NAMED = 5
"""Nodes that a sentence names."""

MOST = 20
"""Sentences of one pod."""


def reasoned(options: Options, names: list[str]) -> tuple[int, tuple[Reasoned, ...]]:
    """How many nodes have room, and why the others have none, the sentence of most nodes first.

    Args:
        options: The planner's answer.
        names: All nodes, in order.
    """
    fits, now, never = options.split(names)
    short = {**now, **never}
    told = _detailed(options, short) if len(short) <= DETAILED else _short(short)
    groups: dict[tuple[str, str], list[str]] = {}
    for name in names:
        if name in told:
            groups.setdefault(told[name], []).append(name)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))[:MOST]
    return len(fits), tuple(
        Reasoned(reason=reason, message=message, count=len(nodes), nodes=tuple(nodes[:NAMED]))
        for (reason, message), nodes in ordered
    )


def _detailed(options: Options, short: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    answers = {name: options.refusal(name) for name in short}
    return {name: (str(one.reason), one.message) for name, one in answers.items() if one is not None}


def _short(short: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    words = {sentence: sentence.partition(": ") for sentence in set(short.values())}
    return {name: (str(Reason(words[one][0])), words[one][2]) for name, one in short.items()}
