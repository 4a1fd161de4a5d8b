"""Starts the dashboard and keeps it running until it is told to stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import uvloop

from hetero import log, memory
from hetero.config import Settings
from hetero.errors import InvalidValue
from hetero.kube.client import Api
from hetero.listening import Address, address, guard, listen
from hetero.plugins import Plugins
from hetero.scheduler import collector
from hetero.scheduler.certificate import Certificate
from hetero.scheduler.server import Listener, Servers, until_told
from hetero.web.patience import Patient
from hetero.web.service import Service, decided

_log = log.logger("dashboard")


def run(  # noqa: PLR0913  one for each thing that a command line decides
    settings: Settings,
    plugins: Plugins,
    *,
    kubeconfig: str | None,
    context: str | None,
    insecure: bool = False,
    ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        settings: All of them.
        plugins: Vendors and scorers.
        kubeconfig: See :meth:`hetero.kube.client.Api.connect`.
        context: The same.
        insecure: Talk plain HTTP on any address.
        ready: Told the URL as soon as it is listened on.

    Raises:
        InvalidValue: An address cannot be used, or would be talked to in the clear.
        InvalidConfiguration: The kubeconfig or the certificate cannot be used.
    """
    memory.few_arenas()
    own = settings.dashboard
    where = address(own.listen, "dashboard.listen")
    auth, agents = decided(own, where)
    settings = msgspec.structs.replace(settings, dashboard=msgspec.structs.replace(own, auth=auth, agents=agents))
    certificate = Certificate(Path(own.tls_cert), Path(own.tls_key)) if own.tls_cert else None
    probed = address(own.health, "dashboard.health") if own.health else None
    guard(where, "dashboard.listen", encrypted=certificate is not None, insecure=insecure)
    api = Api.connect(kubeconfig, context, timeout=own.api_timeout)
    service = Service(api, plugins.vendors, plugins.scorers.values(), settings, where)
    listeners = _listeners(service, (where, probed), certificate)
    collector.rarely()
    service.start()
    ready(_url(listeners[0]))
    try:
        uvloop.run(until_told(Servers(listeners, service.retire)))
    finally:
        service.stop()
        _log.info("stopped")


def _listeners(
    service: Service, where: tuple[Address, Address | None], certificate: Certificate | None
) -> list[Listener]:
    pages, probes = where
    opened = listen(pages, "dashboard.listen")
    found = [Listener(service.pages, opened, certificate, "pages", Patient)]
    try:
        if probes is not None:
            found.append(Listener(service.probes, listen(probes, "dashboard.health"), None, "health", Patient))
    except InvalidValue:
        opened.close()
        raise
    return found


def _url(pages: Listener) -> str:
    host, port = pages.opened.getsockname()[:2]
    return f"{'https' if pages.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"
