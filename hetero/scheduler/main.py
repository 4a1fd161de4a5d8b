"""Starts the service and keeps it running until it is told to stop."""

from __future__ import annotations

from pathlib import Path

import uvloop

from hetero import log
from hetero.config import SchedulerSettings, Settings
from hetero.kube.client import Api
from hetero.listening import Address, address, guard, listen
from hetero.plugins import Plugins
from hetero.scheduler import collector
from hetero.scheduler.certificate import Certificate
from hetero.scheduler.server import Listener, Servers, until_told
from hetero.scheduler.service import Service

_log = log.logger("scheduler")


def run(
    settings: Settings, plugins: Plugins, *, kubeconfig: str | None, context: str | None, insecure: bool = False
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: All of them.
        plugins: Vendors and scorers.
        kubeconfig: See :meth:`hetero.kube.client.Api.connect`.
        context: The same.
        insecure: Talk plain HTTP on any address.

    Raises:
        InvalidValue: An address cannot be used, or would be talked to in the clear.
        InvalidConfiguration: The kubeconfig or the certificate cannot be used.
    """
    own = settings.scheduler
    certificate = Certificate(Path(own.tls_cert), Path(own.tls_key)) if own.tls_cert else None
    wanted = addresses(own, encrypted=certificate is not None, insecure=insecure)
    api = Api.connect(kubeconfig, context, timeout=own.api_timeout)
    service = Service(api, plugins.vendors, plugins.scorers.values(), settings)
    first, others = wanted[0], wanted[1:]
    inside = _unless_inside(certificate, first)
    listeners = [Listener(service.extender, listen(first, "--extender"), inside, "extender")]
    listeners += [Listener(service.public, listen(one, "--public"), certificate, "public") for one in others]
    collector.rarely()
    service.start(collector.keep)
    try:
        uvloop.run(until_told(Servers(listeners, service.retire)))
    finally:
        service.stop()
        _log.info("stopped")


def addresses(own: SchedulerSettings, *, encrypted: bool, insecure: bool) -> list[Address]:
    """Where to listen: for kube-scheduler, and for the API server if that is wanted.

    Raises:
        InvalidValue: One is no address, or would be talked to in the clear.
    """
    found = [address(own.extender, "--extender")]
    if own.public:
        found.append(address(own.public, "--public"))
    for one, field in zip(found, ("--extender", "--public"), strict=False):
        guard(one, field, encrypted=encrypted, insecure=insecure)
    return found


def _unless_inside(certificate: Certificate | None, where: Address) -> Certificate | None:
    """kube-scheduler beside us needs no encryption; it would cost a handshake for each connection."""
    return None if where.loopback else certificate
