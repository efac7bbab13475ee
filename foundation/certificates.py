"""The certificates of the TLS listeners: configured ones, or those of a local authority.

The local authority is made once, in `data_dir/tls`, and stations are told to believe it.
Its key never leaves that folder. The server's certificate is renewed at a start of the
platform when it ends soon or the names changed; the authority stays the same.
"""

import fcntl
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from foundation.clock import Clock, utc_now
from foundation.errors import DomainError, Kind
from foundation.settings import Settings

log = structlog.get_logger()

AUTHORITY_LIFE: Final = timedelta(days=3650 * 2)
SERVER_LIFE: Final = timedelta(days=397)
"""The longest that browsers believe (CA/Browser Forum, Baseline Requirements 6.3.2, 2020)."""
RENEW_BEFORE: Final = timedelta(days=30)


class BadCertificate(DomainError):
    """A certificate or its key is missing, unreadable or does not fit."""

    kind, code, title = Kind.UNAVAILABLE, "bad-certificate", "The certificate cannot be used"
    title_zh = "证书无法使用"


@dataclass(frozen=True, slots=True)
class Paths:
    """PEM files. `certificate` is the server's, with the authority's behind it."""

    ca: Path
    certificate: Path
    key: Path


def local_authority(data_dir: Path, names: Sequence[str], *, clock: Clock = utc_now) -> Paths:
    """A certificate for `names` (DNS names and IP addresses) from the local authority.

    Makes what is missing, renews what ends within 30 days or has other names, and leaves
    the rest alone. Two processes may call it at once: the second waits for the first.

    Raises:
        BadCertificate: a file there cannot be read. Nothing is overwritten then.
    """
    folder = data_dir / "tls"
    folder.mkdir(parents=True, exist_ok=True)
    paths = Paths(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    with _locked(folder / "lock"):
        try:
            authority = _authority(paths.ca, folder / "ca.key", clock)
            if not _fits(paths, authority[0], names, clock):
                _issue(paths, authority, names, clock)
        except (ValueError, TypeError) as error:
            raise BadCertificate(f"{folder}: {error}") from None
    return paths


def server_context(settings: Settings, *, clock: Clock = utc_now) -> ssl.SSLContext:
    """What a TLS listener needs: TLS 1.2 or later, and a certificate (see `Tls`).

    Raises:
        BadCertificate: the configured files are missing or do not fit together.
    """
    tls = settings.tls
    if tls.certificate is None:
        paths = local_authority(settings.data_dir, tls.names, clock=clock)
        certificate, key = paths.certificate, paths.key
    elif tls.key is None:
        raise BadCertificate("LINLI_TLS__KEY is missing beside LINLI_TLS__CERTIFICATE")
    else:
        certificate, key = tls.certificate, tls.key
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise BadCertificate(f"{certificate}: {error}") from None
    return context


def authority_pem(settings: Settings, *, clock: Clock = utc_now) -> str | None:
    """Whose certificates a station must believe; None when a public authority signed them."""
    if settings.tls.certificate is not None:
        return None
    return local_authority(settings.data_dir, settings.tls.names, clock=clock).ca.read_text()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


_Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _authority(ca: Path, key_file: Path, clock: Clock) -> _Authority:
    """Load the authority, or make it. The key is written first: half a pair is remade."""
    if ca.exists():
        if not key_file.exists():
            raise BadCertificate(f"{key_file} is missing beside {ca.name}")
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise BadCertificate(f"{key_file}: not an elliptic-curve key")
        return x509.load_pem_x509_certificate(ca.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "linli local authority")])
    made = (
        _builder(name, name, key, AUTHORITY_LIFE, clock)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, SHA256())
    )
    _write(key_file, _pem(key), 0o600)
    _write(ca, made.public_bytes(serialization.Encoding.PEM), 0o644)
    log.info("certificate.authority.made", path=str(ca))
    return made, key


def _issue(paths: Paths, authority: _Authority, names: Sequence[str], clock: Clock) -> None:
    ca, ca_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "linli")])
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    made = (
        _builder(subject, ca.subject, key, SERVER_LIFE, clock)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(ca_key, SHA256())
    )
    pem = serialization.Encoding.PEM
    _write(paths.key, _pem(key), 0o600)
    _write(paths.certificate, made.public_bytes(pem) + ca.public_bytes(pem), 0o644)
    log.info("certificate.issued", path=str(paths.certificate), names=list(names))


def _fits(paths: Paths, ca: x509.Certificate, names: Sequence[str], clock: Clock) -> bool:
    """Whether the server's certificate can stay: whole, ours, these names, not ending soon."""
    if not (paths.certificate.exists() and paths.key.exists()):
        return False
    made = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
    key = serialization.load_pem_private_key(paths.key.read_bytes(), None)
    has = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        made.public_key() == key.public_key()  # a crash between the two writes leaves them apart
        and made.issuer == ca.subject
        and set(has) == set(_alternatives(names))
        and made.not_valid_after_utc - clock() > RENEW_BEFORE
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    life: timedelta,
    clock: Clock,
) -> x509.CertificateBuilder:
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock() - timedelta(days=1))  # stations' clocks may be behind
        .not_valid_after(clock() + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Replace the file whole: a reader sees the old one or the new one."""
    draft = path.with_suffix(path.suffix + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
