"""Certificates and TLS contexts, ours and what we think of others'.

ensure_certificate() makes a self-signed certificate once, when the operator has given none.
server_context() is the one context of all listeners; it notices by itself when the files change.
client_context() is for connections to others; judge() says what a certificate was worth when it did not
have to be good (opportunistic TLS, RFC 7435).
"""

import asyncio
import contextlib
import datetime as dt
import fcntl
import functools
import ipaddress
import os
import re
import ssl
import threading
import warnings
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from mailcore import limits
from mailcore.outside import clock

log = structlog.stdlib.get_logger(__name__)
_OURS = "Hostmail self-signed"

# What judge() says.
VERIFIED, SELF_SIGNED, UNTRUSTED, MISMATCH, EXPIRED, UNKNOWN = (
    "verified",
    "self-signed",
    "untrusted",
    "mismatch",
    "expired",
    "unknown",
)


# --- Our certificate -------------------------------------------------------------------------------------


def ensure_certificate(config: Any = settings) -> tuple[Path, Path]:
    """Return the paths of certificate and key, after making a self-signed pair if there is none.

    A pair that we made is made anew when it nears its end or the host name has changed; files that the
    operator named are never touched. Safe when several processes start at once.
    Raises ImproperlyConfigured when files outside the data folder are missing.
    """
    cert, key = Path(config.HOSTMAIL_TLS_CERT), Path(config.HOSTMAIL_TLS_KEY)
    folder = Path(config.HOSTMAIL_DATA_DIR) / "tls"
    if cert.parent != folder or key.parent != folder:
        if missing := next((path for path in (cert, key) if not path.is_file()), None):
            raise ImproperlyConfigured(f"{missing}, named by HOSTMAIL_TLS_CERT or _KEY, does not exist")
        return cert, key
    if not _is_good(cert, key, config.HOSTMAIL_HOSTNAME):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder / "lock"):
            if not _is_good(cert, key, config.HOSTMAIL_HOSTNAME):  # nobody else was quicker
                _make(cert, key, config.HOSTMAIL_HOSTNAME)
    return cert, key


def _is_good(cert: Path, key: Path, host: str) -> bool:
    """Whether the pair is there and, if it is one of ours, fits the host name and lasts a while."""
    if not (cert.is_file() and key.is_file()):
        return False
    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        units = found.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        if [unit.value for unit in units] != [_OURS]:
            return True
        names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        days = (found.not_valid_after_utc - clock.now()).days
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except ValueError:
        return False
    fits = private.public_key() == found.public_key()
    return fits and days > limits.CERTIFICATE_RENEW_DAYS and names[0].value == host[:64]


def _make(cert: Path, key: Path, host: str) -> None:
    """Write a new key (RFC 5480 P-256) and its self-signed certificate, the key first."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, host[:64]),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, _OURS),
        ]
    )
    local = [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")]
    subjects = [*(x509.DNSName(each) for each in {host, "localhost"}), *map(x509.IPAddress, local)]
    start = clock.now() - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=limits.CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(subjects), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _replace(key, pem, 0o600)
    _replace(cert, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    log.info("made a self-signed certificate", host=host, path=str(cert))


def _replace(path: Path, octets: bytes, mode: int) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.new")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(handle, "wb") as file:
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- As a server -----------------------------------------------------------------------------------------

_server: tuple[tuple[Path, Path], ssl.SSLContext] | None = None
_server_lock = threading.Lock()


def server_context() -> ssl.SSLContext:
    """Return the context of our listeners: TLS 1.2 and later (RFC 8996), forward secrecy, the given pair.

    Callers keep it; new files are noticed within CERTIFICATE_CHECK_SECONDS, at a handshake.
    """
    global _server
    pair = ensure_certificate()
    with _server_lock:
        if _server is None or _server[0] != pair:
            _server = pair, make_server_context(*pair)
        return _server[1]


def make_server_context(cert: Path, key: Path) -> ssl.SSLContext:
    """Return a context for this pair, that follows the files when they change."""
    context = _fresh_server_context(cert, key)
    # set_servername_callback runs in each handshake, also when the client names no server.
    context.sni_callback = _Follower(cert, key)
    return context


def _fresh_server_context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    pem = b""
    while pem != (pem := cert.read_bytes()):  # what was loaded is what was read
        context.load_cert_chain(cert, key)
    _endpoints[context] = _endpoint(pem)
    return context


_endpoints: weakref.WeakKeyDictionary[ssl.SSLContext, bytes] = weakref.WeakKeyDictionary()


def _endpoint(pem: bytes) -> bytes:
    """The certificate's hash, by the function of its own signature but no weaker than SHA-256.

    Empty where that names none (RFC 5929 §4.1).
    """
    certificate = x509.load_pem_x509_certificate(pem)
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None:
        return b""
    if isinstance(algorithm, hashes.MD5 | hashes.SHA1):
        algorithm = hashes.SHA256()
    return certificate.fingerprint(algorithm)


def endpoint_of(transport: asyncio.BaseTransport | None) -> bytes:
    """What a connection to us can be bound to, tls-server-end-point (RFC 5929 §4); empty without TLS."""
    connection = transport.get_extra_info("ssl_object") if transport is not None else None
    return _endpoints.get(connection.context, b"") if connection is not None else b""


class _Follower:
    """Called in each handshake: hands over to a new context once the files have changed."""

    def __init__(self, cert: Path, key: Path) -> None:
        self._pair = cert, key
        self._seen = self._stamp()
        self._check_at = clock.monotonic() + limits.CERTIFICATE_CHECK_SECONDS
        self._newer: ssl.SSLContext | None = None

    def __call__(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if clock.monotonic() >= self._check_at:
            self._check_at = clock.monotonic() + limits.CERTIFICATE_CHECK_SECONDS
            self._look()
        if self._newer is not None:
            connection.context = self._newer

    def _look(self) -> None:
        try:
            stamp = self._stamp()
            if stamp != self._seen:
                self._newer = _fresh_server_context(*self._pair)
                self._seen = stamp
                log.info("certificate has changed", path=str(self._pair[0]))
        except (OSError, ssl.SSLError) as error:
            # Half written, or key and certificate do not fit yet: the old pair serves on.
            log.warning("cannot load the new certificate", path=str(self._pair[0]), error=str(error))

    def _stamp(self) -> list[tuple[int, int, int]]:
        stats = [path.stat() for path in self._pair]
        return [(stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats]


# --- As a client -----------------------------------------------------------------------------------------


@functools.cache
def client_context(verify: bool) -> ssl.SSLContext:
    """Return the context for connections to others: with verify their certificate must be good.

    Without it anything is taken that encrypts, as the choice is between that and no TLS at all; judge()
    then says what the certificate was worth.
    """
    context = ssl.create_default_context(cafile=str(_roots_file()))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Small keys and SHA-1 signatures are still better than plain text.
        context.set_ciphers("DEFAULT:@SECLEVEL=1")
    return context


def chain_of(connection: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates that the peer showed, its own first, in DER."""
    # Public from Python 3.13 on (SSLSocket.get_unverified_chain); 3.10 to 3.12 have it one level down.
    inner: Any = getattr(connection, "_sslobj", None)
    if hasattr(inner, "get_unverified_chain"):
        return [certificate.public_bytes(2) for certificate in inner.get_unverified_chain() or []]
    own = connection.getpeercert(binary_form=True)
    return [own] if own else []


def judge(chain: Sequence[bytes], host: str, roots: Sequence[x509.Certificate] | None = None) -> str:
    """Say what a chain of DER certificates is worth for host: VERIFIED, or the first thing wrong with it."""
    try:
        own, *others = [x509.load_der_x509_certificate(der) for der in chain]
    except ValueError:
        return UNKNOWN
    if own.issuer == own.subject:
        return SELF_SIGNED
    if not own.not_valid_before_utc <= clock.now() <= own.not_valid_after_utc:
        return EXPIRED
    wanted = _subject(host)
    present = _names(own)
    if not present:
        return MISMATCH
    store = Store(list(roots) if roots is not None else _system_roots())
    if _is_verified(own, others, store, wanted):
        return VERIFIED
    # Right for one of its own names, then the name is what is wrong; else nobody we trust signed it.
    return MISMATCH if any(_is_verified(own, others, store, name) for name in present[:20]) else UNTRUSTED


Subject = x509.DNSName | x509.IPAddress


# The default rules are those of browsers, and stricter about marks and fields than mail hosts have ever been.
# Nothing is decided by this verdict: where a certificate must be good, OpenSSL checks it in the handshake.
_EXTENSIONS = {
    "ca_policy": ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, None
    ),
    "ee_policy": ExtensionPolicy.permit_all().require_present(
        x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
    ),
}


def _is_verified(
    own: x509.Certificate, others: Sequence[x509.Certificate], store: Store, subject: Subject
) -> bool:
    try:
        policy = PolicyBuilder().store(store).time(clock.now()).extension_policies(**_EXTENSIONS)
        policy.build_server_verifier(subject).verify(own, list(others))
    except (VerificationError, ValueError):
        return False
    return True


def _subject(host: str) -> Subject:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.rstrip("."))


def _names(certificate: x509.Certificate) -> list[Subject]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return []
    names: list[Subject] = []
    for name in extension.value:
        if isinstance(name, x509.DNSName):
            # A wildcard matches one label: any will do to try it.
            names.append(x509.DNSName(name.value.replace("*", "any", 1)))
        elif isinstance(name, x509.IPAddress):
            names.append(name)
    return names


@functools.cache
def _system_roots() -> list[x509.Certificate]:
    """Return the certificate authorities that the system trusts."""
    blocks = re.findall(
        b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", _roots_file().read_bytes(), re.DOTALL
    )
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some old authorities have odd serial numbers
        for block in blocks:
            with contextlib.suppress(ValueError):
                found.append(x509.load_pem_x509_certificate(block))
    return found


def _roots_file() -> Path:
    """Return the file of trusted authorities: what SSL_CERT_FILE or OpenSSL name, the system's, certifi's."""
    import certifi  # comes with httpx

    known = (
        ssl.get_default_verify_paths().cafile,
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/cert.pem",
    )
    return next(path for path in map(Path, [*filter(None, known), certifi.where()]) if path.is_file())


def forget_all() -> None:
    """Forget contexts and authorities; for tests."""
    global _server
    _server = None
    client_context.cache_clear()
    _system_roots.cache_clear()
