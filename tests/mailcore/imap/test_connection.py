"""One client over real sockets: order, splits, back-pressure, literals, TLS, and how it ends."""

import imaplib
import logging
import socket
import ssl
import time

import pytest
from imapclient import IMAPClient

from mailcore import limits
from mailcore.imap import commands, connection
from mailcore.imap.commands import any as anytime
from mailcore.imap.session import Spec
from mailcore.imap.wire import receiver
from mailcore.message.flags import SEEN
from mailcore.models import Folder, Message
from mailcore.services import messages
from mailcore.services.messages import Filing, Mail, Unit
from tests.cast import PASSWORD
from tests.servers import wait_for

LAX = ssl._create_unverified_context()


def file(person, *raws: bytes, **filing) -> None:
    box = person.mailbox
    units = [Unit([Mail(messages.prepare(raw), [Filing(box.tenant_id, box.pk, **filing)])]) for raw in raws]
    assert all(isinstance(done, list) for done in messages.append_many(units))


def mail(body: bytes = b"Hi\r\n", subject: bytes = b"x") -> bytes:
    return b"Subject: %b\r\nFrom: ann@example.org\r\n\r\n%b" % (subject, body)


def the(imap):
    """The server's side of the only client."""
    (one,) = imap.imap.open
    return one


# --- Commands and answers -------------------------------------------------------------------------------


def test_greets_with_what_it_can(imap):
    greeting = imap.connect().greeting
    assert greeting.startswith(
        b"* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE STARTTLS AUTH=PLAIN"
    )


def test_answers_pipelined_commands_in_order(imap):
    file(imap.cast.alice, *[mail()] * 3)
    client = imap.connect()
    client.send(
        f'1 LOGIN alice@acme.test "{PASSWORD}"\r\n2 SELECT INBOX\r\n3 NOOP\r\n4 FETCH 1 ENVELOPE\r\n'
        "5 NOOP\r\n"
        "6 UID FETCH 1:* FLAGS\r\n7 STORE 1 +FLAGS.SILENT (\\Seen)\r\n8 SEARCH SEEN\r\n9 WHAT\r\nA LOGOUT\r\n"
    )
    lines = client.until("^A OK")
    assert [line.split()[:2] for line in lines if not line.startswith("*")] == [
        *([str(number), "OK"] for number in range(1, 9)),
        ["9", "BAD"],
        ["A", "OK"],
    ]
    assert "* SEARCH 1" in lines
    assert client.line() == b""


def test_the_split_of_the_input_does_not_matter(imap):
    talk = (
        f'a LOGIN alice@acme.test "{PASSWORD}"\r\nb APPEND INBOX (\\Seen) {{{len(mail())}+}}\r\n'.encode()
        + mail()
        + b"\r\nc SELECT {5+}\r\nINBOX\r\nd FETCH 1 (FLAGS BODY.PEEK[])\r\ne IDLE\r\nDONE\r\nf LOGOUT\r\n"
    )
    heard = []
    for step in (len(talk), 1, 7):
        client = imap.connect()
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(talk), step):
            client.send(talk[start : start + step])
        heard.append(client.rest())
        for each in Folder.objects.filter(role="inbox", mailbox=imap.cast.alice.mailbox):
            messages.expunge(each.pk, only_deleted=False)
    tagged = [
        [line[:4] for line in said.splitlines() if line[1:2] == b" " and line[:1] != b"*"] for said in heard
    ]
    assert tagged[0] == [b"a OK", b"b OK", b"c OK", b"d OK", b"+ id", b"e OK", b"f OK"]
    assert tagged[1] == tagged[2] == tagged[0]
    assert all(mail() in said for said in heard)


def test_says_continue_for_a_literal(imap):
    client = imap.connect()
    client.send("a LOGIN {15}\r\n")
    assert client.line() == b"+ OK"
    client.send(f"alice@acme.test {{{len(PASSWORD)}}}\r\n")
    assert client.line() == b"+ OK"
    client.send(f"{PASSWORD}\r\n")
    assert client.line().startswith(b"a OK ")
    client.send("b APPEND INBOX {99999999}\r\n")
    assert client.line().startswith(b"b NO [TOOBIG]")
    assert client.ask("NOOP")[-1] == "a OK NOOP completed"


def test_a_crash_harms_one_command(imap, monkeypatch, caplog):
    def crash(session, command):
        raise ZeroDivisionError
        yield b""

    monkeypatch.setitem(
        commands.REGISTRY, "CHECK", Spec("CHECK", commands.REGISTRY["CHECK"].states, "", crash)
    )
    client = imap.login(folder="INBOX")
    with caplog.at_level(logging.ERROR):
        assert client.ask("CHECK")[-1].startswith("a NO [SERVERBUG]")
    assert client.ask("NOOP")[-1] == "a OK NOOP completed"
    assert "ZeroDivisionError" in caplog.text


def test_what_another_connection_does_is_told_at_once(imap):
    first, second = imap.login(folder="INBOX"), imap.login(folder="INBOX")
    for number in range(1, 6):
        raw = mail()
        second.send(b"b APPEND INBOX {%d+}\r\n%b\r\n" % (len(raw), raw))
        second.until("^b OK")
        assert f"* {number} EXISTS" in first.ask("NOOP")
        assert second.ask(f"STORE {number} +FLAGS (\\Seen)")[-1].startswith("a OK")
        assert any("\\Seen" in line for line in first.ask("NOOP"))


def test_idle_hears_of_changes(imap):
    first = imap.login(folder="INBOX")
    first.send("i IDLE\r\n")
    assert first.line() == b"+ idling"
    file(imap.cast.alice, mail())
    assert first.until("RECENT") == ["* 1 EXISTS", "* 1 RECENT"]
    inbox = Folder.objects.get(role="inbox", mailbox=imap.cast.alice.mailbox)
    messages.set_flags(inbox.pk, messages.ALL, add=SEEN)
    assert first.line() == b"* 1 FETCH (FLAGS (\\Seen \\Recent))"
    messages.expunge(inbox.pk, only_deleted=False)
    assert first.line() == b"* 1 EXPUNGE"
    first.send("DONE\r\n")
    assert first.line() == b"i OK IDLE completed"
    assert the(imap).bell is None


def test_idle_looks_by_itself_when_no_ring_comes(imap, monkeypatch):
    monkeypatch.setattr(connection.doorbell, "listen", lambda topic, wake: Silent())
    monkeypatch.setattr(limits, "POLL_ALONE_SECONDS", 0.05)
    first = imap.login(folder="INBOX")
    first.send("i IDLE\r\n")
    assert first.line() == b"+ idling"
    file(imap.cast.alice, mail())
    assert first.line() == b"* 1 EXISTS"


class Silent:
    def close(self) -> None: ...


def test_lines_that_are_too_long_or_end_badly(imap):
    client = imap.login()
    client.send(b"b NOOP " + b"x" * (limits.IMAP_LINE_OCTETS + 10) + b"\r\n")
    assert client.line().startswith(b"b BAD")
    client.send(b"c NOOP\nd NOOP\r\n")
    assert client.line().startswith(b"c BAD")
    assert client.ask("NOOP")[-1] == "a OK NOOP completed"


def test_the_end_of_input_comes_after_the_answers(imap):
    client = imap.login(folder="INBOX")
    client.send("b STATUS INBOX (MESSAGES)\r\n")
    client.socket.shutdown(socket.SHUT_WR)
    assert b"b OK" in client.rest()


# --- Slow readers and fast writers ------------------------------------------------------------------------


def test_a_slow_reader_gets_all_and_holds_nobody_up(imap):
    body = b"0123456789abcdef" * 4 * 1024 + b"\r\n"
    file(imap.cast.alice, *[mail(body)] * 60)
    slow = imap.login(folder="INBOX")
    connection_of = the(imap)
    for number in range(6):
        slow.send(f"{number} FETCH 1:* BODY.PEEK[]\r\n")
    wait_for(lambda: connection_of.stalled_at, 10, "a stalled client")
    held = imap.on_loop(connection_of.held_for_reader)
    assert held < limits.IMAP_PAGE_OCTETS + 2 * limits.IMAP_WRITE_BUFFER_OCTETS + limits.IMAP_TURN_OCTETS
    other = imap.login("bob@acme.test", "INBOX")
    begun = time.monotonic()
    for _ in range(20):
        other.ask("NOOP")
        other.ask("STATUS INBOX (MESSAGES)")
    assert time.monotonic() - begun < 5
    heard = 0
    while b"5 OK" not in slow.heard[-100:]:
        more = slow.socket.recv(1 << 20)
        assert more
        heard += len(more)
        slow.heard = (slow.heard + more)[-200:]
    assert heard > 6 * 60 * len(body)


def test_reads_no_more_than_it_can_run(imap, monkeypatch):
    """A client that pipelines without end is not read while its answers wait."""
    file(imap.cast.alice, *[mail(b"x" * 100_000)] * 20)
    client = imap.login(folder="INBOX")
    client.socket.settimeout(0.5)
    sent = 0
    with pytest.raises(TimeoutError):
        for _ in range(10_000):
            sent += client.socket.send(b"b FETCH 1:* BODY.PEEK[]\r\n" * 1000)
    one = the(imap)
    wait_for(lambda: not one.is_reading, 10, "it no longer read")
    # Of 250 MB offered: what the loop had read before it was told to pause.
    assert imap.on_loop(lambda: one.receiver.held) < limits.IMAP_PIPELINED_OCTETS + 2 * 1024 * 1024


def test_who_takes_nothing_is_cut(imap, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_STALLED_OCTETS", 0)
    file(imap.cast.alice, *[mail(b"x" * 100_000)] * 100)
    client = imap.login(folder="INBOX")
    client.send("b FETCH 1:* BODY.PEEK[]\r\n")
    wait_for(lambda: not imap.imap.open, 10, "the connection cut")


def test_too_much_in_hand(imap, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_OCTETS_IN_HAND", 2_000_000)
    monkeypatch.setattr(limits, "IMAP_SMALL_OCTETS", 1000)
    client = imap.login()
    client.send("b APPEND INBOX {3000000}\r\n")
    assert client.line().startswith(b"b NO [UNAVAILABLE]")
    client.send(b"c APPEND INBOX {3000000+}\r\n" + b"x" * 2_500_000)
    assert client.line().startswith(b"* BYE [UNAVAILABLE]")
    wait_for(lambda: not imap.imap.open, 10, "its end")
    assert imap.imap.octets == 0


def test_a_big_command_counts_until_it_is_done(imap):
    client = imap.login()
    raw = mail(b"y" * 3_000_000)
    client.send(b"b APPEND INBOX {%d+}\r\n" % len(raw) + raw[:-10])
    wait_for(lambda: imap.imap.octets > 2_900_000, 10, "it in hand")
    client.send(raw[-10:] + b"\r\n")
    assert client.until("^b OK")
    assert client.ask("NOOP")
    assert imap.imap.octets == 0
    assert Message.objects.get().size == len(raw)


# --- TLS --------------------------------------------------------------------------------------------------


def test_starttls_forgets_what_came_in_the_clear(imap):
    client = imap.connect()
    client.send(f'a STARTTLS\r\nb LOGIN alice@acme.test "{PASSWORD}"\r\n')
    assert client.line().startswith(b"a OK")
    client.starttls()
    said = client.ask("CAPABILITY")
    assert "STARTTLS" not in said[0]
    assert said[-1] == "a OK CAPABILITY completed"
    assert client.ask("SELECT INBOX")[-1].startswith("a BAD Please log in")
    assert client.login().ask("SELECT INBOX")[-1].startswith("a OK")
    assert client.ask("STARTTLS")[-1].startswith("a BAD")


def test_no_login_without_tls_where_it_is_forbidden(imap, settings):
    settings.HOSTMAIL_PLAINTEXT_AUTH = "never"
    client = imap.connect()
    assert b"LOGINDISABLED" in client.greeting
    assert b"AUTH=" not in client.greeting
    assert client.ask(f'LOGIN alice@acme.test "{PASSWORD}"')[-1].startswith("a NO [PRIVACYREQUIRED]")
    client.ask("STARTTLS")
    client.starttls()
    client.login()


def test_a_failed_handshake_leaves_nothing_behind(imap):
    client = imap.connect()
    client.ask("STARTTLS")
    client.send(b"this is no TLS\r\n" * 10)
    client.rest()
    wait_for(lambda: not imap.imap.open, 10, "no connection")


def test_implicit_tls(imap, settings):
    with imaplib.IMAP4_SSL("127.0.0.1", settings.HOSTMAIL_IMAPS_PORT, ssl_context=LAX) as client:
        assert "AUTH=PLAIN" in client.capabilities
        client.authenticate("PLAIN", lambda _: f"\0alice@acme.test\0{PASSWORD}".encode())
        assert client.select()[0] == "OK"


# --- How it ends ------------------------------------------------------------------------------------------


def test_too_many_errors(imap):
    client = imap.connect()
    client.send("x\r\n" * (limits.IMAP_ERRORS + 5))
    assert b"* BYE Too many errors" in client.rest()


def test_too_many_commands_before_login(imap, monkeypatch):
    monkeypatch.setattr(limits, "IMAP_COMMANDS_BEFORE_LOGIN", 5)
    client = imap.connect()
    client.send("x NOOP\r\n" * 10)
    assert client.rest().count(b"x OK") == 5


@pytest.mark.parametrize("name", ["IMAP_IDLE_BEFORE_LOGIN_SECONDS", "IMAP_BEFORE_LOGIN_SECONDS"])
def test_who_does_not_log_in_is_sent_away(imap, monkeypatch, name):
    monkeypatch.setattr(limits, name, 0.05)
    assert imap.connect().line().startswith(b"* BYE ")


def test_who_is_idle_too_long_is_sent_away(imap, monkeypatch):
    clients = [imap.login(), imap.login(folder="INBOX")]
    clients[1].send("b IDLE\r\n")
    clients[1].line()
    monkeypatch.setattr(limits, "IMAP_IDLE_SECONDS", 0.05)
    for client in clients:
        assert client.line() == b"* BYE Idle for too long"


def test_a_client_that_vanishes_while_a_thread_works_for_it(imap, monkeypatch):
    file(imap.cast.alice, *[mail(b"x" * 50_000)] * 50)
    for _ in range(5):
        client = imap.login(folder="INBOX")
        client.send("b FETCH 1:* BODY[]\r\n")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    wait_for(lambda: not imap.imap.open, 10, "no connection")
    assert imap.login().ask("NOOP")


def test_what_was_recent_to_one_that_vanished_is_recent_to_nobody(imap):
    first = imap.login(folder="INBOX")
    file(imap.cast.alice, mail())
    assert "* 1 RECENT" in first.ask("NOOP")
    first.close()
    wait_for(lambda: Folder.objects.filter(recent_uid=2).exists(), 10, "its claim")
    assert "* 0 RECENT" in imap.login().ask("SELECT INBOX")


# --- Programs of others -----------------------------------------------------------------------------------


def test_imaplib(imap, settings):
    with imaplib.IMAP4("127.0.0.1", settings.HOSTMAIL_IMAP_PORT) as client:
        client.login("alice@acme.test", PASSWORD)
        client.append("INBOX", "(\\Flagged)", None, mail(subject=b"one"))
        client.append("Archive", None, None, mail(subject=b"two"))
        assert client.select() == ("OK", [b"1"])
        assert client.fetch("1", "(BODY[HEADER])")[1][0][1].startswith(b"Subject: one\r\n")
        assert client.search(None, "SUBJECT", '"one"')[1] == [b"1"]
        assert client.copy("1", "Archive")[0] == "OK"
        assert client.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
        assert client.expunge()[1] == [b"1"]
        assert client.status("Archive", "(MESSAGES)")[1] == [b'"Archive" (MESSAGES 2)']
        assert client.close()[0] == "OK"


def test_imaplib_in_utf8(imap, settings):
    """UTF8=ACCEPT by one who knows it: names go out in quotes as they are, and come back so."""
    with imaplib.IMAP4("127.0.0.1", settings.HOSTMAIL_IMAP_PORT) as client:
        client.login("alice@acme.test", PASSWORD)
        client.enable("UTF8=ACCEPT")
        assert client.utf8_enabled
        assert client.create('"Entwürfe/台北"')[0] == "OK"
        assert client.list('""', '"Entw*"')[1][-1].endswith(' "/" "Entwürfe/台北"'.encode())
        assert client.select('"Entwürfe/台北"') == ("OK", [b"0"])
        assert client.search(None, "SUBJECT", '"Grüße"')[1] == [b""]


def test_imapclient(imap, settings):
    file(imap.cast.alice, mail(b"Body\r\n", "Grüße".encode()))
    with IMAPClient("127.0.0.1", settings.HOSTMAIL_IMAP_PORT, ssl=False) as client:
        client.login("alice@acme.test", PASSWORD)
        assert client.namespace().personal == (("", "/"),)
        assert client.find_special_folder(b"\\Sent") == "Sent"
        client.create_folder("Entwürfe/ä")
        assert "Entwürfe/ä" in [name for _, _, name in client.list_folders()]
        assert client.select_folder("INBOX")[b"EXISTS"] == 1
        found = client.fetch([1], ["ENVELOPE", "BODY[TEXT]", "FLAGS", "RFC822.SIZE"])[1]
        assert found[b"BODY[TEXT]"] == b"Body\r\n"
        assert found[b"ENVELOPE"].from_[0].host == b"example.org"
        assert client.search(["SUBJECT", "GRÜSSE"], charset="UTF-8") == [1]
        assert client.get_quota_root("INBOX")[1][0].resource == "STORAGE"
        client.idle()
        file(imap.cast.alice, mail())
        assert (2, b"EXISTS") in client.idle_check(timeout=5)
        client.idle_done()
        client.move([1, 2], "Trash")
        assert client.folder_status("Trash")[b"MESSAGES"] == 2


def test_nothing_but_the_registry_says_what_runs_on_the_loop():
    """A NOOP in a thread would still be right, and thirty times as slow."""
    assert commands.REGISTRY["NOOP"].handler is anytime.noop
    for name in ("NOOP", "CAPABILITY", "IDLE", "CHECK", "LOGOUT"):
        assert commands.REGISTRY[name].on_loop(None, None)
    for name in ("LOGIN", "SELECT", "STORE", "APPEND", "EXPUNGE"):
        assert not commands.REGISTRY[name].on_loop(None, None)


def test_counts_a_connection_for_whom_it_serves(imap, settings):
    settings.HOSTMAIL_IMAP_UNAUTHENTICATE = True
    client = imap.connect()
    alice, bob = (person.mailbox.pk for person in (imap.cast.alice, imap.cast.bob))
    client.ask(f'LOGIN alice@acme.test "{PASSWORD}"')
    server = the(imap)
    assert imap.imap.by_mailbox == {alice: 1}
    client.ask("UNAUTHENTICATE")
    assert not imap.imap.by_mailbox
    assert server.receiver.limits is receiver.BEFORE_LOGIN
    client.ask(f'LOGIN bob@acme.test "{PASSWORD}"')
    assert imap.imap.by_mailbox == {bob: 1}
    client.send("d LOGOUT\r\n")
    client.until("^d OK")
    assert client.line() == b""
    wait_for(lambda: not imap.imap.by_mailbox)
