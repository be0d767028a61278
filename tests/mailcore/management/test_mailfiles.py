"""mbox and Maildir, read and written; the standard library judges what we write."""

import io
import mailbox
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.management import mailfiles
from mailcore.management.mailfiles import Found, Maildir, TooLong
from mailcore.message import flags

MAIL = b"From: a@x.test\r\nDate: Tue, 24 Nov 2026 08:00:00 +0100\r\nSubject: S\r\n\r\nText\r\n"


def mbox(tmp_path: Path, octets: bytes) -> list[Found | TooLong]:
    (tmp_path / "box").write_bytes(octets)
    return list(mailfiles.read(tmp_path / "box", most_octets=1000))


lines = st.sampled_from([b"From x", b">From y", b">>From z", b"", b"text", b" From", b"from a", b"From: b"])


@given(st.lists(st.lists(lines, max_size=8), min_size=1, max_size=5))
def test_an_mbox_gives_back_what_was_put_in(bodies):
    file = io.BytesIO()
    mails = [b"Subject: x\r\n\r\n" + b"".join(line + b"\r\n" for line in body) for body in bodies]
    for number, raw in enumerate(mails):
        mailfiles.write_mbox(file, raw, date=1_700_000_000 + number)
    file.seek(0)
    found = list(mailfiles._split_mbox(file, 10_000))
    unquoted = [mailfiles._QUOTED_FROM.sub(lambda match: match[0][1:], raw) for _, raw in found]
    assert [mailfiles.with_crlf(raw) for raw in unquoted] == mails
    assert [mailfiles._from_date(line) for line, _ in found] == [1_700_000_000 + n for n in range(len(mails))]


def test_the_standard_library_reads_our_files(tmp_path):
    with (tmp_path / "box").open("wb") as file:
        for number in range(3):
            mailfiles.write_mbox(file, MAIL + b"From here\r\n", date=1_700_000_000 + number)
    theirs = mailbox.mbox(tmp_path / "box")
    assert len(theirs) == 3
    assert theirs[0]["Subject"] == "S"
    theirs.close()
    ours = Maildir(tmp_path / "maildir")
    ours.write("INBOX", MAIL, flags=flags.SEEN | flags.FLAGGED, date=1_700_000_000)
    ours.write("A/B.c", MAIL, flags=0, date=1_700_000_001)
    judge = mailbox.Maildir(tmp_path / "maildir", factory=None, create=False)
    (message,) = judge
    assert (message.get_flags(), message.get_date()) == ("FS", 1_700_000_000)
    assert judge.list_folders() == ["A.B%2Ec"]
    found = list(mailfiles.read(tmp_path / "maildir", most_octets=1000))
    assert [(one.folder, one.flags, one.date, one.raw) for one in found] == [
        ("INBOX", flags.SEEN | flags.FLAGGED, 1_700_000_000, MAIL), ("A/B.c", 0, 1_700_000_001, MAIL),
    ]  # fmt: skip


def test_takes_the_date_from_the_line_then_from_the_field(tmp_path):
    body = MAIL.replace(b"\r\n", b"\n")
    dated, undated, empty = mbox(
        tmp_path,
        b"From a@x.test Thu Jan  1 00:00:10 1970\n" + body + b"\nFrom someone\n" + body + b"\nFrom x\n\n",
    )
    assert (dated.date, dated.raw) == (10, MAIL)
    assert undated.date == 1_795_503_600
    assert (empty.raw, empty.date) == (b"", None)


def test_a_mail_too_long_is_told_and_the_next_one_read(tmp_path):
    octets = b"From a\n" + MAIL + b"x" * 2000 + b"\n\nFrom b\n" + MAIL
    long, short = mbox(tmp_path, octets)
    assert isinstance(long, TooLong)
    assert "message 1" in long.where
    assert short.raw == MAIL


def test_reads_status_fields_and_single_files(tmp_path):
    (one,) = mbox(tmp_path, b"From a\nStatus: RO\nX-Status: AF\n\nText\n")
    assert one.flags == flags.SEEN | flags.ANSWERED | flags.FLAGGED
    (one,) = mbox(tmp_path, MAIL)
    assert (one.raw, one.flags, one.folder) == (MAIL, 0, "")
    assert mbox(tmp_path, b"") == []
    (long,) = mbox(tmp_path, b"x" * 1001)
    assert isinstance(long, TooLong)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..", "a/../../b", "/etc", "a//b", ".", "x\0y", "C:\\x"]
)
def test_a_folders_name_leads_nowhere_else(tmp_path, name):
    path = mailfiles.mbox_path(tmp_path, name)
    path.write_bytes(b"")
    assert path.resolve().is_relative_to(tmp_path.resolve())
    folder = Maildir(tmp_path / "m").folder(name)
    assert folder.resolve().is_relative_to((tmp_path / "m").resolve())
    assert folder.parent == tmp_path / "m"


def test_line_ends_change_only_where_all_are_alike():
    for raw in (b"a\r\nb\n", b"a\rb", b"a\nb\r\n"):
        assert mailfiles.with_lf(raw) == raw
        assert mailfiles.with_crlf(raw) == raw
    assert mailfiles.with_crlf(mailfiles.with_lf(MAIL)) == MAIL
