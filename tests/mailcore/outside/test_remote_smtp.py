"""One conversation with a real mail host on loopback that answers as told."""

import smtplib
import socket
import threading
import time

import pytest

from mailcore import limits
from mailcore.outside import tls
from mailcore.outside.remote_smtp import Conversation, Credentials, Failed, Timeouts
from tests.fakes.remote import FakeRemote

RAW = b"From: a@ours.example\r\nSubject: x\r\n\r\nhello\r\n"
ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"
QUICK = Timeouts(*[0.3] * 11)


@pytest.fixture(params=["pipelining", "one by one"])
def remote(request):
    with FakeRemote(pipelining=request.param == "pipelining") as fake:
        yield fake


def conversation(remote, **options):
    options.setdefault("ehlo_name", "mail.ours.example")
    options.setdefault("timeouts", Timeouts(*[5.0] * 11))
    return Conversation(remote.host, remote.address, remote.port, **options)


def opened(remote, **options):
    talk = conversation(remote, **options)
    talk.open()
    return talk


def transmit(remote, recipients=(BOB,), raw=RAW, **options):
    """Open, transmit once, close; return {recipient: reply}."""
    talk = opened(remote, **options)
    replies = talk.transmit("a@ours.example", recipients, raw)
    talk.close()
    assert [each.recipient for each in replies] == list(recipients)
    return {each.recipient: each.reply for each in replies}


# --- What goes well --------------------------------------------------------------------------------------


def test_transmits_a_message(remote):
    reply = transmit(remote)[BOB]
    assert (reply.code, reply.status, reply.phase, reply.is_ok) == (250, "2.0.0", "end", True)
    assert reply.text == "Queued as 1"
    (message,) = remote.messages
    assert (message.reverse_path, message.recipients, message.raw) == ("a@ours.example", [BOB], RAW)
    assert message.ehlo == "mail.ours.example"
    assert message.tls
    assert remote.commands[-1] == "QUIT"


def test_sends_many_messages_on_one_connection(remote):
    talk = opened(remote)
    for number in range(5):
        raw = RAW + str(number).encode() + b"\r\n"
        (reply,) = talk.transmit("a@ours.example", [BOB], raw)
        assert reply.reply.is_ok
        assert remote.messages[number].raw == raw
    assert talk.transmitted == 5
    assert remote.connections == 1
    assert "RSET" not in remote.commands
    talk.close()
    assert not talk.is_open
    talk.close()


def test_resets_after_a_message_that_failed(remote):
    remote.say("end", "552 5.2.2 full", times=1).say("rcpt", "550 5.1.1 no", recipient=CAROL)
    talk = opened(remote)
    assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.code == 552
    assert talk.transmit("a@ours.example", [CAROL], RAW)[0].reply.code == 550
    assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
    talk.close()
    assert remote.commands.count("RSET") == 2
    assert [message.recipients for message in remote.messages] == [[BOB]]


def test_tells_recipients_apart(remote):
    remote.say("rcpt", "550 5.1.1 no such user", recipient=ALICE)
    remote.say("rcpt", "450 4.2.1 come back", recipient=CAROL)
    replies = transmit(remote, [ALICE, BOB, CAROL])
    assert (replies[ALICE].is_permanent, replies[ALICE].status, replies[ALICE].phase) == (
        True,
        "5.1.1",
        "rcpt",
    )
    assert replies[BOB].is_ok
    assert (replies[CAROL].is_temporary, replies[CAROL].status) == (True, "4.2.1")
    assert remote.messages[0].recipients == [BOB]


def test_sends_nothing_when_nobody_is_accepted(remote):
    remote.say("rcpt", "550 5.1.1 no")
    talk = opened(remote)
    replies = talk.transmit("", [ALICE, BOB], RAW)
    assert [each.reply.code for each in replies] == [550, 550]
    assert remote.messages == []
    assert talk.is_open
    remote.forget()
    assert talk.transmit("", [ALICE], RAW)[0].reply.is_ok
    talk.close()


def test_ends_pipelined_data_that_went_through_without_recipients():
    """A host may answer 354 although it refused everybody (RFC 2920 §3.1): only a dot may follow."""
    with FakeRemote() as remote:
        remote.say("rcpt", "550 5.1.1 no").say("data", "354 go", times=1)
        talk = opened(remote)
        assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.code == 550
        talk.close()
        assert remote.messages == []


def test_reports_a_refused_sender_for_everybody(remote):
    remote.say("mail", "553 5.7.1 not from there", times=1)
    talk = opened(remote)
    replies = talk.transmit("a@ours.example", [ALICE, BOB], RAW)
    assert {(each.reply.code, each.reply.phase) for each in replies} == {(553, "mail")}
    assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
    talk.close()


def test_reports_refused_data_for_those_accepted(remote):
    remote.say("data", "451 4.3.0 not now").say("rcpt", "550 5.1.1 no", recipient=ALICE)
    replies = transmit(remote, [ALICE, BOB, CAROL])
    assert [replies[each].code for each in (ALICE, BOB, CAROL)] == [550, 451, 451]
    assert replies[BOB].phase == "data"


def test_pipelines_many_recipients():
    recipients = [f"user{number}@example.org" for number in range(250)]
    with FakeRemote() as remote:
        remote.say("rcpt", "550 5.1.1 no", recipient="user249@example.org")
        replies = transmit(remote, recipients)
        assert sum(reply.is_ok for reply in replies.values()) == 249
        assert len(remote.messages[0].recipients) == 249


def test_returns_nothing_for_nobody(remote):
    talk = opened(remote)
    assert talk.transmit("a@ours.example", [], RAW) == []
    talk.close()


def test_says_the_null_path(remote):
    talk = opened(remote)
    talk.transmit("", [BOB], RAW)
    talk.close()
    assert remote.messages[0].reverse_path == ""
    assert any(command.startswith("MAIL FROM:<> ") for command in remote.commands)


def test_is_accepted_by_smtplib_s_idea_of_a_server(remote):
    """The fake itself, judged by the standard library's client."""
    with smtplib.SMTP(remote.address, remote.port) as client:
        client.sendmail("a@ours.example", [BOB], RAW)
    assert remote.messages[0].raw == RAW


# --- The form of the message -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "arrives"),
    [
        (b"A: b\r\n\r\n.\r\n..\r\n.x\r\n", b"A: b\r\n\r\n.\r\n..\r\n.x\r\n"),
        (b".\r\n\r\n", b".\r\n\r\n"),
        (b"A: b\r\n\r\nno end", b"A: b\r\n\r\nno end\r\n"),
        (b"A: b\n\nunix\n.\n", b"A: b\r\n\r\nunix\r\n.\r\n"),
        (b"A: b\r\n\r\nx\n.\r\nMAIL FROM:<evil@x>\r\n", b"A: b\r\n\r\nx\r\n.\r\nMAIL FROM:<evil@x>\r\n"),
        (b"A: b\r\n\r\nx\r.\ry\r\n", b"A: b\r\n\r\nx\r\n.\r\ny\r\n"),
        (b"A: b\r\n\r\nx\r\r\ny\r\n", b"A: b\r\n\r\nx\r\n\r\ny\r\n"),
        (b"A: b\r\n\r\n" + b"z" * 50_000 + b"\r\n", b"A: b\r\n\r\n" + b"z" * 50_000 + b"\r\n"),
        (b"", b""),
    ],
)
def test_keeps_the_message_and_its_line_ends_right(raw, arrives):
    with FakeRemote() as remote:
        assert transmit(remote, raw=raw)[BOB].is_ok
        assert [message.raw for message in remote.messages] == [arrives]


def test_transmits_a_large_message(remote):
    raw = RAW + b"".join(b"%076d\r\n" % number for number in range(50_000))
    assert transmit(remote, raw=raw)[BOB].is_ok
    assert remote.messages[0].raw == raw


def test_announces_size_and_eight_bits(remote):
    raw = RAW + "é\r\n".encode()
    transmit(remote, raw=raw)
    assert remote.messages[0].mail_options == [f"SIZE={len(raw)}", "BODY=8BITMIME"]


def test_says_so_when_it_sends_eight_bits_unannounced():
    with FakeRemote(eightbit=False) as remote:
        talk = opened(remote)
        assert talk.transmit("a@ours.example", [BOB], RAW + b"\xe9\r\n")[0].reply.is_ok
        talk.close()
        assert talk.notes == ["sent 8-bit text without 8BITMIME"]
        assert "BODY" not in " ".join(remote.messages[0].mail_options)


def test_refuses_by_itself_what_is_over_the_host_s_size():
    with FakeRemote(size=1000) as remote:
        talk = opened(remote)
        reply = talk.transmit("a@ours.example", [BOB], RAW * 100)[0].reply
        assert (reply.status, reply.is_permanent) == ("5.3.4", True)
        assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
        talk.close()


def test_sends_internationalised_addresses_only_where_taken():
    with FakeRemote() as remote:
        assert transmit(remote, ["jürgen@example.org"])["jürgen@example.org"].is_ok
        assert "SMTPUTF8" in remote.messages[0].mail_options
    with FakeRemote(smtputf8=False) as remote:
        reply = transmit(remote, ["jürgen@example.org"])["jürgen@example.org"]
        assert (reply.status, reply.is_permanent) == ("5.6.7", True)
        talk = opened(remote)
        assert talk.transmit("a@ours.example", [BOB], RAW, smtputf8=True)[0].reply.status == "5.6.7"
        talk.close()
        assert remote.messages == []


@pytest.mark.parametrize(
    "path",
    ["bob@x>\r\nDATA", "bob@x\n", "a b@x", "<bob@x>", "bob@x> SIZE=1", "b\0b@x", "", "x" * 600 + "@x"],
)
def test_lets_no_address_break_out_of_its_brackets(path):
    with FakeRemote() as remote:
        talk = opened(remote)
        with pytest.raises(ValueError):
            talk.transmit("a@ours.example", [path], RAW)
        if path:
            with pytest.raises(ValueError):
                talk.transmit(path, [BOB], RAW)
        assert talk.transmit("a@ours.example", ['"a b>"@example.org'], RAW)
        talk.close()


# --- TLS -------------------------------------------------------------------------------------------------


def test_uses_tls_when_it_can_be_had(remote):
    talk = opened(remote)
    assert talk.tls.version == "TLSv1.3"
    assert talk.tls.cipher
    assert talk.tls.verdict == tls.SELF_SIGNED
    assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
    talk.close()
    assert remote.messages[0].tls
    assert [command for command in remote.commands if command.startswith("EHLO")] == [
        "EHLO mail.ours.example"
    ] * 2


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [("good", tls.VERIFIED), ("wrong-name", tls.MISMATCH), ("self-signed", tls.SELF_SIGNED)],
)
def test_records_what_the_certificate_was_worth(kind, verdict):
    with FakeRemote(tls=kind) as remote, remote.trusted():
        talk = opened(remote)
        assert talk.tls.verdict == verdict
        talk.close()


def test_demands_a_good_certificate_when_told():
    with FakeRemote(tls="good") as remote, remote.trusted():
        talk = opened(remote, policy="verified")
        assert talk.tls.verdict == tls.VERIFIED
        talk.close()
    for kind in ("self-signed", "wrong-name", "", "broken"):
        with FakeRemote(tls=kind) as remote, remote.trusted():
            with pytest.raises(Failed) as failed:
                opened(remote, policy="verified")
            assert failed.value.reply.is_temporary
            assert failed.value.reply.phase == "starttls"
            assert not any(command.startswith("MAIL") for command in remote.commands)


def test_takes_any_certificate_when_only_encryption_is_required():
    with FakeRemote() as remote:
        assert transmit(remote, policy="required")[BOB].is_ok
    for kind in ("", "broken"):
        with FakeRemote(tls=kind) as remote, pytest.raises(Failed) as failed:
            opened(remote, policy="required")
        assert failed.value.reply.status.startswith("4.7.")


def test_does_not_ask_for_tls_when_told_not_to(remote):
    talk = opened(remote, policy="none")
    assert talk.tls is None
    assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
    talk.close()
    assert not remote.messages[0].tls
    assert "STARTTLS" not in remote.commands


def test_goes_on_without_tls_when_the_offer_was_a_lie():
    with FakeRemote(tls="broken") as remote:
        talk = opened(remote)
        assert talk.tls is None
        assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
        talk.close()
        assert remote.connections == 2
        assert not remote.messages[0].tls
        assert "TLS failed" in talk.notes[0]


def test_goes_on_without_tls_when_it_is_refused(remote):
    remote.say("starttls", "454 4.7.0 not available")
    talk = opened(remote)
    assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
    talk.close()
    assert remote.connections == 1
    assert talk.notes == ["STARTTLS was offered and then refused: 454"]
    with pytest.raises(Failed) as failed:
        opened(remote, policy="required")
    assert failed.value.reply.is_temporary


@pytest.mark.parametrize("how", ["stall", "hang_up", "babble"])
def test_goes_on_without_tls_when_starttls_goes_wrong(how):
    with FakeRemote() as remote:
        getattr(remote, how)("starttls")
        talk = opened(remote, timeouts=QUICK)
        assert talk.tls is None
        assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
        talk.close()


# --- Smart hosts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanisms", ["PLAIN LOGIN", "LOGIN"])
def test_signs_in_at_a_smart_host(mechanisms, monkeypatch):
    with FakeRemote(auth={"ours": "sécret"}) as remote:
        talk = conversation(remote, credentials=Credentials("ours", "sécret"))
        if mechanisms == "LOGIN":
            ehlo = talk._ehlo

            def without_plain():
                ehlo()
                talk.extensions["AUTH"] = "LOGIN"

            talk._ehlo = without_plain
        talk.open()
        assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
        talk.close()
        assert remote.messages[0].user == "ours"
        assert "sécret" not in repr(talk.credentials) + repr(talk.replies)


def test_keeps_mail_when_the_smart_host_refuses_the_password():
    with FakeRemote(auth={"ours": "secret"}) as remote, pytest.raises(Failed) as failed:
        opened(remote, credentials=Credentials("ours", "wrong"))
    assert failed.value.reply.code == 535
    assert failed.value.reply.is_temporary
    with FakeRemote() as remote, pytest.raises(Failed) as failed:
        opened(remote, credentials=Credentials("ours", "secret"))  # it offers no AUTH
    assert failed.value.reply.is_temporary


def test_sends_no_password_over_plain_text_to_other_machines(monkeypatch):
    with FakeRemote(tls="", auth={"ours": "secret"}) as remote:
        opened(remote, credentials=Credentials("ours", "secret")).close()  # loopback
        talk = conversation(remote, credentials=Credentials("ours", "secret"))
        real = socket.create_connection
        monkeypatch.setattr(
            socket, "create_connection", lambda where, *rest: real(("127.0.0.1", where[1]), *rest)
        )
        talk.address = "192.0.2.1"
        with pytest.raises(Failed) as failed:
            talk.open()
        assert failed.value.reply.status == "4.7.11"
        assert sum(command.startswith("AUTH") for command in remote.commands) == 1


# --- Surprises -------------------------------------------------------------------------------------------


def test_says_why_it_cannot_connect():
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(Failed) as failed:
        Conversation("mx", "127.0.0.1", port, ehlo_name="x").open()
    reply = failed.value.reply
    assert (reply.code, reply.status, reply.phase) == (0, "4.4.1", "connect")
    assert "refused" in reply.text.lower()
    with pytest.raises(Failed) as failed:
        Conversation("mx", "not an address", port, ehlo_name="x").open()
    assert failed.value.reply.is_temporary


@pytest.mark.parametrize("phase", ["greeting", "ehlo"])
@pytest.mark.parametrize("how", ["stall", "hang_up", "babble"])
def test_fails_for_now_when_the_opening_goes_wrong(phase, how):
    with FakeRemote() as remote:
        getattr(remote, how)(phase)
        with pytest.raises(Failed) as failed:
            opened(remote, timeouts=QUICK)
        assert failed.value.reply.is_temporary
        assert failed.value.reply.phase == phase
        assert failed.value.reply.text


@pytest.mark.parametrize("how", ["stall", "hang_up", "babble"])
@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "end"])
def test_is_temporary_for_everybody_undecided_when_the_host_goes_wrong(remote, phase, how):
    remote.say("rcpt", "550 5.1.1 no", recipient=ALICE)
    getattr(remote, how)(phase, **({"recipient": CAROL} if phase == "rcpt" else {}))
    talk = opened(remote, timeouts=QUICK)
    replies = {
        each.recipient: each.reply for each in talk.transmit("a@ours.example", [ALICE, BOB, CAROL], RAW)
    }
    assert replies[BOB].is_temporary
    assert replies[CAROL].is_temporary
    assert replies[BOB].text
    assert replies[BOB].is_uncertain == (phase == "end")
    if phase in ("data", "end"):
        assert replies[ALICE].code == 550
    assert not talk.is_open
    talk.close()
    assert remote.messages == []


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "end"])
def test_takes_421_for_the_end_of_the_conversation(remote, phase):
    remote.say(phase, "421 4.3.2 shutting down")
    talk = opened(remote)
    reply = talk.transmit("a@ours.example", [BOB], RAW)[0].reply
    assert (reply.code, reply.status, reply.text) == (421, "4.3.2", "shutting down")
    assert not talk.is_open


def test_leaves_off_after_as_many_messages_as_the_host_likes(remote):
    remote.say("mail", "421 4.7.0 enough for one connection", after=2)
    talk = opened(remote)
    codes = [talk.transmit("a@ours.example", [BOB], RAW)[0].reply.code for _ in range(3)]
    assert codes == [250, 250, 421]
    assert not talk.is_open


def test_reports_a_refusing_greeting(remote):
    remote.say("greeting", "554 5.7.1 your address is listed")
    with pytest.raises(Failed) as failed:
        opened(remote)
    assert (failed.value.reply.code, failed.value.reply.phase) == (554, "greeting")


def test_speaks_helo_to_old_hosts():
    with FakeRemote() as remote:
        remote.say("ehlo", "502 5.5.1 unknown")
        talk = opened(remote)
        assert talk.extensions == {}
        assert talk.transmit("a@ours.example", [BOB], RAW)[0].reply.is_ok
        talk.close()
        assert remote.messages[0].mail_options == []


def test_treats_success_at_the_wrong_place_as_a_surprise():
    with FakeRemote() as remote:
        remote.say("data", "250 2.0.0 what")
        reply = transmit(remote)[BOB]
        assert reply.is_temporary
    with FakeRemote(pipelining=False) as remote:
        remote.say("rcpt", "354 go")
        assert transmit(remote)[BOB].is_temporary


def test_reads_old_552_at_rcpt_as_too_many_recipients(remote):
    remote.say("rcpt", "552 too many recipients", recipient=ALICE)
    remote.say("rcpt", "552 5.2.2 mailbox full", recipient=BOB)
    replies = transmit(remote, [ALICE, BOB, CAROL])
    assert replies[ALICE].is_temporary
    assert replies[BOB].is_permanent


class Script:
    """A host that says fixed octets one after the other, whatever it hears: for what aiosmtpd never does."""

    host, address = "mx.example.org", "127.0.0.1"

    def __init__(self, *says, hold=0.0):
        self.says, self.hold, self.heard = says, hold, b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        connection, _ = self._server.accept()
        with connection:
            for number, text in enumerate(self.says):
                if number:
                    octets = connection.recv(65536)
                    self.heard += octets
                connection.sendall(text)
            time.sleep(self.hold)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._thread.join(5)
        self._server.close()


def test_throws_away_what_came_before_the_handshake(tmp_path):
    """CVE-2011-0411 from the client's side: plain text behind the 220 must not pass for what TLS brought."""
    tls._make(tmp_path / "cert.pem", tmp_path / "key.pem", "mx.example.org")
    context = tls.make_server_context(tmp_path / "cert.pem", tmp_path / "key.pem")

    class Injector(Script):
        def _run(self):
            connection, _ = self._server.accept()
            for answer in (b"220 hi\r\n", b"250-mx\r\n250 STARTTLS\r\n"):
                connection.sendall(answer)
                connection.recv(65536)
            connection.sendall(b"220 go\r\n250-mx\r\n250 INJECTED\r\n")
            with context.wrap_socket(connection, server_side=True) as protected:
                protected.recv(65536)
                protected.sendall(b"250-mx\r\n250 SIZE 77\r\n")
                protected.recv(65536)

    with Injector() as host:
        talk = opened(host, policy="required")
        assert talk.tls
        assert talk.extensions == {"SIZE": "77"}
        talk._drop()


OPENING = (b"220 hi\r\n", b"250-mx\r\n250 PIPELINING\r\n")


def test_cleans_and_bounds_what_the_host_says():
    first, second = b"550-5.1.1 first \x1b[31m\x00\r\n", b"550-5.1.1 \xff second\xe2\x80\xa8\r\n"
    text = first + second + b"550 5.1.1 " + b"x" * 1900 + b"\r\n"
    with Script(*OPENING, b"250 ok\r\n" + text + b"503 no\r\n") as host:
        reply = transmit(host)[BOB]
    assert reply.text.startswith("first [31m / second / xxx")
    assert len(reply.text) == limits.REMOTE_REPLY_TEXT
    assert reply.text.isprintable()
    assert (reply.code, reply.status) == (550, "5.1.1")


@pytest.mark.parametrize(
    "text",
    [
        b"250-x\r\n" * 1000,
        b"250 " + b"x" * 100_000 + b"\r\n",
        b"250-ok\r\n550 no\r\n",
        b"999 what\r\n",
        b"150 ok\r\n",
        b"25\r\n",
        b"\r\n",
        b"250ok\r\n",
    ],
)
def test_is_not_fooled_by_strange_replies(text):
    with Script(*OPENING, text) as host:
        talk = opened(host, timeouts=QUICK)
        reply = talk.transmit("a@ours.example", [BOB], RAW)[0].reply
        assert reply.is_temporary
        assert not talk.is_open


def test_reads_replies_without_text_and_with_bare_lf():
    with Script(
        b"220\r\n", b"250-mx\n250 SIZE\n", b"250\r\n", b"250\n", b"354\n", b"250\r\n", b"221\r\n"
    ) as host:
        assert transmit(host)[BOB].is_ok


def test_has_one_deadline_for_a_reply_that_drips():
    class Drip(Script):
        def _run(self):
            connection, _ = self._server.accept()
            with connection:
                try:
                    for _ in range(100):
                        connection.sendall(b"220-x\r\n")
                        time.sleep(0.05)
                except OSError:
                    pass

    with Drip() as host:
        started = time.monotonic()
        with pytest.raises(Failed) as failed:
            opened(host, timeouts=QUICK)
        assert time.monotonic() - started < 1.5
        assert failed.value.reply.is_temporary


def test_hears_a_refusal_that_comes_while_it_still_sends():
    raw = RAW + b"y" * 20_000_000 + b"\r\n"

    class Refuser(Script):
        def _run(self):
            connection, _ = self._server.accept()
            with connection:
                connection.sendall(b"220 hi\r\n")
                connection.recv(65536)
                connection.sendall(b"250 mx\r\n")
                for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                    connection.recv(65536)
                    connection.sendall(answer)
                connection.recv(65536)
                connection.sendall(b"552 5.3.4 too big\r\n")
                connection.shutdown(socket.SHUT_WR)
                time.sleep(0.5)  # stops reading: our sending blocks, then breaks

    with Refuser() as host:
        reply = transmit(host, raw=raw, timeouts=Timeouts(*[1.0] * 11))[BOB]
    assert (reply.code, reply.status) == (552, "5.3.4")


def test_notes_the_last_moment_before_the_message_may_be_there(remote):
    seen = []
    talk = opened(remote)
    talk.transmit("a@ours.example", [BOB], RAW, before_end=lambda: seen.append(len(remote.messages)))
    assert seen == [0]

    def lost_the_lease():
        raise RuntimeError("lease lost")

    with pytest.raises(RuntimeError, match="lease lost"):
        talk.transmit("a@ours.example", [BOB], RAW, before_end=lost_the_lease)
    assert not talk.is_open
    time.sleep(0.1)
    assert len(remote.messages) == 1


def test_keeps_the_record_of_all_replies(remote):
    talk = opened(remote)
    talk.transmit("a@ours.example", [BOB], RAW)
    talk.close()
    assert [reply.phase for reply in talk.replies] == [
        "greeting", "ehlo", "starttls", "ehlo", "mail", "rcpt", "data", "end",
    ]  # fmt: skip
    assert all(reply.milliseconds >= 0 for reply in talk.replies)
    assert str(talk.replies[-1]) == "250 2.0.0 Queued as 1"


def test_binds_to_the_source_address(remote):
    talk = opened(remote, source_address="127.0.0.5")
    assert talk._wire._socket.getsockname()[0] == "127.0.0.5"
    talk.close()
    with pytest.raises(Failed) as failed:
        opened(remote, source_address="192.0.2.1")
    assert failed.value.reply.is_temporary


@pytest.mark.parametrize("pipelining", [True, False])
def test_passes_wishes_for_reports_on_to_hosts_that_heed_them(pipelining):
    with FakeRemote(dsn=True, pipelining=pipelining) as remote:
        talk = conversation(remote)
        talk.open()
        assert talk.offers_dsn
        talk.transmit(
            "a@ours.example", [ALICE, BOB], RAW, mail_dsn="RET=HDRS ENVID=e1", rcpt_dsn=["", "NOTIFY=NEVER"]
        )
        talk.close()
    said = [command for command in remote.commands if command.startswith(("MAIL", "RCPT"))]
    assert said[0].endswith(" RET=HDRS ENVID=e1")
    assert said[1:] == [f"RCPT TO:<{ALICE}>", f"RCPT TO:<{BOB}> NOTIFY=NEVER"]


def test_keeps_wishes_for_reports_from_hosts_that_know_none(remote):
    talk = conversation(remote)
    talk.open()
    talk.transmit("a@ours.example", [BOB], RAW, mail_dsn="RET=HDRS", rcpt_dsn=["NOTIFY=NEVER"])
    talk.close()
    assert not any("RET" in command or "NOTIFY" in command for command in remote.commands)
