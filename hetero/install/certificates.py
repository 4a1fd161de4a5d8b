"""A certificate for the webhook, and the authority that signed it. Pure but for the randomness of keys.

Each certificate has an authority of its own, whose key is thrown away as soon as it has signed: there is no key to
keep that could sign for anybody else, and renewing needs nothing that an attacker could read from the Secret. While
two authorities overlap, the API server trusts both.

Sources: RFC 5280 for the extensions; Kubernetes reference "Dynamic Admission Control": a webhook behind a Service is
called as ``<service>.<namespace>.svc``, and ``caBundle`` is a PEM bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CERTIFICATE, KEY, AUTHORITY = "tls.crt", "tls.key", "ca.crt"
"""Keys of a Secret of type ``kubernetes.io/tls``; the third is where cert-manager writes the authority as well."""

LIFETIME = timedelta(days=365)
EARLIER = timedelta(hours=1)
"""How long before it is made a certificate is valid: clocks of API servers differ."""

RENEWED_AFTER = 2 / 3
"""Part of its life after which a certificate is replaced. The third that is left is time to notice that it was not."""

KEPT = 3
"""Authorities in a bundle, the newest first: more than ever overlap, and too few for a loop to fill a Secret."""


class Files(msgspec.Struct, frozen=True):
    """A certificate as a Secret holds it, PEM.

    Attributes:
        certificate: The server's, for ``tls.crt``.
        key: Its key, unencrypted PKCS #8.
        authorities: Whoever signed this one first, then those of its predecessors that are still valid.
    """

    certificate: bytes
    key: bytes
    authorities: bytes

    @classmethod
    def of(cls, data: Mapping[str, bytes]) -> Files:
        """What a Secret's decoded data say; what is not there is empty."""
        return cls(data.get(CERTIFICATE, b""), data.get(KEY, b""), data.get(AUTHORITY, b""))

    def data(self) -> dict[str, bytes]:
        """The Secret's data."""
        return {CERTIFICATE: self.certificate, KEY: self.key, AUTHORITY: self.authorities}


def hosts(service: str, namespace: str) -> tuple[str, ...]:
    """The names under which a Service is called; the API server uses the first."""
    return f"{service}.{namespace}.svc", f"{service}.{namespace}"


def issue(names: Iterable[str], now: datetime, lifetime: timedelta = LIFETIME, before: bytes = b"") -> Files:
    """A new certificate from a new authority.

    Args:
        names: DNS names that it is for; at least one.
        now: The time.
        lifetime: How long it is valid.
        before: The authorities of the certificate that it replaces (PEM); those still valid stay trusted.
    """
    signer, served = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    wanted = list(names)
    authority = _authority(signer, now, lifetime)
    certificate = _certificate(served.public_key(), wanted, authority, signer, now, lifetime)
    return Files(
        _pem(certificate),
        served.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        bundle(_pem(authority), before, now),
    )


def bundle(newest: bytes, before: bytes, now: datetime) -> bytes:
    """Authorities that may be trusted: the newest, then those before it that are still valid, each once."""
    found = dict.fromkeys([*_read(newest), *(one for one in _read(before) if one.not_valid_after_utc > now)])
    return b"".join(_pem(one) for one in list(found)[:KEPT])


def due(files: Files, names: Iterable[str], now: datetime) -> str:
    """Why a certificate must be replaced, in words for the log; empty when it need not.

    Args:
        files: What the Secret has.
        names: DNS names that it must be for.
        now: The time.
    """
    served, authorities = _read(files.certificate), _read(files.authorities)
    if not served or not authorities:
        return "there is none that can be read"
    if not _fits(served[0], files.key):
        return "it does not fit its key"
    if not _signed(served[0], authorities):
        return "none of the authorities beside it signed it"
    if missing := sorted(set(names) - set(_names(served[0]))):
        return f"it is not for {', '.join(missing)}"
    if now < (begin := served[0].not_valid_before_utc):
        # Made where a clock was ahead; until that time the API server would refuse pods with devices.
        return f"it is not valid before {_day(begin)}"
    return f"it has been valid since {_day(served[0].not_valid_before_utc)}" if now >= renewal(files) else ""


def renewal(files: Files) -> datetime:
    """When a readable certificate is to be replaced."""
    [certificate, *_] = _read(files.certificate)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return begin + (end - begin) * RENEWED_AFTER


def expiry(files: Files) -> datetime:
    """When a readable certificate ends."""
    return _read(files.certificate)[0].not_valid_after_utc


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime, lifetime: timedelta) -> x509.Certificate:
    # Two authorities with one name and different keys would confuse whoever looks a signer up by name.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"hetero webhook {now:%Y-%m-%d} {token_hex(4)}")])
    usage = _usage(key_cert_sign=True, crl_sign=True)
    built = (
        _builder(name, name, key.public_key(), now, lifetime)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return built.sign(key, hashes.SHA256())


def _certificate(  # noqa: PLR0913, PLR0917  what a certificate says
    key: ec.EllipticCurvePublicKey,
    names: list[str],
    authority: x509.Certificate,
    signer: ec.EllipticCurvePrivateKey,
    now: datetime,
    lifetime: timedelta,
) -> x509.Certificate:
    # The names are in the extension alone: the common name of a subject has room for 64 signs.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hetero webhook")])
    built = (
        _builder(subject, authority.subject, key, now, lifetime)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    return built.sign(signer, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return built.serial_number(_serial()).not_valid_before(now - EARLIER).not_valid_after(now + lifetime)


def _usage(**true: bool) -> x509.KeyUsage:
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
    return x509.KeyUsage(**{name: true.get(name, False) for name in names})


def _serial() -> int:
    return x509.random_serial_number()


def _read(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a bundle; of one that is damaged none, so that it is replaced."""
    try:
        return x509.load_pem_x509_certificates(pem) if pem.strip() else []
    except ValueError:
        return []


def _fits(certificate: x509.Certificate, key: bytes) -> bool:
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        return False
    return private.public_key() == certificate.public_key()


def _signed(certificate: x509.Certificate, authorities: Iterable[x509.Certificate]) -> bool:
    return any(_issued(certificate, one) for one in authorities)


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except Exception:  # a key of another kind, another name, a signature that is not its own: all the same to us
        return False
    return True


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _day(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%d")
