"""From a placement on this node to what a program finds around it.

Decides in pure functions (:mod:`~hetero.allocation.environment`); acts in thin ones (:mod:`~hetero.allocation.local`).
"""
