"""Mail that is passed on bears our seal: real sockets, a real name server."""

from __future__ import annotations

import smtplib

import pytest

from mailcore import limits
from mailcore.models import DkimKey, Submission
from mailcore.senderauth import arc, dkim
from mailcore.services import addresses, domains, messages
from tests.fakes.dns import FakeDNS
from tests.mailcore.senderauth.asking import Zone, run

KEY = dkim.load_key(dkim.generate_key("ed25519"))
RAW = b"From: Ann <ann@example.org>\r\nSubject: Hi\r\n\r\nbody\r\n"


@pytest.fixture
def names(settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "on"
    settings.HOSTMAIL_JUNK_SCORE = 0
    with FakeDNS() as fake:
        fake.set("example.org", "TXT", ["v=spf1 ip4:127.0.0.1 -all"])
        fake.set("k._domainkey.list.test", "TXT", [dkim.public_record(KEY)])
        yield fake


@pytest.fixture
def alias(maild):
    """An alias that leads outside, in a domain that signs."""
    alice = maild.person()
    domains.rotate_key(alice.domain, actor=None)
    DkimKey.objects.filter(domain=alice.domain).update(is_active=True)
    return addresses.add_alias(alice.tenant, f"out@{alice.domain.name}", ["bob@else.test"], actor=None)


def passed_on(maild, alias, raw: bytes) -> bytes:
    with smtplib.SMTP("127.0.0.1", maild.ports["smtp"], local_hostname="mx.example.org") as client:
        client.sendmail("ann@example.org", [f"out@{alias.domain.name}"], raw)
    return messages.raw_of(Submission.objects.get(source="forward").content_id).raw


def zone_of(alias) -> Zone:
    keys = domains.signing_keys(alias.domain.pk)
    found = {
        f"{one.selector}._domainkey.{alias.domain.name}": {"TXT": [dkim.public_record(one.key)]}
        for one in keys
    }
    return found | {"k._domainkey.list.test": {"TXT": [dkim.public_record(KEY)]}}


def test_seals_what_was_found_out(maild, alias, names):
    chain = run(arc.verify(passed_on(maild, alias, RAW)), zone_of(alias))
    assert (chain.result, chain.instances, chain.sealers) == ("pass", 1, (alias.domain.name,))
    assert "spf=pass smtp.mailfrom=ann@example.org" in chain.results[0]


def test_goes_on_with_a_chain(maild, alias, names):
    said = b"mx.list.test; spf=pass"
    seal = arc.seal(RAW, arc.NO_CHAIN, results=said, domain="list.test", selector="k", key=KEY, timestamp=1)
    chain = run(arc.verify(passed_on(maild, alias, seal + RAW)), zone_of(alias))
    assert (chain.result, chain.sealers) == ("pass", ("list.test", alias.domain.name))
    assert "arc=pass" in chain.results[1]


def test_seals_nothing_that_was_not_judged(maild, alias, names, settings):
    settings.HOSTMAIL_VERIFY_SENDERS = "off"
    assert b"ARC-" not in passed_on(maild, alias, RAW)


def test_seals_nothing_without_a_key(maild, alias, names):
    DkimKey.objects.filter(domain=alias.domain).update(is_active=False)
    assert b"ARC-" not in passed_on(maild, alias, RAW)


def test_seals_nothing_there_is_no_room_for(maild, alias, names, monkeypatch):
    monkeypatch.setattr(limits, "PREFIX_OCTETS", 500)
    assert b"ARC-" not in passed_on(maild, alias, RAW)
