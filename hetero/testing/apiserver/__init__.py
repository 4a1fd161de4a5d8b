"""An API server in memory, for tests: real HTTP on loopback, Kubernetes' own semantics, faults on demand."""

from hetero.testing.apiserver.faults import Call
from hetero.testing.apiserver.proxies import Proxied
from hetero.testing.apiserver.server import ApiServer

__all__ = ["ApiServer", "Call", "Proxied"]
