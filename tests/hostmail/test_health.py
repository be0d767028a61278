"""Each check finds its trouble and says what to do about it."""

import datetime as dt
import socket
from collections import namedtuple

import pytest
from django.db import OperationalError, connection

from hostmail import health
from hostmail.env import SourceAddress
from mailcore.outside import tls
from tests.fakes import FakeDNS
from tests.servers import free_port

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - the shape that shutil returns


def ill(check: health.Check, state: str, advice: str) -> None:
    assert check.state == state, check
    assert advice in check.advice


@pytest.mark.django_db
def test_all_is_well_with_a_migrated_database() -> None:
    assert health.database().state == health.migrations().state == health.queue().state == health.OK


def test_a_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OperationalError("no route\nto host")

    monkeypatch.setattr(connection, "cursor", broken)
    check = health.database()
    ill(check, health.BROKEN, "check")
    assert "no route" in check.said
    assert "to host" not in check.said


def test_a_short_secret(settings) -> None:
    settings.HOSTMAIL_SECRET_KEY = "short"
    ill(health.secret(), health.WARN, "HOSTMAIL_SECRET_KEY_OLD")
    assert "short" not in health.secret().said


@pytest.mark.parametrize(("free", "state"), [(50 << 20, "broken"), (500 << 20, "warn"), (50 << 30, "ok")])
def test_a_disk_that_fills(data_dir, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    monkeypatch.setattr(health.shutil, "disk_usage", lambda path: Usage(0, 0, free))
    assert health.disk().state == state


def test_no_redis_is_said_and_is_no_failure(settings, tmp_path) -> None:
    settings.REDIS_URL = ""
    ill(health.redis(), health.WARN, "REDIS_URL")
    settings.REDIS_URL = f"unix://{tmp_path}/nobody"
    ill(health.redis(), health.WARN, "REDIS_URL")


def test_redis_that_answers(redis_url: str) -> None:
    assert health.redis().state == health.OK


def test_no_certificate_yet(settings, tmp_path) -> None:
    settings.HOSTMAIL_TLS_CERT = tmp_path / "cert.pem"
    ill(health.certificate(), health.WARN, "HOSTMAIL_TLS_CERT")


def test_our_own_certificate_is_fine_on_loopback_only(settings, data_dir) -> None:
    settings.HOSTMAIL_TLS_CERT = data_dir / "tls" / "cert.pem"
    settings.HOSTMAIL_TLS_KEY = data_dir / "tls" / "key.pem"
    tls.ensure_certificate()
    assert health.certificate().state == health.OK
    settings.HOSTMAIL_HOSTNAME = "mx.example.org"
    ill(health.certificate(), health.WARN, "HOSTMAIL_HOSTNAME")
    settings.HOSTMAIL_HOSTNAME = "localhost"
    settings.ON_LOOPBACK = False
    ill(health.certificate(), health.WARN, "certificate authority")


def test_a_certificate_that_nears_its_end(settings, data_dir, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.HOSTMAIL_TLS_CERT = data_dir / "tls" / "cert.pem"
    settings.HOSTMAIL_TLS_KEY = data_dir / "tls" / "key.pem"
    tls.ensure_certificate()

    class Later(dt.datetime):
        days = 820

        @classmethod
        def now(cls, tz=None):
            return dt.datetime.now(tz) + dt.timedelta(days=cls.days)

    monkeypatch.setattr(health, "datetime", Later)
    ill(health.certificate(), health.WARN, "renew")
    Later.days = 4000
    ill(health.certificate(), health.BROKEN, "renew")


def test_a_certificate_that_is_none(settings, data_dir) -> None:
    settings.HOSTMAIL_TLS_CERT = settings.HOSTMAIL_TLS_KEY = data_dir / "junk.pem"
    (data_dir / "junk.pem").write_text("junk")
    ill(health.certificate(), health.BROKEN, "PEM")


def test_name_servers_that_do_not_answer(settings) -> None:
    settings.HOSTMAIL_DNS_SERVERS = [("127.0.0.1", free_port())]
    ill(health.name_servers(), health.WARN, "HOSTMAIL_DNS_SERVERS")


def test_listeners_all_some_or_none(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", free_port()))
        one.listen()
        open_port, closed_port = one.getsockname()[1], free_port()
        for ports, state in (
            ({"http": open_port}, health.OK),
            ({"http": open_port, "imap": closed_port}, health.BROKEN),
            ({"imap": closed_port}, health.WARN),
        ):
            monkeypatch.setattr(health, "ports", lambda ports=ports: ports)
            assert [check.state for check in health.listeners()] == [state]


def test_source_addresses_are_ours_and_named_both_ways(settings) -> None:
    settings.HOSTMAIL_SOURCE_ADDRESSES = [
        SourceAddress("", "192.0.2.1"),
        SourceAddress("", "127.0.0.2", "out.ours.test"),
        SourceAddress("", "127.0.0.3", "other.ours.test"),
    ]
    with FakeDNS() as names:
        for last in (2, 3):
            names.set(f"{last}.0.0.127.in-addr.arpa", "PTR", "out.ours.test.")
            names.add_host("out.ours.test", "127.0.0.2")
            names.add_host("other.ours.test", "127.0.0.3")
        away, fine, misnamed = health.sources()
        ill(away, health.BROKEN, "interface")
        assert fine.state == health.OK, fine
        ill(misnamed, health.WARN, "PTR")
        names.fail("out.ours.test", "SERVFAIL")
        ill(health.sources()[1], health.WARN, "publish")


def test_says_whether_dane_has_an_effect(settings) -> None:
    with FakeDNS() as names:
        names.set(".", "NS", ["ns.test."])
        assert "DANE has no effect" in health.name_servers().said
        names.authenticated = True
        assert "DANE is obeyed" in health.name_servers().said
        settings.HOSTMAIL_DNS_VALIDATING = "no"
        assert "is not believed" in health.name_servers().said
