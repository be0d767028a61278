"""Sealing, keyed hashes, random names, and what a new secret changes."""

import re

import pytest

from mailcore import secrets
from mailcore.errors import CannotUnseal


def test_opens_what_it_sealed():
    for plaintext in (b"", b"x", bytes(range(256)) * 100):
        blob = secrets.seal("dkim key", plaintext)
        assert secrets.open_sealed("dkim key", blob) == plaintext
        assert secrets.open_sealed("dkim key", memoryview(blob)) == plaintext
        assert len(plaintext) < 4 or plaintext not in blob


def test_seals_the_same_differently_each_time():
    assert secrets.seal("a", b"same") != secrets.seal("a", b"same")


def test_opens_nothing_for_another_purpose():
    with pytest.raises(CannotUnseal):
        secrets.open_sealed("b", secrets.seal("a", b"text"))


def test_notices_every_changed_octet():
    blob = secrets.seal("a", b"text")
    for place in range(len(blob)):
        changed = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
        with pytest.raises(CannotUnseal):
            secrets.open_sealed("a", changed)
    for length in range(len(blob)):
        with pytest.raises(CannotUnseal):
            secrets.open_sealed("a", blob[:length])
    with pytest.raises(CannotUnseal):
        secrets.open_sealed("a", blob + b"x")


def test_opens_under_former_secrets_and_seals_under_the_present_one(settings):
    settings.HOSTMAIL_SECRET_KEY, settings.HOSTMAIL_SECRET_KEY_OLD = "first secret", []
    first = secrets.seal("a", b"text")
    assert secrets.is_current(first)
    settings.HOSTMAIL_SECRET_KEY, settings.HOSTMAIL_SECRET_KEY_OLD = "third", ["second", "first secret"]
    assert secrets.open_sealed("a", first) == b"text"
    assert not secrets.is_current(first)
    third = secrets.seal("a", b"text")
    settings.HOSTMAIL_SECRET_KEY_OLD = []
    assert secrets.open_sealed("a", third) == b"text"
    with pytest.raises(CannotUnseal):
        secrets.open_sealed("a", first)


def test_says_nothing_of_the_cause_to_strangers():
    with pytest.raises(CannotUnseal) as failed:
        secrets.open_sealed("a", b"nonsense")
    assert failed.value.smtp[0] == 451
    assert "seal" not in failed.value.public.lower()


def test_hashes_by_purpose_and_secret(settings):
    value = secrets.keyed_hash("token", "abc")
    assert re.fullmatch("[0-9a-f]{64}", value)
    assert value == secrets.keyed_hash("token", b"abc")
    assert value != secrets.keyed_hash("app password", "abc")
    assert secrets.keyed_hash("token", "pass\udcffword")
    assert secrets.matches("token", "abc", value)
    assert not secrets.matches("token", "abd", value)
    assert not secrets.matches("token", "abc", "")
    former = settings.HOSTMAIL_SECRET_KEY
    settings.HOSTMAIL_SECRET_KEY = "another secret"
    assert not secrets.matches("token", "abc", value)
    settings.HOSTMAIL_SECRET_KEY_OLD = [former]
    assert secrets.matches("token", "abc", value)
    assert secrets.keyed_hashes("token", "abc") == [secrets.keyed_hash("token", "abc"), value]


def test_derives_keys_that_differ_by_purpose_and_use(settings):
    key = secrets.derived_key("sessions")
    assert len(key) == 32
    assert len(secrets.derived_key("sessions", 64)) == 64
    assert key != secrets.derived_key("other")
    assert key != secrets._derive(settings.HOSTMAIL_SECRET_KEY, "seal", "sessions")
    assert secrets.derived_key("a\0b") != secrets.derived_key("a")


def test_makes_names_of_eighty_random_bits():
    made = {secrets.random_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch("[a-z2-7]{16}", name) for name in made)


def test_is_stable_across_versions(settings):
    """What is stored today must open after every upgrade: these values may never change."""
    settings.HOSTMAIL_SECRET_KEY = "a fixed secret"
    assert secrets.keyed_hash("token", "abc") == HASH
    assert secrets.open_sealed("dkim key", bytes.fromhex(SEALED)) == b"private"


HASH = "5f6cb214e32839fbe6a6cfde232665b4d4c5cc9f9eed131d96e4a306db7f2149"
SEALED = "016cb55779d49e3f48699c8708ae891386b411498aa078d7bb0119ee685b8be04e34285eb91ede12"
