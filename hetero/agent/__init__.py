"""The agent of a node: what its devices are, who holds which slots, and the slices of its pods.

Nothing is kept in memory alone: after a crash or a restart all of it is read again from the API server, the kubelet's
checkpoint and the slices' own records.
"""
