"""Certificates: what is in them, when they are replaced, and that a TLS client believes them."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.install import certificates
from hetero.install.certificates import Files

HOSTS = certificates.hosts("hetero-scheduler", "kube-system")
DAY = timedelta(days=1)


def read(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a bundle."""
    return x509.load_pem_x509_certificates(pem)


def shaken(files: Files, place: Path, trusted: bytes, host: str) -> str:
    """A handshake with a server that has these files; what the client says of it."""
    (place / "c").write_bytes(files.certificate)
    (place / "k").write_bytes(files.key)
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(place / "c", place / "k")
    client = ssl.create_default_context(cadata=trusted.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            try:
                served.wrap_socket(connection, server_side=True).close()
            except (ssl.SSLError, OSError):
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with (
                socket.create_connection(listener.getsockname()) as plain,
                client.wrap_socket(plain, server_hostname=host) as tunnel,
            ):
                return f"{tunnel.version()}"
        except ssl.SSLError as error:
            return str(error)
        finally:
            thread.join()


def test_a_service_is_called_by_its_name() -> None:
    """The first name is the one that the API server checks."""
    assert HOSTS == ("hetero-scheduler.kube-system.svc", "hetero-scheduler.kube-system")


def test_a_client_that_is_strict_believes_it(tmp_path: Path) -> None:
    """With the authority as its only trust, by OpenSSL's strictest reading of RFC 5280."""
    files = certificates.issue(HOSTS, datetime.now().astimezone())
    assert shaken(files, tmp_path, files.authorities, HOSTS[0]).startswith("TLS")


def test_a_client_that_wants_another_name_does_not(tmp_path: Path) -> None:
    """The certificate is for one Service."""
    files = certificates.issue(HOSTS, datetime.now().astimezone())
    assert "Hostname mismatch" in shaken(files, tmp_path, files.authorities, "other.kube-system.svc")


def test_while_two_overlap_both_are_believed(tmp_path: Path) -> None:
    """The bundle of the new one trusts the old one as well: a pod may serve it for another minute."""
    now = datetime.now().astimezone()
    old = certificates.issue(HOSTS, now)
    new = certificates.issue(HOSTS, now, before=old.authorities)
    assert shaken(old, tmp_path, new.authorities, HOSTS[0]).startswith("TLS")
    assert shaken(new, tmp_path, new.authorities, HOSTS[0]).startswith("TLS")
    assert "unable to get local issuer" in shaken(new, tmp_path, old.authorities, HOSTS[0])


def test_what_a_certificate_says(now: datetime) -> None:
    """P-256 on both sides, valid for a year from an hour ago, for servers alone, and no authority itself."""
    files = certificates.issue(HOSTS, now)
    [served], [authority] = read(files.certificate), read(files.authorities)
    assert served.not_valid_before_utc == now - timedelta(hours=1)
    assert served.not_valid_after_utc == now + timedelta(days=365)
    assert authority.not_valid_after_utc == served.not_valid_after_utc
    for one in (served, authority):
        assert one.public_key().curve.name == "secp256r1"  # type: ignore[union-attr]
    usage = served.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert not served.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_every_authority_is_another(now: datetime) -> None:
    """Its key is nowhere in the files, and its name is its own."""
    one, other = certificates.issue(HOSTS, now), certificates.issue(HOSTS, now)
    assert read(one.authorities)[0].subject != read(other.authorities)[0].subject
    assert one.key != other.key
    assert b"PRIVATE KEY" not in one.certificate + one.authorities
    assert one.key.count(b"BEGIN") == 1


def test_a_fresh_one_stays(now: datetime) -> None:
    """Nothing is due, and it is known when something will be."""
    files = certificates.issue(HOSTS, now)
    assert certificates.due(files, HOSTS, now) == ""
    assert certificates.expiry(files) == now + timedelta(days=365)
    assert now + 243 * DAY < certificates.renewal(files) < now + 244 * DAY


@settings(deadline=None)
@given(st.integers(1, 3650), st.floats(0, 2))
def test_it_is_replaced_after_two_thirds_of_its_life(days: int, part: float) -> None:
    """Before that it stays, afterwards it is due, and however late one comes."""
    now = datetime.fromisoformat("2026-11-29T12:00:00+00:00")
    files = certificates.issue(HOSTS, now, timedelta(days=days))
    begin, end = now - certificates.EARLIER, now + timedelta(days=days)
    looked = begin + (end - begin) * part
    # Certificates know whole seconds.
    if abs(looked - certificates.renewal(files)) > timedelta(seconds=2):
        assert bool(certificates.due(files, HOSTS, looked)) == (part > certificates.RENEWED_AFTER)


def test_one_of_a_clock_that_was_ahead_is_replaced(now: datetime) -> None:
    """No client believes it before its time, and the next job need not wait for that."""
    early = certificates.issue(HOSTS, now + 30 * DAY)
    begin = now + 30 * DAY - certificates.EARLIER
    assert certificates.due(early, HOSTS, now) == f"it is not valid before {begin:%Y-%m-%d}"
    made = certificates.issue(HOSTS, now, before=early.authorities)
    assert certificates.due(made, HOSTS, now) == ""
    ahead = certificates.issue(HOSTS, now + certificates.EARLIER)
    assert certificates.due(ahead, HOSTS, now) == ""


def test_it_is_replaced_when_the_service_has_another_name(now: datetime) -> None:
    """The release was renamed, or the Secret is of another."""
    files = certificates.issue(HOSTS, now)
    assert certificates.due(files, ("other.kube-system.svc",), now) == "it is not for other.kube-system.svc"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one, _: Files(b"", b"", b""), "there is none that can be read"),
        (lambda one, _: Files(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", one.key,
                              one.authorities), "there is none that can be read"),
        (lambda one, _: Files(one.certificate, one.key, b"damaged"), "there is none that can be read"),
        (lambda one, other: Files(one.certificate, other.key, one.authorities), "it does not fit its key"),
        (lambda one, _: Files(one.certificate, b"damaged", one.authorities), "it does not fit its key"),
        (lambda one, other: Files(one.certificate, one.key, other.authorities),
         "none of the authorities beside it signed it"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_replaced(change, reason: str, now: datetime) -> None:
    """Nothing there, something damaged, parts of two: the reason is told, and nothing raises."""
    one, other = certificates.issue(HOSTS, now), certificates.issue(HOSTS, now)
    assert certificates.due(change(one, other), HOSTS, now) == reason


@settings(deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_replaced(certificate: bytes, key: bytes, authorities: bytes) -> None:
    """Whatever somebody wrote into the Secret."""
    now = datetime.fromisoformat("2026-11-29T12:00:00+00:00")
    assert certificates.due(Files(certificate, key, authorities), HOSTS, now)
    assert len(read(certificates.issue(HOSTS, now, before=authorities).authorities)) == 1


def test_a_bundle_forgets_what_has_ended(now: datetime) -> None:
    """Old authorities go when they are not valid any more, and there are never more than three."""
    files = certificates.issue(HOSTS, now)
    for day in range(1, 6):
        files = certificates.issue(HOSTS, now + day * DAY, before=files.authorities)
    assert len(read(files.authorities)) == certificates.KEPT
    later = certificates.issue(HOSTS, now + 400 * DAY, before=files.authorities)
    assert len(read(later.authorities)) == 1


def test_a_secret_is_read_as_it_was_written(now: datetime) -> None:
    """Keys are those of a TLS Secret, and what is missing is empty."""
    files = certificates.issue(HOSTS, now)
    assert Files.of(files.data()) == files
    assert set(files.data()) == {"tls.crt", "tls.key", "ca.crt"}
    assert Files.of({}) == Files(b"", b"", b"")
