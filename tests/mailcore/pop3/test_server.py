"""POP3 over real sockets."""

import contextlib
import poplib
import socket
import ssl
import threading

import pytest

from mailcore import limits
from mailcore.models import Event, Folder, Message
from mailcore.services import mailboxes, maildrops, tenants
from tests.servers import wait_for

ONE, TWO = b"Subject: 1\r\n\r\nOne\r\n", b"Subject: 2\r\n\r\n.dot\r\n"


class Raw:
    """A client that says what it is told and nothing else."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.buffer = b""
        self.greeting = self.line()

    def send(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def line(self) -> bytes:
        while b"\r\n" not in self.buffer:
            chunk = self.socket.recv(65536)
            if not chunk:
                return b""
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def ask(self, line: bytes) -> bytes:
        self.send(line + b"\r\n")
        return self.line()

    def rest(self) -> bytes:
        """All there is until the server hangs up."""
        with contextlib.suppress(ConnectionResetError):
            while chunk := self.socket.recv(65536):
                self.buffer += chunk
        return self.buffer

    def log_in(self, person) -> "Raw":
        self.ask(b"USER " + person.address.encode())
        assert self.ask(b"PASS " + person.password.encode()).startswith(b"+OK")
        return self

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def connect(maild):
    """connect() -> a client at the plain port; all are closed at the end."""
    with contextlib.ExitStack() as stack:
        yield lambda port="pop3": stack.enter_context(contextlib.closing(Raw(maild.ports[port])))


@pytest.fixture
def alice(maild):
    person = maild.person()
    maild.file(person, ONE, TWO)
    return person


def count(person) -> int:
    return Message.objects.filter(mailbox_id=person.mailbox.pk).count()


def no_session_is_open(maild) -> bool:
    pop3 = maild.listeners["pop3"]
    return not pop3.open and not pop3.by_address and not pop3._running


# --- The standard library's client -----------------------------------------------------------------------


@pytest.mark.parametrize("way", ["plain", "starttls", "tls"])
def test_hands_mail_over_to_poplib(maild, alice, way):
    context = ssl._create_unverified_context()
    if way == "tls":
        client = poplib.POP3_SSL("127.0.0.1", maild.ports["pop3s"], context=context, timeout=10)
    else:
        client = poplib.POP3("127.0.0.1", maild.ports["pop3"], timeout=10)
    if way == "starttls":
        assert "STLS" in client.capa()
        client.stls(context)
    assert "STLS" not in client.capa() or way == "plain"
    client.user(alice.address)
    client.pass_(alice.password)
    assert client.stat() == (2, len(ONE) + len(TWO))
    assert client.list()[1] == [b"1 19", b"2 20"]
    first, second = (line.split(b" ")[1] for line in client.uidl()[1])
    assert first != second
    assert client.uidl(2).endswith(second)
    assert client.retr(2)[1] == [b"Subject: 2", b"", b".dot"]
    assert client.top(1, 0)[1] == [b"Subject: 1", b""]
    client.dele(1)
    assert client.stat() == (1, len(TWO))
    client.quit()
    assert count(alice) == 1


def test_says_only_what_it_honours(maild):
    client = poplib.POP3("127.0.0.1", maild.ports["pop3"], timeout=10)
    assert client.capa() == {
        "TOP": [], "UIDL": [], "PIPELINING": [], "RESP-CODES": [], "AUTH-RESP-CODE": [], "EXPIRE": ["NEVER"],
        "USER": [], "SASL": ["PLAIN", "LOGIN", "SCRAM-SHA-256"], "STLS": [],
        "UTF8": [], "LANG": [], "IMPLEMENTATION": ["Hostmail"],
    }  # fmt: skip
    client.quit()


def test_tells_what_was_fetched_and_deleted(maild, alice, connect):
    client = connect().log_in(alice)
    client.send(b"RETR 1\r\nRETR 2\r\nDELE 2\r\nQUIT\r\n")
    client.rest()
    assert list(Event.objects.filter(mailbox_id=alice.mailbox.pk).values_list("kind", "uids", "data")) == [
        ("fetched", "1:2", {"via": "pop3"}),
        ("read", "1", {"via": "pop3"}),
        ("deleted", "2", {"via": "pop3"}),
    ]


# --- Connections that end ----------------------------------------------------------------------------------


def test_deletes_nothing_when_the_connection_is_lost(maild, alice, connect):
    client = connect().log_in(alice)
    client.send(b"RETR 1\r\nDELE 1\r\nDELE 2\r\nNOOP\r\n")
    while client.line() != b"+OK Marked":
        pass
    client.close()
    wait_for(lambda: no_session_is_open(maild), 5)
    assert count(alice) == 2
    assert Folder.objects.get(mailbox_id=alice.mailbox.pk, role="inbox").unseen_count == 2
    # What went out is told all the same.
    assert Event.objects.get(mailbox_id=alice.mailbox.pk, kind="fetched").uids == "1"


def test_answers_who_has_said_all_and_shut_its_half(maild, alice):
    said = b"USER %b\r\nPASS %b\r\nSTAT\r\nDELE 1\r\nQUIT\r\n" % (
        alice.address.encode(), alice.password.encode()
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", maild.ports["pop3"]), timeout=10) as client:
        client.sendall(said)
        client.shutdown(socket.SHUT_WR)
        heard = b""
        while chunk := client.recv(1000):
            heard += chunk
    assert heard.endswith(b"+OK 2 39\r\n+OK Marked\r\n+OK Bye\r\n")
    assert count(alice) == 1


def test_hangs_up_on_half_a_line(maild, connect):
    client = connect()
    client.send(b"CAP")
    client.socket.shutdown(socket.SHUT_WR)
    assert client.rest() == b""


def test_says_when_it_could_not_delete(maild, alice, connect, monkeypatch):
    def broken(*_, **__):
        raise OSError("disk on fire")

    client = connect().log_in(alice)
    client.ask(b"DELE 1")
    monkeypatch.setattr(maildrops.messages, "expunge", broken)
    assert client.ask(b"QUIT").startswith(b"-ERR [SYS/TEMP]")
    assert client.rest() == b""
    maild.expect_error("disk on fire")
    monkeypatch.undo()
    assert count(alice) == 2
    wait_for(lambda: no_session_is_open(maild), 5)
    connect().log_in(alice)


# --- One session for a mailbox --------------------------------------------------------------------------


def test_lets_one_session_in_at_a_time(maild, alice, connect):
    first = connect().log_in(alice)
    second = connect()
    second.ask(b"USER " + alice.address.encode())
    assert second.ask(b"PASS " + alice.password.encode()).startswith(b"-ERR [IN-USE]")
    assert first.ask(b"QUIT") == b"+OK Bye"
    # At once, without waiting for the first to hang up.
    second.log_in(alice)


def test_gives_the_mailbox_back_when_the_connection_is_lost(maild, alice, connect):
    connect().log_in(alice).close()
    wait_for(lambda: no_session_is_open(maild), 5)
    connect().log_in(alice)


# --- Logging in ----------------------------------------------------------------------------------------


def test_wants_tls_where_the_operator_says_so(maild, alice, connect, settings):
    settings.HOSTMAIL_PLAINTEXT_AUTH = "never"
    client = connect()
    assert client.ask(b"USER x").startswith(b"-ERR [AUTH]")
    assert client.ask(b"AUTH PLAIN AGEAYg==").startswith(b"-ERR [AUTH]")
    client.ask(b"CAPA")
    words = []
    while (line := client.line()) != b".":
        words.append(line)
    assert b"STLS" in words
    assert b"USER" not in words
    assert not any(word.startswith(b"SASL") for word in words)


def test_throws_away_what_came_before_the_handshake(maild, alice, connect):
    client = connect()
    client.send(b"USER eve\r\nSTLS\r\nUSER eve\r\nPASS x\r\n")
    assert client.line() == b"+OK Send PASS"
    assert client.line().startswith(b"+OK")
    context = ssl._create_unverified_context()
    with context.wrap_socket(client.socket, server_hostname="localhost") as secure:
        secure.sendall(b"PASS x\r\nSTLS\r\n")
        heard = b""
        while heard.count(b"\r\n") < 2:
            heard += secure.recv(1000)
    assert heard == b"-ERR Say USER first\r\n-ERR TLS is active already\r\n"


def test_forgets_who_leaves_amid_the_handshake(maild, connect):
    client = connect()
    assert client.ask(b"STLS").startswith(b"+OK")
    client.send(b"\x16\x03\x01\x02\x00")
    client.close()
    wait_for(lambda: no_session_is_open(maild), 5)
    client = connect()
    assert client.ask(b"STLS").startswith(b"+OK")
    client.send(b"QUIT\r\n" * 50)
    client.rest()
    wait_for(lambda: no_session_is_open(maild), 5)


def test_ends_the_session_of_who_is_suspended(maild, alice, connect, monkeypatch):
    monkeypatch.setattr(limits, "POP3_SWEEP_SECONDS", 0.05)
    monkeypatch.setattr(limits, "POP3_LOGIN_CHECK_SECONDS", 0.1)
    pop3 = maild.listeners["pop3"]
    maild.call(pop3.sweep)
    bob = maild.person("bob")
    staying, going = connect().log_in(bob), connect().log_in(alice)
    going.ask(b"DELE 1")
    tenants.suspend(alice.tenant, "unpaid", actor=None)
    assert going.rest() == b""
    assert count(alice) == 2
    assert staying.ask(b"NOOP") == b"+OK"
    mailboxes.set_password(bob.mailbox, "another good password", actor=None)
    assert staying.rest() == b""


# --- Limits -------------------------------------------------------------------------------------------------


def test_hangs_up_on_who_is_idle(maild, alice, connect, monkeypatch):
    inside, outside = connect().log_in(alice), connect()
    monkeypatch.setattr(limits, "POP3_IDLE_BEFORE_LOGIN_SECONDS", -1)
    maild.call(maild.listeners["pop3"].sweep)
    assert outside.rest() == b""
    assert inside.ask(b"NOOP") == b"+OK"
    monkeypatch.setattr(limits, "POP3_IDLE_SECONDS", -1)
    maild.call(maild.listeners["pop3"].sweep)
    assert inside.rest() == b""


def test_hangs_up_after_too_many_errors(maild, connect):
    client = connect()
    client.send(b"FROB\r\n" * 100)
    assert client.rest().count(b"-ERR") <= limits.POP3_ERRORS


def test_hangs_up_on_an_endless_line(maild, connect):
    client = connect()
    with contextlib.suppress(ConnectionError):
        for _ in range(100):
            client.send(b"x" * 10_000)
    assert client.rest() in (b"-ERR The line is too long\r\n", b"")


def test_lets_so_many_in_from_one_address(maild, connect, monkeypatch):
    monkeypatch.setattr(limits, "POP3_SESSIONS_PER_ADDRESS", 2)
    first, _ = connect(), connect()
    third = connect()
    assert third.greeting.startswith(b"-ERR [SYS/TEMP]")
    assert third.rest() == b""
    assert first.ask(b"QUIT") == b"+OK Bye"
    wait_for(lambda: len(maild.listeners["pop3"].open) == 1, 5)
    assert connect().greeting.startswith(b"+OK")


def test_holds_little_for_who_does_not_read(maild, connect):
    """Ten thousand answers of 50 kB are asked for; others are served meanwhile."""
    alice, bob = maild.person(), maild.person("bob")
    maild.file(alice, b"Subject: x\r\n\r\n" + b"y" * 72 + b"\r\n" * 25_000)
    maild.file(bob, ONE)
    slow = connect().log_in(alice)
    slow.socket.setblocking(False)
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while sent < 10_000:
            sent += slow.socket.send(b"RETR 1\r\n" * 1000) // 8
    (connection,) = maild.listeners["pop3"].open
    wait_for(lambda: connection.stalled_at, 5, "a stalled client")
    assert connect().log_in(bob).ask(b"STAT") == b"+OK 1 19"
    assert connection.transport.get_write_buffer_size() < 4 * limits.POP3_TURN_OCTETS
    assert connection.receiver.held < 4 * limits.POP3_PIPELINED_OCTETS
    slow.socket.setblocking(True)
    slow.line()  # it goes on when it is read
    assert len(slow.socket.recv(1_000_000, socket.MSG_WAITALL)) == 1_000_000


def test_sends_large_messages_whole(maild, connect):
    alice = maild.person()
    raw = b"Subject: big\r\n\r\n" + b"".join(b".%d\r\n" % number for number in range(300_000))
    maild.file(alice, raw)
    client = poplib.POP3("127.0.0.1", maild.ports["pop3"], timeout=10)
    client.user(alice.address)
    client.pass_(alice.password)
    assert client.list(1) == b"+OK 1 %d" % len(raw)
    assert b"\r\n".join([*client.retr(1)[1], b""]) == raw
    assert len(client.top(1, 1000)[1]) == 1002
    client.quit()
    assert maild.listeners["pop3"].budget.left == limits.POP3_OCTETS_IN_HAND


def test_answers_many_commands_in_order(maild, connect):
    alice = maild.person()
    maild.file(alice, *(b"Subject: %d\r\n\r\n%d\r\n" % (number, number) for number in range(1, 101)))
    client = connect().log_in(alice)
    client.send(
        b"".join(b"RETR %d\r\nTOP %d 0\r\n" % (number, number) for number in range(1, 101)) + b"QUIT\r\n"
    )
    heard = client.rest().split(b"\r\n.\r\n")
    assert [answer.splitlines()[-1] for answer in heard[:-1:2]] == [
        b"%d" % number for number in range(1, 101)
    ]
    assert heard[-1] == b"+OK Bye\r\n"


def test_answers_thousands_sent_ahead(maild, connect):
    alice = maild.person()
    maild.file(alice, *(b"Subject: x\r\n\r\n" + b"y" * 4000 + b"\r\n" for _ in range(200)))
    client = connect().log_in(alice)
    threading.Thread(
        target=client.send,
        args=(b"".join(b"RETR %d\r\n" % (1 + number % 200) for number in range(2000)) + b"QUIT\r\n",),
    ).start()
    assert client.rest().count(b"\r\n.\r\n") == 2000
