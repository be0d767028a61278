"""Signing in by SCRAM, in all three protocols, over real sockets with the standard library's clients."""

import base64
import hashlib
import imaplib
import poplib
import smtplib
import ssl
from contextlib import suppress

import pytest

from mailcore import limits, scram
from mailcore.errors import LoginFailed, LoginThrottled, MailboxSuspended, TenantSuspended
from mailcore.models import Verifier
from mailcore.services import doors, logins, mailboxes, tenants, users, verifiers
from tests.cast import PASSWORD, Cast
from tests.scram import Client

LAX = ssl._create_unverified_context()
PLUS_GS2 = b"p=tls-server-end-point,,"


# --- The exchange ---------------------------------------------------------------------------------------


@pytest.fixture
def cast(db, data_dir):
    logins.forget_all()
    return Cast()


def plain(person, password: str = PASSWORD):
    return mailboxes.authenticate(person.address, password, protocol="imap", peer="192.0.2.1")


def sign_in(name: str, password: str, *, peer: str = "192.0.2.1", meanwhile=lambda: None) -> doors.Login:
    exchange, client = (
        mailboxes.Exchange(scram.MECHANISM, protocol="imap", peer=peer, endpoint=b""),
        Client(name, password),
    )
    challenge = exchange.first(client.begin())
    meanwhile()
    assert exchange.final(client.answer(challenge)) == client.expected
    assert exchange.login is not None
    return exchange.login


def salt_of(name: str) -> bytes:
    exchange = mailboxes.Exchange(scram.MECHANISM, protocol="imap", peer="192.0.2.1", endpoint=b"")
    return exchange.first(Client(name, "x").begin()).split(b",", 1)[1]


def test_lets_in_who_has_signed_in_in_clear_before(cast):
    with pytest.raises(LoginFailed):
        sign_in(cast.alice.address, PASSWORD)
    came = plain(cast.alice)
    assert sign_in(cast.alice.address, PASSWORD) == came
    assert sign_in(cast.alice.address.upper(), PASSWORD) == came
    with pytest.raises(LoginFailed):
        sign_in(cast.alice.address, PASSWORD + "s")
    with pytest.raises(LoginFailed):
        sign_in(cast.bob.address, PASSWORD)


def test_lets_in_with_a_password_just_set_and_not_with_the_old_one(cast):
    plain(cast.alice)
    users.set_password(cast.alice.user, "another long pass phrase", actor=None)
    assert sign_in(cast.alice.address, "another long pass phrase").via == "password"
    with pytest.raises(LoginFailed):
        sign_in(cast.alice.address, PASSWORD)
    # Set by a way that knows nothing of verifiers: the old one is worthless at once.
    cast.alice.user.set_password("a third long pass phrase")
    cast.alice.user.save()
    for password in ("another long pass phrase", "a third long pass phrase"):
        with pytest.raises(LoginFailed):
            sign_in(cast.alice.address, password)
    plain(cast.alice, "a third long pass phrase")
    sign_in(cast.alice.address, "a third long pass phrase")


def test_lets_in_with_the_password_a_mailbox_was_made_with(cast):
    made = mailboxes.create(
        cast.alice.tenant, f"new@{cast.alice.domain.name}", password="brand new pass phrase", actor=None
    )
    assert sign_in(str(made), "brand new pass phrase").mailbox_id == made.pk


def test_lets_in_with_app_passwords_however_they_are_typed_until_they_are_revoked(cast):
    plain(cast.alice)
    apps = [mailboxes.add_app_password(cast.alice.user, cast.alice.mailbox, name) for name in ("a", "b")]
    for app, shown in apps:
        for typed in (shown, shown.replace("-", "")):
            assert sign_in(cast.alice.address, typed).app_password_id == app.pk
    assert sign_in(cast.alice.address, PASSWORD).via == "password"
    mailboxes.revoke_app_password(apps[0][0], actor=None)
    with pytest.raises(LoginFailed):
        sign_in(cast.alice.address, apps[0][1])
    sign_in(cast.alice.address, apps[1][1])
    Verifier.objects.filter(app_password=apps[1][0]).delete()  # one from before there were verifiers
    with pytest.raises(LoginFailed):
        sign_in(cast.alice.address, apps[1][1])
    plain(cast.alice, apps[1][1])
    sign_in(cast.alice.address, apps[1][1])


def test_asks_anew_who_may_after_the_proof(cast, monkeypatch):
    plain(cast.alice)
    changed = "yet another pass phrase"
    with pytest.raises(LoginFailed):
        sign_in(
            cast.alice.address,
            PASSWORD,
            meanwhile=lambda: users.set_password(cast.alice.user, changed, actor=None),
        )
    sign_in(cast.alice.address, changed)
    with monkeypatch.context() as patches, pytest.raises(LoginFailed):
        patches.setattr(doors, "has_second_factor", lambda user_id: True)
        sign_in(cast.alice.address, changed)
    mailboxes.suspend(cast.alice.mailbox, actor=None)
    with pytest.raises(MailboxSuspended):
        sign_in(cast.alice.address, changed)
    mailboxes.resume(cast.alice.mailbox, actor=None)
    tenants.suspend(cast.alice.tenant, "unpaid", actor=None)
    with pytest.raises(TenantSuspended):
        sign_in(cast.alice.address, changed)


def test_does_not_tell_names_apart(cast):
    domain = cast.alice.domain.name
    nobody = f"nobody@{domain}"
    before = [salt_of(cast.alice.address), salt_of(nobody), salt_of("x"), salt_of(f"nobody@{domain}")]
    assert before[1] == before[3]
    assert len(set(before)) == 3
    assert {len(each) for each in before} == {len(before[0])}
    plain(cast.alice)
    # Nothing is seen of a verifier's coming either.
    assert salt_of(cast.alice.address) == before[0]
    with pytest.raises(LoginFailed) as known:
        sign_in(cast.alice.address, "wrong")
    with pytest.raises(LoginFailed) as unknown:
        sign_in(nobody, "wrong")
    assert known.value.public == unknown.value.public


def test_counts_failures_with_those_of_other_ways(cast):
    plain(cast.alice)
    peer = "198.51.100.7"
    for number in range(limits.LOGIN_TRIES_PAIR - 1):
        with pytest.raises(LoginFailed):
            sign_in(cast.alice.address, f"wrong {number}", peer=peer)
    with pytest.raises(LoginFailed) as slow:
        mailboxes.authenticate(cast.alice.address, "wrong too", protocol="pop3", peer=peer)
    assert slow.value.wait_seconds > 0
    with pytest.raises(LoginThrottled):
        sign_in(cast.alice.address, PASSWORD, peer=peer)
    sign_in(cast.alice.address, PASSWORD, peer="192.0.2.1")


def test_keeps_nothing_that_a_thief_of_the_database_could_guess_by(cast):
    plain(cast.alice)
    row = Verifier.objects.get()
    keys = scram.keys(PASSWORD, bytes(row.salt), row.iterations)
    assert row.iterations == limits.SCRAM_ITERATIONS
    assert keys.stored not in bytes(row.sealed)
    assert verifiers.known(row.mailbox_id, "x").candidates[0].keys == (keys,)


def test_a_password_that_scram_cannot_carry_still_signs_in_in_clear(cast):
    users.set_password(cast.alice.user, "pass \u0627mixed both ways", actor=None)
    assert not Verifier.objects.exists()
    plain(cast.alice, "pass \u0627mixed both ways")


# --- On the wire ----------------------------------------------------------------------------------------


@pytest.fixture
def alice(maild):
    person = maild.person()
    verifiers.write(person.mailbox.pk, person.user.pk, person.password, person.user.password)
    return person


def by_imap(maild, client: Client, mechanism: str, *, tls: bool) -> None:
    with imaplib.IMAP4("127.0.0.1", maild.ports["imap"]) as imap:
        if tls:
            imap.starttls(LAX)
            client.endpoint = client.endpoint and endpoint(imap.sock)
        assert ("AUTH=SCRAM-SHA-256-PLUS" in imap.capabilities) is tls
        answers = iter((client.begin, client.answer))
        heard = []

        def say(challenge: bytes) -> bytes:
            heard.append(challenge)
            step = next(answers, None)
            return b"" if step is None else step() if step == client.begin else step(challenge)

        imap.authenticate(mechanism, say)
        assert heard[-1] == client.expected
        assert imap.select()[0] == "OK"


def by_pop3(maild, client: Client, mechanism: str, *, tls: bool) -> None:
    pop3 = poplib.POP3("127.0.0.1", maild.ports["pop3"])
    try:
        if tls:
            pop3.stls(LAX)
            client.endpoint = client.endpoint and endpoint(pop3.sock)
        assert ("SCRAM-SHA-256-PLUS" in pop3.capa()["SASL"]) is tls
        # The first message at once (RFC 5034 §4).
        said = pop3._shortcmd(f"AUTH {mechanism} {base64.b64encode(client.begin()).decode()}")
        said = pop3._shortcmd(base64.b64encode(client.answer(base64.b64decode(said[2:]))).decode())
        assert base64.b64decode(said[2:]) == client.expected
        pop3._shortcmd("")
        assert pop3.stat() == (0, 0)
    except poplib.error_proto as error:
        raise LoginFailed(str(error)) from error
    finally:
        with suppress(poplib.error_proto, OSError):
            pop3.quit()


def by_smtp(maild, client: Client, mechanism: str, *, tls: bool) -> None:
    with smtplib.SMTP("127.0.0.1", maild.ports["submission"]) as smtp:
        smtp.ehlo()
        if tls:
            smtp.starttls(context=LAX)
            smtp.ehlo()
            client.endpoint = client.endpoint and endpoint(smtp.sock)
        assert ("SCRAM-SHA-256-PLUS" in smtp.esmtp_features["auth"].split()) is tls
        heard = []

        def say(challenge: bytes | None = None) -> str:
            heard.append(challenge)
            if challenge is None:
                return client.begin().decode()
            return "" if challenge.startswith(b"v=") else client.answer(challenge).decode()

        assert smtp.auth(mechanism, say)[0] == 235
        assert heard[-1] == client.expected
        assert smtp.mail("<>")[0] == 250


def endpoint(connection: ssl.SSLSocket) -> bytes:
    return hashlib.sha256(connection.getpeercert(binary_form=True)).digest()


WAYS = [by_imap, by_pop3, by_smtp]
REFUSED = (imaplib.IMAP4.error, LoginFailed, smtplib.SMTPAuthenticationError)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tls", [False, True])
def test_signs_in(maild, alice, way, tls):
    way(maild, Client(alice.address, alice.password), "SCRAM-SHA-256", tls=tls)
    with pytest.raises(REFUSED):
        way(maild, Client(alice.address, "wrong"), "SCRAM-SHA-256", tls=tls)


@pytest.mark.parametrize("way", WAYS)
def test_signs_in_bound_to_its_tls_channel(maild, alice, way):
    way(
        maild,
        Client(alice.address, alice.password, gs2=PLUS_GS2, endpoint=b"yes"),
        "SCRAM-SHA-256-PLUS",
        tls=True,
    )
    with pytest.raises(REFUSED):  # bound to nothing
        way(maild, Client(alice.address, alice.password, gs2=PLUS_GS2), "SCRAM-SHA-256-PLUS", tls=True)
    with pytest.raises(REFUSED):  # it could, and was told that we cannot
        way(maild, Client(alice.address, alice.password, gs2=b"y,,"), "SCRAM-SHA-256", tls=True)
    way(maild, Client(alice.address, alice.password, gs2=b"y,,"), "SCRAM-SHA-256", tls=False)
    with pytest.raises(REFUSED):  # no TLS to be bound to
        way(
            maild,
            Client(alice.address, alice.password, gs2=PLUS_GS2, endpoint=b"x"),
            "SCRAM-SHA-256-PLUS",
            tls=False,
        )
