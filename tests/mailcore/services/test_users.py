"""People, their passwords and API tokens."""

import pytest

from mailcore.errors import AlreadyExists, BadAddress, BadValue, NotAllowedNow
from mailcore.models import ApiToken, AuditEntry, User
from mailcore.services import mailboxes, users
from tests.cast import PASSWORD, Cast, make_user
from tests.fakes import FakeClock

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast()


def test_keeps_one_person_per_address_in_any_case():
    user = users.create(" Ada@Example.ORG ", name=" Ada ", password="pw", is_staff=True, actor=None)
    assert (user.email, user.name, user.is_staff) == ("ada@example.org", "Ada", True)
    assert user.check_password("pw")
    for again in ("ada@example.org", "ADA@EXAMPLE.org"):
        with pytest.raises(AlreadyExists):
            users.create(again, actor=None)
    users.create("straße@example.org", actor=None)
    with pytest.raises(AlreadyExists):
        users.create("STRASSE@example.org", actor=None)
    with pytest.raises(BadAddress):
        users.create("ada", actor=None)


def test_without_a_password_nobody_can_sign_in():
    user = users.create("ada@example.org", actor=None)
    assert not user.has_usable_password()
    assert not user.check_password("")


def test_a_person_sets_good_passwords_only(cast):
    for bad in ("short", "alice@acme.test", "1234567890"):
        with pytest.raises(BadValue):
            users.set_password(cast.alice.user, bad, actor=cast.alice.user)
    users.set_password(cast.alice.user, "a much better one", actor=cast.alice.user)
    assert User.objects.get(pk=cast.alice.user.pk).check_password("a much better one")
    assert "a much better one" not in str(list(AuditEntry.objects.values()))


def test_the_last_owner_stays(cast):
    for ending in (users.deactivate, users.remove):
        with pytest.raises(NotAllowedNow):
            ending(cast.alice.user, actor=None)
    users.remove(cast.bob.user, actor=None)
    assert mailboxes.owner_of(cast.bob.mailbox) is None
    assert AuditEntry.objects.get(verb="user.remove").object_name == "Bob Baker"


def test_a_token_is_shown_once_and_kept_as_a_hash(cast):
    token, secret = users.issue_token(
        cast.alice.user, " CI ", tenant=cast.alice.tenant, actor=cast.alice.user
    )
    assert token.name == "CI"
    assert secret.startswith(token.prefix)
    assert secret[len(token.prefix) :] not in str(vars(token))
    assert secret not in str(list(AuditEntry.objects.values()))
    found = users.authenticate_token(secret)
    assert (found, found.user, found.tenant) == (token, cast.alice.user, cast.alice.tenant)
    for wrong in (
        "",
        secret[:-1],
        secret + "x",
        secret.upper(),
        "hm_",
        "hm_" + "x" * 5000,
        "hm_é",
        token.prefix,
    ):
        assert users.authenticate_token(wrong) is None


def test_a_token_ends_when_revoked_expired_or_its_person_goes(cast):
    with FakeClock() as clock:
        token, secret = users.issue_token(cast.alice.user, "a", actor=None)
        users.revoke_token(token, actor=cast.alice.user)
        assert users.authenticate_token(secret) is None
        end = clock.now().replace(year=2027)
        _, secret = users.issue_token(cast.alice.user, "b", expires_at=end, actor=None)
        assert users.authenticate_token(secret)
        clock.advance(days=500)
        assert users.authenticate_token(secret) is None
    _, secret = users.issue_token(cast.bob.user, "c", actor=None)
    users.deactivate(cast.bob.user, actor=None)
    assert users.authenticate_token(secret) is None


def test_writes_down_the_use_of_a_token_now_and_then(cast):
    with FakeClock() as clock:
        token, secret = users.issue_token(cast.alice.user, "a", actor=None)
        first = users.authenticate_token(secret).last_used_at
        clock.advance(60)
        assert users.authenticate_token(secret).last_used_at == first == clock.now().replace(minute=0)
        clock.advance(600)
        assert users.authenticate_token(secret).last_used_at == clock.now()
    assert ApiToken.objects.get(pk=token.pk).last_used_at is not None


def test_a_former_secret_key_still_knows_its_tokens(cast, settings):
    _, secret = users.issue_token(cast.alice.user, "a", actor=None)
    _, app = mailboxes.add_app_password(cast.alice.user, cast.alice.mailbox, "phone")
    settings.HOSTMAIL_SECRET_KEY_OLD = [settings.HOSTMAIL_SECRET_KEY]
    settings.HOSTMAIL_SECRET_KEY = "another secret that is long enough to be one"
    assert users.authenticate_token(secret)
    assert mailboxes.authenticate("alice@acme.test", app, protocol="imap", peer=None)
    settings.HOSTMAIL_SECRET_KEY_OLD = []
    assert users.authenticate_token(secret) is None


@pytest.mark.parametrize("name", ["", " ", "x" * 81])
def test_a_token_needs_a_name(cast, name):
    with pytest.raises(BadValue):
        users.issue_token(cast.alice.user, name, actor=None)


def test_everything_of_a_person_can_be_revoked_at_once(cast):
    _, secret = users.issue_token(cast.alice.user, "a", actor=None)
    _, app = mailboxes.add_app_password(cast.alice.user, cast.alice.mailbox, "phone")
    came = mailboxes.authenticate("alice@acme.test", PASSWORD, protocol="imap", peer=None)
    users.revoke_everything(cast.alice.user, actor=None)
    assert users.authenticate_token(secret) is None
    assert not mailboxes.is_still_good(came)
    assert cast.alice.user.login_version == 1
    assert app
    other = make_user("x@example.org")
    users.end_logins(other)
    assert other.login_version == 1
