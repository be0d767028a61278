from base64 import b64encode

import pytest
from django.contrib.auth.hashers import make_password

from mailcore.imap.session import State
from mailcore.services import mailboxes, tenants
from tests.cast import PASSWORD
from tests.mailcore.imap.commands.talking import Talk


def plain(name: str, password: str = PASSWORD, authorize: str = "") -> str:
    return b64encode(f"{authorize}\0{name}\0{password}".encode()).decode()


def test_login(cast):
    talk = Talk()
    said = talk.say(f'LOGIN alice@acme.test "{PASSWORD}"')
    assert said.startswith("a OK [CAPABILITY IMAP4rev1 ")
    assert talk.session.mailbox_id == cast.alice.mailbox.pk
    assert talk.say(f'LOGIN alice@acme.test "{PASSWORD}"') == "a BAD You are logged in already\r\n"


def test_login_with_literals(cast):
    said = Talk().say(b"LOGIN {15}\r\n {28}\r\n", b"ALICE@acme.test", PASSWORD.encode())
    assert said.startswith("a OK [CAPABILITY ")


@pytest.mark.parametrize("name", ["alice@acme.test", "nobody@acme.test", "x", '""', '"a@b@c"'])
def test_a_wrong_login_says_nothing(cast, name):
    talk = Talk()
    assert talk.say(f"LOGIN {name} nope") == "a NO [AUTHENTICATIONFAILED] Wrong name or password\r\n"
    assert talk.session.state is State.NOT_AUTHENTICATED


def test_octets_that_are_no_text_are_a_wrong_login(cast):
    said = Talk().say(b"LOGIN {2}\r\n {1}\r\n", b"\xff\xfe", b"\xff")
    assert said == "a NO [AUTHENTICATIONFAILED] Wrong name or password\r\n"
    assert "AUTHENTICATIONFAILED" in Talk().say(b"LOGIN alice@acme.test {1}\r\n", b"\xff")
    assert Talk().say(b'LOGIN alice@acme.test "\xff"').startswith("a BAD ")


def test_many_wrong_logins_are_slowed(cast):
    talk = Talk()
    for number in range(6):
        talk.say(f"LOGIN alice@acme.test wrong{number}")
    assert talk.paused == sorted(talk.paused)
    assert talk.paused[-1] > 0


def test_no_login_in_the_clear(cast):
    talk = Talk(may_login=False)
    for line in (f'LOGIN alice@acme.test "{PASSWORD}"', f"AUTHENTICATE PLAIN {plain('alice@acme.test')}"):
        assert talk.say(line).startswith("a NO [PRIVACYREQUIRED] ")
    assert talk.session.state is State.NOT_AUTHENTICATED


def test_authenticate_plain(cast):
    assert Talk().say(f"AUTHENTICATE PLAIN {plain('alice@acme.test')}").startswith("a OK ")
    said = Talk().say("AUTHENTICATE plain", lines=(plain("alice@acme.test").encode(),))
    assert said.startswith("+ \r\na OK ")
    same = plain("alice@acme.test", authorize="alice@acme.test")
    assert Talk().say(f"AUTHENTICATE PLAIN {same}").startswith("a OK ")
    other = plain("alice@acme.test", authorize="bob@acme.test")
    assert "NO [AUTHENTICATIONFAILED]" in Talk().say(f"AUTHENTICATE PLAIN {other}")


def test_authenticate_login(cast):
    lines = b64encode(b"alice@acme.test"), b64encode(PASSWORD.encode())
    said = Talk().say("AUTHENTICATE LOGIN", lines=lines)
    assert said.startswith("+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\na OK ")
    initial = Talk().say(f"AUTHENTICATE LOGIN {lines[0].decode()}", lines=lines[1:])
    assert initial.startswith("+ UGFzc3dvcmQ6\r\na OK ")


@pytest.mark.parametrize("answer", [b"*", b"!!!", b64encode(b"no nul"), b64encode(b"a\0b"), b"====", b""])
def test_answers_that_are_none(cast, answer):
    talk = Talk()
    assert "a BAD " in talk.say("AUTHENTICATE PLAIN", lines=(answer,))
    assert talk.session.state is State.NOT_AUTHENTICATED


def test_unknown_mechanisms(cast):
    assert Talk().say("AUTHENTICATE CRAM-MD5").startswith("a BAD ")


def test_suspended(cast):
    mailboxes.suspend(cast.alice.mailbox, actor=None)
    assert Talk().say(f'LOGIN alice@acme.test "{PASSWORD}"').startswith("a NO [CONTACTADMIN] ")
    tenants.suspend(cast.charlie.tenant, "bill", actor=None)
    assert Talk().say(f'LOGIN charlie@charlie.test "{PASSWORD}"').startswith("a NO [CONTACTADMIN] ")


def test_starttls_answers_in_the_clear_and_once():
    assert Talk().say("STARTTLS") == "a OK Begin TLS negotiation now\r\n"
    assert Talk(is_tls=True).say("STARTTLS").startswith("a BAD ")


def test_starttls_is_for_strangers(alice):
    assert alice.say("STARTTLS").startswith("a BAD ")


def test_enable_enables_what_there_is(alice):
    assert alice.say("ENABLE X-NONE") == "* ENABLED\r\na OK ENABLE completed\r\n"
    assert alice.say("ENABLE X-NONE condstore") == "* ENABLED CONDSTORE\r\na OK ENABLE completed\r\n"
    assert alice.say("ENABLE CONDSTORE") == "* ENABLED\r\na OK ENABLE completed\r\n"
    assert Talk().say("ENABLE X").startswith("a BAD ")


def test_enables_utf8_only_where_no_folder_is_selected(alice):
    """RFC 9755 §3."""
    assert "UTF8=ACCEPT" in alice.session.capabilities()
    alice.say("SELECT INBOX")
    assert alice.say("ENABLE UTF8=ACCEPT").startswith("a BAD ")
    assert not alice.session.is_utf8
    alice.say("UNSELECT")
    assert alice.say("ENABLE utf8=accept") == "* ENABLED UTF8=ACCEPT\r\na OK ENABLE completed\r\n"
    assert alice.session.is_utf8


def test_logs_in_with_a_password_in_utf8(cast):
    """What LOGIN does with it is left open (RFC 9755 §5); AUTHENTICATE has always taken it."""
    password = "Grüße aus Köln"
    cast.alice.user.password = make_password(password)
    cast.alice.user.save()
    assert Talk().say(f'LOGIN alice@acme.test "{password}"').startswith("a OK ")
    assert Talk().say(f"AUTHENTICATE PLAIN {plain('alice@acme.test', password)}").startswith("a OK ")


@pytest.mark.parametrize(
    "line", ["NOOP", 'LIST "" *', "SELECT INBOX", "FETCH 1 FLAGS", "APPEND INBOX {1}\r\n", "IDLE", "CLOSE"]
)
def test_strangers_may_do_nothing(db, line):
    said = Talk().say(line, b"x")
    assert said == ("a OK NOOP completed\r\n" if line == "NOOP" else "a BAD Please log in first\r\n")


def test_is_nobody_again_only_where_settings_say_so(selected, settings):
    """RFC 8437 §8."""
    assert "UNAUTHENTICATE" not in selected.session.capabilities()
    assert selected.say("UNAUTHENTICATE").startswith("a BAD ")
    assert selected.session.state is State.SELECTED
    settings.HOSTMAIL_IMAP_UNAUTHENTICATE = True
    assert selected.session.capabilities()[-1] == "UNAUTHENTICATE"
    selected.session.is_compressed = True
    assert "UNAUTHENTICATE" not in selected.session.capabilities()
    assert selected.say("UNAUTHENTICATE").startswith("a BAD ")


def test_nobody_has_what_somebody_had(selected, settings):
    """RFC 8437 §4.1: the session is as one that has just begun."""
    settings.HOSTMAIL_IMAP_UNAUTHENTICATE = True
    selected.say("UNSELECT")
    selected.say("ENABLE QRESYNC UTF8=ACCEPT IMAP4rev2")
    selected.say("SELECT INBOX")
    selected.say("SEARCH RETURN (SAVE) ALL")
    selected.append()
    assert selected.say("UNAUTHENTICATE").startswith("a OK [CAPABILITY IMAP4rev1 ")
    fresh = Talk().session
    for name in type(fresh).__slots__:
        if name not in ("surroundings", "snapshots", "failures"):
            assert getattr(selected.session, name) == getattr(fresh, name), name
    assert selected.say("SELECT INBOX").startswith("a BAD ")
    assert selected.say("UNAUTHENTICATE").startswith("a BAD ")
