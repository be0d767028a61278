"""Our certificate, the contexts, and what other hosts' certificates are worth."""

import datetime as dt
import multiprocessing
import os
import socket
import ssl
import threading
from types import SimpleNamespace

import pytest
import trustme
from cryptography import x509
from django.core.exceptions import ImproperlyConfigured

from mailcore import limits
from mailcore.outside import tls
from tests.fakes.clock import FakeClock


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "data" / "tls"
    tls.forget_all()
    yield SimpleNamespace(
        HOSTMAIL_DATA_DIR=tmp_path / "data",
        HOSTMAIL_TLS_CERT=folder / "cert.pem",
        HOSTMAIL_TLS_KEY=folder / "key.pem",
        HOSTMAIL_HOSTNAME="mail.example.org",
    )
    tls.forget_all()


def talk(server, client, name="mail.example.org"):
    """Shake hands over a socket pair; return (client socket's facts) as a namespace."""
    here, there = socket.socketpair()
    errors = []

    def serve():
        try:
            with server.wrap_socket(there, server_side=True) as wrapped:
                wrapped.sendall(b"x")
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=name) as wrapped:
            wrapped.recv(1)
            return SimpleNamespace(
                version=wrapped.version(),
                cipher=wrapped.cipher()[0],
                chain=tls.chain_of(wrapped),
                own=wrapped.getpeercert(binary_form=True),
            )
    finally:
        here.close()
        thread.join(5)
        there.close()


# --- Our certificate -------------------------------------------------------------------------------------


def test_makes_a_certificate_for_the_host_once(config):
    cert, key = tls.ensure_certificate(config)
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"mail.example.org", "localhost"}
    assert found.public_key().curve.name == "secp256r1"
    before = cert.read_bytes()
    assert tls.ensure_certificate(config) == (cert, key)
    assert cert.read_bytes() == before
    assert sorted(path.name for path in key.parent.iterdir()) == ["cert.pem", "key.pem", "lock"]


def test_makes_a_certificate_that_openssl_accepts(config):
    cert, key = tls.ensure_certificate(config)
    client = ssl.create_default_context(cafile=cert)
    assert talk(tls.make_server_context(cert, key), client).version == "TLSv1.3"
    assert talk(tls.make_server_context(cert, key), client, "localhost").version == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        talk(tls.make_server_context(cert, key), client, "other.example.org")


def test_makes_its_own_anew_when_name_or_time_require(config):
    cert, key = tls.ensure_certificate(config)
    first = cert.read_bytes()
    config.HOSTMAIL_HOSTNAME = "other.example.org"
    tls.ensure_certificate(config)
    second = cert.read_bytes()
    assert second != first
    with FakeClock(dt.datetime.now(dt.UTC)) as clock:
        clock.advance(days=limits.CERTIFICATE_DAYS - limits.CERTIFICATE_RENEW_DAYS - 10)
        tls.ensure_certificate(config)
        assert cert.read_bytes() == second
        clock.advance(days=20)
        tls.ensure_certificate(config)
        assert cert.read_bytes() != second
    ssl.create_default_context().load_cert_chain(cert, key)


def test_repairs_half_a_pair_and_a_pair_that_does_not_fit(config):
    cert, key = tls.ensure_certificate(config)
    for damage in (
        cert.unlink,
        key.unlink,
        lambda: cert.write_bytes(b""),
        lambda: key.write_bytes(b"x"),
        lambda: tls._make(cert, key.with_name("elsewhere.pem"), "mail.example.org"),
    ):
        damage()
        tls.ensure_certificate(config)
        ssl.create_default_context().load_cert_chain(cert, key)


def test_never_touches_what_the_operator_gave(config, tmp_path):
    authority = trustme.CA()
    pair = authority.issue_cert("other.example.org")
    config.HOSTMAIL_TLS_CERT.parent.mkdir(parents=True)
    config.HOSTMAIL_TLS_CERT.write_bytes(pair.cert_chain_pems[0].bytes())
    config.HOSTMAIL_TLS_KEY.write_bytes(pair.private_key_pem.bytes())
    before = config.HOSTMAIL_TLS_CERT.read_bytes()
    tls.ensure_certificate(config)
    assert config.HOSTMAIL_TLS_CERT.read_bytes() == before
    config.HOSTMAIL_TLS_CERT = tmp_path / "given.pem"
    with pytest.raises(ImproperlyConfigured, match=r"given\.pem"):
        tls.ensure_certificate(config)
    assert not config.HOSTMAIL_TLS_CERT.exists()


def _ensure(folder, results):
    config = SimpleNamespace(
        HOSTMAIL_DATA_DIR=folder,
        HOSTMAIL_TLS_CERT=folder / "tls" / "cert.pem",
        HOSTMAIL_TLS_KEY=folder / "tls" / "key.pem",
        HOSTMAIL_HOSTNAME="mail.example.org",
    )
    cert, key = tls.ensure_certificate(config)
    ssl.create_default_context().load_cert_chain(cert, key)
    results.put(cert.read_bytes())


def test_is_made_once_when_processes_start_together(tmp_path):
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    children = [context.Process(target=_ensure, args=(tmp_path / "data", results)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    assert [child.exitcode for child in children] == [0] * 4
    assert len({results.get() for _ in children}) == 1


# --- As a server -----------------------------------------------------------------------------------------


def test_shares_one_context(config, settings):
    for name, value in vars(config).items():
        setattr(settings, name, value)
    assert tls.server_context() is tls.server_context()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_speaks_modern_tls_with_forward_secrecy(config, version):
    server = tls.make_server_context(*tls.ensure_certificate(config))
    client = tls.client_context(False)
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = version
    found = talk(server, client)
    assert found.version == version.name.replace("_", ".")
    assert found.cipher.startswith(("ECDHE", "TLS_"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_refuses_old_tls_and_weak_ciphers(config):
    server = tls.make_server_context(*tls.ensure_certificate(config))
    assert server.minimum_version == ssl.TLSVersion.TLSv1_2
    for ciphers, version in (("AES128-SHA:@SECLEVEL=0", "TLSv1_2"), ("ALL:@SECLEVEL=0", "TLSv1_1")):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.set_ciphers(ciphers)
        client.minimum_version = ssl.TLSVersion.TLSv1
        client.maximum_version = ssl.TLSVersion[version]
        with pytest.raises((ssl.SSLError, ConnectionError)):
            talk(server, client)


def test_serves_new_files_without_a_restart(config, caplog):
    client = tls.client_context(False)
    with FakeClock(dt.datetime.now(dt.UTC)) as clock:
        cert, key = tls.ensure_certificate(config)
        server = tls.make_server_context(cert, key)
        first = talk(server, client).own
        tls._make(cert, key, "new.example.org")
        assert talk(server, client).own == first  # not yet looked
        clock.advance(limits.CERTIFICATE_CHECK_SECONDS)
        second = talk(server, client).own
        assert second != first
        assert talk(server, client).own == second
        key.write_bytes(b"half wri")
        clock.advance(limits.CERTIFICATE_CHECK_SECONDS)
        assert talk(server, client).own == second
        assert "cannot load the new certificate" in caplog.text
        tls._make(cert, key, "newest.example.org")
        clock.advance(limits.CERTIFICATE_CHECK_SECONDS)
        assert talk(server, client).own not in (first, second)
        cert.unlink()
        clock.advance(limits.CERTIFICATE_CHECK_SECONDS)
        assert talk(server, client).version == "TLSv1.3"


# --- As a client -----------------------------------------------------------------------------------------


@pytest.fixture
def authority():
    return trustme.CA()


def server_of(pair):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair.configure_cert(context)
    return context


def roots(authority):
    return [x509.load_pem_x509_certificate(authority.cert_pem.bytes())]


def test_verifies_only_when_told(authority, tmp_path, monkeypatch):
    (tmp_path / "roots.pem").write_bytes(authority.cert_pem.bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    tls.forget_all()
    good, other = (
        server_of(authority.issue_cert("mail.example.org")),
        server_of(trustme.CA().issue_cert("x.org")),
    )
    assert talk(good, tls.client_context(True)).version == "TLSv1.3"
    assert talk(other, tls.client_context(False)).version == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        talk(other, tls.client_context(True))
    with pytest.raises(ssl.SSLCertVerificationError):
        talk(good, tls.client_context(True), "elsewhere.org")
    assert tls.judge(talk(good, tls.client_context(False)).chain, "mail.example.org") == tls.VERIFIED
    tls.forget_all()


def test_finds_authorities_on_this_machine():
    assert len(tls._system_roots()) > 10


def test_sees_the_whole_chain(authority):
    below = authority.create_child_ca()
    found = talk(server_of(below.issue_cert("mail.example.org")), tls.client_context(False))
    assert len(found.chain) >= 2
    assert tls.judge(found.chain, "mail.example.org", roots(authority)) == tls.VERIFIED
    assert tls.judge(found.chain[:1], "mail.example.org", roots(authority)) == tls.UNTRUSTED


def test_takes_no_host_for_an_authority(authority):
    """A leaf of a trusted authority signs another one: forged."""
    leaf = authority.issue_cert("evil.example.org")
    key = tls.serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    signer = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes())
    now = dt.datetime.now(dt.UTC)
    forged = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(tls.NameOID.COMMON_NAME, "forged")]))
        .issuer_name(signer.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("mail.example.org")]), critical=False)
        .sign(key, tls.hashes.SHA256())
    )
    chain = [each.public_bytes(tls.serialization.Encoding.DER) for each in (forged, signer)]
    assert tls.judge(chain, "mail.example.org", roots(authority)) == tls.UNTRUSTED


def der(pair):
    return [
        x509.load_pem_x509_certificate(blob.bytes()).public_bytes(tls.serialization.Encoding.DER)
        for blob in pair.cert_chain_pems
    ]


def test_judges_names(authority):
    trusted = roots(authority)
    chain = der(authority.issue_cert("mail.example.org", "*.mx.example.org", "192.0.2.1"))
    for host in ("mail.example.org", "MAIL.example.org.", "a.mx.example.org", "192.0.2.1"):
        assert tls.judge(chain, host, trusted) == tls.VERIFIED, host
    for host in ("example.org", "a.b.mx.example.org", "192.0.2.2", "under_score.example.org"):
        assert tls.judge(chain, host, trusted) == tls.MISMATCH, host


def test_judges_signers_and_time(authority, config):
    chain = der(authority.issue_cert("mail.example.org"))
    assert tls.judge(chain, "mail.example.org", roots(trustme.CA())) == tls.UNTRUSTED
    past = authority.issue_cert("mail.example.org", not_after=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
    assert tls.judge(der(past), "mail.example.org", roots(authority)) == tls.EXPIRED
    cert, _ = tls.ensure_certificate(config)
    own = x509.load_pem_x509_certificate(cert.read_bytes()).public_bytes(tls.serialization.Encoding.DER)
    assert tls.judge([own], "mail.example.org") == tls.SELF_SIGNED


@pytest.mark.parametrize("chain", [[], [b""], [b"\x30\x80garbage"], [os.urandom(500)]])
def test_judges_nonsense_too(chain):
    assert tls.judge(chain, "mail.example.org", []) == tls.UNKNOWN
