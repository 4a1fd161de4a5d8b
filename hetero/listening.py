"""Where the service listens, and how safely."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from hetero.errors import InvalidValue


@dataclass(frozen=True)
class Address:
    """A host and a port; port 0 takes a free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """True when only this machine reaches it."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def address(text: str, field: str) -> Address:
    """Read ``HOST:PORT``, ``[::1]:PORT`` or ``:PORT``, which is every address of the machine.

    Args:
        text: What was written.
        field: Where, for the error.

    Raises:
        InvalidValue: It is no address.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise InvalidValue(field, text, "is no address; write HOST:PORT with a port from 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidValue(field, text, "is no address; write an IPv6 host in brackets: [::1]:9443")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104  as every server reads it


def guard(where: Address, field: str, *, encrypted: bool, insecure: bool) -> None:
    """Refuse to talk in the clear to other machines.

    Raises:
        InvalidValue: Without a certificate, on an address that others reach, and not told to.
    """
    if not encrypted and not insecure and not where.loopback:
        # A field without dashes is one of the configuration, whose neighbours name the certificate.
        section = "" if field.startswith("--") else f"{field.rpartition('.')[0]}."
        names = f"{section}tls_cert and {section}tls_key" if section else "--tls-cert and --tls-key"
        reason = f"is reached from other machines; give {names}, or say --insecure"
        raise InvalidValue(field, f"{where.host}:{where.port}", reason)


def listen(where: Address, field: str) -> socket.socket:
    """A listening socket; taken before anything else is started, so that a second instance says so at once.

    Raises:
        InvalidValue: The address is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((where.host, where.port))
        opened.listen(1024)
    except OSError as error:
        opened.close()
        raise InvalidValue(field, f"{where.host}:{where.port}", f"cannot be listened on: {error.strerror}") from error
    return opened
