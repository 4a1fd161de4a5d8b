"""Where pods go: a ledger of every device, what fits, what is best, and why the rest does not serve.

Pure and deterministic: no I/O, no clock, no randomness; the same calls in the same order give the same answers. Only
this package, and the dashboard that reads its columns, import numpy.
"""

from hetero.placement.planner import Planner
from hetero.placement.score import Policy, Scorer

__all__ = ["Planner", "Policy", "Scorer"]
