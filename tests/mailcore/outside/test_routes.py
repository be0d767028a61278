"""The way of a mail: MX and addresses in order, loops, null MX, and who is to blame when there is none."""

import random

import pytest

from mailcore.errors import LookupFailed, Loop, NoMailAccepted, NoRoute, NoSuchName
from mailcore.outside import dns
from mailcore.outside.lookups import MX
from mailcore.outside.routes import Target
from tests.fakes.dns import FakeDNS


@pytest.fixture
def names(settings):
    settings.HOSTMAIL_HOSTNAME = "mail.ours.example"
    settings.HOSTMAIL_BIND = "127.0.0.1"
    settings.HOSTMAIL_SMTP_PORT = 25
    settings.HOSTMAIL_OUTBOUND_PORT = 25
    settings.HOSTMAIL_PRIVATE_TARGETS = "allow"
    with FakeDNS() as fake:
        yield fake


def hosts(route):
    return [target.host for target in route.targets]


def keep(_targets):
    """Shuffle nothing."""


def test_orders_hosts_by_preference(names):
    names.set("example.org", "MX", ["30 c.example.org", "10 A.example.org", "20 b.example.org"])
    for number, host in enumerate("abc"):
        names.add_host(f"{host}.example.org", f"192.0.2.{number}")
    route = dns.route("example.org")
    assert route.targets == (
        Target("a.example.org", "192.0.2.0", 10),
        Target("b.example.org", "192.0.2.1", 20),
        Target("c.example.org", "192.0.2.2", 30),
    )
    assert route.hosts[0] == MX(10, "a.example.org")
    assert not route.implicit
    assert route.key == "a.example.org,b.example.org,c.example.org"


def test_shuffles_hosts_of_equal_preference_and_only_those(names):
    names.set(
        "example.org", "MX", ["10 a.example.org", "10 b.example.org", "10 c.example.org", "20 z.example.org"]
    )
    for host in "abcz":
        names.add_host(f"{host}.example.org", "192.0.2.1")
    orders = {
        tuple(hosts(dns.route("example.org", shuffle=random.Random(seed).shuffle))) for seed in range(50)
    }
    assert len(orders) == 6
    assert {order[3] for order in orders} == {"z.example.org"}


def test_takes_address_families_in_turn(names):
    names.add_mail("example.org", "mx.example.org", "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1")
    route = dns.route("example.org", shuffle=keep)
    kinds = ["6" if ":" in target.address else "4" for target in route.targets]
    assert kinds == ["4", "6", "4", "4"]


def test_falls_back_on_the_domain_itself_without_mx(names):
    names.add_host("example.org", "192.0.2.1")
    route = dns.route("Example.org")
    assert route.targets == (Target("example.org", "192.0.2.1", 0),)
    assert route.implicit


@pytest.mark.parametrize("how", ["SERVFAIL", "REFUSED"])
def test_does_not_take_a_failing_mx_lookup_for_none(names, how):
    names.add_host("example.org", "192.0.2.1").fail("example.org", how, "MX")
    with pytest.raises(LookupFailed) as failed:
        dns.route("example.org")
    assert failed.value.smtp == (451, "4.4.3")


def test_gives_up_on_domains_that_do_not_exist(names):
    with pytest.raises(NoSuchName) as failed:
        dns.route("nowhere.example.org")
    assert failed.value.smtp == (550, "5.1.2")
    assert not failed.value.retry
    assert "nowhere.example.org" in failed.value.public


def test_gives_up_on_null_mx(names):
    names.set("example.org", "MX", ["0 ."]).add_host("example.org", "192.0.2.1")
    with pytest.raises(NoMailAccepted) as failed:
        dns.route("example.org")
    assert failed.value.smtp == (556, "5.1.10")


def test_ignores_a_null_mx_among_others(names):
    names.set("example.org", "MX", ["0 .", "10 mx.example.org"]).add_host("mx.example.org", "192.0.2.1")
    assert hosts(dns.route("example.org")) == ["mx.example.org"]


def test_gives_up_where_no_host_has_an_address(names):
    names.set("example.org", "MX", ["10 gone.example.org", "20 empty.example.org"])
    names.set("empty.example.org", "TXT", "nothing else")
    with pytest.raises(NoRoute) as failed:
        dns.route("example.org")
    assert failed.value.smtp == (550, "5.4.4")
    names.set("bare.example.org", "TXT", "neither MX nor address")
    with pytest.raises(NoRoute):
        dns.route("bare.example.org")


def test_tries_later_where_an_address_may_yet_be_found(names):
    names.set("example.org", "MX", ["10 gone.example.org", "20 broken.example.org"])
    names.fail("broken.example.org", "SERVFAIL")
    with pytest.raises(LookupFailed):
        dns.route("example.org")


def test_uses_the_hosts_it_finds_when_others_fail(names):
    names.set("example.org", "MX", ["10 broken.example.org", "20 mx.example.org"])
    names.fail("broken.example.org", "SERVFAIL").add_host("mx.example.org", "192.0.2.1")
    assert hosts(dns.route("example.org")) == ["mx.example.org"]


def test_uses_only_better_hosts_than_ourselves(names):
    names.set(
        "example.org",
        "MX",
        ["10 best.example.org", "20 Mail.Ours.example", "20 same.example.org", "30 worse.example.org"],
    )
    for host in ("best", "same", "worse"):
        names.add_host(f"{host}.example.org", "192.0.2.1")
    names.add_host("mail.ours.example", "192.0.2.2")
    assert hosts(dns.route("example.org")) == ["best.example.org"]


def test_calls_it_a_loop_when_we_are_the_best_host(names):
    names.set("example.org", "MX", ["10 mail.ours.example", "20 mx.example.org"])
    names.add_host("mail.ours.example", "192.0.2.2").add_host("mx.example.org", "192.0.2.1")
    with pytest.raises(Loop) as failed:
        dns.route("example.org")
    assert failed.value.smtp == (554, "5.4.6")


def test_recognises_ourselves_by_address_and_port(names, settings):
    names.set("example.org", "MX", ["10 other-name.example.org", "20 mx.example.org"])
    names.add_host("other-name.example.org", "127.0.0.1").add_host("mx.example.org", "192.0.2.1")
    with pytest.raises(Loop):
        dns.route("example.org")
    assert hosts(dns.route("example.org", port=2626)) == ["other-name.example.org", "mx.example.org"]
    names.set("example.org", "MX", ["20 other-name.example.org", "10 mx.example.org"])
    assert hosts(dns.route("example.org")) == ["mx.example.org"]


def test_refuses_private_targets_where_told(names, settings):
    names.set("example.org", "MX", ["10 inside.example.org", "20 mx.example.org"])
    names.add_host("inside.example.org", "10.0.0.1", "::ffff:127.0.0.5").add_host("mx.example.org", "8.8.8.8")
    assert len(dns.route("example.org").targets) == 3
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    assert hosts(dns.route("example.org")) == ["mx.example.org"]
    names.set("example.org", "MX", ["10 inside.example.org"])
    with pytest.raises(NoRoute):
        dns.route("example.org")


def test_limits_hosts_and_addresses(names, monkeypatch):
    from mailcore import limits

    monkeypatch.setattr(limits, "MX_HOSTS", 3)
    monkeypatch.setattr(limits, "MX_ADDRESSES", 4)
    names.set("example.org", "MX", [f"{number} mx{number}.example.org" for number in range(10)])
    for number in range(10):
        names.add_host(f"mx{number}.example.org", f"192.0.2.{number}", f"198.51.100.{number}")
    route = dns.route("example.org")
    assert len(route.hosts) == 3
    assert len(route.targets) == 4
    assert ("mx5.example.org", "A") not in names.asked


def test_says_whether_the_whole_way_was_authenticated(names, settings):
    settings.HOSTMAIL_DNS_VALIDATING = "yes"
    names.authenticated = True
    names.add_mail("example.org", "mx.example.org", "192.0.2.1")
    route = dns.route("example.org")
    assert route.authenticated
    assert route.targets[0].authenticated


def test_takes_a_smart_host_by_name_or_address(names):
    names.add_host("relay.example.org", "192.0.2.1", "2001:db8::1")
    assert [target.address for target in dns.host_targets("relay.example.org")] == [
        "192.0.2.1",
        "2001:db8::1",
    ]
    assert dns.host_targets("192.0.2.9") == [Target("192.0.2.9", "192.0.2.9")]
    with pytest.raises(NoSuchName):
        dns.host_targets("nowhere.example.org")
