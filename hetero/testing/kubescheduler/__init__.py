"""A small kube-scheduler for tests that have no real one: one loop, honest about what an extender sees of the other.

It queues pods by priority, filters nodes by selector, required affinity, taints and totals, asks the extender over
HTTP, assumes the pod on the best node, binds in other threads while the next pod is looked at, and tries again
with back-off. What it lacks, and tests need a real one for: preemption, topology spread, volumes, scores of its own.
"""

from __future__ import annotations

from hetero.testing.kubescheduler.extender import Extender, ExtenderFailed
from hetero.testing.kubescheduler.loop import KubeScheduler

__all__ = ["Extender", "ExtenderFailed", "KubeScheduler"]
