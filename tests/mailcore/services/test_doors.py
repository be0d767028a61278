"""Logging in: who gets in with what, what ends it at once, and how guessing is slowed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.apps import apps
from django.contrib.auth.hashers import make_password
from django.db import connection

from mailcore import limits
from mailcore.errors import LoginFailed, LoginThrottled, MailboxSuspended, TenantSuspended
from mailcore.models import AppPassword, Domain, Rights, User
from mailcore.outside import counters
from mailcore.services import addresses, doors, logins, mailboxes, tenants, users
from tests.cast import PASSWORD, Cast, make_domain, make_mailbox
from tests.fakes import FakeClock

pytestmark = pytest.mark.django_db
HOME, CAFE = "192.0.2.10", "198.51.100.7"


@pytest.fixture(autouse=True)
def _fresh():
    logins.forget_all()
    counters.forget_all()


@pytest.fixture
def cast() -> Cast:
    return Cast()


@pytest.fixture
def hashed(monkeypatch) -> list[str]:
    """The passwords that were hashed and compared; none costs anything."""
    seen: list[str] = []

    def verify(password: str, encoded: str, **_: object) -> tuple[bool, bool]:
        seen.append(password)
        return encoded == "plain:" + password, False

    monkeypatch.setattr(logins, "verify_password", verify)
    monkeypatch.setattr(logins, "make_password", lambda password: "plain:never " + password)
    return seen


@pytest.fixture
def quick(cast, hashed) -> Cast:
    """The cast with passwords that cost nothing to compare."""
    User.objects.update(password="plain:" + PASSWORD)
    return cast


def log_in(login: str, password: str = PASSWORD, peer: str | None = HOME):
    return mailboxes.authenticate(login, password, protocol="imap", peer=peer)


def tries(login: str, number: int, peer: str = CAFE, start: int = 0) -> list[str]:
    """What wrong passwords, all different, are answered."""
    answers = []
    for guess in range(start, start + number):
        try:
            log_in(login, f"guess {guess}", peer)
        except (LoginFailed, LoginThrottled) as error:
            answers.append(type(error).__name__)
    return answers


# --- Getting in ----------------------------------------------------------------------------------


def test_lets_the_owner_in_under_any_address(cast):
    addresses.add_to_mailbox(cast.alice.mailbox, "a@acme.test", actor=None)
    addresses.add_alias(cast.alice.tenant, "info@acme.test", ["alice@acme.test"], actor=None)
    for name in ("alice@acme.test", "Alice@Acme.Test", "a@acme.test", "info@acme.test"):
        came = log_in(name)
        assert (came.user_id, came.mailbox_id, came.tenant_id, came.via) == (
            cast.alice.user.pk, cast.alice.mailbox.pk, cast.alice.tenant.pk, "password",
        )  # fmt: skip
        assert came.address == name.lower()
        assert mailboxes.is_still_good(came)


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("alice@acme.test", PASSWORD + "x"), ("alice@acme.test", ""), ("alice@acme.test", "x" * 5000),
        ("alice@acme.test", "\ud800"), ("alice@acme.test", PASSWORD + "\0"), ("alice+x@acme.test", PASSWORD),
        ("alice", PASSWORD), ("", PASSWORD), ("nobody@acme.test", PASSWORD), ("alice@example.org", PASSWORD),
        ("alice@acme.test' OR '1'='1", PASSWORD), ("%s@acme.test", PASSWORD), ("alice@acme.test\0", PASSWORD),
        ("a" * 100_000, PASSWORD),
    ],
)  # fmt: skip
def test_says_the_same_whatever_is_wrong(cast, login, password):
    with pytest.raises(LoginFailed) as caught:
        log_in(login, password)
    assert caught.value.public == LoginFailed.text


def test_an_unproven_domain_lets_nobody_in(cast):
    make_domain(cast.bob.tenant, "pending.test", verified=False)
    make_mailbox(cast.bob.tenant, "x@pending.test")
    with pytest.raises(LoginFailed):
        log_in("x@pending.test")


def test_hashes_for_a_name_that_does_not_exist_too(quick, hashed):
    for name in ("alice@acme.test", "nobody@acme.test", "x@example.org", "nonsense"):
        with pytest.raises(LoginFailed):
            log_in(name, "wrong")
    assert hashed == ["wrong"] * 4
    User.objects.filter(pk=quick.alice.user.pk).update(password=make_password(None))
    with pytest.raises(LoginFailed):
        log_in("alice@acme.test", "wrong again")
    assert len(hashed) == 5  # nor is an account without a password told apart


def test_an_app_password_opens_its_mailbox_only(cast):
    made, secret = mailboxes.add_app_password(cast.bob.user, cast.bob.mailbox, "phone")
    came = log_in("bob@acme.test", secret)
    assert (came.via, came.user_id, came.app_password_id) == ("app-password", cast.bob.user.pk, made.pk)
    assert log_in("bob@acme.test", secret.replace("-", "").upper()).app_password_id == made.pk
    with pytest.raises(LoginFailed):
        log_in("alice@acme.test", secret)
    kept = AppPassword.objects.get(pk=made.pk)
    assert kept.last_used_at is not None
    assert kept.last_used_from == HOME


def test_a_member_of_a_shared_mailbox_comes_in_with_an_app_password(cast):
    shared = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    mailboxes.grant(shared, cast.bob.user, Rights.READ, actor=None)
    _, secret = mailboxes.add_app_password(cast.bob.user, shared, "phone")
    came = log_in("office@acme.test", secret)
    assert (came.user_id, came.mailbox_id) == (cast.bob.user.pk, shared.pk)
    with pytest.raises(LoginFailed):
        log_in("office@acme.test")
    mailboxes.revoke(shared, cast.bob.user, actor=None)
    assert not mailboxes.is_still_good(came)
    with pytest.raises(LoginFailed):
        log_in("office@acme.test", secret)


def test_a_login_carries_what_the_person_may_do_and_ends_when_that_changes(cast):
    assert log_in("bob@acme.test", PASSWORD).may_write
    mailboxes.grant(cast.alice.mailbox, cast.bob.user, Rights.READ, actor=None)
    _, secret = mailboxes.add_app_password(cast.bob.user, cast.alice.mailbox, "phone")
    reader = log_in(cast.alice.address, secret)
    assert (reader.rights, reader.may_write) == (Rights.READ, False)
    assert mailboxes.is_still_good(reader)
    mailboxes.grant(cast.alice.mailbox, cast.bob.user, Rights.READ | Rights.WRITE, actor=None)
    assert not mailboxes.is_still_good(reader)
    assert log_in(cast.alice.address, secret).may_write


def test_a_second_factor_leaves_app_passwords_only(cast):
    came = log_in("bob@acme.test")
    _, secret = mailboxes.add_app_password(cast.bob.user, cast.bob.mailbox, "phone")
    factor = apps.get_model("mfa", "Authenticator")
    factor.objects.create(user_id=cast.bob.user.pk, type="recovery_codes", data={})
    assert log_in("bob@acme.test").via == "password"
    factor.objects.create(user_id=cast.bob.user.pk, type="totp", data={})
    assert not mailboxes.is_still_good(came)
    with pytest.raises(LoginFailed):
        log_in("bob@acme.test")
    assert log_in("bob@acme.test", secret).via == "app-password"


def test_an_old_hash_is_made_anew_at_the_next_login(cast):
    User.objects.filter(pk=cast.bob.user.pk).update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
    log_in("bob@acme.test")
    assert User.objects.get(pk=cast.bob.user.pk).password.startswith("argon2")


# --- What ends it --------------------------------------------------------------------------------


def test_remembers_good_logins_without_hashing(quick, hashed):
    for _ in range(3):
        log_in("alice@acme.test")
    assert len(hashed) == 1
    with pytest.raises(LoginFailed):
        log_in("alice@acme.test", PASSWORD + "x")
    with pytest.raises(LoginFailed):
        log_in("bob@acme.test", "wrong")


def test_forgets_after_ten_minutes(quick, hashed):
    with FakeClock() as clock:
        log_in("alice@acme.test")
        clock.advance(limits.LOGIN_CACHE_SECONDS - 1)
        log_in("alice@acme.test")
        clock.advance(2)
        log_in("alice@acme.test")
    assert len(hashed) == 2


def test_a_new_password_ends_the_old_one_at_once(cast):
    came = log_in("alice@acme.test")
    users.set_password(cast.alice.user, "another fine password", actor=None)
    assert not mailboxes.is_still_good(came)
    with pytest.raises(LoginFailed):
        log_in("alice@acme.test")
    log_in("alice@acme.test", "another fine password")


def test_a_password_changed_by_django_itself_counts_too(cast):
    came = log_in("alice@acme.test")
    user = User.objects.get(pk=cast.alice.user.pk)
    user.set_password("another fine password")
    user.save()
    assert not mailboxes.is_still_good(came)
    with pytest.raises(LoginFailed):
        log_in("alice@acme.test")
    log_in("alice@acme.test", "another fine password")


def test_a_password_that_was_wrong_is_tried_again_once_it_is_set(cast):
    with pytest.raises(LoginFailed):
        log_in("alice@acme.test", "another fine password")
    users.set_password(cast.alice.user, "another fine password", actor=None)
    log_in("alice@acme.test", "another fine password")


def test_a_suspension_counts_at_once_and_is_told_only_to_who_knows_the_password(cast):
    came = log_in("alice@acme.test")
    mailboxes.suspend(cast.alice.mailbox, actor=None)
    assert not mailboxes.is_still_good(came)
    with pytest.raises(MailboxSuspended):
        log_in("alice@acme.test")
    with pytest.raises(LoginFailed):
        log_in("alice@acme.test", "wrong")
    mailboxes.resume(cast.alice.mailbox, actor=None)
    tenants.suspend(cast.alice.tenant, actor=None)
    assert not mailboxes.is_still_good(came)
    with pytest.raises(TenantSuspended):
        log_in("alice@acme.test")
    with pytest.raises(LoginFailed):
        log_in("alice@acme.test", "wrong")


def test_other_ends_count_at_once_too(cast):
    came = log_in("bob@acme.test")
    made, secret = mailboxes.add_app_password(cast.bob.user, cast.bob.mailbox, "phone")
    with_app = log_in("bob@acme.test", secret)
    mailboxes.revoke_app_password(made, actor=None)
    assert not mailboxes.is_still_good(with_app)
    with pytest.raises(LoginFailed):
        log_in("bob@acme.test", secret)
    users.deactivate(cast.bob.user, actor=None)
    assert not mailboxes.is_still_good(came)
    with pytest.raises(LoginFailed):
        log_in("bob@acme.test")
    users.activate(cast.bob.user, actor=None)
    log_in("bob@acme.test")
    Domain.objects.filter(name="acme.test").update(state=Domain.State.PENDING)
    with pytest.raises(LoginFailed):
        log_in("bob@acme.test")
    mailboxes.remove(cast.bob.mailbox, actor=None)
    assert not mailboxes.is_still_good(came)


def test_the_cache_mixes_no_users(cast):
    log_in("alice@acme.test")
    User.objects.filter(pk=cast.bob.user.pk).update(password=make_password("bob's own password"))
    with pytest.raises(LoginFailed):
        log_in("bob@acme.test")


# --- Guessing ------------------------------------------------------------------------------------


def test_allows_at_most_sixty_guesses_an_hour_from_one_address(quick, hashed):
    with FakeClock() as clock:
        clock.jump(3590 - clock.time() % 3600)  # just before the window's boundary, the worst place
        passed = tries("alice@acme.test", 100).count("LoginFailed")
        for minute in range(60):
            clock.advance(60)
            passed += tries("alice@acme.test", 10, start=1000 + minute * 10).count("LoginFailed")
    assert passed == len(hashed)
    assert 30 <= passed <= 60


def test_allows_at_most_six_hundred_an_hour_from_a_hundred_addresses(quick, hashed):
    with FakeClock() as clock:
        for minute in range(0, 60, 10):
            for number in range(100):
                tries("alice@acme.test", 10, f"203.{number}.113.9", start=minute * 1000 + number * 10)
            clock.advance(minutes=10)
    assert len(hashed) <= 600


def test_the_owner_still_gets_in_from_where_they_usually_are(quick):
    log_in("alice@acme.test", peer=HOME)
    logins.good.clear()
    logins._marks.clear()
    for number in range(40):
        tries("alice@acme.test", 20, f"203.{number}.113.9", start=number * 100)
    with pytest.raises(LoginThrottled):
        log_in("alice@acme.test", peer=CAFE)
    log_in("alice@acme.test", peer=HOME)


def test_a_right_guess_is_refused_as_well_while_throttled_even_if_remembered(quick):
    log_in("alice@acme.test", peer=HOME)
    tries("alice@acme.test", 60, CAFE)
    with pytest.raises(LoginThrottled):
        log_in("alice@acme.test", PASSWORD, CAFE)


def test_the_same_wrong_password_again_is_no_new_guess(quick, hashed):
    for _ in range(200):
        with pytest.raises(LoginFailed):
            log_in("alice@acme.test", "last year's password")
    assert len(hashed) == 1
    log_in("alice@acme.test")


def test_counts_a_network_over_many_names_but_not_the_machine_itself(quick, hashed):
    for number in range(400):
        try:
            log_in(f"user{number}@acme.test", f"x{number}", f"203.0.113.{number % 250}")
        except (LoginFailed, LoginThrottled):
            pass
    assert len(hashed) == limits.LOGIN_TRIES_NETWORK
    with pytest.raises(LoginThrottled):
        log_in("alice@acme.test", peer="203.0.113.77")
    for number in range(400):
        with pytest.raises(LoginFailed):
            log_in(f"other{number}@acme.test", f"y{number}", "127.0.0.1")


def test_answers_slower_and_slower(quick):
    waits = []
    for guess in range(20):
        with pytest.raises(LoginFailed) as caught:
            log_in("alice@acme.test", f"g{guess}")
        waits.append(caught.value.wait_seconds)
    assert waits[:3] == [0, 0, 0]
    assert waits == sorted(waits)
    assert waits[-1] == limits.LOGIN_WAIT_SECONDS


@pytest.mark.django_db(transaction=True)
def test_guesses_at_the_same_time_are_not_all_let_through(quick, hashed, monkeypatch):
    monkeypatch.setattr(limits, "LOGIN_TRIES_PAIR", 5)
    start = threading.Barrier(16)

    def guess(number: int) -> str:
        try:
            start.wait()
            log_in("alice@acme.test", f"guess {number}", CAFE)
        except (LoginFailed, LoginThrottled) as error:
            return type(error).__name__
        finally:
            connection.close()
        return "in"

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(guess, range(16)))
    assert 5 <= len(hashed) <= 5 + limits.LOGIN_HASHES


def test_no_password_is_ever_logged(cast, caplog):
    with caplog.at_level("DEBUG"):
        log_in("alice@acme.test")
        with pytest.raises(LoginFailed):
            log_in("alice@acme.test", "a very secret guess")
    assert PASSWORD not in caplog.text
    assert "a very secret guess" not in caplog.text
    assert doors.has_second_factor(cast.alice.user.pk) is False
