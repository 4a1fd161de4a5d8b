"""One line of what ``hetero doctor`` has found."""

from __future__ import annotations

from typing import Any

OK, ABSENT, PROBLEM = "ok", "absent", "problem"


def finding(part: str, state: str, detail: str, advice: str = "") -> dict[str, Any]:
    """A row.

    Args:
        part: What was looked at.
        state: :data:`OK`; :data:`ABSENT`, which is nobody's fault; :data:`PROBLEM`.
        detail: What was found, in one sentence.
        advice: What to do; empty where there is nothing to do.
    """
    return {"part": part, "state": state, "detail": detail, "advice": advice}
