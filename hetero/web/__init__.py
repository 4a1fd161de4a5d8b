"""The dashboard: what a cluster has, who uses it, who waits and why. Read-only.

It follows the API server as the scheduler does, with a ledger of its own, asks the agents of the nodes what is really
used, and shows both as pages and as an interface under ``/api/v1``.
"""
