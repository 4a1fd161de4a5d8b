"""The collector is kept out of the way in a process of its own, not in the tests'."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from hetero.scheduler import collector
collector.rarely()
before = gc.get_freeze_count()
class Cycle: pass
one = Cycle(); one.itself = one; del one
collector.keep()
print(gc.get_threshold() == collector.THRESHOLDS, before == 0, gc.get_freeze_count() > 1000)
print(any(isinstance(one, Cycle) for one in gc.get_objects()))
"""


def test_what_was_read_first_is_not_looked_at_again() -> None:
    """What is garbage then goes; the rest is frozen, and the young are looked at rarely."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=600, check=True)
    assert ran.stdout.split() == ["True", "True", "True", "False"]
