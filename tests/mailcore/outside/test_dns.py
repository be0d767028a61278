"""Lookups against a real name server on loopback, in both ways of waiting."""

import asyncio
import socket
import time

import pytest

from mailcore import limits
from mailcore.errors import LookupFailed, NoRecords, NoSuchName
from mailcore.outside import dns
from mailcore.outside.lookups import MX, Lookup
from tests.fakes.clock import FakeClock
from tests.fakes.dns import FakeDNS


@pytest.fixture
def names():
    with FakeDNS() as fake:
        yield fake


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """Call a lookup by name, in the way of the parameter."""

    def sync(function, *args):
        return getattr(dns, function)(*args)

    def later(function, *args):
        return asyncio.run(getattr(dns, "a" + function)(*args))

    return sync if request.param == "sync" else later


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(limits, "DNS_TRY_SECONDS", 0.15)
    monkeypatch.setattr(limits, "DNS_LIFETIME_SECONDS", 0.3)
    monkeypatch.setattr(dns, "_made", {})


def test_returns_records_as_text(names, ask):
    names.set("example.org", "MX", ["20 b.example.org", "10 A.Example.org"])
    names.set("example.org", "TXT", ["v=spf1 -all", "x" * 300])
    names.set("example.org", "NS", "ns1.example.org")
    names.add_host("a.example.org", "192.0.2.1", "2001:db8::1")
    assert ask("mx_hosts", "example.org") == [MX(10, "a.example.org"), MX(20, "b.example.org")]
    assert sorted(ask("txt", "example.org")) == ["v=spf1 -all", "x" * 300]
    assert ask("resolve", "example.org", "NS") == ["ns1.example.org"]
    assert ask("addresses", "a.example.org") == ["192.0.2.1", "2001:db8::1"]
    answer = ask("lookup", "a.example.org", "A")
    assert (answer.records, answer.canonical, answer.authenticated) == (
        ("192.0.2.1",),
        "a.example.org",
        False,
    )


def test_tells_no_name_no_record_and_no_answer_apart(names, ask, impatient):
    names.set("example.org", "A", "192.0.2.1")
    names.set("deep.under.example.net", "A", "192.0.2.1")
    with pytest.raises(NoSuchName):
        ask("lookup", "nowhere.example.org", "A")
    with pytest.raises(NoRecords):
        ask("lookup", "example.org", "MX")
    with pytest.raises(NoRecords):
        ask("lookup", "example.net", "A")  # exists only because a name lies under it
    for how in ("SERVFAIL", "REFUSED", "TIMEOUT", "GARBAGE"):
        names.fail("example.org", how)
        with pytest.raises(LookupFailed) as failed:
            ask("lookup", "example.org", "A")
        assert failed.value.retry
        assert failed.value.smtp == (451, "4.4.3")


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64 + ".org", ".".join(["x" * 60] * 5), "\\", "a\\300.b"]
)
def test_knows_names_that_cannot_exist(names, ask, name):
    names.set("example.org", "A", "192.0.2.1")
    with pytest.raises((NoSuchName, NoRecords)):
        ask("lookup", name, "A")


def test_asks_again_by_tcp_when_truncated(names, ask):
    names.set("example.org", "TXT", "short").fail("example.org", "TRUNCATED")
    assert ask("txt", "example.org") == ["short"]
    names.set("big.example.org", "TXT", ["y" * 200 + str(number) for number in range(30)])
    assert len(ask("txt", "big.example.org")) == 30


def test_limits_what_it_takes_of_an_answer(names, ask, monkeypatch):
    monkeypatch.setattr(limits, "DNS_RECORDS", 5)
    monkeypatch.setattr(limits, "DNS_TEXT_OCTETS", 1000)
    names.set("example.org", "A", [f"192.0.2.{number}" for number in range(50)])
    names.set("example.org", "TXT", "z" * 20_000)
    assert len(ask("resolve", "example.org", "A")) == 5
    assert ask("txt", "example.org") == ["z" * 1000]


def test_makes_text_that_any_database_takes(names, ask):
    names.set("example.org", "TXT", [])
    names._records["example.org"]["TXT"] = [r'"a\000b\255" "c"']
    assert ask("txt", "example.org") == ["a\ufffdb\ufffdc"]


def test_follows_cnames_and_stops_at_loops(names, ask):
    names.set("a.example.org", "CNAME", "b.example.org").set("b.example.org", "CNAME", "c.example.net")
    names.set("c.example.net", "A", "192.0.2.9")
    assert ask("lookup", "a.example.org", "A").canonical == "c.example.net"
    for name in ("a.example.org", "b.example.org"):
        names.fail(name, "CNAME_ONLY")  # an authoritative server that leaves the walk to us
    assert ask("lookup", "a.example.org", "A").records == ("192.0.2.9",)
    assert ask("lookup", "a.example.org", "CNAME").records == ("b.example.org",)
    names.set("c.example.net", "CNAME", "a.example.org").set("c.example.net", "A", [])
    names.fail("c.example.net", "CNAME_ONLY")
    names.asked.clear()
    with pytest.raises(LookupFailed):
        ask("lookup", "a.example.org", "A")
    assert len(names.asked) <= limits.DNS_CNAMES + 1
    names.remove("c.example.net")
    with pytest.raises(NoSuchName):
        ask("lookup", "a.example.org", "A")


def test_shows_the_addresses_it_has_when_one_kind_fails(names, ask):
    names.add_host("mx.example.org", "192.0.2.1").fail("mx.example.org", "SERVFAIL", "AAAA")
    assert ask("addresses", "mx.example.org") == ["192.0.2.1"]
    names.fail("mx.example.org", "NODATA", "A")
    with pytest.raises(LookupFailed):  # there may be an address: not "none"
        ask("addresses", "mx.example.org")
    names.fail("mx.example.org", "NODATA", "AAAA")
    with pytest.raises(NoRecords):
        ask("addresses", "mx.example.org")


def test_remembers_answers_for_their_ttl():
    with FakeClock() as clock, FakeDNS(ttl=100) as names:
        names.set("example.org", "A", "192.0.2.1")
        for _ in range(3):
            assert dns.resolve("example.org", "A") == ["192.0.2.1"]
            with pytest.raises(NoSuchName):
                dns.resolve("nowhere.example.org", "A")
        assert len(names.asked) == 2
        clock.advance(101)
        dns.resolve("example.org", "A")
        assert names.times_asked("example.org", "A") == 2


def test_believes_no_ttl_for_long():
    with FakeClock() as clock, FakeDNS(ttl=10_000_000) as names:
        names.set("example.org", "A", "192.0.2.1")
        dns.resolve("example.org", "A")
        clock.advance(limits.DNS_CACHE_SECONDS + 1)
        dns.resolve("example.org", "A")
        assert names.times_asked("example.org", "A") == 2


def test_spares_a_failing_server_the_same_question_for_seconds():
    with FakeClock() as clock, FakeDNS() as names:
        names.fail("example.org", "SERVFAIL")
        for _ in range(3):
            with pytest.raises(LookupFailed):
                dns.resolve("example.org", "A")
        asked = len(names.asked)
        clock.advance(limits.DNS_FAILURE_SECONDS + 1)
        with pytest.raises(LookupFailed):
            dns.resolve("example.org", "A")
        assert len(names.asked) == 2 * asked


def test_forgets_the_names_used_least(names, monkeypatch):
    monkeypatch.setattr(limits, "DNS_CACHE_NAMES", 2)
    for name in ("a.org", "b.org", "c.org"):
        names.set(name, "A", "192.0.2.1")
    for name in ("a.org", "b.org", "a.org", "c.org", "a.org", "b.org"):
        dns.resolve(name, "A")
    assert [name for name, _ in names.asked] == ["a.org", "b.org", "c.org", "b.org"]


def test_raises_a_new_exception_each_time(names):
    raised = []
    for _ in range(2):
        with pytest.raises(NoSuchName) as info:
            dns.resolve("nowhere.org", "A")
        raised.append(info.value)
    assert raised[0] is not raised[1]
    assert len(names.asked) == 1


def test_believes_the_ad_bit_of_this_machine_alone_unless_told(names, settings):
    assert dns.is_trusted()
    settings.HOSTMAIL_DNS_SERVERS = [("127.0.0.1", 53), ("192.0.2.53", 53)]
    assert not dns.is_trusted()
    settings.HOSTMAIL_DNS_VALIDATING = "yes"
    assert dns.is_trusted()


def test_believes_the_ad_bit_only_when_told(names, ask, settings):
    settings.HOSTMAIL_DNS_VALIDATING = "no"
    names.set("example.org", "A", "192.0.2.1")
    names.authenticated = True
    assert not ask("lookup", "example.org", "A").authenticated
    settings.HOSTMAIL_DNS_VALIDATING = "yes"
    dns.forget_all()
    assert ask("lookup", "example.org", "A").authenticated
    names.authenticated = False
    dns.forget_all()
    assert not ask("lookup", "example.org", "A").authenticated


def test_tries_the_next_server(names, ask, settings, impatient):
    names.set("example.org", "A", "192.0.2.1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings.HOSTMAIL_DNS_SERVERS = [silent.getsockname(), names.address]
        assert ask("resolve", "example.org", "A") == ["192.0.2.1"]


def test_gives_up_in_time(names, ask, impatient, monkeypatch):
    names.fail("example.org", "TIMEOUT")
    started = time.monotonic()
    with pytest.raises(LookupFailed):
        ask("lookup", "example.org", "A")
    assert time.monotonic() - started < 2


def test_lets_all_lookups_of_a_run_share_their_time(names, impatient, monkeypatch):
    monkeypatch.setattr(limits, "DNS_RUN_SECONDS", 0.7)
    names.set("example.org", "MX", [f"{number} mx{number}.example.org" for number in range(20)])
    for number in range(20):
        names.fail(f"mx{number}.example.org", "TIMEOUT")
    started = time.monotonic()
    with pytest.raises(LookupFailed):
        dns.route("example.org")
    assert time.monotonic() - started < 2


def test_finds_names_of_addresses(names, ask):
    names.set("1.2.0.192.in-addr.arpa", "PTR", ["evil.example.org", "mail.example.org"])
    names.add_host("mail.example.org", "192.0.2.9", "192.0.2.1").add_host("evil.example.org", "192.0.2.66")
    assert sorted(ask("pointers", "192.0.2.1")) == ["evil.example.org", "mail.example.org"]
    assert ask("confirmed_name", "192.0.2.1") == "mail.example.org"
    names.add_host("mail.example.org", "192.0.2.9")
    with pytest.raises(NoRecords):
        ask("confirmed_name", "192.0.2.1")
    names.fail("evil.example.org", "SERVFAIL")
    with pytest.raises(LookupFailed):
        ask("confirmed_name", "192.0.2.1")
    with pytest.raises(NoSuchName):
        ask("confirmed_name", "2001:db8::77")


def test_asks_only_the_configured_servers_for_checks(names, ask):
    names.set("example.org", "TXT", "one")
    assert ask("nameservers", "example.org") == [names.address]
    assert ask("fresh", "example.org", "TXT").records == ("one",)
    names._records["example.org"]["TXT"] = ['"two"']  # behind the cache's back
    assert ask("fresh", "example.org", "TXT").records == ("two",)
    assert ask("ask_at", [("192.0.2.53", 53)], "example.org", "TXT").records == ("two",)


@pytest.fixture
def internet(monkeypatch, settings, names):
    """Without configured servers: the system's resolver is names, zones have name servers at other ports."""
    settings.HOSTMAIL_DNS_SERVERS = []
    make = dns._make

    def system(kind, servers, *, flags):
        return make(kind, servers or [names.address], flags=flags)

    monkeypatch.setattr(dns, "_make", system)
    monkeypatch.setattr(dns, "_made", {})
    return names


def test_finds_the_name_servers_of_a_zone_from_any_name_in_it(internet, ask, settings):
    internet.set("example.org", "NS", ["ns1.host.net", "ns2.host.net"])
    internet.add_host("ns1.host.net", "192.0.2.1", "2001:db8::1").add_host("ns2.host.net", "198.51.100.1")
    expected = [("192.0.2.1", 53), ("198.51.100.1", 53), ("2001:db8::1", 53)]
    assert sorted(ask("nameservers", "example.org")) == expected
    assert sorted(ask("nameservers", "k._domainkey.shop.example.org")) == expected
    assert ("org", "NS") not in internet.asked
    with pytest.raises(NoSuchName):
        ask("nameservers", "unregistered.net")
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    dns.forget_all()
    internet.add_host("ns1.host.net", "127.0.0.1").add_host("ns2.host.net", "8.8.8.8")
    assert ask("nameservers", "example.org") == [("8.8.8.8", 53)]


def test_asks_each_name_server_until_one_answers_for_its_zone(internet, ask, impatient):
    with FakeDNS() as lame, FakeDNS() as silent, FakeDNS() as good:
        from django.conf import settings

        settings.HOSTMAIL_DNS_SERVERS = []
        lame.fail("example.org", "LAME")
        silent.fail("example.org", "TIMEOUT")
        good.set("example.org", "TXT", "fresh")
        servers = [lame.address, silent.address, good.address]
        assert ask("ask_at", servers, "example.org", "TXT").records == ("fresh",)
        good.set("example.org", "TXT", [])
        with pytest.raises(NoRecords):
            ask("ask_at", servers, "example.org", "TXT")
        with pytest.raises(LookupFailed):
            ask("ask_at", servers[:2], "example.org", "TXT")
        # A CNAME out of the zone is the resolver's to follow.
        good.set("_dmarc.example.org", "CNAME", "d.service.net").fail("_dmarc.example.org", "CNAME_ONLY")
        internet.set("d.service.net", "TXT", "v=DMARC1")
        assert ask("ask_at", servers[2:], "_dmarc.example.org", "TXT").canonical == "d.service.net"


def test_says_try_later_where_the_system_has_no_resolver(settings, monkeypatch, ask):
    settings.HOSTMAIL_DNS_SERVERS = []
    monkeypatch.setattr(dns, "_made", {})

    def none(*args, **kwargs):
        raise dns.dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.dns.resolver.BaseResolver, "read_resolv_conf", none)
    dns.forget_all()
    with pytest.raises(LookupFailed):
        ask("lookup", "example.org", "A")


def test_works_on_uvloop(names):
    uvloop = pytest.importorskip("uvloop")
    names.add_host("mx.example.org", "192.0.2.1", "2001:db8::1").fail("mx.example.org", "TRUNCATED", "A")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(dns.aaddresses("mx.example.org")) == ["192.0.2.1", "2001:db8::1"]


def test_waits_for_a_batch_together(names, impatient):
    names.set("example.org", "MX", [f"{number} mx{number}.example.org" for number in range(8)])
    for number in range(8):
        names.fail(f"mx{number}.example.org", "TIMEOUT")
    started = time.monotonic()
    with pytest.raises(LookupFailed):
        asyncio.run(dns.aroute("example.org"))
    assert time.monotonic() - started < 1.5


def test_has_a_bounded_number_of_questions_on_their_way(names, monkeypatch):
    monkeypatch.setattr(limits, "DNS_TOGETHER", 3)
    for number in range(20):
        names.set(f"h{number}.example.org", "A", ["192.0.2.1"])
    running, most, perform = 0, 0, dns._aperform

    async def counted(chase):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await perform(chase)
        running -= 1

    monkeypatch.setattr(dns, "_aperform", counted)

    def steps():
        return (yield [Lookup(f"h{number}.example.org", "A") for number in range(20)])

    outcomes = asyncio.run(dns.arun(steps()))
    assert [outcome.records for outcome in outcomes] == [("192.0.2.1",)] * 20
    assert most == 3


def test_waits_no_longer_than_its_run_for_a_question_on_its_way(names, monkeypatch):
    monkeypatch.setattr(limits, "DNS_RUN_SECONDS", 0.05)
    asked = Lookup("example.org", "A")

    def steps():
        return (yield [asked])

    async def main():
        monkeypatch.setitem(dns._flying, asked, asyncio.get_running_loop().create_future())
        return await asyncio.wait_for(dns.arun(steps()), limits.DNS_LIFETIME_SECONDS / 2)

    (outcome,) = asyncio.run(main())
    assert isinstance(outcome, LookupFailed)


def test_asks_once_what_many_want_to_know_at_the_same_time(names):
    names.set("example.org", "TXT", ["one"])

    async def all_at_once():
        return await asyncio.gather(*(dns.atxt("example.org") for _ in range(5)))

    assert asyncio.run(all_at_once()) == [["one"]] * 5
    assert names.times_asked("example.org", "TXT") == 1


def test_asks_again_when_who_asked_first_has_gone(names):
    names.set("example.org", "TXT", ["one"])

    async def first_leaves():
        first = asyncio.ensure_future(dns.atxt("example.org"))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(dns.atxt("example.org"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(first_leaves()) == ["one"]
    assert dns._flying == {}


def test_holds_a_run_that_is_over_against_no_name(names, monkeypatch):
    names.set("example.org", "TXT", ["one"])
    monkeypatch.setattr(limits, "DNS_RUN_SECONDS", 0)
    with pytest.raises(LookupFailed):
        dns.txt("example.org")
    monkeypatch.undo()
    assert dns.txt("example.org") == ["one"]
