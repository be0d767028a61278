"""What connections share: how many there may be, who may stay, and the end."""

import threading

import pytest

from mailcore import limits
from mailcore.services import mailboxes, tenants
from tests.mailcore.imap.test_connection import file, mail
from tests.servers import wait_for


def test_too_many_connections(imap, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_SESSIONS_PER_ADDRESS", 2)
    clients = [imap.connect(), imap.connect()]
    third = imap.connect()
    assert third.greeting == b"* BYE [UNAVAILABLE] Too many connections, please try again later"
    assert third.line() == b""
    clients[0].close()
    wait_for(lambda: len(imap.imap.open) == 1, 10, "room")
    assert imap.connect().greeting.startswith(b"* OK")
    monkeypatch.setattr(limits, "IMAP_SESSIONS", 2)
    assert imap.connect().greeting.startswith(b"* BYE")


def test_too_many_connections_of_one_mailbox(imap, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_SESSIONS_PER_MAILBOX", 2)
    first = imap.login()
    imap.login()
    third = imap.connect()
    refused = third.ask('LOGIN alice@acme.test "correct horse battery staple"')
    assert refused == ["a NO [LIMIT] This mailbox has too many connections"]
    imap.login("bob@acme.test")
    first.ask("LOGOUT")
    wait_for(lambda: imap.imap.by_mailbox[imap.cast.alice.mailbox.pk] == 1, 10, "room")
    third.login()


@pytest.mark.parametrize("what", ["mailbox suspended", "tenant suspended", "password", "removed"])
def test_who_may_no_longer_be_here_is_sent_away(imap, monkeypatch, what):
    monkeypatch.setattr(limits, "IMAP_LOGIN_CHECK_SECONDS", 0.05)
    clients = [imap.login(), imap.login(folder="INBOX"), imap.login(folder="INBOX")]
    clients[2].send("b IDLE\r\n")
    clients[2].line()
    stays = imap.login("charlie@charlie.test")
    alice = imap.cast.alice
    if what == "mailbox suspended":
        mailboxes.suspend(alice.mailbox, actor=None)
    elif what == "tenant suspended":
        tenants.suspend(alice.tenant, "bill", actor=None)
    elif what == "password":
        mailboxes.set_password(alice.mailbox, "another horse battery staple", actor=None)
    else:
        mailboxes.remove(alice.mailbox, actor=None)
    for client in clients:
        assert client.until("BYE")[-1] == "* BYE Your access has changed, please log in again"
        assert client.line() == b""
    assert stays.ask("NOOP")[-1] == "a OK NOOP completed"


def test_a_ring_has_the_login_of_an_idle_client_checked(imap):
    """Long before the next look at everybody."""
    client = imap.login(folder="INBOX")
    client.send("b IDLE\r\n")
    client.line()
    mailboxes.suspend(imap.cast.alice.mailbox, actor=None)
    assert client.until("BYE")


def test_the_end_is_told(imap):
    clients = [imap.connect(), imap.login(), imap.login(folder="INBOX")]
    clients[2].send("b IDLE\r\n")
    clients[2].line()
    stopping = threading.Thread(target=imap.stop)
    stopping.start()
    for client in clients:
        assert client.until("BYE")[-1] == "* BYE [UNAVAILABLE] Server is shutting down"
        assert client.line() == b""
    stopping.join(10)
    assert not imap.imap.open


def test_a_command_that_runs_is_answered_before_the_end(imap):
    file(imap.cast.alice, *[mail(b"x" * 50_000)] * 100)
    client = imap.login(folder="INBOX")
    client.send("b FETCH 1:* BODY.PEEK[]\r\n")
    client.line()
    stopping = threading.Thread(target=imap.stop)
    stopping.start()
    said = client.rest()
    assert said.endswith(b"b OK FETCH completed\r\n* BYE [UNAVAILABLE] Server is shutting down\r\n")
    stopping.join(10)


def test_long_commands_take_turns(imap, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_TURN_SECONDS", 0.0)
    monkeypatch.setattr(limits, "IMAP_LONG_TURNS", 1)
    monkeypatch.setattr(limits, "IMAP_PAGE_ROWS", 5)
    file(imap.cast.alice, *[mail(b"needle %d" % number) for number in range(100)])
    clients = [imap.login(folder="INBOX") for _ in range(6)]
    for client in clients:
        client.send("b SEARCH BODY needle\r\n")
    quick = imap.login("bob@acme.test", "INBOX")
    assert quick.ask("STATUS INBOX (MESSAGES)")[-1].startswith("a OK")
    for client in clients:
        assert len(client.until("^b OK")[0].split()) == 102
    assert (imap.imap.long_turns, len(imap.imap.waiting)) == (0, 0)


def test_counts_nobody_who_has_left(imap):
    for _ in range(10):
        imap.login().close()
    wait_for(lambda: not imap.imap.open, 10, "nobody")
    assert not imap.imap.by_address
    assert not imap.imap.by_mailbox
