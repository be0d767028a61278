"""Whole commands: each shape read, each mistake answered under its own tag."""

import datetime as dt
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcore.errors import BadCharset, BadSyntax
from mailcore.imap.wire import parser
from mailcore.imap.wire.keys import All, HasFlag, Not
from mailcore.imap.wire.receiver import Received, Receiver, after_login
from mailcore.imap.wire.seqset import STAR
from mailcore.imap.wire.values import (
    Append,
    Authenticate,
    Copy,
    Create,
    Enable,
    Fetch,
    GetMetadata,
    GetQuota,
    Id,
    List,
    Login,
    NewMessage,
    OnFolder,
    Rename,
    Search,
    Select,
    SetMetadata,
    SetQuota,
    Simple,
    Status,
    Store,
    UidExpunge,
)


def parse(text: bytes, *literals: bytes):
    return parser.parse(Received(text, literals))


NOON = dt.datetime(2026, 2, 1, 12, 0, 0, tzinfo=dt.timezone(dt.timedelta(hours=1)))
A = b"a"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        *[
            (b"a " + name.lower().encode(), Simple(A, name))
            for name in (
                "CAPABILITY",
                "NOOP",
                "LOGOUT",
                "STARTTLS",
                "IDLE",
                "NAMESPACE",
                "CHECK",
                "CLOSE",
                "UNSELECT",
                "EXPUNGE",
            )
        ],
        (b"a ID NIL", Id(A, "ID", ())),
        (b"a ID ()", Id(A, "ID", ())),
        (b'a ID ("Name" "x y" "version" NIL)', Id(A, "ID", (("name", "x y"), ("version", None)))),
        (b"a ENABLE CONDSTORE foo CONDSTORE", Enable(A, "ENABLE", ("CONDSTORE", "FOO"))),
        (b"a LOGIN joe@example.org pass", Login(A, "LOGIN", b"joe@example.org", b"pass")),
        (b'a LOGIN "joe" "p a\\"s"', Login(A, "LOGIN", b"joe", b'p a"s')),
        (b"a AUTHENTICATE plain", Authenticate(A, "AUTHENTICATE", "PLAIN", None)),
        (b"a AUTHENTICATE PLAIN AGEAYg==", Authenticate(A, "AUTHENTICATE", "PLAIN", b"\0a\0b")),
        (b"a AUTHENTICATE EXTERNAL =", Authenticate(A, "AUTHENTICATE", "EXTERNAL", b"")),
        (b"a SELECT inbox", Select(A, "SELECT", "INBOX")),
        (b'a EXAMINE "a b"', Select(A, "EXAMINE", "a b")),
        (b"a CREATE x/", Create(A, "CREATE", "x/")),
        (b"a CREATE x (USE ())", Create(A, "CREATE", "x")),
        (b"a CREATE x (USE (\\Foo))", Create(A, "CREATE", "x", ("\\Foo",))),
        (b"a CREATE x (USE (\\sent \\Drafts))", Create(A, "CREATE", "x", ("\\Sent", "\\Drafts"))),
        (b"a DELETE x", OnFolder(A, "DELETE", "x")),
        (b"a SUBSCRIBE x", OnFolder(A, "SUBSCRIBE", "x")),
        (b"a UNSUBSCRIBE x", OnFolder(A, "UNSUBSCRIBE", "x")),
        (b"a GETQUOTAROOT INBOX", OnFolder(A, "GETQUOTAROOT", "INBOX")),
        (b"a RENAME x inbox", Rename(A, "RENAME", "x", "INBOX")),
        (b'a LIST "" *', List(A, "LIST", "", ("*",))),
        (b'a LIST "" ""', List(A, "LIST", "", ("",))),
        (b'a LSUB x/ "%"', List(A, "LSUB", "x/", ("%",))),
        (b"a LIST a/ b%&AOk-*", List(A, "LIST", "a/", ("b%é*",))),
        (b'a LIST () "" (a "b c")', List(A, "LIST", "", ("a", "b c"), is_extended=True)),
        (b'a LIST (SPECIAL-USE) "" "*"', List(A, "LIST", "", ("*",), ("SPECIAL-USE",), is_extended=True)),
        (
            b'a LIST "" % RETURN (SPECIAL-USE children)',
            List(A, "LIST", "", ("%",), (), (("SPECIAL-USE", None), ("CHILDREN", None)), is_extended=True),
        ),
        (
            b'a LIST (subscribed recursivematch REMOTE) "" % RETURN (STATUS (size DELETED) SUBSCRIBED)',
            List(
                A,
                "LIST",
                "",
                ("%",),
                ("SUBSCRIBED", "RECURSIVEMATCH", "REMOTE"),
                (("STATUS", ("SIZE", "DELETED")), ("SUBSCRIBED", None)),
                is_extended=True,
            ),  # fmt: skip
        ),
        (b'a LIST "" % RETURN ()', List(A, "LIST", "", ("%",), is_extended=True)),
        (
            b'a GETMETADATA (MAXSIZE 9 DEPTH Infinity) "" (/a "/b c")',
            GetMetadata(A, "GETMETADATA", "", ("/a", "/b c"), 9, None),
        ),
        (b"a GETMETADATA (DEPTH 1) inbox /a", GetMetadata(A, "GETMETADATA", "INBOX", ("/a",), None, 1)),
        (
            b'a SETMETADATA x (/a NIL /b "NIL")',
            SetMetadata(A, "SETMETADATA", "x", (("/a", None), ("/b", b"NIL"))),
        ),
        (b"a STATUS x (messages UNSEEN messages)", Status(A, "STATUS", "x", ("MESSAGES", "UNSEEN"))),
        (
            b"a STATUS x (RECENT UIDNEXT UIDVALIDITY)",
            Status(A, "STATUS", "x", ("RECENT", "UIDNEXT", "UIDVALIDITY")),
        ),
        (b'a GETQUOTA ""', GetQuota(A, "GETQUOTA", "")),
        (b"a SETQUOTA x ()", SetQuota(A, "SETQUOTA", "x", ())),
        (
            b"a SETQUOTA x (storage 10 MESSAGE 5)",
            SetQuota(A, "SETQUOTA", "x", (("STORAGE", 10), ("MESSAGE", 5))),
        ),
        (b"a STORE 1 FLAGS ()", Store(A, "STORE", ((1, 1),), "", (), silent=False)),
        (
            b"a STORE 1:2 +flags.silent \\seen x",
            Store(A, "STORE", ((1, 2),), "+", ("\\Seen", "x"), silent=True),
        ),
        (
            b"a UID STORE * -FLAGS (\\Deleted)",
            Store(A, "UID STORE", ((STAR, STAR),), "-", ("\\Deleted",), silent=False),
        ),
        (b"a COPY 1:* x", Copy(A, "COPY", ((1, STAR),), "x")),
        (b"a UID COPY 1 x", Copy(A, "UID COPY", ((1, 1),), "x")),
        (b"a MOVE 1 x", Copy(A, "MOVE", ((1, 1),), "x")),
        (b"a uid move 1 x", Copy(A, "UID MOVE", ((1, 1),), "x")),
        (b"a UID EXPUNGE 3:5", UidExpunge(A, "UID EXPUNGE", ((3, 5),))),
        (b"a SEARCH ALL", Search(A, "SEARCH", All())),
        (b"a UID SEARCH UNSEEN", Search(A, "UID SEARCH", Not(HasFlag("\\Seen")))),
    ],
)
def test_reads(text, command):
    found = parse(text)
    assert found == command
    assert type(found) is type(command)


def test_reads_fetch_by_the_short_way_and_the_long_way():
    short = parse(b"a UID FETCH 1:* (UID FLAGS)")
    assert isinstance(short, Fetch)
    assert (short.name, short.numbers, [item.name for item in short.items]) == (
        "UID FETCH",
        ((1, STAR),),
        ["UID", "FLAGS"],
    )
    long = parse(b"a UID FETCH 1:* (UID " + b"UID " * 60 + b"FLAGS)")
    assert long == short
    assert (
        parse(b"a FETCH 2 BODY[HEADER.FIELDS ({4}\r\n)]", b"From").items
        == parse(b"a FETCH 2 BODY[HEADER.FIELDS (From)]").items
    )


def test_reads_strings_as_literals():
    assert parse(b"a LOGIN {3}\r\n {4+}\r\n", b"joe", b"p\xc3\xa9s") == Login(
        A, "LOGIN", b"joe", b"p\xc3\xa9s"
    )
    assert parse(b"a SELECT {5}\r\n", b"inbox") == Select(A, "SELECT", "INBOX")
    assert parse(b"a RENAME {1}\r\n {1}\r\n", b"x", b"y") == Rename(A, "RENAME", "x", "y")


def test_reads_append():
    raw = b"Subject: x\r\n\r\n\0\r\n"
    assert parse(b"a APPEND x {9}\r\n", raw) == Append(A, "APPEND", "x", (NewMessage((), None, raw),))
    assert parse(b'a APPEND x (\\Seen k) "01-Feb-2026 12:00:00 +0100" {9+}\r\n', raw) == Append(
        A, "APPEND", "x", (NewMessage(("\\Seen", "k"), NOON, raw),)
    )
    assert parse(b"a APPEND {1}\r\n () {1}\r\n (\\Seen) {1}\r\n", b"x", b"1", b"2") == Append(
        A, "APPEND", "x", (NewMessage((), None, b"1"), NewMessage(("\\Seen",), None, b"2"))
    )


def test_reads_names_as_the_client_has_enabled():
    text = b"a SELECT Entw&APw-rfe"
    assert parser.parse(Received(text), utf8=True) == Select(A, "SELECT", "Entw&APw-rfe")
    assert parser.parse(Received(text)) == Select(A, "SELECT", "Entwürfe")


def test_reads_messages_that_are_said_to_be_in_utf8():
    """RFC 6855 §4; RFC 9755 has left it out."""
    message = NewMessage(("\\Seen",), None, b"x", is_binary=True)
    text = b"a APPEND x (\\Seen) UTF8 (~{1}\r\n)"
    assert parse(text, b"x") == Append(A, "APPEND", "x", (message,))
    assert parse(text + b" (\\Seen) utf8 (~{1+}\r\n)", b"x", b"x").messages == (message, message)


@pytest.mark.parametrize(
    "text",
    [b"UTF8 ({1}\r\n)", b"UTF8 ~{1}\r\n", b"UTF8 (~{1}\r\n", b"UTF8(~{1}\r\n)", b"UTF8 (~{1}\r\n ~{1}\r\n)"],
)
def test_refuses_messages_that_are_nearly_said_to_be_in_utf8(text):
    with pytest.raises(BadSyntax):
        parse(b"a APPEND x " + text, b"x", b"x")


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        (b"", None),
        (b" ", None),
        (b"a", None),
        (b"* NOOP", None),
        (b"+ NOOP", None),
        (b"(a NOOP", None),
        (b"\xc3\xa9 NOOP", None),
        (b"t" * 65 + b" NOOP", None),
        (b"a ", A),
        (b"a  NOOP", A),
        (b"a \0", A),
        (b"a (", A),
        (b"A.1 FROB", b"A.1"),
        (b"a NOOP ", A),
        (b"a NOOP x", A),
        (b"a NOOP\r", A),
        (b"a NO\rOP", A),
        (b"a UID", A),
        (b"a UID NOOP", A),
        (b"a UID  FETCH 1 FLAGS", A),
        (b"a IDLE{3}\r\n", A),
        (b"a NOOP\nb NOOP", A),
        (b"a ID", A),
        (b"a ID x", A),
        (b'a ID "x"', A),
        (b'a ID ("x")', A),
        (b'a ID ("x" "y"', A),
        (b"a ID (NIL NIL)", A),
        (b"a ENABLE", A),
        (b"a ENABLE ", A),
        (b"a ENABLE (x)", A),
        (b"a LOGIN", A),
        (b"a LOGIN joe", A),
        (b"a LOGIN joe ", A),
        (b"a LOGIN joe pass word", A),
        (b"a LOGIN joe pa(ss", A),
        (b"a AUTHENTICATE", A),
        (b"a AUTHENTICATE PLAIN ", A),
        (b"a AUTHENTICATE PLAIN x", A),
        (b"a AUTHENTICATE PLAIN *", A),
        (b"a AUTHENTICATE PLAIN AGE AYg==", A),
        (b"a AUTHENTICATE PLAIN {4}\r\n", A),
        (b"a SELECT", A),
        (b"a SELECT ", A),
        (b'a SELECT "x', A),
        (b"a SELECT x y", A),
        (b"a SELECT x (CONDSTORE 1)", A),
        (b"a SELECT x (CONDSTORE CONDSTORE)", A),
        (b"a SELECT R&D", A),
        (b"a SELECT *", A),
        (b"a CREATE x (USE \\Sent)", A),
        (b"a CREATE x (USE (Sent))", A),
        (b"a CREATE x (FOO (\\Sent))", A),
        (b"a RENAME x", A),
        (b"a RENAME x y z", A),
        (b'a LIST ""', A),
        (b'a LIST "" ()', A),
        (b'a LIST "" * RETURN', A),
        (b'a LIST "" * FOO ()', A),
        (b'a LIST "" * RETURN (FOO)', A),
        (b'a LSUB () "" *', A),
        (b'a LSUB "" (a b)', A),
        (b'a LIST (RECURSIVEMATCH) "" *', A),
        (b'a LIST (RECURSIVEMATCH REMOTE) "" *', A),
        (b'a LIST (CHILDREN) "" *', A),
        (b'a LIST "" * RETURN (STATUS)', A),
        (b'a LIST "" * RETURN (STATUS ())', A),
        (b'a LIST "" * RETURN (STATUS (FOO))', A),
        (b"a STATUS x", A),
        (b"a STATUS x ()", A),
        (b"a STATUS x (FOO)", A),
        (b"a STATUS x MESSAGES", A),
        (b"a STATUS x (SIZES)", A),
        (b"a APPEND x", A),
        (b'a APPEND x "y"', A),
        (b"a APPEND x y", A),
        (b'a APPEND x "01-Feb-2026 12:00:00 +0100"', A),
        (b"a APPEND x (\\Recent) {1}\r\n", A),
        (b"a APPEND x {1}\r\n x", A),
        (b"a APPEND x ~~{1}\r\n", A),
        (b"a GETQUOTA", A),
        (b"a SETQUOTA x", A),
        (b"a SETQUOTA x (STORAGE)", A),
        (b"a SETQUOTA x (STORAGE -1)", A),
        (b'a GETQUOTA "\xff"', A),
        (b"a FETCH", A),
        (b"a FETCH 1", A),
        (b"a FETCH 1 ", A),
        (b"a FETCH 0 FLAGS", A),
        (b"a FETCH x FLAGS", A),
        (b"a FETCH 1 FLAGS UID", A),
        (b"a FETCH 1 (FLAGS) (CHANGEDSINCE)", A),
        (b"a FETCH 1 (FLAGS) (CHANGEDSINCE x)", A),
        (b"a FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775808)", A),
        (b"a FETCH 1 (MODSEQ (1))", A),
        (b"a FETCH 1,, FLAGS", A),
        (b"a FETCH 1 FLAGS\r", A),
        (b"a STORE 1", A),
        (b"a STORE 1 FLAGS", A),
        (b"a STORE 1 FLAGS ", A),
        (b"a STORE 1 *FLAGS (x)", A),
        (b"a STORE 1 +FLAGS.LOUD (x)", A),
        (b"a STORE 1 (UNCHANGEDSINCE) FLAGS (x)", A),
        (b"a STORE 1 (UNCHANGEDSINCE 1 UNCHANGEDSINCE 1) FLAGS (x)", A),
        (b"a STORE 1 FLAGS (x) (UNCHANGEDSINCE 1)", A),
        (b'a SEARCH MODSEQ "/flags/x" 1', A),
        (b'a SEARCH MODSEQ "/flags/x" some 1', A),
        (b"a SEARCH MODSEQ", A),
        (b"a STORE 1 +FLAGS (\\Recent)", A),
        (b"a STORE 1 +FLAGS (x) y", A),
        (b"a COPY 1", A),
        (b"a COPY x y", A),
        (b"a COPY 1 x y", A),
        (b"a UID EXPUNGE", A),
        (b"a UID EXPUNGE x", A),
        (b"a SEARCH", A),
        (b"a SEARCH ", A),
        (b"a SEARCH FOO", A),
        (b"a SEARCH RETURN ALL", A),
        (b"a SEARCH RETURN (FOO) ALL", A),
        (b"a SEARCH RETURN (MIN MIN) ALL", A),
        (b"a SEARCH RETURN (MIN)", A),
    ],
)
def test_refuses_under_its_tag(text, tag):
    with pytest.raises(BadSyntax) as caught:
        parse(text, b"x")
    assert caught.value.tag == tag
    assert caught.value.public.isascii()
    assert caught.value.public.isprintable()


def test_a_charset_we_do_not_read_is_refused_under_its_tag():
    with pytest.raises(BadCharset) as caught:
        parse(b"a SEARCH CHARSET x ALL")
    assert caught.value.tag == A


def test_errors_keep_passwords():
    for text in (
        b"a LOGIN joe hunter2 (",
        b'a LOGIN "joe" "hunter2',
        b"a LOGIN joe hunter2(",
        b"a AUTHENTICATE PLAIN hunter2!",
    ):
        with pytest.raises(BadSyntax) as caught:
            parse(text)
        assert "hunter2" not in caught.value.public


def test_decodes_answers_to_challenges():
    assert parser.sasl_response(b"AGEAYg==") == b"\0a\0b"
    assert parser.sasl_response(b"") == b""
    assert parser.sasl_response(b"*") is None
    for line in (b"=", b"A", b"AGEAYg", b"AGEAYg= =", b"AG\0A", b"AGEAYg==x", b" AGEAYg=="):
        with pytest.raises(BadSyntax):
            parser.sasl_response(line)


def test_an_extension_is_a_row(monkeypatch):
    def since(cursor):
        cursor.space("a modification sequence")
        return cursor.number("a modification sequence")

    monkeypatch.setitem(parser.FETCH_MODIFIERS, "CHANGEDSINCE", since)
    monkeypatch.setitem(parser.FETCH_MODIFIERS, "VANISHED", None)
    monkeypatch.setitem(parser.STORE_MODIFIERS, "UNCHANGEDSINCE", since)
    monkeypatch.setitem(parser.SELECT_PARAMETERS, "CONDSTORE", None)
    monkeypatch.setitem(parser.SEARCH_RETURNS, "MIN", None)
    assert parse(b"a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)").modifiers == (
        ("CHANGEDSINCE", 12345),
        ("VANISHED", None),
    )
    assert parse(b"a STORE 1 (unchangedsince 5) +FLAGS.SILENT (x)").modifiers == (("UNCHANGEDSINCE", 5),)
    assert parse(b"a SELECT x (CONDSTORE)").parameters == (("CONDSTORE", None),)
    assert parse(b"a SEARCH RETURN (MIN) ALL").returns == (("MIN", None),)
    assert parse(b"a SEARCH RETURN () ALL").returns == ()
    parser._short_fetch_end.cache_clear()
    parser._short_store_end.cache_clear()


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"a ",
                b"UID ",
                b"FETCH ",
                b"SEARCH ",
                b"STORE ",
                b"LIST ",
                b"APPEND ",
                b"LOGIN ",
                b"STATUS ",
                b"ID ",
                b"1:*",
                b"1",
                b"(",
                b")",
                b" ",
                b'"',
                b"\\",
                b"FLAGS",
                b"BODY[",
                b"]",
                b"<0.1>",
                b"{1}\r\n",
                b"x",
                b"NOT ",
                b"OR ",
                b"RETURN ",
                b"&",
                b"-",
                b"%",
                b"\xff",
                b"\0",
                b"\r",
                b"\n",
                b"NIL",
                b"CHARSET ",
                b"UTF-8",
                b"HEADER.FIELDS ",
                b"+FLAGS ",
                b"1-Jan-2026",
            ]
        ),
        max_size=15,
    )
)
def test_answers_or_refuses_whatever_comes(pieces):
    text = b"".join(pieces)
    try:
        parse(text, *[b"x"] * text.count(b"{1}\r\n"))
    except (BadSyntax, BadCharset):
        pass


@given(st.binary(max_size=60))
def test_answers_or_refuses_any_octets(text):
    try:
        parse(b"a " + text.replace(b"}\r\n", b""))
    except (BadSyntax, BadCharset):
        pass


@pytest.mark.parametrize(
    "text",
    [
        b"a FETCH " + b",".join([b"1"] * 32_000) + b" FLAGS",
        b"a FETCH " + b"1:" * 30_000 + b" FLAGS",
        b"a FETCH 1 " + b"(" * 60_000,
        b"a STORE 1 FLAGS (" + b"x " * 30_000 + b")",
        b"a STORE 1 FLAGS (" + b"\\" * 60_000 + b")",
        b'a SELECT "' + b"\\\\" * 30_000,
        b'a LIST "" (' + b"* " * 30_000 + b")",
        b"a ID (" + b'"a" NIL ' * 7000 + b")",
        b"a ENABLE" + b" x" * 30_000,
        b"a SEARCH " + b"(" * 60_000,
        b"a " + b"x" * 60_000,
        b"x" * 65_000,
        b"a SELECT &" + b"A" * 60_000 + b"-",
    ],
)
def test_no_line_takes_long(text):
    began = time.process_time()
    try:
        parse(text)
    except BadSyntax:
        pass
    assert time.process_time() - began < 3


def test_what_the_receiver_cuts_is_parsed():
    receiver = Receiver(after_login())
    receiver.feed(b"a SELECT {5+}\r\nINBOX\r\nb FROB\r\nc UID FETCH 1 FLAGS\r\n")
    assert parser.parse(receiver.command()) == Select(A, "SELECT", "INBOX")
    with pytest.raises(BadSyntax):
        parser.parse(receiver.command())
    assert parser.parse(receiver.command()).name == "UID FETCH"
