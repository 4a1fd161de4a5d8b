"""Logging: structlog, one event per line, to standard error.

A stage binds what it works on once (:func:`bound`), and every line below carries it: pod, node, device.
"""

from __future__ import annotations

import logging
import sys
from typing import cast

# Wherever rich is installed structlog draws tracebacks with it: 4 MiB and 50 ms, for boxes that no log wants.
_unasked = "rich" not in sys.modules
if _unasked:
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402

if _unasked:
    del sys.modules["rich"]


def configure(level: str = "warning", *, json: bool = False) -> None:
    """Send log lines to standard error.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``; lines below it are dropped.
        json: One JSON object per line, for machines; otherwise words, for people.
    """
    renderer = structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # Looked up per line: whoever replaces sys.stderr (a test, a pager) gets the lines.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one part of hetero, e.g. ``logger("placement")``."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(part=name))


bound = structlog.contextvars.bound_contextvars
