"""The interface is asked for minutes what its description allows, and more; for ``make test-web``."""

from __future__ import annotations

import os

os.environ.setdefault("HETERO_FUZZ_EXAMPLES", "60")

from test_openapi import test_whatever_is_asked_is_answered_as_described

__all__ = ["test_whatever_is_asked_is_answered_as_described"]
