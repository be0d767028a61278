"""Counting failures and remembering logins, apart from mailboxes. How guessing fares is in test_doors.py."""

import threading

import pytest

from mailcore import limits
from mailcore.errors import Busy, LoginThrottled
from mailcore.outside import counters
from mailcore.services import logins
from tests.fakes import FakeClock

HOME, CAFE = "192.0.2.10", "198.51.100.7"


@pytest.fixture(autouse=True)
def _fresh():
    logins.forget_all()
    counters.forget_all()


@pytest.mark.parametrize(
    ("peer", "address", "network"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/64"),
        ("127.0.0.1", "127.0.0.1", ""),
        ("::1", "::/64", ""),
        (None, "local", ""),
        ("unix", "local", ""),
    ],
)
def test_knows_what_is_one_address(peer, address, network):
    assert logins.address_key(peer) == address
    assert logins.network_key(peer) == network


def test_counts_by_name_and_address_and_lets_go_after_an_hour():
    with FakeClock() as clock:
        for _ in range(limits.LOGIN_TRIES_PAIR):
            logins.check("a@x.test", CAFE)
            logins.failed("a@x.test", CAFE)
        with pytest.raises(LoginThrottled):
            logins.check("a@x.test", CAFE)
        logins.check("a@x.test", HOME)
        logins.check("b@x.test", CAFE)
        clock.advance(2 * limits.LOGIN_WINDOW_SECONDS)
        logins.check("a@x.test", CAFE)


def test_a_usual_address_is_remembered_for_a_while_and_outlives_the_process():
    with FakeClock() as clock:
        assert not logins.is_usual("a@x.test", HOME)
        logins.succeeded("a@x.test", HOME)
        logins._marks.clear()  # as after a restart, with the counters in Redis
        assert logins.is_usual("a@x.test", HOME)
        assert not logins.is_usual("a@x.test", CAFE)
        assert not logins.is_usual("b@x.test", HOME)
        clock.advance(2 * limits.LOGIN_USUAL_SECONDS)
        assert not logins.is_usual("a@x.test", HOME)


def test_failures_at_a_usual_address_leave_the_name_alone():
    logins.succeeded("a@x.test", HOME)
    for _ in range(limits.LOGIN_TRIES_NAME + 5):
        logins.failed("a@x.test", HOME)
    logins.check("a@x.test", CAFE)


def test_the_cache_mixes_nothing_and_has_an_end():
    cache = logins.Cache(entries=2)
    with FakeClock() as clock:
        known = logins.Known(1, 1, 0, "hash", "password", None, clock.monotonic() + 10)
        cache.put("ab", "c", known)
        assert cache.get("ab", "c") is known
        assert cache.get("a", "bc") is None
        assert cache.get("ab", "\ud800") is None
        clock.advance(11)
        assert cache.get("ab", "c") is None
        for number in range(5):
            cache.put("name", str(number), known)
        assert len(cache) == 2
        cache.drop("name", "4")
        assert len(cache) == 1


def test_the_cache_holds_no_password_in_clear():
    cache = logins.Cache()
    cache.put("name@x.test", "the password", logins.Known(1, 1, 0, "hash", "password", None, 1e12))
    assert "the password" not in repr(vars(cache))
    assert "name@x.test" not in repr(vars(cache))
    other = logins.Cache()
    assert other._name("a", "b") != cache._name("a", "b")


def test_hashes_a_few_at_a_time_and_says_when_that_takes_too_long(monkeypatch):
    monkeypatch.setattr(limits, "LOGIN_HASH_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(logins, "_places", threading.BoundedSemaphore(1))
    seen = []

    def slow(password: str, encoded: str) -> tuple[bool, bool]:
        with pytest.raises(Busy):
            logins.verify("other", "argon2$x", name="b", peer=None)
        seen.append(password)
        return True, False

    monkeypatch.setattr(logins, "verify_password", slow)
    assert logins.verify("one", "argon2$x", name="a", peer=None) == (True, False)
    assert seen == ["one"]
    monkeypatch.setattr(logins, "verify_password", lambda *_: (True, False))
    assert logins.verify("three", "argon2$x", name="a", peer=None) == (
        True,
        False,
    )  # the place was given back
