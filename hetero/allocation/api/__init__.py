"""The kubelet's own protocols, as far as hetero speaks them.

The messages are generated: after a change of a ``.proto`` file run, from the root of the repository,
``python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. hetero/allocation/api/*.proto``; a test compares.
:mod:`~hetero.allocation.api.methods` names the calls, :mod:`~hetero.allocation.api.door` is all that knows gRPC.
"""
