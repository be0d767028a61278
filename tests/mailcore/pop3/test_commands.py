"""POP3's commands, driven by hand: no socket, no loop, no database."""

from array import array
from dataclasses import replace

import pytest

from mailcore import limits
from mailcore.errors import Busy, FolderGone, LoginFailed, NoSuchBlob, NoSuchMessage
from mailcore.models import Rights
from mailcore.pop3 import commands, wire
from mailcore.pop3.session import Ask, Budget, Pause, Read, Session, StartTLS, Surroundings, Work
from mailcore.services import maildrops, messages
from mailcore.services.doors import Login
from mailcore.services.maildrops import Maildrop
from mailcore.services.messages import Octets

RAWS = [b"Subject: 1\r\n\r\nOne\r\n", b"Subject: 2\r\n\r\n.dot\r\nmore\r\n", b"Subject: 3\r\n\r\nThree\r\n"]


class FakeLease:
    def __init__(self) -> None:
        self.is_released = False

    def release(self) -> None:
        self.is_released = True


class Server:
    """Plays the server's part: answers requests from what a test prepared."""

    def __init__(self, raws=RAWS, *, logged_in=True, **surroundings) -> None:
        given = {"is_tls": False, "may_login": True, "can_starttls": True, **surroundings}
        self.session = Session(Surroundings("192.0.2.1", budget=Budget(), **given))
        self.raws = {1000 + number: raw for number, raw in enumerate(raws)}
        self.lease = FakeLease()
        self.requests = []
        self.lines: list[bytes] = []  # what the client answers to Ask
        self.failures: dict[object, Exception] = {}
        if logged_in:
            self.enter(self.session, "ann", "secret")

    def enter(self, session, name, password) -> None:
        self.login = (name, password)
        if password != "secret":
            raise LoginFailed
        numbers = range(len(self.raws))
        session.enter(
            Login(1, 7, 1, "ann@example.org", "password"),
            self.lease,
            Maildrop(
                1, 7, 70, 99,
                array("I", [10 + number for number in numbers]),
                array("q", map(len, self.raws.values())),
                array("q", self.raws),
            ),
        )  # fmt: skip

    def answer(self, request):
        if isinstance(request, Ask):
            return self.lines.pop(0)
        if isinstance(request, Read | Work):
            function, arguments = request.function, request.arguments
            if function in self.failures:
                raise self.failures[function]
            if function is commands.enter:
                return self.enter(*arguments)
            if function is messages.raws_of:
                if any(self.raws[content] is None for content in arguments[0]):
                    raise NoSuchMessage
                return {content: Octets(b"", b"", self.raws[content], b"") for content in arguments[0]}
            if function is maildrops.header_of:
                return wire.top(list(self.raws.values())[arguments[1]], 0)
            if function is maildrops.leave:
                return None
            return function(*arguments)
        return None

    def say(self, line) -> bytes:
        """What the client hears to one line."""
        handler = commands.run(self.session, line)
        heard = []
        try:
            output = next(handler)
            while True:
                if isinstance(output, bytes):
                    heard.append(output)
                    output = next(handler)
                    continue
                self.requests.append(output)
                try:
                    value = self.answer(output)
                except Exception as error:
                    output = handler.throw(error)
                else:
                    output = handler.send(value)
        except StopIteration:
            return b"".join(heard)

    def asked(self, function) -> list[tuple]:
        return [r.arguments for r in self.requests if getattr(r, "function", None) is function]


# --- State ----------------------------------------------------------------------------------------------

TRANSACTION = ["STAT", "LIST", "LIST 1", "UIDL", "RETR 1", "DELE 1", "NOOP", "RSET", "TOP 1 1"]
AUTHORIZATION = ["USER x", "PASS x", "AUTH PLAIN", "STLS", "UTF8"]


@pytest.mark.parametrize("line", TRANSACTION)
def test_tells_nothing_before_login(line):
    server = Server(logged_in=False)
    assert server.say(line.encode()) == b"-ERR Sign in first\r\n"
    assert not server.requests


@pytest.mark.parametrize("line", AUTHORIZATION)
def test_lets_nobody_in_twice(line):
    assert Server().say(line.encode()) == b"-ERR Not after signing in\r\n"


def test_knows_every_command_of_the_wire():
    assert set(commands.REGISTRY) == set(wire.COMMANDS)


# --- Login ----------------------------------------------------------------------------------------------


def test_takes_user_and_pass():
    server = Server(logged_in=False)
    assert server.say(b"USER ann") == b"+OK Send PASS\r\n"
    assert server.say(b"PASS secret") == b"+OK 3 messages (66 octets)\r\n"
    assert server.login == ("ann", "secret")


def test_wants_a_name_for_each_password():
    server = Server(logged_in=False)
    assert server.say(b"PASS secret") == b"-ERR Say USER first\r\n"
    server.say(b"USER ann")
    assert server.say(b"PASS wrong").startswith(b"-ERR [AUTH] ")
    assert server.say(b"PASS secret") == b"-ERR Say USER first\r\n"


def test_holds_the_answer_back_from_who_guesses():
    server = Server(logged_in=False)
    server.failures[commands.enter] = error = LoginFailed()
    error.wait_seconds = 2.5
    server.say(b"USER ann")
    assert server.say(b"PASS x").startswith(b"-ERR [AUTH] ")
    assert server.requests[-1] == Pause(2.5)


@pytest.mark.parametrize("line", [b"USER \xff", b"PASS \xff"])
def test_does_not_stumble_over_broken_utf8(line):
    server = Server(logged_in=False)
    server.say(line if line.startswith(b"USER") else b"USER ann")
    assert server.say(b"PASS x" if line.startswith(b"USER") else line).startswith(b"-ERR [AUTH] ")


def test_takes_plain_at_once_or_when_asked():
    server = Server(logged_in=False)
    assert server.say(b"AUTH PLAIN AGFubgBzZWNyZXQ=").startswith(b"+OK 3 messages")
    server = Server(logged_in=False)
    server.lines = [b"AGFubgBzZWNyZXQ="]
    assert server.say(b"auth plain").startswith(b"+OK 3 messages")
    assert server.requests[0] == Ask(b"+ \r\n")
    assert server.login == ("ann", "secret")


@pytest.mark.parametrize("answer", [b"*", b"AGFubg==", b"!", b""])
def test_lets_nobody_in_with_a_broken_plain(answer):
    server = Server(logged_in=False)
    server.lines = [answer]
    assert server.say(b"AUTH PLAIN").startswith(b"-ERR ")
    assert not server.asked(commands.enter)


def test_lists_mechanisms_and_knows_no_others():
    server = Server(logged_in=False)
    assert server.say(b"AUTH") == b"+OK\r\nPLAIN\r\nLOGIN\r\nSCRAM-SHA-256\r\n.\r\n"
    assert server.say(b"AUTH CRAM-MD5") == b"-ERR That mechanism is not supported\r\n"


@pytest.mark.parametrize("line", [b"USER ann", b"PASS secret", b"AUTH PLAIN AGFubgBzZWNyZXQ="])
def test_takes_no_password_in_the_clear(line):
    server = Server(logged_in=False, may_login=False)
    assert server.say(line).startswith(b"-ERR [AUTH] Encryption is required")
    assert not server.asked(commands.enter)


def test_begins_anew_under_tls():
    server = Server(logged_in=False, may_login=False)
    assert b"\r\nSTLS\r\n" in server.say(b"CAPA")
    assert b"USER" not in server.say(b"CAPA")
    server.session.name = b"eve"
    assert server.say(b"STLS") == b""
    assert server.requests == [StartTLS(b"+OK Begin TLS negotiation\r\n")]
    assert server.session.name is None
    assert server.say(b"STLS") == b"-ERR TLS is active already\r\n"
    assert b"STLS" not in server.say(b"CAPA")
    assert b"\r\nUSER\r\nSASL PLAIN LOGIN SCRAM-SHA-256\r\n" in server.say(b"CAPA")


def test_offers_no_tls_where_there_is_none():
    server = Server(logged_in=False, can_starttls=False)
    assert b"STLS" not in server.say(b"CAPA")
    assert server.say(b"STLS") == b"-ERR TLS is not available\r\n"


# --- The maildrop ---------------------------------------------------------------------------------------


def test_counts_and_lists_what_is_left():
    server = Server()
    assert server.say(b"STAT") == b"+OK 3 66\r\n"
    assert server.say(b"DELE 2") == b"+OK Marked\r\n"
    assert server.say(b"STAT") == b"+OK 2 40\r\n"
    assert server.say(b"LIST") == b"+OK 2 messages (40 octets)\r\n1 19\r\n3 21\r\n.\r\n"
    assert server.say(b"UIDL") == b"+OK\r\n1 99.10\r\n3 99.12\r\n.\r\n"
    assert server.say(b"LIST 3") == b"+OK 3 21\r\n"
    assert server.say(b"UIDL 3") == b"+OK 3 99.12\r\n"
    for line in (b"LIST 2", b"UIDL 2", b"RETR 2", b"TOP 2 0", b"TOP 2 9", b"DELE 2"):
        assert server.say(line) == b"-ERR That message is deleted\r\n"
    assert server.say(b"RSET") == b"+OK 3 messages (66 octets)\r\n"
    assert server.say(b"LIST 2") == b"+OK 2 26\r\n"


@pytest.mark.parametrize("number", [b"0", b"4", b"9999999999"])
@pytest.mark.parametrize("line", [b"LIST %b", b"UIDL %b", b"RETR %b", b"TOP %b 1", b"DELE %b"])
def test_knows_no_other_messages(line, number):
    assert Server().say(line % number) == b"-ERR No such message\r\n"


def test_lists_an_empty_inbox():
    server = Server([])
    assert server.say(b"STAT") == b"+OK 0 0\r\n"
    assert server.say(b"LIST") == b"+OK 0 messages (0 octets)\r\n.\r\n"
    assert server.say(b"UIDL") == b"+OK\r\n.\r\n"


def test_lists_many_in_pieces():
    server = Server([b"x"] * 5001)
    handler = commands.run(server.session, b"UIDL")
    pieces = list(handler)
    assert max(map(len, pieces)) < 64 * 1024
    assert b"".join(pieces).count(b"\r\n") == 5003


# --- Messages -------------------------------------------------------------------------------------------


def test_gives_messages_with_their_dots_doubled():
    server = Server()
    assert server.say(b"RETR 2") == b"+OK 26 octets\r\nSubject: 2\r\n\r\n..dot\r\nmore\r\n.\r\n"
    assert server.say(b"TOP 2 1") == b"+OK\r\nSubject: 2\r\n\r\n..dot\r\n.\r\n"
    assert server.say(b"TOP 2 0") == b"+OK\r\nSubject: 2\r\n\r\n.\r\n"
    assert server.session.fetched == {1}


def test_reads_ahead_the_further_the_longer_it_goes_on():
    server = Server([b"Subject: x\r\n\r\n%d\r\n" % number for number in range(200)])
    for number in range(200):
        assert b"\r\n%d\r\n.\r\n" % number in server.say(b"RETR %d" % (number + 1))
    lengths = [len(arguments[0]) for arguments in server.asked(messages.raws_of)]
    assert lengths[:6] == [2, 4, 8, 16, 32, 32]
    assert sum(lengths) == 200
    server.say(b"RETR 5")
    assert len(server.asked(messages.raws_of)[-1][0]) == 1


def test_reads_ahead_only_so_many_octets_and_nothing_that_is_deleted():
    server = Server([b"x\r\n" * 30_000] * 20)
    server.say(b"DELE 2")
    for number in (1, 3, 4, 5, 6):
        server.say(b"RETR %d" % number)
    held = [sum(90_000 for _ in arguments[0]) for arguments in server.asked(messages.raws_of)]
    assert max(held) <= max(limits.POP3_AHEAD_OCTETS, 90_000)
    assert 1001 not in [content for arguments in server.asked(messages.raws_of) for content in arguments[0]]


def test_reads_large_messages_in_a_thread():
    server = Server([b"x\r\n", b"y\r\n" * 100_000])
    server.say(b"RETR 1")
    server.say(b"RETR 2")
    assert [type(request) for request in server.requests] == [Read, Work]


def test_gives_the_one_though_the_next_is_gone():
    server = Server()
    server.raws[1001] = None
    assert server.say(b"RETR 1").startswith(b"+OK 19 octets\r\n")
    assert server.say(b"RETR 2").startswith(b"-ERR No such message")
    assert server.say(b"RETR 3").startswith(b"+OK 21 octets\r\n")
    assert server.session.fetched == {0, 2}


def test_says_when_octets_cannot_be_read():
    server = Server()
    server.failures[messages.raws_of] = NoSuchBlob()
    assert server.say(b"RETR 1").startswith(b"-ERR [SYS/TEMP] The content of the message cannot be read")
    assert server.session.fetched == set()


def test_holds_only_so_much_of_large_messages():
    server = Server([b"y\r\n" * 1_000_000])
    budget = server.session.surroundings.budget
    budget.left = 4_000_000
    handler = commands.run(server.session, b"RETR 1")
    request = next(handler)
    assert budget.left == 1_000_000
    other = Server([b"y\r\n" * 1_000_000], logged_in=True)
    other.session.surroundings.budget = budget
    assert other.say(b"RETR 1") == wire.err(Busy().pop3_text())
    assert other.say(b"TOP 1 1") == wire.err(Busy().pop3_text())
    handler.send(server.answer(request))
    handler.close()  # the connection was lost
    assert budget.left == 4_000_000
    assert len(other.say(b"RETR 1")) == 3_000_000 + len(b"+OK 3000000 octets\r\n.\r\n")
    assert budget.left == 4_000_000


# --- The end --------------------------------------------------------------------------------------------


def test_removes_at_quit():
    server = Server()
    for line in (b"RETR 3", b"RETR 1", b"DELE 1", b"DELE 3"):
        server.say(line)
    assert not server.asked(maildrops.leave)
    assert server.say(b"QUIT") == b"+OK Bye\r\n"
    assert server.asked(maildrops.leave) == [(server.session.drop, [10, 12], [10, 12], True)]
    assert server.session.is_over
    assert server.lease.is_released


def test_asks_nothing_of_the_database_when_nothing_happened():
    server = Server()
    server.say(b"DELE 1")
    server.say(b"RSET")
    assert server.say(b"QUIT") == b"+OK Bye\r\n"
    assert not server.asked(maildrops.leave)
    assert server.lease.is_released


def test_says_that_it_could_not_remove():
    server = Server()
    server.failures[maildrops.leave] = FolderGone()
    server.say(b"DELE 1")
    assert server.say(b"QUIT") == b"-ERR [SYS/TEMP] The deleted messages could not be removed\r\n"
    assert server.session.is_over
    assert server.lease.is_released


def test_says_goodbye_before_login():
    server = Server(logged_in=False)
    assert server.say(b"QUIT") == b"+OK Bye\r\n"
    assert server.session.is_over


def test_says_no_more_of_our_bugs_than_it_must(caplog):
    server = Server()
    server.failures[messages.raws_of] = ZeroDivisionError("secret words")
    assert server.say(b"RETR 1") == b"-ERR [SYS/TEMP] Internal error, please try again later\r\n"
    assert "secret words" in caplog.text


def test_ends_after_too_many_errors():
    server = Server(logged_in=False)
    for _ in range(limits.POP3_ERRORS - 1):
        server.say(b"FROB")
    assert not server.session.is_over
    server.say(wire.Refused("The line is too long"))
    assert server.session.is_over
    server = Server()
    for _ in range(100):
        server.say(b"RETR 99")
    assert not server.session.is_over


def test_ends_when_the_wire_says_so():
    server = Server()
    assert server.say(wire.Refused("The line is too long", close=True)) == b"-ERR The line is too long\r\n"
    assert server.session.is_over


def test_who_may_only_read_deletes_nothing():
    server = Server()
    server.session.login = replace(server.session.login, rights=int(Rights.READ))
    assert server.say(b"DELE 1").startswith(b"-ERR")
    assert b"change" in server.say(b"DELE 1")
    assert server.say(b"RETR 1").startswith(b"+OK")


def test_who_may_only_read_marks_nothing_as_read():
    server = Server()
    server.session.login = replace(server.session.login, rights=int(Rights.READ))
    server.say(b"RETR 1")
    server.say(b"QUIT")
    assert server.asked(maildrops.leave) == [(server.session.drop, [10], [], False)]


def test_forgets_utf8_with_what_came_before_tls():
    server = Server(logged_in=False)
    server.say(b"UTF8")
    assert server.session.is_utf8
    server.say(b"STLS")
    assert not server.session.is_utf8


def test_takes_name_and_password_one_after_the_other():
    server = Server(logged_in=False)
    server.lines = [b"YW5u", b"c2VjcmV0"]
    assert server.say(b"AUTH LOGIN").endswith(b"+OK 3 messages (66 octets)\r\n")
    assert server.login == ("ann", "secret")
    server = Server(logged_in=False)
    server.lines = [b"c2VjcmV0"]
    assert server.say(b"auth login YW5u").endswith(b"+OK 3 messages (66 octets)\r\n")


def test_names_that_are_no_utf8_are_wrong_ones():
    server = Server(logged_in=False)
    server.lines = [b"/w==", b"c2VjcmV0"]
    assert b"-ERR [AUTH]" in server.say(b"AUTH LOGIN")
