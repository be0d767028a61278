"""Domains: claimed, proven by a real name server on loopback, looked at again, given up."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from django.db import connection

from mailcore import limits
from mailcore.errors import (
    AlreadyExists,
    BadAddress,
    BadValue,
    CannotUnseal,
    Forbidden,
    NoSuchAddress,
    NotAllowedNow,
    NotFound,
    NotHere,
)
from mailcore.models import Address, AuditEntry, DkimKey, Domain, Mailbox
from mailcore.senderauth import dkim
from mailcore.services import addresses, domains, mailboxes, reports
from tests.cast import Cast, make_domain, make_mailbox, make_tenant
from tests.fakes import FakeClock, FakeDNS, MemoryBell, MemoryWorker

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast()


@pytest.fixture
def names():
    with FakeDNS() as server:
        yield server


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch, request):
    """One pair of keys for all tests but those about keys: RSA takes a tenth of a second and more."""
    if "real_keys" not in request.fixturenames:
        key = dkim.generate_key("ed25519")
        monkeypatch.setattr(dkim, "generate_key", lambda kind: key)


@pytest.fixture
def real_keys() -> None:
    """For tests that want keys as they are in life."""


@pytest.fixture(autouse=True)
def host(settings):
    settings.HOSTMAIL_HOSTNAME = "mx.service.test"
    settings.HOSTMAIL_OUTBOUND_ADDRESSES = ["192.0.2.25", "2001:db8::/48"]


def publish(names: FakeDNS, domain: Domain, *, leave_out: tuple[str, ...] = ()) -> None:
    """Put all required records into DNS but those left out."""
    kept: dict[tuple[str, str], list[str]] = {}
    for record in domains.required_records(domain):
        kept.setdefault((record.host, record.type), [])
        if record.key not in leave_out and record.required:
            kept[record.host, record.type].append(record.value)
    for (name, rdtype), values in kept.items():
        names.set(name, rdtype, values)


def states(domain: Domain) -> dict[str, str]:
    return {
        key: found["state"]
        for key, found in domain.findings.items()
        if not key.startswith(("srv", "sts", "tlsrpt"))
    }


# --- Claiming ------------------------------------------------------------------------------------


def test_a_claim_waits_with_a_token_and_keys(cast, django_capture_on_commit_callbacks):
    with MemoryWorker() as woken, django_capture_on_commit_callbacks(execute=True):
        domain = domains.add(cast.alice.tenant, " Bücher.Example. ", actor=cast.alice.user)
    assert (domain.name, domain.state, domain.is_trusted) == ("xn--bcher-kva.example", "pending", False)
    assert domain.check_at is not None
    assert ("mailcore.tasks.check_domains", ()) in woken.woken
    assert {key.algorithm for key in domain.dkim_keys.all()} == {"rsa-sha256", "ed25519-sha256"}
    other = domains.add(cast.charlie.tenant, "xn--bcher-kva.example", actor=None)
    assert other.token != domain.token
    with pytest.raises(AlreadyExists):
        domains.add(cast.alice.tenant, "BÜCHER.example", actor=None)


@pytest.mark.parametrize(
    "written", ["acme.test", "ACME.test.", "Acme.TEST", "sub.acme.test", "a.b.acme.test", "ａcme.test"]
)
def test_nobody_takes_a_name_that_another_has_proven_or_one_below(cast, written):
    with pytest.raises(AlreadyExists):
        domains.add(cast.charlie.tenant, written, actor=cast.charlie.user)
    assert not Domain.objects.filter(tenant=cast.charlie.tenant).exclude(name="charlie.test").exists()


def test_a_tenant_may_have_what_is_below_its_own(cast):
    assert domains.add(cast.alice.tenant, "sub.acme.test", actor=None).state == "pending"
    assert domains.add(cast.charlie.tenant, "notacme.test", actor=None).state == "pending"


@pytest.mark.parametrize(
    "written", ["", "localhost", "com", "co.uk", "127.0.0.1", "[::1]", "a..b", "a_b.test", "x" * 300]
)
def test_refuses_what_nobody_can_own(cast, written):
    with pytest.raises((BadAddress, BadValue)):
        domains.add(cast.alice.tenant, written, actor=None)


def test_refuses_the_services_own_names(cast, settings):
    settings.HOSTMAIL_SERVICE_DOMAIN = "ourzone.example"
    for own in (
        "mx.service.test",
        "MX.Service.test",
        "x.mx.service.test",
        "ourzone.example",
        "k.ourzone.example",
    ):
        with pytest.raises(NotAllowedNow):
            domains.add(cast.alice.tenant, own, actor=None)
    domains.add(cast.alice.tenant, "service.test", actor=None)


def test_only_the_operator_takes_a_domain_as_proven(cast):
    with pytest.raises(Forbidden):
        domains.add(cast.alice.tenant, "new.test", actor=cast.alice.user, trusted=True)
    domain = domains.add(cast.alice.tenant, "new.test", actor=cast.stella, trusted=True)
    assert (domain.state, domain.is_trusted) == ("verified", True)
    with pytest.raises(AlreadyExists):
        domains.add(cast.charlie.tenant, "new.test", actor=None, trusted=True)
    claim = domains.add(cast.charlie.tenant, "later.test", actor=None)
    with pytest.raises(Forbidden):
        domains.trust(claim, actor=cast.charlie.user)
    domains.trust(claim, actor=None)
    assert claim.is_verified


# --- Records -------------------------------------------------------------------------------------


def test_says_which_records_there_should_be(cast, settings):
    domain = domains.add(cast.alice.tenant, "new.test", actor=None)
    records = {record.key: record for record in domains.required_records(domain)}
    assert [key for key, record in records.items() if record.required] == [
        "ownership", "mx", "spf", "dkim:hm1r", "dkim:hm1e", "dmarc",
    ]  # fmt: skip
    assert {key for key, record in records.items() if not record.required} == {
        "tlsrpt", "sts", "stshost", "srv:imaps", "srv:submissions", "srv:submission", "srv:pop3s",
    }  # fmt: skip
    assert (records["ownership"].host, records["ownership"].value) == (
        "_hostmail.new.test", f"hostmail-verification={domain.token}",
    )  # fmt: skip
    assert (records["mx"].name, records["mx"].value) == ("@", "10 mx.service.test")
    assert records["spf"].value == "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 ~all"
    assert records["dkim:hm1r"].name == "hm1r._domainkey"
    assert records["dmarc"].value == (f"v=DMARC1; p=none; rua=mailto:{reports.domain_address(domain.pk)}")
    settings.HOSTMAIL_OUTBOUND_ADDRESSES = []
    records = {record.key: record for record in domains.required_records(domain)}
    assert records["spf"].value == "v=spf1 a:mx.service.test ~all"
    assert all(record.purpose and record.explanation for record in records.values())


@pytest.mark.usefixtures("real_keys")
def test_a_zone_file_holds_them_whole(cast):
    domain = domains.add(cast.alice.tenant, "new.test", actor=None)
    import dns.zone

    text = domains.zone_text(domain)
    zone = dns.zone.from_text(text + "@ IN SOA ns. root. 1 1 1 1 1\n@ IN NS ns.\n", origin="new.test.")
    for record in domains.required_records(domain):
        found = zone.find_rdataset(record.host + ".", record.type)
        (rdata,) = found
        if record.type == "TXT":
            assert b"".join(rdata.strings).decode() == record.value
        else:
            assert rdata.to_text() == record.value + "."
    assert 'IN\tTXT\t"v=DKIM1; k=rsa;' in text


@pytest.mark.usefixtures("real_keys")
def test_keys_are_sealed_and_sign(cast, settings):
    domain = domains.add(cast.alice.tenant, "new.test", actor=None)
    for row in domain.dkim_keys.all():
        assert b"PRIVATE" not in bytes(row.private_sealed)
    keys = domains.signing_keys(domain.pk)
    assert [type(each.key) is not None and each.selector for each in keys] == ["hm1r", "hm1e"]
    assert isinstance(keys[0].key, rsa.RSAPrivateKey)
    assert keys[0].key.key_size == 2048
    assert isinstance(keys[1].key, ed25519.Ed25519PrivateKey)
    public = {row.selector: row.public for row in domain.dkim_keys.all()}
    assert all(dkim.public_record(each.key) == public[each.selector] for each in keys)
    assert keys == domains.signing_keys(domain.pk)
    domains._load.cache_clear()
    settings.HOSTMAIL_SECRET_KEY = "another secret that is long enough to be one"
    with pytest.raises(CannotUnseal):
        domains.signing_keys(domain.pk)


# --- Proof ---------------------------------------------------------------------------------------


def test_turns_green_when_all_is_published(cast, names, django_capture_on_commit_callbacks):
    domain = domains.add(cast.alice.tenant, "new.test", actor=cast.alice.user)
    make_mailbox(cast.alice.tenant, "x@new.test")
    with pytest.raises(NotHere):
        addresses.judge(addresses.route("x@new.test"))
    publish(names, domain)
    with MemoryBell() as bell, django_capture_on_commit_callbacks(execute=True):
        domain = domains.check(domain)
    assert set(states(domain).values()) == {"ok"}
    assert (domain.state, domain.check_count) == ("verified", 1)
    assert domain.verified_at is not None
    assert f"domain:{domain.pk}" in bell.rung
    assert addresses.judge(addresses.route("x@new.test")).hops
    assert AuditEntry.objects.filter(verb="domain.verified", object_name="new.test").count() == 1
    assert domain.check_at - domain.checked_at == dt.timedelta(days=1)


def test_tells_missing_different_several_and_later_apart(cast, names):
    domain = domains.add(cast.alice.tenant, "new.test", actor=None)
    names.set("new.test", "MX", ["10 mx.other.test", "20 mx2.other.test"])
    names.set("new.test", "TXT", ["v=spf1 include:_spf.other.test ~all", "v=spf1 -all", "something else"])
    names.set("_hostmail.new.test", "TXT", ["hostmail-verification=someoneelse"])
    names.fail("_dmarc.new.test", "SERVFAIL")
    domain = domains.check(domain)
    assert states(domain) == {
        "ownership": "differs", "mx": "differs", "spf": "several", "dkim:hm1r": "missing",
        "dkim:hm1e": "missing", "dmarc": "later",
    }  # fmt: skip
    assert domain.findings["mx"]["seen"] == ["10 mx.other.test", "20 mx2.other.test"]
    assert len(domain.findings["spf"]["seen"]) == 2
    for found in domain.findings.values():
        assert found["explanation"]
        assert found["fix"]
    assert domain.state == "pending"


def test_a_zone_that_does_not_exist_or_answer(cast, names):
    domain = domains.check(domains.add(cast.alice.tenant, "new.test", actor=None))
    assert set(states(domain).values()) == {"missing"}
    names.fail("new.test", "SERVFAIL")
    for record in domains.required_records(domain):
        names.fail(record.host, "SERVFAIL")
    domain = domains.check(domain)
    assert set(states(domain).values()) == {"later"}


@pytest.mark.parametrize(
    ("mx", "state"),
    [
        (["10 mx.service.test"], "ok"), (["0 MX.Service.test"], "ok"),
        (["10 mx.service.test", "20 mx.old.test"], "differs"),
        (["0 ."], "differs"), (["10 mx.old.test"], "differs"), ([], "missing"),
    ],
)  # fmt: skip
def test_judges_mx(cast, names, mx, state):
    domain = make_domain(cast.alice.tenant, "new.test", verified=False)
    names.set("new.test", "MX", mx)
    assert states(domains.check(domain))["mx"] == state


@pytest.mark.parametrize(
    ("text", "state", "proposed"),
    [
        ("v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 -all", "ok", None),
        ("V=SPF1 +ip4:192.0.2.0/24 ip6:2001:DB8::/32 mx ?all", "ok", None),
        (
            "v=spf1 include:x.test ~all",
            "differs",
            "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 include:x.test ~all",
        ),
        ("v=spf1 ip4:192.0.2.25 -all", "differs", "v=spf1 ip6:2001:db8::/48 ip4:192.0.2.25 -all"),
        ("v=spf1 redirect=x.test", "differs", "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 redirect=x.test"),
        ("v=spf1", "differs", "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48"),
        ("v=spf1 -all ip4:192.0.2.25 ip6:2001:db8::/48", "differs", None),
        ("v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 +all", "differs", None),
        ("v=spf1 -ip4:192.0.2.25 ip6:2001:db8::/48 ~all", "differs", None),
        ("v=spf1 ip4:nonsense ip6:2001:db8::/48 ip4:10.0.0.0/99 ~all", "differs", None),
        ("v=spf10 ip4:192.0.2.25", "missing", "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 ~all"),
        ("google-site-verification=abc", "missing", "v=spf1 ip4:192.0.2.25 ip6:2001:db8::/48 ~all"),
    ],
)
def test_judges_spf_and_merges_what_is_there(cast, names, text, state, proposed):
    domain = make_domain(cast.alice.tenant, "new.test", verified=False)
    names.set("new.test", "TXT", [text])
    domain = domains.check(domain)
    assert states(domain)["spf"] == state
    if proposed:
        values = {record.key: record.value for record in domains.required_records(domain)}
        assert values["spf"] == proposed
        if state == "differs":
            assert proposed in domain.findings["spf"]["fix"]
        names.set("new.test", "TXT", [proposed])
        assert states(domains.check(domain))["spf"] == "ok"


@pytest.mark.parametrize(
    ("texts", "state"),
    [
        (["v=DMARC1; p=reject; rua=mailto:x@y.test"], "ok"), (["v=DMARC1;p=none"], "ok"),
        (["v=DMARC1"], "differs"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "several"), (["v=DMARC1; p=bogus"], "differs"),
        (["other"], "missing"), (["v=DMARC10; p=none"], "missing"),
    ],
)  # fmt: skip
def test_judges_dmarc_and_keeps_a_policy_that_is_there(cast, names, texts, state):
    domain = make_domain(cast.alice.tenant, "new.test", verified=False)
    names.set("_dmarc.new.test", "TXT", texts)
    domain = domains.check(domain)
    assert states(domain)["dmarc"] == state
    values = {record.key: record.value for record in domains.required_records(domain)}
    # Reports come to us, besides where they go already.
    policy, _, where = values["dmarc"].rpartition("mailto:")
    assert policy.startswith(texts[0] if state == "ok" else "v=DMARC1; p=none; rua=")
    assert where == reports.domain_address(domain.pk)


@pytest.mark.usefixtures("real_keys")
def test_judges_dkim(cast, names):
    domain = domains.add(cast.alice.tenant, "new.test", actor=None)
    values = {record.key: record.value for record in domains.required_records(domain)}
    rsa_key = values["dkim:hm1r"]
    where = "hm1r._domainkey.new.test"
    for texts, state in (
        ([rsa_key], "ok"), ([rsa_key.replace("; ", ";").replace("p=", "p= ")], "ok"),
        ([rsa_key[:255]], "differs"), ([values["dkim:hm1e"]], "differs"), ([rsa_key, "x"], "several"),
        (["p="], "differs"), (["nonsense"], "differs"),
    ):  # fmt: skip
        names.set(where, "TXT", texts)
        assert states(domains.check(domain))["dkim:hm1r"] == state, texts
    names.set(where, "TXT", [rsa_key[:255]])
    assert "cut off" in domains.check(domain).findings["dkim:hm1r"]["explanation"]


def test_follows_a_cname_to_a_record(cast, names):
    domain = make_domain(cast.alice.tenant, "new.test", verified=False)
    names.set("_hostmail.new.test", "CNAME", ["proof.elsewhere.test"])
    names.set("proof.elsewhere.test", "TXT", [f"hostmail-verification={domain.token}"])
    assert domains.check(domain).is_verified


def test_of_two_claims_the_first_proof_wins(cast, names):
    first = domains.add(cast.alice.tenant, "new.test", actor=None)
    second = domains.add(cast.charlie.tenant, "new.test", actor=None)
    names.set("_hostmail.new.test", "TXT", [f"hostmail-verification={one.token}" for one in (first, second)])
    assert domains.check(second).is_verified
    loser = domains.check(first)
    assert loser.state == "pending"
    assert loser.findings["ownership"]["state"] == "differs"
    assert "another organisation" in loser.findings["ownership"]["explanation"]


def test_a_token_proves_nothing_for_another_tenant(cast, names):
    first = domains.add(cast.alice.tenant, "new.test", actor=None)
    second = domains.add(cast.charlie.tenant, "new.test", actor=None)
    names.set("_hostmail.new.test", "TXT", [f"hostmail-verification={first.token}"])
    assert not domains.check(second).is_verified


def test_a_claim_below_a_name_proven_meanwhile_stays_a_claim(cast, names):
    below = domains.add(cast.charlie.tenant, "sub.new.test", actor=None)
    above = domains.add(cast.alice.tenant, "new.test", actor=None)
    names.set("_hostmail.new.test", "TXT", [f"hostmail-verification={above.token}"])
    names.set("_hostmail.sub.new.test", "TXT", [f"hostmail-verification={below.token}"])
    assert domains.check(above).is_verified
    assert not domains.check(below).is_verified


@pytest.mark.django_db(transaction=True)
def test_of_two_proofs_at_once_one_wins(cast, names):
    claims = [domains.add(person.tenant, "new.test", actor=None) for person in (cast.alice, cast.charlie)]
    names.set("_hostmail.new.test", "TXT", [f"hostmail-verification={one.token}" for one in claims])

    def check(domain: Domain) -> bool:
        try:
            return domains.check(domain).is_verified
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(check, claims)) == [False, True]


def test_a_lost_proof_is_told_and_believed_only_after_a_while(cast, names):
    with FakeClock() as clock:
        domain = domains.add(cast.alice.tenant, "new.test", actor=None)
        publish(names, domain)
        assert domains.check(domain).is_verified
        names.set("_hostmail.new.test", "TXT", [])
        domain = domains.check(domain)
        assert domain.is_verified
        assert domain.findings["ownership"]["missing_since"] == clock.now().isoformat()
        clock.advance(days=limits.DOMAIN_GRACE_DAYS + 1)
        assert domains.check(domain).is_verified  # mail still comes here: the owner wants us
        names.set("new.test", "MX", ["10 mx.other.test"])
        names.fail("_hostmail.new.test", "SERVFAIL")
        assert domains.check(domain).is_verified  # no answer is no proof of anything
        names.fail("_hostmail.new.test", "NXDOMAIN")
        domain = domains.check(domain)
        assert domain.state == "pending"
        assert AuditEntry.objects.filter(verb="domain.unproven").exists()
        names._failures.clear()
        names.set("_hostmail.new.test", "TXT", [f"hostmail-verification={domain.token}"])
        assert domains.check(domain).is_verified


def test_a_trusted_domain_needs_no_proof(cast, names):
    with FakeClock() as clock:
        domain = domains.add(cast.alice.tenant, "new.test", actor=None, trusted=True)
        domains.check(domain)
        clock.advance(days=100)
        assert domains.check(domain).is_verified


def test_a_domain_removed_during_its_check_is_not_found(cast, names):
    domain = domains.add(cast.alice.tenant, "new.test", actor=None)
    Domain.objects.filter(pk=domain.pk).delete()
    with pytest.raises(NotFound):
        domains.check(domain)


# --- When to look again --------------------------------------------------------------------------


def test_looks_again_soon_then_seldom(cast, names):
    with FakeClock() as clock:
        domain = domains.add(cast.alice.tenant, "new.test", actor=None)
        pauses = []
        for _ in range(11):
            domain = domains.check(domain)
            pauses.append(int((domain.check_at - clock.now()).total_seconds() // 60))
            clock.advance(pauses[-1] * 60)
        assert pauses == [1, 2, 5, 10, 30, 60, 120, 240, 360, 360, 360]
        domains.check_now(domain)
        domain.refresh_from_db()
        assert (domain.check_at, domain.check_count) == (clock.now(), 0)


def test_due_domains_are_claimed_by_one_worker(cast, names):
    with FakeClock() as clock:
        made = [domains.add(cast.alice.tenant, f"d{number}.test", actor=None) for number in range(3)]
        assert [domain.name for domain in domains.due(limit=2)] == ["d0.test", "d1.test"]
        assert domains.due() == [made[2]]
        assert domains.due() == []
        clock.advance(limits.DOMAIN_CLAIM_SECONDS + 1)
        assert len(domains.due()) == 3  # the worker died: they come back


def test_claims_nobody_proves_lapse(cast):
    with FakeClock() as clock:
        domains.add(cast.alice.tenant, "old.test", actor=None)
        used = domains.add(cast.alice.tenant, "used.test", actor=None)
        box = make_mailbox(cast.alice.tenant, "x@used.test")
        Mailbox.objects.filter(pk=box.pk).update(message_count=1)
        clock.advance(days=limits.DOMAIN_CLAIM_DAYS + 1)
        Domain.objects.filter(name__in=["old.test", "used.test"]).update(
            created_at=clock.now() - dt.timedelta(days=limits.DOMAIN_CLAIM_DAYS + 1)
        )
        domains.add(cast.alice.tenant, "fresh.test", actor=None)
        Domain.objects.filter(name="fresh.test").update(created_at=clock.now())
        assert domains.lapse() == 1
        assert domains.lapse() == 0
    assert set(Domain.objects.filter(tenant=cast.alice.tenant).values_list("name", flat=True)) == {
        "acme.test", "used.test", "fresh.test",
    }  # fmt: skip
    used.refresh_from_db()
    assert used.check_at is None


# --- Keys, aliases, the end ----------------------------------------------------------------------


@pytest.mark.usefixtures("real_keys")
def test_new_keys_sign_once_they_are_published(cast, names):
    domain = domains.add(cast.alice.tenant, "new.test", actor=None)
    publish(names, domain)
    domain = domains.check(domain)
    domains.rotate_key(domain, actor=cast.alice.user)
    with pytest.raises(NotAllowedNow):
        domains.rotate_key(domain, actor=None)
    domain = domains.check(domain)
    assert states(domain)["dkim:hm2r"] == "missing"
    assert [each.selector for each in domains.signing_keys(domain.pk)] == ["hm1r", "hm1e"]
    publish(names, domain, leave_out=("dkim:hm2e",))
    domains.check(domain)
    assert [each.selector for each in domains.signing_keys(domain.pk)] == ["hm1r", "hm1e"]
    publish(names, domain)
    domains.check(domain)
    assert [each.selector for each in domains.signing_keys(domain.pk)] == ["hm2r", "hm2e"]
    assert {key.selector for key in DkimKey.objects.exclude(retired_at=None)} == {"hm1r", "hm1e"}
    assert not [record for record in domains.required_records(domain) if record.key == "dkim:hm1r"]


def test_a_domain_can_stand_for_another_of_its_tenant(cast):
    second = make_domain(cast.alice.tenant, "acme.example")
    domains.set_alias_of(second, cast.alice.domain, actor=cast.alice.user)
    assert addresses.route("bob@acme.example").hops[0].mailbox_id == cast.bob.mailbox.pk
    for target in (second, cast.charlie.domain):
        with pytest.raises(BadValue):
            domains.set_alias_of(second, target, actor=None)
    with pytest.raises(BadValue):
        domains.set_alias_of(cast.alice.domain, make_domain(cast.alice.tenant, "x.test"), actor=None)
    domains.set_alias_of(second, None, actor=None)
    assert not addresses.route("bob@acme.example").hops


def test_the_operator_can_suspend_a_domain(cast):
    domain = cast.alice.domain
    with pytest.raises(Forbidden):
        domains.suspend(domain, actor=cast.alice.user)
    domains.suspend(domain, actor=cast.stella)
    with pytest.raises(NotAllowedNow):
        domains.suspend(domain, actor=None)
    with pytest.raises(AlreadyExists):
        domains.add(cast.charlie.tenant, "acme.test", actor=None)
    domains.resume(domain, actor=None)
    assert domain.is_verified


def test_goes_after_its_mailboxes_and_leaves_nothing_to_the_next_owner(cast):
    addresses.add_alias(cast.alice.tenant, "info@acme.test", ["alice@acme.test"], actor=None)
    with pytest.raises(NotAllowedNow):
        domains.remove(cast.alice.domain, actor=cast.alice.user)
    domains.remove(cast.alice.domain, force=True, actor=cast.alice.user)
    assert set(Mailbox.objects.filter(tenant=cast.alice.tenant).values_list("state", flat=True)) == {
        "closing"
    }
    assert not Address.objects.filter(tenant=cast.alice.tenant).exists()
    again = domains.add(make_tenant("Next"), "acme.test", actor=None, trusted=True)
    assert not again.addresses.exists()
    assert again.token != cast.alice.domain.token
    with pytest.raises(NoSuchAddress):
        addresses.judge(addresses.route("alice@acme.test"))
    mailboxes.create(again.tenant, "alice2@acme.test", actor=None)


def test_finds_by_name_the_proven_one_first(cast):
    make_domain(cast.charlie.tenant, "acme.test", verified=False)
    assert domains.find("ACME.test") == cast.alice.domain
    assert domains.find("acme.test", tenant=cast.charlie.tenant).tenant == cast.charlie.tenant
    with pytest.raises(NotFound):
        domains.find("nowhere.test")
