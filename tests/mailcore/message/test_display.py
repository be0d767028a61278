import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore.message import display
from tests.messages import corpus

ALTERNATIVE = b"""\
From: =?utf-8?q?Zo=C3=AB?= <zoe@example.org>
To: Team: a@example.net, Bob <b@example.net>;
Subject: =?utf-8?b?R3LDvMOfZQ==?=
Message-ID: <1@example.org>
References: <a@x> <b@x>
In-Reply-To: <b@x>
Date: Tue, 24 Nov 2026 10:00:00 +0100
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=m

--m
Content-Type: multipart/related; boundary=r

--r
Content-Type: multipart/alternative; boundary=a

--a
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Gr=C3=BC=C3=9Fe
--a
Content-Type: text/html

<p>Gruss <img src="cid:pic"></p>
--a--
--r
Content-Type: image/png
Content-ID: <pic>
Content-Disposition: inline; filename=pic.png
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--r--
--m
Content-Type: application/pdf; name="../../etc/pass\\wd.pdf"
Content-Disposition: attachment
Content-Transfer-Encoding: base64

SGVsbG8=
--m--
""".replace(b"\n", b"\r\n")


def test_reads_text_html_and_people():
    mail = display.read(ALTERNATIVE)
    assert mail.subject == "Grüße"
    assert [str(one) for one in mail.authors] == ["Zoë <zoe@example.org>"]
    assert [one.address for one in mail.to if one.domain] == ["a@example.net", "b@example.net"]
    assert mail.text == "Grüße"
    assert "cid:pic" in mail.html
    assert (mail.message_id, mail.in_reply_to, mail.references) == ("1@example.org", ["b@x"], ["a@x", "b@x"])


def test_lists_what_is_attached_and_gives_it_out_by_section():
    picture, document = display.read(ALTERNATIVE).attachments
    assert (picture.section, picture.is_inline, picture.content_id, picture.is_image) == (
        "1.2",
        True,
        "pic",
        True,
    )
    assert (document.section, document.is_inline, document.content_type) == ("2", False, "application/pdf")
    assert display.attachment(ALTERNATIVE, "2") == ("passwd.pdf", "application/pdf", b"Hello")
    assert display.attachment(ALTERNATIVE, "9") is None
    assert display.attachment(ALTERNATIVE, "1") is None
    assert display.attachment(ALTERNATIVE, "") is None


def test_makes_text_of_html_where_there_is_no_other():
    raw = b"Content-Type: text/html\r\n\r\n<p>One</p><script>x()</script><p>Two</p>"
    mail = display.read(raw)
    assert "One" in mail.text
    assert "x()" not in mail.text


def test_shows_text_that_follows_html_within_it():
    raw = (
        b"Content-Type: multipart/mixed; boundary=m\r\n\r\n"
        b"--m\r\nContent-Type: text/html\r\n\r\n<p>Hi</p>\r\n"
        b"--m\r\nContent-Type: text/plain\r\n\r\nlist <footer>\r\n--m--\r\n"
    )
    mail = display.read(raw)
    assert "list &lt;footer&gt;" in mail.html


def test_lets_no_file_name_lie():
    raw = (
        b"Content-Type: application/octet-stream; name*=utf-8''a%E2%80%AEfdp.exe%00%0D%0A\r\n"
        b"Content-Disposition: attachment\r\n\r\nx"
    )
    (attached,) = display.read(raw).attachments
    assert attached.filename == "afdp.exe"


def test_names_what_has_no_name():
    raw = b"Content-Type: application/pdf\r\nContent-Disposition: attachment\r\n\r\nx"
    assert display.read(raw).attachments[0].filename == "attachment.pdf"


def test_gives_out_every_attachment_of_every_real_mail():
    for path in corpus():
        raw = path.read_bytes()
        for attached in display.read(raw).attachments:
            assert display.attachment(raw, attached.section) is not None


@given(st.binary(max_size=2000))
def test_never_fails(raw):
    mail = display.read(b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + raw)
    assert isinstance(mail.text, str)


@pytest.mark.parametrize(
    "html",
    [
        "".join(f"<b id={n}>" for n in range(60_000)),
        "<p>" + "".join(f"<b id={n}>" for n in range(3_000)) + "<div>x</div>" * 3_000,
        "<b><i><u></b>" * 60_000,
        "<div>" * 400_000,
        "<!--" * 100_000 + "<style>" * 100_000,
    ],
    ids=["different", "cloned", "misnested", "deep", "open"],
)
def test_takes_the_text_of_hostile_html_in_bounded_time(html):
    start = time.process_time()
    display.text_from_html(html)
    assert time.process_time() - start < 20


def test_takes_the_text_of_long_html_as_of_short():
    short = "<table><tr><td>One</td></tr></table><p>Two<p>Three"
    padding = "<br>" * 1_100
    assert display.text_from_html(short).split() == ["One", "Two", "Three"]
    assert display.text_from_html(short + padding).split() == ["One", "Two", "Three"]
