"""From a placement on this node to what a program finds around it.

Decides in pure functions (:mod:`~hetero.allocation.environment`, :mod:`~hetero.allocation.cdi`); acts in thin ones: on
one machine :mod:`~hetero.allocation.local`, in a cluster :mod:`~hetero.allocation.plugin`, which offers slots to the
kubelet and binds them when a container starts. How, and why so: ``docs/explanation/late-binding.md``.
"""
