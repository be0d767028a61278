"""How much hosts may do that nobody vouches for: counts by address and by network."""

import pytest

from mailcore import limits
from mailcore.errors import TooManyConnections, TooManyGuesses, TooMuchMail
from mailcore.outside import counters
from mailcore.services import strangers
from tests.fakes import FakeClock


@pytest.fixture(autouse=True)
def clock(settings, monkeypatch):
    settings.REDIS_URL = ""
    counters.forget_all()
    monkeypatch.setattr(limits, "NETWORK_TIMES", 2)
    with FakeClock() as fake:
        yield fake


def test_counts_connections_of_an_address_and_its_network(settings, clock):
    settings.HOSTMAIL_MX_CONNECTIONS = 2
    for peer in ("192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8:0:1::1"):
        assert strangers.arrive(peer) is False
    for peer in ("192.0.2.1", "192.0.2.4"):
        with pytest.raises(TooManyConnections) as refused:
            strangers.arrive(peer)
    assert refused.value.smtp_reply().startswith("421 4.7.0 ")
    strangers.arrive("198.51.100.1")
    clock.advance(seconds=121)
    strangers.arrive("192.0.2.1")


def test_counts_messages_and_their_recipients(settings, clock):
    settings.HOSTMAIL_MX_MESSAGES, settings.HOSTMAIL_MX_RECIPIENTS = 3, 10
    strangers.bring("192.0.2.1", 10)
    with pytest.raises(TooMuchMail) as refused:
        strangers.bring("192.0.2.1", 1)
    assert refused.value.smtp_reply().startswith("450 4.7.1 ")
    for _ in range(3):
        strangers.bring("198.51.100.1", 1)
    with pytest.raises(TooMuchMail):
        strangers.bring("198.51.100.1", 1)


def test_allows_any_number_where_the_setting_is_0(settings):
    settings.HOSTMAIL_MX_MESSAGES = settings.HOSTMAIL_MX_RECIPIENTS = 0
    settings.HOSTMAIL_MX_CONNECTIONS = settings.HOSTMAIL_MX_GUESSES = 0
    for _ in range(20):
        strangers.bring("192.0.2.1", 500)
        strangers.guess("192.0.2.1")
        strangers.arrive("192.0.2.1")


def test_lets_who_guesses_at_addresses_wait_an_hour(settings, clock):
    settings.HOSTMAIL_MX_GUESSES = 2
    strangers.guess("192.0.2.1")
    strangers.guess("192.0.2.1")
    for ask in (strangers.guess, strangers.arrive):
        with pytest.raises(TooManyGuesses):
            ask("192.0.2.1")
    strangers.arrive("192.0.2.2")
    clock.advance(seconds=7201)
    strangers.arrive("192.0.2.1")


def test_knows_for_a_week_whence_good_mail_came(clock):
    strangers.prove("192.0.2.1")
    assert strangers.arrive("192.0.2.1") is True
    assert strangers.arrive("192.0.2.2") is False
    clock.advance(seconds=15 * 86400)
    assert strangers.arrive("192.0.2.1") is False
